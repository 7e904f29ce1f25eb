"""Where people stand and walk so that the camera sees them and nobody walks through another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.solids import turned

Array = NDArray[np.floating]

_TRIES = 60
_ROUNDS = 8
_LOOKS = 5
_SEEN = 0.5
"""Share of the time for which everyone should be in view, if a place for that is found."""
_FROM_CAMERA = 0.9
"""Nobody comes nearer to the camera than this, m."""
_MARGIN = 0.08
"""Share of the image at its border where nobody is put at the moment that counts."""


@dataclass(frozen=True)
class Place:
    """Where something stands on the floor: x, z in m, turned by `yaw` rad around the vertical."""

    x: float
    z: float
    yaw: float

    def __call__(self, points: Array) -> NDArray[np.float64]:
        """Points (…, 3) about its own origin in the world."""
        return np.asarray(points, np.float64) @ turned(self.yaw).T + (self.x, 0.0, self.z)


@dataclass(frozen=True)
class Staging:
    """Finds places for companies: people who act together and keep their places to each other.

    Args:
        path: the camera. near, far: distance in m between which people are at the moment that counts for them.
        crossings: share of companies that are put on one line of sight with somebody at some moment.
        clearance: least distance in m between joints of different companies, ever.
        smallest: least height in px of somebody of 1.7 m at the moment that counts.
    """

    path: CameraPath
    near: float
    far: float
    crossings: float = 0.5
    clearance: float = 0.35
    smallest: float = 24.0

    def __call__(self, companies: Sequence[Array], rng: np.random.Generator) -> list[Place]:
        """A place for each company; `companies` are joints (T, P, K, 3) m about an origin on the floor of their own."""
        places: list[Place] = []
        standing: list[NDArray[np.float32]] = []
        for joints in companies:
            place = self._place(joints, standing, rng)
            places.append(place)
            standing.append(place(joints).astype(np.float32))
        return places

    def _place(self, joints: Array, others: Sequence[Array], rng: np.random.Generator) -> Place:
        best, least = None, -math.inf
        for attempt in range(_ROUNDS * _TRIES):
            # The longer nothing is found, the farther away is good enough.
            reach = self.far * 1.35 ** (attempt // _TRIES)
            place, seen = self._candidate(joints, others, rng, reach, attempt >= 3 * _TRIES)
            if not seen and attempt < (_ROUNDS - 2) * _TRIES:
                continue
            room = min(self._room(place(joints), others), self._from_camera(place(joints)))
            if room >= 0:
                return place
            if room > least:
                best, least = place, room
        # Too crowded for everyone's clearance: the loosest of all places that were tried.
        return best or Place(0.0, self.path.position[0, 2] - 2 * reach, 0.0)

    def _candidate(
        self, joints: Array, others: Sequence[Array], rng: np.random.Generator, reach: float, hasty: bool
    ) -> tuple[Place, bool]:
        """A place at random, and whether the camera sees the company's middle there.

        That is, at the moment that counts and, unless `hasty`, for much of the time.
        """
        camera = self.path.camera
        width, height = camera.size
        focal = float(camera.focal[0])
        frame = int(rng.integers(len(joints)))
        farthest = max(self.near * 1.05, min(reach, 1.7 * focal / self.smallest))
        depth = math.exp(rng.uniform(math.log(self.near), math.log(farthest)))
        column = rng.uniform(_MARGIN, 1 - _MARGIN) * width
        crossing = bool(others) and rng.uniform() < self.crossings
        if crossing:
            other = others[int(rng.integers(len(others)))]
            somebody = other[frame, int(rng.integers(other.shape[1]))].mean(0)
            column = self.path.project(somebody, frame)[0] + rng.normal(0, 0.15) * focal / max(depth, 1)
        if not math.isfinite(column):
            column = width / 2
        right, _, ahead = self.path.rotation[frame]
        flat = np.array((ahead[0], ahead[2])) / max(math.hypot(ahead[0], ahead[2]), 1e-6)
        side = np.array((right[0], right[2])) / max(math.hypot(right[0], right[2]), 1e-6)
        across = (column - float(camera.centre[0])) / focal
        point = self.path.position[frame, (0, 2)] + depth * (flat + across * side)
        yaw = rng.uniform(-math.pi, math.pi)
        middle = joints[frame].mean((0, 1))
        turn = turned(yaw) @ middle
        place = Place(float(point[0] - turn[0]), float(point[1] - turn[2]), yaw)
        # Where the chest is at the moment that counts, and at some others.
        often = np.linspace(0, len(joints) - 1, _LOOKS).round().astype(int)
        inside = [
            bool((_MARGIN * width <= x <= (1 - _MARGIN) * width) and (0.05 * height <= y <= 0.95 * height))
            for x, y in (self._chest(place, joints, k) for k in (frame, *often))
        ]
        return place, inside[0] and (hasty or sum(inside[1:]) >= _SEEN * _LOOKS)

    def _chest(self, place: Place, joints: Array, frame: int) -> NDArray[np.float64]:
        """Where (2,) px the middle of a company's trunks is in a frame."""
        return self.path.project(place(joints[frame].mean((0, 1)) + np.array((0.0, 0.2, 0.0))), frame)

    def _room(self, joints: Array, others: Sequence[Array]) -> float:
        """How much farther (or, below 0, less far) than the clearance the others' joints are, at the worst moment."""
        worst = math.inf
        joints = joints.astype(np.float32)
        for other in others:
            for mine in range(joints.shape[1]):
                for theirs in range(other.shape[1]):
                    near = nearest(joints[:, mine], other[:, theirs], self.clearance)
                    worst = min(worst, near - self.clearance)
                    if worst < -0.5 * self.clearance:
                        return worst
        return worst

    def _from_camera(self, joints: Array) -> float:
        away = joints - self.path.position[: len(joints), None, None]
        return float(np.linalg.norm(away, axis=-1).min()) - _FROM_CAMERA


def nearest(first: Array, second: Array, beyond: float = math.inf) -> float:
    """Least distance in m over time between joints (T, K, 3) of two people; inexact where it exceeds `beyond`."""
    middles = first.mean(1), second.mean(1)
    reach = sum(np.linalg.norm(p - m[:, None], axis=-1).max(1) for p, m in zip((first, second), middles, strict=True))
    apart = np.linalg.norm(middles[0] - middles[1], axis=-1) - reach
    close = apart < beyond
    if not close.any():
        return float(apart.min())
    gap = first[close][:, :, None] - second[close][:, None]
    return float(np.sqrt((gap**2).sum(-1).min()))
