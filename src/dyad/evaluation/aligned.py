"""Errors of matched 3D poses after a fit to the truth, which so helps each of them. Every name says which fit: `pa` for
a similarity (Procrustes: turned, moved, scaled), `n` for scale alone.

Poses are (N,J,3) in metres as in `evaluation.pose3d`: a NaN joint of the prediction is missing (its error is infinite),
a NaN joint of the truth does not count (its error is NaN). Fits use the joints that both have. No fit mirrors: a pose
whose left and right are exchanged in space stays wrong.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dyad.evaluation.pose3d import absolute_errors
from dyad.geometry.alignment import fit_similarity

_FEWEST = 3
"""Two points can be laid on any other two, so that a fit of fewer than three says nothing."""


def procrustes(truth: ArrayLike, predicted: ArrayLike, *, scale: bool = True) -> NDArray[np.float64]:
    """The predicted poses (…,J,3), each laid on its true one by its own least-squares similarity.

    Fewer than three common joints cannot be laid on anything: such a pose is NaN.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    fit = fit_similarity(torch.from_numpy(pred.copy()), torch.from_numpy(true.copy()), scale=scale)
    common = (np.isfinite(true).all(-1) & np.isfinite(pred).all(-1)).sum(-1)
    return np.where(common[..., None, None] >= _FEWEST, fit(torch.from_numpy(pred.copy())).numpy(), np.nan)


def pa_errors(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """(N,J) m after a similarity fit of each pose: their mean is the PA-MPJPE (protocol 2 of Human3.6M)."""
    return absolute_errors(truth, procrustes(truth, predicted))


def scaled(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """The predicted poses (…,J,3), each times the factor that brings it nearest to its true one.

    The factor acts about the origin: give root-relative poses for what the field calls N-MPJPE. It is the least-squares
    one whatever its sign, as published, so that a pose that points the opposite way is turned inside out.
    A pose at the origin keeps its place.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    common = np.isfinite(true).all(-1, keepdims=True) & np.isfinite(pred).all(-1, keepdims=True)
    t, p = np.where(common, true, 0.0), np.where(common, pred, 0.0)
    along, size = (t * p).sum((-1, -2), keepdims=True), (p * p).sum((-1, -2), keepdims=True)
    return pred * np.divide(along, size, out=np.ones_like(size), where=size > 0)


def n_errors(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """(N,J) m after each predicted pose was scaled about the origin: the N-MPJPE of Rhodin et al. (CVPR 2018) is their
    mean, of root-relative poses."""
    return absolute_errors(truth, scaled(truth, predicted))
