"""How motion differs: velocity, acceleration and jerk of joints, and feet that slide where they should stand.

Positions are (T,…,3) in metres, one row a frame; everything between time and space (people, joints) is free. A row of
NaN is a gap, and no derivative reaches across it. `times` (T,) in seconds may be uneven and makes the unit m/s, m/s²,
m/s³. Without times a frame is the unit: m per frame, m per frame² (the field's "mm/frame²" is 1000 times that).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.core.errors import BadInput
from dyad.evaluation.pose3d import absolute_errors


def derivative(xyz: ArrayLike, times: ArrayLike | None = None, *, order: int) -> NDArray[np.float64]:
    """Derivative (T-order,…,3) of positions (T,…,3): `order` factorial times the divided differences of the rows.

    It is exact for polynomials of that degree however uneven the times are. Rows too few give an empty array.
    Raises BadInput unless `times` are T increasing numbers.
    """
    values = np.asarray(xyz, dtype=np.float64)
    t = np.arange(len(values), dtype=np.float64) if times is None else np.asarray(times, dtype=np.float64)
    if t.shape != (len(values),) or not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        raise BadInput(f"{len(values)} frames need as many increasing times in seconds, got {t.shape}: {t[:5]} …")
    for step in range(1, order + 1):
        if len(values) < 2:
            return values[:0]
        span = (t[step:] - t[:-step]).reshape(-1, *[1] * (values.ndim - 1))
        values = np.diff(values, axis=0) / span
    return math.factorial(order) * values


def velocity_errors(truth: ArrayLike, predicted: ArrayLike, times: ArrayLike | None = None) -> NDArray[np.float64]:
    """|difference of velocities| (T-1,…): of root-relative poses and without times their mean is VideoPose3D's MPJVE.

    A velocity that the prediction lacks (either frame missing) is inf, one that the truth lacks NaN. Motion of whole
    poses counts as it is: subtract the root first for what the field prints.
    """
    return _errors(truth, predicted, times, order=1)


def acceleration_errors(truth: ArrayLike, predicted: ArrayLike, times: ArrayLike | None = None) -> NDArray[np.float64]:
    """|difference of accelerations| (T-2,…), m/s² with times, m per frame² without; inf and NaN as velocities."""
    return _errors(truth, predicted, times, order=2)


def jitter(xyz: ArrayLike, times: ArrayLike | None = None) -> NDArray[np.float64]:
    """|third derivative| (T-3,…) of one motion, m/s³ or m per frame³. It needs no truth; the truth's is its measure.

    NaN wherever one of four frames in a row is.
    """
    return np.linalg.norm(derivative(xyz, times, order=3), axis=-1)


def heights(xyz: ArrayLike, floor: ArrayLike) -> NDArray[np.float64]:
    """Height (…) in m of points (…,3) above the plane a b c d (4,): a x + b y + c z + d = 0, (a, b, c) points up."""
    normal, offset = _plane(floor)
    return np.asarray(xyz, dtype=np.float64) @ normal + offset


def contacts(feet: ArrayLike, floor: ArrayLike, *, below: float) -> NDArray[np.bool_]:
    """(T,…) whether a foot joint (T,…,3) is less than `below` (m) above the floor, or under it. NaN is in the air.

    An ankle stands 8 to 10 cm above the sole: choose `below` for the joint. Take the truth's contacts where there are
    any; with its own a prediction that never comes down never slides.
    """
    return np.nan_to_num(heights(feet, floor), nan=np.inf) < below


def foot_sliding(
    feet: ArrayLike, floor: ArrayLike, contact: ArrayLike, times: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Horizontal speed (T-1,…) in m/s of feet (T,…,3) that stand: m per frame without times.

    Only pairs of frames with `contact` (T,…) in both count, others are NaN; so is a foot that is missing. The mean of
    what is left (`pose3d.mean_error`) is the mean sliding.
    """
    normal, _ = _plane(floor)
    velocity = derivative(feet, times, order=1)
    along = velocity - (velocity @ normal)[..., None] * normal
    touching = np.asarray(contact, dtype=bool)
    return np.where(touching[1:] & touching[:-1], np.linalg.norm(along, axis=-1), np.nan)


def _errors(truth: ArrayLike, predicted: ArrayLike, times: ArrayLike | None, *, order: int) -> NDArray[np.float64]:
    return absolute_errors(derivative(truth, times, order=order), derivative(predicted, times, order=order))


def _plane(floor: ArrayLike) -> tuple[NDArray[np.float64], float]:
    plane = np.asarray(floor, dtype=np.float64)
    length = np.linalg.norm(plane[:3]) if plane.shape == (4,) else 0.0
    if not length > 0:
        raise BadInput(f"a floor is four numbers a b c d with a normal (a, b, c), got {plane}")
    return plane[:3] / length, float(plane[3] / length)
