"""Boxes around joints, x0 y0 x1 y1 in px."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def box_of(xy: ArrayLike) -> NDArray[np.float64]:
    """The tightest box x0 y0 x1 y1 around joints (…,J,2) px; NaN joints do not count; all NaN gives NaN."""
    points = np.asarray(xy, dtype=np.float64)
    known = np.isfinite(points).all(-1, keepdims=True)
    low = np.where(known, points, np.inf).min(-2, initial=np.inf)
    high = np.where(known, points, -np.inf).max(-2, initial=-np.inf)
    box = np.concatenate([low, high], axis=-1)
    return np.where(np.isfinite(box), box, np.nan)
