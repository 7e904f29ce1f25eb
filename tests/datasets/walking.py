"""People who walk, for the tests of readers: joints of any skeleton that move with time, before a known camera."""

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks


def walk(skeleton: Skeleton, *, frames: int = 4, people: int = 1, seed: int = 0) -> NDArray[np.float64]:
    """Positions (F,P,J,3) m in axes x right, y down, z forward; about 5 m away, within 1.5 m of the axis."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.3, -0.9, -0.2), (0.3, 0.9, 0.2), (people, len(skeleton), 3))
    start = rng.uniform((-0.8, -0.2, 4.5), (0.8, 0.2, 6), (people, 1, 3))
    stride = rng.uniform(-0.03, 0.03, (people, 1, 3))
    swing = rng.uniform(-0.05, 0.05, (people, len(skeleton), 3))
    time = np.arange(frames)[:, None, None, None]
    return start + body + stride * time + swing * np.sin(time)


def pixels(camera: Camera, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the camera sees positions (…,3), in float64."""
    return camera.project(torch.from_numpy(np.asarray(xyz, dtype=np.float64))).numpy()


def turned(yaw: float, tilt: float) -> NDArray[np.float64]:
    """A rotation (3,3)."""
    about_y = np.array(((np.cos(yaw), 0, np.sin(yaw)), (0, 1, 0), (-np.sin(yaw), 0, np.cos(yaw))))
    about_x = np.array(((1, 0, 0), (0, np.cos(tilt), -np.sin(tilt)), (0, np.sin(tilt), np.cos(tilt))))
    return about_x @ about_y


def out_of_camera(xyz: NDArray[np.float64], rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray:
    """World positions of points (…,3) in camera axes, where camera = rotation world + shift."""
    return (xyz - shift) @ rotation


def miss(truth: Tracks) -> float:
    """The largest distance in px between a track's joints in 2D and where its camera sees them in 3D."""
    seen = truth.camera.project(truth.xyz.double())
    return float(torch.linalg.vector_norm(seen - truth.xy, dim=-1).nan_to_num().max())
