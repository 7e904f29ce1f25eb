"""Errors of matched 3D poses. Every name says what was aligned: `root` means both poses moved so that their root joints
coincide, `absolute` means nothing at all. No function here scales, turns or fits anything.

Poses are (N,J,3) in metres, truth and prediction row by row the same person; a NaN joint of the prediction is missing
and fails; a NaN joint of the truth does not count.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


def mean_error(errors: ArrayLike) -> float:
    """Mean of the errors that exist, in their unit: of `root_errors` it is the root-aligned MPJPE. NaN if none exists.

    A missing joint has no error, so this says nothing about what was missed: read it beside a coverage.
    """
    values = np.asarray(errors, dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


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
