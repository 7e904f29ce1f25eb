"""Frames at a steady rate, for files that state one rate for all frames."""

from typing import NamedTuple

import numpy as np

from dyad.core.errors import BadUsage
from dyad.export.upright import Array, Person, Upright

_JITTER = 0.1
"""Share of a frame by which the times of frames may be off and still count as steady: containers round."""


class Clock(NamedTuple):
    """Times (T,) in s after the first processed frame, and frames a second."""

    times: Array
    rate: float


def clock(space: Upright, fps: float | None = None) -> Clock:
    """The processed frames where they are steady, else (or with `fps`) as many frames at a steady rate as there fit.

    Raises BadUsage for a rate that is not a positive number up to 10,000.
    """
    if fps is not None and not 0 < fps <= 10_000:
        raise BadUsage(f"frames a second should be a number above 0 and up to 10000, got {fps}")
    times = space.times
    if len(times) < 2:
        return Clock(times, fps or space.tracks.fps)
    gap = float(np.median(np.diff(times)))
    if fps is None:
        mean = times[-1] / (len(times) - 1)
        if np.abs(times - np.arange(len(times)) * mean).max() < _JITTER * mean:
            return Clock(times, 1 / mean)
    rate = fps or 1 / max(gap, 1e-4)
    return Clock(np.arange(int(times[-1] * rate + 1e-6) + 1) / rate, rate)


def sampled(space: Upright, person: Person, times: Array) -> tuple[Array, Array]:
    """A person's joints (T, J, 3) and their sigma at any times; NaN where there is no row in that frame.

    Between two processed frames both need a row, and the joint is on the straight line between them.
    """
    every = space.times
    place = np.searchsorted(space.tracks.frames.numpy(), person.frames)
    after = np.searchsorted(every, times - 1e-9).clip(0, len(every) - 1)
    exact = np.abs(every[after] - times) < 1e-6
    before = np.where(exact, after, (after - 1).clip(0))
    share = np.where(exact, 0.0, (times - every[before]) / np.maximum(every[after] - every[before], 1e-12))
    rows = [_row_of(place, at) for at in (before, after)]
    missing = (rows[0] < 0) | (rows[1] < 0)
    found = []
    for values in (person.xyz, person.sigma):
        mixed = values[rows[0]] * (1 - share)[:, None, None] + values[rows[1]] * share[:, None, None]
        found.append(np.where((missing | (times > every[-1] + 1e-6))[:, None, None], np.nan, mixed))
    return found[0], found[1]


def _row_of(place: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which of ascending places equals each wanted one; -1 where none does."""
    at = np.searchsorted(place, wanted).clip(0, len(place) - 1)
    return np.where(place[at] == wanted, at, -1)
