"""Cameras that stand, pan, shake in a hand or are carried by a walker: where one is and looks, frame by frame.

The world has y up and its floor at y = 0. A camera with yaw, pitch and roll 0 looks along -z; yaw turns it to its left,
pitch tilts it up, roll leans it to its right, all in rad.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadUsage

Array = NDArray[np.floating]

# A hand holds a camera no steadier than this: root mean square in rad and m, found in walks with a phone.
_HAND_TURN = (0.006, 0.006, 0.004)
_HAND_SHIFT = (0.008, 0.006, 0.008)
_STEP_LENGTH = 0.7
_BOB = 0.018


@dataclass(frozen=True)
class CameraPath:
    """One camera over T frames; its lens does not change.

    Attributes:
        camera: intrinsics.
        rotation: (T, 3, 3) float64, world axes to camera axes.
        position: (T, 3) float64 m, in the world.
    """

    camera: Camera
    rotation: NDArray[np.float64]
    position: NDArray[np.float64]

    def __post_init__(self) -> None:
        rotation, position = (np.asarray(v, np.float64) for v in (self.rotation, self.position))
        if rotation.shape != (len(rotation), 3, 3) or position.shape != (len(rotation), 3) or not len(rotation):
            raise BadUsage(f"a camera path is (T, 3, 3) and (T, 3), got {rotation.shape} and {position.shape}")
        if self.camera.distortion.any() or self.camera.focal.dim() != 1:
            raise BadUsage("scenes are drawn through one pinhole without distortion; leave the distortion at 0")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "position", position)

    @classmethod
    def static(
        cls,
        camera: Camera,
        frames: int,
        *,
        position: tuple[float, float, float],
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
    ) -> "CameraPath":
        """On a tripod."""
        rotation = looking(np.full(frames, yaw), np.full(frames, pitch), np.full(frames, roll))
        return cls(camera, rotation, np.tile(np.asarray(position, np.float64), (frames, 1)))

    @classmethod
    def panning(
        cls,
        camera: Camera,
        frames: int,
        *,
        fps: float,
        position: tuple[float, float, float],
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        swing: float = 0.4,
        tilt: float = 0.0,
        period: float = 8.0,
        phase: float = 0.0,
    ) -> "CameraPath":
        """On a tripod, turned to and fro by `swing` and `tilt` rad to either side in `period` s."""
        wave = np.sin(2 * np.pi * np.arange(frames) / fps / period + phase)
        rotation = looking(yaw + swing * wave, pitch + tilt * wave, np.full(frames, roll))
        return cls(camera, rotation, np.tile(np.asarray(position, np.float64), (frames, 1)))

    @classmethod
    def handheld(
        cls,
        camera: Camera,
        frames: int,
        *,
        fps: float,
        rng: np.random.Generator,
        position: tuple[float, float, float],
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        shake: float = 1.0,
    ) -> "CameraPath":
        """In the hand of someone who stands; `shake` 1 is an ordinary hand."""
        times = np.arange(frames) / fps
        turn = shake * np.stack([size * smooth_noise(times, rng, 0.2, 4.0) for size in _HAND_TURN])
        shift = shake * np.stack([size * smooth_noise(times, rng, 0.1, 2.0) for size in _HAND_SHIFT], -1)
        rotation = looking(yaw + turn[0], pitch + turn[1], roll + turn[2])
        return cls(camera, rotation, np.asarray(position, np.float64) + shift)

    @classmethod
    def walking(
        cls,
        camera: Camera,
        frames: int,
        *,
        fps: float,
        rng: np.random.Generator,
        position: tuple[float, float, float],
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        heading: float | None = None,
        speed: float = 1.0,
        shake: float = 1.0,
    ) -> "CameraPath":
        """Carried at `speed` m/s towards `heading` (rad, as yaw; that of the view if None), bobbing with each step."""
        held = cls.handheld(
            camera, frames, fps=fps, rng=rng, position=position, yaw=yaw, pitch=pitch, roll=roll, shake=shake
        )
        way = speed * np.arange(frames) / fps
        heading = yaw if heading is None else heading
        ahead = np.array((-np.sin(heading), 0.0, -np.cos(heading)))
        side = np.array((np.cos(heading), 0.0, -np.sin(heading)))
        step = 2 * np.pi * (way / _STEP_LENGTH + rng.uniform())
        # The head rises once a step and sways once every two.
        bob = _BOB * shake * (np.cos(step)[:, None] * (0.0, 1.0, 0.0) + 0.8 * np.cos(step / 2)[:, None] * side)
        return cls(camera, held.rotation, held.position + way[:, None] * ahead + bob)

    def __len__(self) -> int:
        return len(self.rotation)

    @property
    def still(self) -> bool:
        """Whether the camera neither moves nor turns."""
        return bool((self.rotation == self.rotation[0]).all() and (self.position == self.position[0]).all())

    def to_camera(self, points: Array, frame: int) -> NDArray[np.float64]:
        """World points (…, 3) m in the camera coordinates of a frame."""
        return (np.asarray(points, np.float64) - self.position[frame]) @ self.rotation[frame].T

    def to_world(self, points: Array, frame: int) -> NDArray[np.float64]:
        """Points (…, 3) m in the camera coordinates of a frame, in the world."""
        return np.asarray(points, np.float64) @ self.rotation[frame] + self.position[frame]

    def project(self, points: Array, frame: int) -> NDArray[np.float64]:
        """World points (…, 3) to pixels (…, 2) of a frame; NaN for what is not in front of the camera."""
        seen = self.to_camera(points, frame)
        depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
        return seen[..., :2] / depth * self.camera.focal.numpy() + self.camera.centre.numpy()

    def turn(self, frame: int, other: int) -> NDArray[np.float64]:
        """(3, 3) that takes directions in the camera axes of `frame` to those of `other`."""
        return self.rotation[other] @ self.rotation[frame].T

    def floor(self, frame: int) -> NDArray[np.float64]:
        """(4,) plane of the ground in the camera coordinates of a frame; its value at a point is the height in m."""
        return np.append(self.rotation[frame] @ np.array((0.0, 1.0, 0.0)), self.position[frame, 1])


def looking(yaw: Array, pitch: Array, roll: Array) -> NDArray[np.float64]:
    """(…, 3, 3) world axes to camera axes of cameras that look along -z, turned by yaw, pitch and roll (…) rad."""
    yaw, pitch, roll = (np.asarray(v, np.float64) for v in (yaw, pitch, roll))
    zero = np.zeros_like(yaw)
    ahead = np.stack((-np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)), -1)
    right = np.stack((np.cos(yaw), zero, -np.sin(yaw)), -1)
    below = np.cross(ahead, right)
    cos, sin = np.cos(roll)[..., None], np.sin(roll)[..., None]
    return np.stack((cos * right + sin * below, cos * below - sin * right, ahead), -2)


def smooth_noise(times: Array, rng: np.random.Generator, low: float, high: float, waves: int = 12) -> Array:
    """Noise (T,) of root mean square about 1 with frequencies from `low` to `high` Hz, weaker the faster."""
    frequency = np.exp(rng.uniform(np.log(low), np.log(high), waves))
    phase = rng.uniform(0, 2 * np.pi, waves)
    size = frequency**-0.7
    size *= np.sqrt(2 / (size**2).sum())
    return (size[:, None] * np.sin(2 * np.pi * frequency[:, None] * times + phase[:, None])).sum(0)
