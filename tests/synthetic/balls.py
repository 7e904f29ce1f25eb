"""Scenes with balls for people: everything about them can be worked out by hand."""

from dataclasses import dataclass

import numpy as np

from dyad.core.camera import Camera
from dyad.core.skeleton import Skeleton
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.solids import ball, sheet
from dyad.synthetic.places.surroundings import Surroundings, Thing
from dyad.synthetic.rendering.lighting import Light
from dyad.synthetic.rendering.looks import Fabric, Material
from dyad.synthetic.scenes import Scene

RADIUS = 0.4
POINT = Skeleton.of_names(("middle", "front", "back"), "point")
"""A ball's joints: its middle, and points 1 cm under its surface towards +z and -z."""


CHECKED = Material(Fabric((0.8, 0.3, 0.2), (0.2, 0.3, 0.8), "checks", 0.2))


@dataclass(frozen=True, eq=False)
class Ball:
    """A ball that moves along a line and turns about the vertical."""

    start: tuple[float, float, float]
    speed: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frames: int = 5
    look: Material = CHECKED

    _solid = ball(RADIUS, 24)

    def __len__(self) -> int:
        return self.frames

    @property
    def faces(self) -> np.ndarray:
        return self._solid.faces

    @property
    def texture(self) -> np.ndarray:
        return self._solid.texture

    @property
    def part(self) -> np.ndarray:
        return np.zeros(len(self._solid.points), np.uint8)

    def place(self, frame: int) -> np.ndarray:
        return np.asarray(self.start) + frame * np.asarray(self.speed)

    def vertices(self, frame: int) -> np.ndarray:
        return self._solid.points + self.place(frame)

    def under(self, skeleton: Skeleton) -> np.ndarray:
        return np.full(len(skeleton), 0.05)

    def joints(self, skeleton: Skeleton) -> np.ndarray:
        middle = np.stack([self.place(t) for t in range(self.frames)])
        out = (0.0, 0.0, RADIUS - 0.01)
        return np.stack((middle, middle + out, middle - out), 1)


CAMERA = Camera.from_focal((96, 72), 90.0)


def floor() -> Surroundings:
    """A tiled floor, twenty metres wide."""
    tiles = Material(Fabric((0.7, 0.7, 0.6), (0.3, 0.3, 0.3), "tiles", 0.5))
    return Surroundings([Thing(sheet((-10, 0, 10), (20, 0, 0), (0, 0, -20), (10, 10)), tiles)])


def scene(*balls: Ball, path: CameraPath | None = None, **changes: object) -> Scene:
    """Balls before a camera at the origin, 1.5 m high, that looks along -z."""
    path = path or CameraPath.static(CAMERA, 5, position=(0, 1.5, 0))
    given = {"fps": 10.0, "frames": 4, "samples": 1} | changes
    return Scene(balls, path, floor(), Light.of_world(0.5, 1.0), **given)
