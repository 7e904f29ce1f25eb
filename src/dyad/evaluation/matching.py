"""Who is who: a one-to-one assignment of predicted to true people."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment


class Matches(NamedTuple):
    """Pairs of rows, sorted by `truth`: `truth[i]` and `predicted[i]` are the same person, `similarity[i]` alike."""

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    similarity: NDArray[np.float64]


def match(similarity: ArrayLike, *, at_least: float) -> Matches:
    """The one-to-one pairs with the largest total similarity, of which every one reaches `at_least`.

    similarity: (G,P), larger is more alike, either side may be empty. NaN, or less than `at_least`, can never pair.
    Nobody is used twice; whoever finds no partner is in no pair. Raises ValueError unless `similarity` is (G,P) and
    free of infinity, and `at_least` is positive.
    """
    matrix = np.asarray(similarity, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"a similarity matrix has two axes (truth, predicted), this one has shape {matrix.shape}")
    if np.isinf(matrix).any():
        raise ValueError("a similarity is a finite number or NaN, this matrix holds infinity")
    if not at_least > 0:
        raise ValueError(f"at_least must be positive, so that strangers stay apart, got {at_least}")
    allowed = np.nan_to_num(matrix, nan=-np.inf) >= at_least
    rows, columns = linear_sum_assignment(np.where(allowed, matrix, 0.0), maximize=True)
    kept = allowed[rows, columns]
    rows, columns = rows[kept], columns[kept]
    return Matches(rows.astype(np.int64), columns.astype(np.int64), matrix[rows, columns])
