"""Where people stand: how well they are found by their place in space alone.

Nothing is aligned here. Roots are in metres in the camera's frame; x to the right, y down, z forward.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput


class RootFrame(NamedTuple):
    """True roots (G,3) and predicted ones (P,3) in m of one frame, and the predictions' scores (P,)."""

    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    scores: NDArray[np.float64]


def average_precision_of_roots(frames: Sequence[RootFrame], *, within: float = 0.25) -> float:
    """AP_root in 0..1 (Moon et al., ICCV 2019, with 25 cm): the area under precision over recall of all frames.

    In the order of their scores, over all frames, predictions take the nearest true root of their frame that is still
    free and nearer than `within` (m); who finds none is wrong. Precision is made monotone from the right, and the area
    is exact, without sampling. A NaN root of the prediction is dropped, and of the truth too. With equal scores the
    earlier frame, then the earlier row, goes first. NaN if there is no true root; BadInput where scores are not as many
    as predicted roots.
    """
    total = 0
    scores: list[NDArray[np.float64]] = []
    hits: list[NDArray[np.bool_]] = []
    for frame in frames:
        true, pred = (np.asarray(v, dtype=np.float64).reshape(-1, 3) for v in frame[:2])
        score = np.asarray(frame.scores, dtype=np.float64)
        if score.shape != (len(pred),):
            raise BadInput(f"{len(pred)} predicted roots need as many scores, got {score.shape}")
        true, there = true[np.isfinite(true).all(-1)], np.isfinite(pred).all(-1)
        order = np.argsort(-score[there], kind="stable")
        hits.append(_taken(true, pred[there][order], within))
        scores.append(score[there][order])
        total += len(true)
    if not total:
        return float("nan")
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit = np.concatenate(hits)[order]
    right = np.cumsum(hit)
    precision = right / np.arange(1, len(right) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[hit].sum() / total)


def _taken(truth: NDArray[np.float64], predicted: NDArray[np.float64], within: float) -> NDArray[np.bool_]:
    """(P,) whether each prediction, one after the other, found a true root still free."""
    free = np.ones(len(truth), dtype=bool)
    hit = np.zeros(len(predicted), dtype=bool)
    for row, place in enumerate(predicted):
        distance = np.where(free, np.linalg.norm(truth - place, axis=-1), np.inf)
        if distance.size and distance.min() < within:
            free[distance.argmin()] = False
            hit[row] = True
    return hit
