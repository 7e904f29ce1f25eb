"""How an oracle's detections err, and the two kinds of chance that last: drifting numbers and bursts."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadUsage


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How an oracle errs. Lengths are shares of the person's apparent height where not said otherwise.

    Attributes:
        jitter: standard deviation of trunk joints; faces have as much, elbows and knees 1.3, hands and feet 2 times it.
        pixels: more jitter, in px, the same for all joints and sizes: whoever is far away is found worse.
        guess: how many times as large the jitter is of joints that the truth marks as hidden (confidence below 1).
        memory: time constant, s, over which errors of position and of depth stay alike.
        depth: standard deviation of the distance, as a share of it. limbs: that of single 3D joints, m.
        missed: share of person-frames without a detection; they come in bursts of mean length `burst`, s.
        hidden: chance that the farther of two people in one place goes unseen, frame by frame in the same bursts.
        swapped: share of person-frames whose left and right are exchanged: the whole body's, the legs' or the arms',
            each as often; in bursts as well.
        mixed: share of the frames in which two people's boxes overlap where each has the other's joints, in bursts;
            boxes, scores and looks stay, and contradict them.
        false_people: number of false small people per frame, each of which lasts about 0.1 s.
        looks: standard deviation of the noise on each person's description of looks; None describes no looks.
    """

    jitter: float = 0.012
    pixels: float = 0.0
    guess: float = 1.0
    memory: float = 0.15
    depth: float = 0.08
    limbs: float = 0.03
    missed: float = 0.05
    burst: float = 0.15
    hidden: float = 0.5
    swapped: float = 0.0
    mixed: float = 0.0
    false_people: float = 0.05
    looks: float | None = None

    def __post_init__(self) -> None:
        shares = {"missed": self.missed, "swapped": self.swapped, "mixed": self.mixed}
        if not all(0 <= share < 1 for share in shares.values()) or not 0 <= self.hidden <= 1:
            said = ", ".join(f"{name} {share}" for name, share in shares.items())
            raise BadUsage(f"missed, swapped, mixed and hidden are shares below 1, got {said}, hidden {self.hidden}")
        amounts = (self.jitter, self.pixels, self.guess, self.depth, self.limbs, self.false_people)
        if min(amounts) < 0 or min(self.memory, self.burst) <= 0:
            raise BadUsage(f"noise is not negative, and memory and burst are positive, got {self}")

    @classmethod
    def mild(cls) -> "Noise":
        """A good detector on a clear view: 0.6 % jitter, 2 % missed, nobody invented."""
        return cls(jitter=0.006, depth=0.04, limbs=0.02, missed=0.02, hidden=0.2, false_people=0.0)

    @classmethod
    def detector(cls) -> "Noise":
        """What BlazePose does on a clear view: 1.2 % jitter, distances 8 % off, some missed, some invented."""
        return cls()

    @classmethod
    def harsh(cls) -> "Noise":
        """A dark and crowded view: 2 % jitter, a fifth missed for 0.3 s at a time, whoever is behind always missed."""
        return cls(jitter=0.02, depth=0.12, limbs=0.05, missed=0.2, burst=0.3, hidden=1.0, false_people=0.3)

    @classmethod
    def confused(cls) -> "Noise":
        """As `detector`, and it guesses hidden joints, takes left for right and one person for the other."""
        return cls(pixels=0.7, guess=3.0, swapped=0.04, mixed=0.15, burst=0.25)


class Drift:
    """Normal numbers of mean 0 and deviation 1, for each key; they resemble those of `memory` seconds ago."""

    def __init__(self, random: np.random.Generator, memory: float) -> None:
        self._random, self._memory = random, memory
        self._last: dict[Hashable, NDArray[np.float64]] = {}

    def __call__(self, key: Hashable, shape: tuple[int, ...], step: float) -> NDArray[np.float64]:
        """The numbers of `shape` now, `step` s after the last call for any key."""
        fresh = self._random.standard_normal(shape)
        if key in self._last:
            alike = float(np.exp(-step / self._memory))
            fresh = alike * self._last[key] + np.sqrt(1 - alike**2) * fresh
        self._last[key] = fresh
        return fresh


class Bursts:
    """A chain of two states for each key: it spends `share` of the time in the second, about `length` s at a time."""

    def __init__(self, random: np.random.Generator, share: float, length: float) -> None:
        self._random, self._share, self._length = random, share, length
        self._last: dict[Hashable, bool] = {}

    def __call__(self, key: Hashable, step: float) -> bool:
        """Whether it is in the second state now, `step` s later."""
        luck = float(self._random.random())
        change = float(1 - np.exp(-step / self._length))
        now = self._last.get(key)
        if now is None:
            state = luck < self._share
        elif now:
            # Leaving must leave something to come back from, or long steps would overshoot the share.
            state = luck >= change
        else:
            state = luck < change * self._share / (1 - self._share)
        self._last[key] = state
        return state
