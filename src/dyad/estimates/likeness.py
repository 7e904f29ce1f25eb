"""How alike people are in the image, and who is who between two lists of them."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dyad.core.tracks import Tracks
from dyad.estimates.sheet import Floats

_SPREAD = 0.1
"""A joint this share of a person's size away is as far as estimators differ; OKS's spreads are those of annotators."""


def likeness(first: Floats, second: Floats) -> Floats:
    """Similarity (N, M) from 0 to 1 of people (N, J, 2) and (M, J, 2) px with the same joints, NaN where missing.

    The mean over the joints that both have; 0 where they share none.
    """
    size = np.maximum(_size(first)[:, None], _size(second)[None])
    square = ((first[:, None] - second[None]) ** 2).sum(-1)
    both = np.isfinite(square)
    scale = 2 * (_SPREAD * np.maximum(size, 1.0)) ** 2
    each = np.where(both, np.exp(-np.where(both, square, 0.0) / scale[..., None]), 0.0)
    return each.sum(-1) / np.maximum(both.sum(-1), 1)


def assigned(scores: Floats, least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of the best one-to-one assignment of scores (N, M), each at least `least`."""
    rows, columns = linear_sum_assignment(-scores)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if scores[r, c] >= least]


def by_frame(tracks: Tracks) -> dict[int, NDArray[np.int64]]:
    """The rows (n,) of each frame that has any, ascending."""
    frame = tracks.frame.numpy()
    order = np.argsort(frame, kind="stable")
    frames, starts = np.unique(frame[order], return_index=True)
    # The first part lies before all frames, and is empty.
    return dict(zip(frames.tolist(), np.split(order, starts)[1:], strict=True))


def _size(xy: Floats) -> NDArray[np.float64]:
    """Diagonal (N,) of each person's joints."""
    known = np.isfinite(xy)
    low = np.where(known, xy, np.inf).min(1, initial=np.inf)
    high = np.where(known, xy, -np.inf).max(1, initial=-np.inf)
    return np.hypot(*np.where(high >= low, high - low, 0.0).T)
