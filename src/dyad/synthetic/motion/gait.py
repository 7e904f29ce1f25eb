"""How legs carry a person along a path: footprints that stay where they are, and a pelvis that rides above them.

Joint angles that are given as series of the phase let feet slide on curved ways and while stopping. Here the foot's
place and pitch are functions of the phase, exact on the ground, and hip and knee follow from the leg's two lengths.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Array, Path, forward, leftward

_FLAT_FROM, _FLAT_UNTIL = 0.17, 0.63
_HEEL_STRIKE, _HEEL_OFF = np.radians(20), np.radians(48)
_CLEARANCE = 0.045
_BOB = 0.024
# Runners lift their heels, land with bent knees, and are highest while no foot is on the ground.
_RUN_CLEARANCE, _RUN_BOB, _RUN_SINK = 0.24, -0.035, 0.035
_GRID_HZ = 100
_LOWEST_OF = 0.4
_REACH = 0.996
_HEEL_HEIGHT, _TOE_HEIGHT = 0.02, 0.02


class Feet(NamedTuple):
    """A foot's ankle (T, 3) m, heading (T) rad, and how far its tip points up (T) rad."""

    ankle: Array
    yaw: Array
    pitch: Array


@dataclass(frozen=True)
class Walk:
    """Walking at a constant speed, then perhaps stopping with feet side by side.

    Attributes:
        anatomy: the walker. path: the way. speed: m/s while walking. stop: length in m at which the walk ends, or None.
        begin: length in m at time 0. phase: part of the cycle 0..1 at length 0. running: with moments in the air.
    """

    anatomy: Anatomy
    path: Path
    speed: float
    stop: float | None = None
    begin: float = 0.0
    phase: float = 0.0
    running: bool = False

    @property
    def stance(self) -> float:
        """Share of the cycle that a foot is on the ground."""
        return 0.36 if self.running else 0.6

    @property
    def _mid(self) -> float:
        """Phase at which the pelvis passes over the foot."""
        return 0.18 if self.running else 0.25

    @property
    def stride(self) -> float:
        """Length in m of a cycle of two steps; grows with the root of the speed, as cadence does too."""
        return 0.8 * self.anatomy.height * float(np.sqrt(max(self.speed, 0.05) / 1.3))

    def advance(self, times: Array) -> Array:
        """Length (T) in m that drives the phase: runs on past `stop` for as long as the last step takes."""
        length = self.begin + self.speed * times
        return length if self.stop is None else _soft_minimum(length, self.stop + 0.8 * self.stride, 0.2)

    def travelled(self, times: Array) -> Array:
        """Length (T) in m along the path at which the pelvis is."""
        length = self.begin + self.speed * times
        return length if self.stop is None else _soft_minimum(length, self.stop, 0.25)

    def swing(self, times: Array) -> Array:
        """How much (T), 0..1, the upper body still walks: 1 walking, 0 standing."""
        if self.stop is None:
            return np.ones_like(times)
        return 1 - _smooth((self.begin + self.speed * times - self.stop + 0.3) / 0.9)

    def cycle(self, times: Array) -> Array:
        """Phase (T) in cycles of the left foot; whole numbers are its heel strikes."""
        return self.advance(times) / self.stride + self.phase

    def heading(self, times: Array) -> Array:
        return self.path(self.travelled(times))[1]

    def foot(self, times: Array, side: int) -> Feet:
        """Ankle, heel and toe (T, 3) and heading (T) of the left (0) or right (1) foot."""
        a = self.anatomy
        cycle = self.cycle(times) + 0.5 * side
        step = np.floor(cycle)
        phase = cycle - step
        (here, yaw_here), (there, yaw_there) = self._footprint(step, side), self._footprint(step + 1, side)
        before, _ = self._footprint(step - 1, side)
        full = 0.6 * self.stride
        leaving = np.clip(np.linalg.norm(there - here, axis=-1) / full, 0, 1)
        arriving = np.clip(np.linalg.norm(here - before, axis=-1) / full, 0, 1)
        stance = self.stance
        air = np.clip((phase - stance) / (1 - stance), 0, 1)
        moved = air**3 * (10 - 15 * air + 6 * air**2)
        ground = here + moved[:, None] * (there - here)
        yaw = yaw_here + moved * (yaw_there - yaw_here)
        pitch = np.where(phase < stance, arriving * _HEEL_STRIKE * (1 - _smooth(phase / (_FLAT_FROM * stance))), 0)
        pitch -= (
            leaving * _HEEL_OFF * _smooth((phase / stance - _FLAT_UNTIL) / (1 - _FLAT_UNTIL)) * (1 - _smooth(air / 0.7))
        )
        pitch += leaving * _HEEL_STRIKE * _smooth((air - 0.6) / 0.4)
        clearance = _RUN_CLEARANCE if self.running else _CLEARANCE
        # Highest early in the swing, while the knee is bent most.
        ground[:, 1] += leaving * clearance * a.scale * np.sin(np.pi * air**0.8) ** 2
        # The sole rolls about the heel while its tip points up and about the toe while it points down.
        ahead = forward(yaw)
        up = np.array((0.0, 1.0, 0.0))
        along, across = np.cos(pitch)[:, None], np.sin(pitch)[:, None]
        on_heel = (pitch > 0)[:, None]
        pivot_ahead, pivot_up = np.where(on_heel, -a.heel, a.toe), np.where(on_heel, _HEEL_HEIGHT, _TOE_HEIGHT)
        pivot = ground + pivot_ahead * ahead + pivot_up * up

        def turned(forwards: float, upwards: float) -> Array:
            x, y = forwards - pivot_ahead, upwards - pivot_up
            return pivot + (x * along - y * across) * ahead + (x * across + y * along) * up

        return Feet(turned(0, a.ankle), yaw, pitch)

    def knee(self, times: Array, side: int) -> Array:
        """Direction (T, 3) into which the left (0) or right (1) knee bends."""
        _, yaw, _ = self._pelvis_without_height(times)
        return forward((yaw + self.foot(times, side).yaw) / 2)

    def pelvis(self, times: Array) -> tuple[Array, Array, Array]:
        """Positions (T, 3), yaws (T) and rolls (T, rad, left side up) of the pelvis."""
        ground, yaw, roll = self._pelvis_without_height(times)
        grid = np.arange(np.floor(times.min()) - 1, times.max() + 1, 1 / _GRID_HZ)
        lowest = np.minimum(self._highest(grid, 0), self._highest(grid, 1)) - self._bob(grid)
        lowest = np.where(np.isinf(lowest), lowest[np.isfinite(lowest)].max(initial=0.0), lowest)
        width = 2 * int(_LOWEST_OF * _GRID_HZ) + 1
        # The mean of minima over windows of the same width lies below the curve everywhere.
        base = uniform_filter1d(minimum_filter1d(lowest, width), width)
        sink = _RUN_SINK * self.anatomy.scale * self.swing(times) if self.running else 0.0
        ground[:, 1] = np.interp(times, grid, base) + self._bob(times) - sink
        return ground, yaw, roll

    def _footprint(self, step: Array, side: int) -> tuple[Array, Array]:
        length = (step + self._mid - self.phase - 0.5 * side) * self.stride
        length = length if self.stop is None else np.minimum(length, self.stop)
        place, yaw = self.path(length)
        outwards = 1 - 2 * side
        return place + outwards * 0.85 * self.anatomy.hip * leftward(yaw), yaw + outwards * np.radians(6)

    def _pelvis_without_height(self, times: Array) -> tuple[Array, Array, Array]:
        turn, lively = 2 * np.pi * self.cycle(times), self.swing(times)
        place, yaw = self.path(self.travelled(times))
        sway = 0.018 * lively * np.cos(turn - 2 * np.pi * self._mid)
        place = place + sway[:, None] * leftward(yaw)
        return place, yaw - lively * np.radians(5) * np.cos(turn), lively * np.radians(2.5) * np.sin(turn)

    def _bob(self, times: Array) -> Array:
        size = (_RUN_BOB if self.running else _BOB) * self.anatomy.scale
        return size * self.swing(times) * np.cos(4 * np.pi * (self.cycle(times) - self._mid))

    def _highest(self, times: Array, side: int) -> Array:
        """Height (T) of the pelvis at which this leg is stretched out."""
        place, yaw, roll = self._pelvis_without_height(times)
        ankle = self.foot(times, side).ankle
        outwards = (1 - 2 * side) * self.anatomy.hip
        hip = place + (outwards * np.cos(roll))[:, None] * leftward(yaw)
        flat = np.square(hip - ankle)[:, (0, 2)].sum(-1)
        reach = np.sqrt(np.maximum((_REACH * self.anatomy.leg) ** 2 - flat, 0.01))
        highest = ankle[:, 1] + reach - outwards * np.sin(roll)
        if self.running:
            # A runner's foot in the air holds nobody down.
            phase = (self.cycle(times) + 0.5 * side) % 1
            highest = np.where((phase > 0.02) & (phase < self.stance - 0.05), highest, np.inf)
        return highest


def middle_joint(first: Array, last: Array, upper: float, lower: float, towards: Array) -> Array:
    """Knees or elbows (T, 3) between ends (T, 3), bent towards a direction (T, 3); lengths in m.

    Ends farther apart than both lengths give a joint that is off by the excess.
    """
    line = last - first
    distance = np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-6)
    along = line / distance
    share = np.clip((upper**2 - lower**2 + distance**2) / (2 * distance), -upper, upper)
    aside = towards - (towards * along).sum(-1, keepdims=True) * along
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    return first + share * along + np.sqrt(np.maximum(upper**2 - share**2, 0)) * aside


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _soft_minimum(x: Array, limit: float, width: float) -> Array:
    """x far below the limit, the limit far above, rounded within `width` m of it; never more than either."""
    over = np.clip((x - limit + width) / (2 * width), 0, 1)
    return np.where(over < 1, x - width * over**2, limit)
