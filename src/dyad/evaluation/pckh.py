"""PCKh: joints of an image that are right within a share of the person's own head.

MPII's measure, and with one person an image also its score (http://human-pose.mpi-inf.mpg.de/#evaluation): a joint is
right within half a head, where a head is 0.6 of the diagonal of its box. The mean is over labelled joints, not over
people. Truth and prediction are (N,J,2) px, row by row the same person; whoever was missed is a row of NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def head_errors(truth: ArrayLike, predicted: ArrayLike, *, head: ArrayLike) -> NDArray[np.float64]:
    """Distance (N,J) of every joint to its truth, in sizes of the person's head, `head` (N,) px.

    NaN where the truth is not labelled, or the person's head has no positive size: these do not count. Infinite where
    only the prediction is missing.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    size = np.asarray(head, dtype=np.float64)[:, None]
    distance = np.sqrt(((pred - true) ** 2).sum(-1))
    distance = np.where(np.isfinite(pred).all(-1), distance, np.inf)
    counted = np.isfinite(true).all(-1) & np.isfinite(size) & (size > 0)
    return np.where(counted, distance / np.where(size > 0, size, 1.0), np.nan)


def pckh(errors: ArrayLike, *, within: float = 0.5) -> float:
    """Share in 0..1 of the labelled joints of `head_errors` that are at most `within` heads away; NaN if none is."""
    values = np.asarray(errors, dtype=np.float64)
    values = values[~np.isnan(values)]
    return float((values <= within).mean()) if values.size else float("nan")


def pckh_by_joint(errors: ArrayLike, *, within: float = 0.5) -> NDArray[np.float64]:
    """The same for each joint, (J,): errors (N,J); NaN for a joint that is labelled on nobody."""
    values = np.asarray(errors, dtype=np.float64)
    count = (~np.isnan(values)).sum(0)
    right = (values <= within).sum(0)
    return np.divide(right, count, out=np.full(count.shape, np.nan), where=count > 0)


def head_segments(head_top: ArrayLike, neck: ArrayLike) -> NDArray[np.float64]:
    """Length (N,) px from head tops (N,2) to necks (N,2), for truth without head boxes; NaN where one is unknown."""
    return np.linalg.norm(np.asarray(head_top, dtype=np.float64) - np.asarray(neck, dtype=np.float64), axis=-1)
