"""Errors of matched 3D poses. Every name says what was aligned: `root` means both poses moved so that their root joints
coincide, `absolute` means nothing at all. No function here scales, turns or fits anything.

Poses are (N,J,3) in metres, truth and prediction row by row the same person; a NaN joint of the prediction is missing
and fails; a NaN joint of the truth does not count. What scales, turns or fits is in `evaluation.aligned`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

AUC_3DHP_M = tuple(millimetres / 1000 for millimetres in range(0, 155, 5))
"""Thresholds 0, 5 … 150 mm of the area under the PCK curve, as MPI-INF-3DHP's evaluation takes them."""

AUC_RELEASED_M = tuple(millimetres / 1000 for millimetres in range(0, 200, 5))
"""Thresholds 0, 5 … 195 mm, as the released evaluation of Cheng et al. (CVPR 2021) takes them: AUC comes out higher."""


def absolute_errors(truth: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Distance of every joint to its truth, (N,J) in m; inf where the prediction lacks it, NaN where the truth does."""
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    distance = np.sqrt(((pred - true) ** 2).sum(-1))
    missing = np.isfinite(true).all(-1) & ~np.isfinite(pred).all(-1)
    return np.where(missing, np.inf, distance)


def root_errors(
    truth: ArrayLike, predicted: ArrayLike, truth_root: ArrayLike, predicted_root: ArrayLike
) -> NDArray[np.float64]:
    """As `absolute_errors`, after subtracting from each pose its own root joint (N,3)."""
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    true_centre = np.asarray(truth_root, dtype=np.float64)[:, None]
    pred_centre = np.asarray(predicted_root, dtype=np.float64)[:, None]
    return absolute_errors(true - true_centre, pred - pred_centre)


def middle(poses: ArrayLike, *joints: int) -> NDArray[np.float64]:
    """The middle (…,3) of the named joints of poses (…,J,3), such as both hips; NaN where one of them is."""
    return np.asarray(poses, dtype=np.float64)[..., list(joints), :].mean(-2)


def mean_error(errors: ArrayLike) -> float:
    """Mean of the errors that exist, in their unit: of `root_errors` it is the root-aligned MPJPE. NaN if none exists.

    A missing joint has no error, so this says nothing about what was missed: read it beside a coverage.
    """
    values = np.asarray(errors, dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


def mean_of_pose_means(errors: ArrayLike) -> float:
    """Mean over poses of the mean over their joints, of errors (…,J) that exist. It differs from `mean_error` where
    poses have different numbers of joints. A pose without an error does not count; NaN if none has one."""
    values = np.asarray(errors, dtype=np.float64)
    exist = np.isfinite(values)
    number = exist.sum(-1)
    total = np.where(exist, values, 0.0).sum(-1)
    return mean_error(total[number > 0] / number[number > 0])


def weighted_mean_error(errors: ArrayLike, weights: ArrayLike) -> float:
    """Mean of weight × error over the errors that exist, in their unit if the weights have mean 1 (VideoPose3D's form:
    it does not divide by the sum of weights). `weights` broadcasts to `errors`: (N,J), (N,1) or (J,)."""
    values = np.asarray(errors, dtype=np.float64)
    factors = np.broadcast_to(np.asarray(weights, dtype=np.float64), values.shape)
    # inf × 0 would hide that the joint is missing
    return mean_error(np.where(np.isfinite(values), values, np.nan) * factors)


def median_error(errors: ArrayLike) -> float:
    """Median of the errors that exist, in their unit. NaN if none exists."""
    values = np.asarray(errors, dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else float("nan")


def pck(errors: ArrayLike, *, within: float = 0.15, missed: int = 0) -> float:
    """Share of joints in 0..1 whose error is below `within` (m): PCK of `root_errors`, PCK_abs of `absolute_errors`.

    errors: (N,J); `missed` people, of whom nothing was found, fail all their J joints. The mean is over people of the
    mean over their counted joints. A person without a counted joint does not count; NaN if nobody does.
    """
    values = np.asarray(errors, dtype=np.float64)
    counted = ~np.isnan(values)
    people = counted.any(-1)
    each = ((values < within) & counted).sum(-1)[people] / counted.sum(-1)[people]
    total = each.size + missed
    return float(each.sum() / total) if total else float("nan")


def auc(errors: ArrayLike, *, thresholds: Sequence[float], missed: int = 0) -> float:
    """Area under the PCK curve in 0..1: the plain mean of `pck` over `thresholds` (m).

    The field has two sets of thresholds, `AUC_3DHP_M` and `AUC_RELEASED_M`; a number means nothing without its set.
    As an error must be below its threshold, the one at 0 always gives 0, so that perfection is not quite 1.
    """
    return float(np.mean([pck(errors, within=within, missed=missed) for within in thresholds]))
