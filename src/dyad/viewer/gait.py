"""Walking, as far as joints in space tell: how fast, how far, how many steps a minute."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Velocity is the slope of a line through positions so many seconds before and after.
HALF_WINDOW = 0.25
# Slower than this (m/s) nobody walks; a walk lasts at least so many seconds.
SLOWEST, SHORTEST = 0.35, 1.6
# A stride (two steps) takes so many seconds, and repeats itself at least so well (correlation).
STRIDE, ALIKE = (0.7, 2.2), 0.55
_RATE = 50.0


class Gait(NamedTuple):
    """How somebody moved about.

    Attributes:
        walked: s spent walking. distance: m walked on the floor.
        speed, low, high: m/s: median, and 10th and 90th percentile, while walking; NaN for who did not walk.
        cadence: steps a minute; NaN where no steady rhythm is seen.
    """

    walked: float
    distance: float
    speed: float
    low: float
    high: float
    cadence: float


def slopes(times: Array, values: Array, half: float = HALF_WINDOW) -> Array:
    """Velocity (n, d) of values (n, d): least-squares slopes over `half` seconds to either side; NaN from few samples.

    Args:
        times: (n,) s, ascending.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(values).all(-1))
    weight: Array = known.astype(np.float64)
    low, high = np.searchsorted(times, times - half - 1e-9), np.searchsorted(times, times + half + 1e-9)

    def over(column: Array) -> Array:
        total = np.concatenate((np.zeros((1, *column.shape[1:])), np.cumsum(column, 0)))
        return total[high] - total[low]

    # About the mean, so that large times and far places cost no digits.
    start = times - (times[0] if len(times) else 0.0)
    base = values[known].mean(0) if known.any() else np.zeros(values.shape[1:])
    clean = np.where(known[:, None], values - base, 0.0)
    count, t1, t2 = over(weight), over(weight * start), over(weight * start**2)
    v1, tv = over(clean), over(clean * start[:, None])
    spread = count * t2 - t1**2
    enough = (count >= 3) & (spread > 1e-9) & known
    slope = (count[:, None] * tv - t1[:, None] * v1) / np.where(enough, spread, 1.0)[:, None]
    return np.where(enough[:, None], slope, np.nan)


def pieces(times: Array, keep: NDArray[np.bool_], gap: float) -> list[NDArray[np.int64]]:
    """Stretches of rows that are kept and follow one another within `gap` s."""
    rows = np.flatnonzero(keep)
    if not len(rows):
        return []
    broken = (np.diff(rows) > 1) | (np.diff(times[rows]) > gap)
    return np.split(rows, np.flatnonzero(broken) + 1)


def gait(times: Array, pelvis: Array, ankles: Array | None, up: Array, seen: NDArray[np.bool_]) -> Gait:
    """How a person walked.

    Args:
        times: (n,) s, ascending. pelvis: (n, 3) m. ankles: (n, 2, 3) m of left and right, None where unknown.
        up: (3,) unit vector against gravity, in the same axes. seen: (n,) detected, not filled in.
    """
    level = pelvis - (pelvis @ up)[:, None] * up
    velocity = slopes(times, level)
    speed = np.linalg.norm(velocity, axis=-1)
    rests = np.nan_to_num(speed) >= SLOWEST
    bouts = [b for b in pieces(times, rests, 0.5) if times[b[-1]] - times[b[0]] >= SHORTEST]
    bouts = [b for b in bouts if seen[b].mean() >= 0.5]
    if not bouts:
        return Gait(0.0, 0.0, np.nan, np.nan, np.nan, np.nan)
    walking = np.concatenate([speed[b] for b in bouts])
    walked = float(sum(times[b[-1]] - times[b[0]] for b in bouts))
    distance = float(sum(np.trapezoid(speed[b], times[b]) for b in bouts))
    low, middle, high = (float(np.quantile(walking, q)) for q in (0.1, 0.5, 0.9))
    rhythm = [] if ankles is None else [_cadence(times[b], ankles[b], velocity[b]) for b in bouts]
    known = [(found, times[b[-1]] - times[b[0]]) for found, b in zip(rhythm, bouts, strict=False) if np.isfinite(found)]
    cadence = sum(c * w for c, w in known) / sum(w for _, w in known) if known else np.nan
    return Gait(walked, distance, middle, low, high, float(cadence))


def _cadence(times: Array, ankles: Array, velocity: Array) -> float:
    """Steps a minute: how long it takes until the feet are again as far before one another; NaN without a rhythm."""
    heading = velocity / np.maximum(np.linalg.norm(velocity, axis=-1, keepdims=True), 1e-9)
    ahead = ((ankles[:, 0] - ankles[:, 1]) * heading).sum(-1)
    known = np.isfinite(ahead)
    if known.sum() < 12 or times[-1] - times[0] < 1.4 * STRIDE[0]:
        return np.nan
    even = np.arange(times[0], times[-1], 1 / _RATE)
    wave = np.interp(even, times[known], ahead[known])
    wave = wave - wave.mean()
    # Feet that stay side by side (a slide, a chair that rolls) are no steps.
    if wave.std() < 0.05:
        return np.nan
    first, last = int(STRIDE[0] * _RATE), min(int(STRIDE[1] * _RATE), int(0.72 * len(wave)))
    lags = np.arange(first, last)
    if len(lags) < 3:
        return np.nan
    likeness = np.array([_correlation(wave[:-lag], wave[lag:]) for lag in lags])
    peaks = np.flatnonzero((likeness[1:-1] >= likeness[:-2]) & (likeness[1:-1] >= likeness[2:])) + 1
    peaks = peaks[likeness[peaks] >= ALIKE]
    # The first good peak: two strides repeat as well as one.
    good = peaks[likeness[peaks] >= 0.9 * likeness[peaks].max()] if len(peaks) else peaks
    if not len(good):
        return np.nan
    at = int(good[0])
    before, here, after = likeness[at - 1 : at + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend < -1e-12 else 0.0
    return 120.0 * _RATE / (lags[at] + shift)


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-12 else 0.0
