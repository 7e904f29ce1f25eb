"""Ways over flat ground, by arc length. Ground coordinates are (x, z) of a world with y up, in metres."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def forward(yaw: Array) -> Array:
    """Unit vectors (…, 3) that someone faces who is turned by `yaw` (rad, counter-clockwise from above) from +x."""
    return np.stack((np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)), -1)


def leftward(yaw: Array) -> Array:
    """Unit vectors (…, 3) to the left of someone who faces `forward(yaw)`."""
    return np.stack((-np.sin(yaw), np.zeros_like(yaw), -np.cos(yaw)), -1)


class Path(Protocol):
    """Where one is after walking a length; lengths below 0 extend the way backwards."""

    def __call__(self, length: Array) -> tuple[Array, Array]:
        """Positions (…, 3) m on the ground and headings (…) rad after `length` (…) m."""
        ...


@dataclass(frozen=True)
class Line:
    """Straight on from `start` (x, z) in m with heading `yaw` in rad."""

    start: tuple[float, float]
    yaw: float

    @classmethod
    def between(cls, start: tuple[float, float], end: tuple[float, float]) -> "Line":
        return cls(start, float(np.arctan2(-(end[1] - start[1]), end[0] - start[0])))

    def __call__(self, length: Array) -> tuple[Array, Array]:
        yaw = np.full(np.shape(length), self.yaw)
        return _ground(self.start) + length[..., None] * forward(yaw), yaw


@dataclass(frozen=True)
class Arc:
    """A circle of `radius` m (to the left if positive, to the right if negative) from `start` with heading `yaw`."""

    start: tuple[float, float]
    yaw: float
    radius: float

    def __call__(self, length: Array) -> tuple[Array, Array]:
        yaw = self.yaw + length / self.radius
        first = np.asarray(self.yaw)
        centre = _ground(self.start) + self.radius * leftward(first)
        return centre - self.radius * leftward(yaw), yaw


def _ground(point: tuple[float, float]) -> Array:
    return np.array((point[0], 0.0, point[1]))
