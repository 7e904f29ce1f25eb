"""End-point errors at joints for data that has joints but no flow: as published by Arko et al. (BMVC 2022), and plain.

The true flow at a joint is its displacement from one frame to the next that counts. Both functions read the predicted
flow at the joint's pixel, rounded to the nearest (half to even), and leave out joints off the image or NaN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.core.errors import BadInput

RELEASED_DIVISOR = 32
"""The joints of a raw Human3.6M pose. The released script divides by it even where its labels hold seventeen."""


def joint_flow_errors(flow: ArrayLike, xy: ArrayLike) -> NDArray[np.float64]:
    """|flow - displacement| (T,J) px of every joint; NaN where it is unknown or off the first image, inf for NaN flow.

    flow: (T,H,W,2) px, x then y. xy: (T+1,J,2) px, true joints of the T+1 frames between which the flows lead. Their
    mean over joints and pairs (`pose3d.mean_error`) is the honest end-point error at joints.
    """
    at = _at_joints(flow, xy)
    return np.where(at.inside, at.error, np.nan)


def released_epe_at_joints(flow: ArrayLike, xy: ArrayLike, *, divisor: int = RELEASED_DIVISOR) -> float:
    """The published reduction in px: the errors of the pixels that hold a joint, over `divisor` times the pairs.

    Displacements are written into an empty image, joint by joint, so that of several joints on one pixel only the last
    counts, yet the sum is divided by 32. So the number is lower than the mean over joints: by 17/32 with the seventeen
    labels that VideoPose3D distributes, and by the share of repeated joints with all 32. Arguments as
    `joint_flow_errors`, whose mean is the honest one.
    """
    at = _at_joints(flow, xy)
    pairs, joints = at.error.shape
    total = 0.0
    for t in range(pairs):
        last = {(at.row[t, j], at.column[t, j]): at.error[t, j] for j in range(joints) if at.inside[t, j]}
        total += float(sum(last.values()))
    return total / (divisor * pairs) if pairs else float("nan")


class _AtJoints(NamedTuple):
    """For each joint (T,J) its row and column, whether they are inside the image, and the error there in px."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    inside: NDArray[np.bool_]
    error: NDArray[np.float64]


def _at_joints(flow: ArrayLike, xy: ArrayLike) -> _AtJoints:
    predicted, places = np.asarray(flow, dtype=np.float64), np.asarray(xy, dtype=np.float64)
    if predicted.ndim != 4 or places.ndim != 3 or len(places) != len(predicted) + 1:
        raise BadInput(
            f"T flows (T,H,W,2) go with joints (T+1,J,2) of T+1 frames, got {predicted.shape} and {places.shape}"
        )
    displacement = np.diff(places, axis=0)
    x, y = np.rint(places[:-1, :, 0]), np.rint(places[:-1, :, 1])
    height, width = predicted.shape[1:3]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & np.isfinite(displacement[..., 0] + displacement[..., 1])
    column, row = np.where(inside, x, 0).astype(np.int64), np.where(inside, y, 0).astype(np.int64)
    there = predicted[np.arange(len(predicted))[:, None], row, column]
    error = np.linalg.norm(there - displacement, axis=-1)
    return _AtJoints(row, column, inside, np.where(np.isnan(error), np.inf, error))
