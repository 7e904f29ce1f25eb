"""Boxes x0 y0 x1 y1 in px: the area of a person, and what two of them share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

AREA_OF_BOX = 0.53
"""Area of a person as a share of its box, where nobody outlined it: the value CrowdPose's evaluation takes."""


def area_of(boxes: ArrayLike, area: ArrayLike | None = None) -> NDArray[np.float64]:
    """Area in px² of people with boxes (…,4): `area` (…) where it is given and not NaN, else 0.53 × the box."""
    corners = np.asarray(boxes, dtype=np.float64)
    guessed = AREA_OF_BOX * (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
    if area is None:
        return guessed
    given = np.asarray(area, dtype=np.float64)
    return np.where(np.isfinite(given), given, guessed)


def iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union (A,B) of boxes (A,4) and (B,4), x0 y0 x1 y1; NaN or empty boxes overlap nothing."""
    a, b = np.asarray(first, dtype=np.float64)[:, None], np.asarray(second, dtype=np.float64)[None]
    shared = _intersection(a, b)
    union = _area(a) + _area(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def share_inside(inner: ArrayLike, outer: ArrayLike) -> NDArray[np.float64]:
    """Share (A,B) of each box of `inner` (A,4) that lies in each box of `outer` (B,4); NaN or empty boxes give 0."""
    a, b = np.asarray(inner, dtype=np.float64)[:, None], np.asarray(outer, dtype=np.float64)[None]
    shared = _intersection(a, b)
    whole = np.broadcast_to(_area(a), shared.shape)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.nan_to_num(boxes[..., 2:] - boxes[..., :2], nan=0.0)
    return np.clip(sides, 0, None).prod(-1)


def _intersection(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    return np.clip(np.nan_to_num(sides, nan=0.0), 0, None).prod(-1)
