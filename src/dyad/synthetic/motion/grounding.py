"""Bringing the soles of a take to the floor."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_opening, convolve1d, maximum_filter1d

from dyad.synthetic.bodies.body import Shape
from dyad.synthetic.motion.rotations import Array
from dyad.synthetic.motion.takes import Take, soles
from dyad.synthetic.motion.timing import UP

_SLOW = 0.3
"""Metres a second: a point of the sole that is slower than this may stand."""

_NEAR = 0.08
"""Metres above the floor, up to which a resting sole is taken to stand on it."""

_LASTS = 0.07
"""Seconds for which a sole rests at least when it stands."""


def grounded(take: Take, shape: Shape) -> Take:
    """The take raised and lowered so that the soles meet y = 0 where they stand, and never go below.

    The floor lies where the resting soles are: a tenth of them rest lower. Where a sole rests within 8 cm of it, the
    whole body is brought down to it or up from it; between such moments the change is spread over time, so that jumps
    stay jumps. At last the body is raised smoothly wherever a sole is still below the floor. Nothing moves sideways.
    """
    points = np.concatenate(list(soles(take, shape).values()), 1)
    heights, lowest = points[..., 1], points[..., 1].min(-1)
    if len(take) > 1:
        pace = np.linalg.norm(np.gradient(points, 1 / take.fps, axis=0), axis=-1)
        heights = np.where(pace < _SLOW, heights, np.inf)
    resting = heights.min(-1)
    rests = np.isfinite(resting)
    # Of people who climb, too, the lower half of the moments tells the floor.
    known = resting[rests] if rests.any() else lowest
    floor = np.quantile(known[known <= np.quantile(known, 0.5) + 1e-9], 0.1)
    # At the height of a jump a foot is slow too, but only for a moment.
    stands = binary_opening(rests & (resting < floor + _NEAR), np.ones(round(_LASTS * take.fps) + 1))
    gap = np.full(len(take), floor)
    if stands.any():
        at = np.flatnonzero(stands)
        gap = _smooth(np.interp(np.arange(len(take)), at, resting[at]), take.fps)
    reach = round(0.15 * take.fps)
    # A running maximum over the window, then a mean over the same window: nowhere less than what is needed.
    deepest = maximum_filter1d(np.maximum(gap - lowest, 0.0), 2 * reach + 1, mode="nearest")
    shift = _smooth(deepest, take.fps) - gap
    return replace(take, translation=take.translation + shift[:, None] * UP)


def _smooth(values: Array, fps: float) -> Array:
    """Mean over a window of 0.3 s that fades to its ends."""
    window = np.hanning(2 * round(0.15 * fps) + 3)[1:-1]
    return convolve1d(values, window / window.sum(), mode="nearest")
