"""Where the people are: a paved square before a house front, seen by a camera that stands still."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.synthetic.tracing import Array


@dataclass(frozen=True)
class Viewpoint:
    """A camera in a world with y up and the ground at y = 0.

    Attributes:
        camera: intrinsics. place: (3,) m. rotation: (3, 3), world axes to camera axes.
    """

    camera: Camera
    place: NDArray
    rotation: NDArray

    @classmethod
    def standing(cls, camera: Camera, *, height: float, yaw: float, down: float, roll: float = 0.0) -> "Viewpoint":
        """At (0, height, 0), facing -z when `yaw` is 0, tilted `down` and rolled; m and rad."""
        ahead = np.array((-np.sin(yaw) * np.cos(down), -np.sin(down), -np.cos(yaw) * np.cos(down)))
        right = np.cross(ahead, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        below = np.cross(ahead, right)
        right, below = np.cos(roll) * right + np.sin(roll) * below, np.cos(roll) * below - np.sin(roll) * right
        return cls(camera, np.array((0.0, height, 0.0)), np.stack((right, below, ahead)))

    def to_camera(self, points: NDArray) -> NDArray:
        """World points (…, 3) in camera coordinates."""
        return (points - self.place) @ self.rotation.T

    def floor(self) -> NDArray:
        """(4,) plane of the ground in camera coordinates; its value at a point is the height in m."""
        return np.append(self.rotation @ np.array((0.0, 1.0, 0.0)), self.place[1])


def noise(x: Array, y: Array, seed: int) -> Array:
    """Smooth noise in -1..1 with a period of 1 in x and y."""
    # A table of random heights, blended smoothly between the points of a lattice.
    table = np.random.default_rng(seed).uniform(-1, 1, (64, 64)).astype(np.float32)
    left, top = np.floor(x), np.floor(y)
    across, down = x - left, y - top
    across, down = across * across * (3 - 2 * across), down * down * (3 - 2 * down)
    i, j = left.astype(np.int64), top.astype(np.int64)

    def at(di: int, dj: int) -> Array:
        return table[(j + dj) % 64, (i + di) % 64]

    upper = at(0, 0) + across * (at(1, 0) - at(0, 0))
    lower = at(0, 1) + across * (at(1, 1) - at(0, 1))
    return upper + down * (lower - upper)


def backdrop(view: Viewpoint, rays: Array, *, seed: int, wall: float = 9.5) -> tuple[Array, NDArray]:
    """Linear RGB (H, W, 3) of the empty scene in sunlight, and where (H, W) the ground is, which shadows may darken.

    `rays` (H, W, 3) in camera coordinates. `wall` is how far behind the camera's place the house front is, in m.
    """
    world = rays @ view.rotation.astype(np.float32)
    down = np.minimum(world[..., 1], -1e-4)
    ground_at = -view.place[1] / down
    wall_at = np.where(world[..., 2] < -1e-3, (-wall - view.place[2]) / np.minimum(world[..., 2], -1e-3), np.inf)
    is_ground = (world[..., 1] < -1e-4) & (ground_at < wall_at)
    gx, gz = (view.place[i] + world[..., i] * ground_at for i in (0, 2))
    wx, wy = (view.place[i] + world[..., i] * np.where(np.isfinite(wall_at), wall_at, 0) for i in (0, 1))
    rng = np.random.default_rng(seed)
    image = np.where(is_ground[..., None], _paving(gx, gz, rng), _front(wx, wy, rng))
    sky = (wy > 6.2) & ~is_ground
    image[sky] = np.array((0.42, 0.58, 0.80), np.float32)
    # Ground meets wall in the dark.
    near = np.clip((gz + wall) / 0.6, 0, 1)
    image = np.where(is_ground[..., None], image * (0.72 + 0.28 * near)[..., None], image)
    return image.astype(np.float32), is_ground


def _paving(x: Array, z: Array, rng: np.random.Generator) -> Array:
    first = int(rng.integers(1 << 30))
    tone = 0.30 + 0.05 * noise(1.3 * x, 1.3 * z, first) + 0.035 * noise(9 * x, 9 * z, first + 1)
    tone = tone + 0.02 * noise(31 * x, 31 * z, first + 2)
    u, v = x / 0.6, z / 0.6
    u = u + 0.5 * (np.floor(v) % 2)
    tile = np.random.default_rng(first + 3).uniform(-0.025, 0.025, (37, 41)).astype(np.float32)
    tone = tone + tile[np.floor(u).astype(int) % 37, np.floor(v).astype(int) % 41]
    gap = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) < 0.012
    tone = np.where(gap, tone * 0.7, tone)
    return (tone[..., None] * np.array((1.04, 1.0, 0.93))).astype(np.float32)


def _front(x: Array, y: Array, rng: np.random.Generator) -> Array:
    first = int(rng.integers(1 << 30))
    plaster = np.array(((0.55, 0.47, 0.36), (0.42, 0.45, 0.46), (0.50, 0.36, 0.29))[rng.integers(3)], np.float32)
    tone = 0.80 + 0.10 * noise(0.7 * x, 0.7 * y, first) + 0.06 * noise(6 * x, 6 * y, first + 1)
    tone = tone + 0.04 * noise(27 * x, 27 * y, first + 2)
    out = tone[..., None] * plaster
    u = (x / 2.6 + float(rng.uniform())) % 1 - 0.5
    frame = (np.abs(u) < 0.25) & (y > 0.95) & (y < 2.75)
    out = np.where(frame[..., None], np.array((0.62, 0.60, 0.56)) * tone[..., None], out)
    glass = (np.abs(u) < 0.22) & (np.abs(u) > 0.012) & (y > 1.03) & (y < 2.67) & (np.abs(y - 2.05) > 0.025)
    mirrored = 0.05 + 0.10 * np.clip((y - 1.2 + 0.8 * noise(1.1 * x, 0.6 * y, first + 3)) / 2, 0, 1)
    out = np.where(glass[..., None], mirrored[..., None] * np.array((0.8, 1.0, 1.2)), out)
    plinth = (y < 0.45)[..., None]
    return np.where(plinth, tone[..., None] * np.array((0.26, 0.25, 0.24)), out).astype(np.float32)
