"""People who walk before a camera, as true tracks, and what a prediction may do to them."""

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks, World

CAMERA = Camera.from_focal((1920, 1080), 1100.0)


def walkers(
    frames: int = 6,
    count: int = 2,
    *,
    seed: int = 0,
    skeleton: Skeleton = BODY17,
    apart: float = 1.2,
    fps: float = 25.0,
) -> Tracks:
    """People side by side, 4 m away, 1.7 m tall, who walk and swing; the floor is 1 m below the camera."""
    rng = np.random.default_rng(seed)
    joints = len(skeleton)
    body = rng.uniform((-0.3, -0.7, -0.2), (0.3, 0.9, 0.2), (1, count, joints, 3))
    place = np.stack([np.arange(count) * apart - 0.6, np.zeros(count), np.full(count, 4.0)], -1)
    time = np.arange(frames)[:, None, None, None]
    swing = rng.uniform(-0.03, 0.03, (1, count, joints, 3)) * np.sin(time)
    xyz = body + place[None, :, None] + time * np.array([0.02, 0, 0.03]) + swing
    frame, person = np.nonzero(np.ones((frames, count), dtype=bool))
    return tracks(xyz[frame, person], frame, person, skeleton=skeleton, fps=fps, frames=torch.arange(frames))


def tracks(xyz: np.ndarray, frame: np.ndarray, person: np.ndarray, *, skeleton: Skeleton = BODY17, **given) -> Tracks:
    """Rows of joints (N,J,3) m, seen where the camera sees them."""
    points = torch.from_numpy(np.asarray(xyz, dtype=np.float64).reshape(-1, len(skeleton), 3))
    return Tracks.of_rows(
        skeleton=skeleton,
        camera=CAMERA,
        frame=torch.as_tensor(np.asarray(frame, dtype=np.int64)),
        person=torch.as_tensor(np.asarray(person, dtype=np.int64)),
        xyz=points,
        xy=CAMERA.project(points),
        confidence=torch.ones(points.shape[:2]),
        world=World(torch.tensor([0.0, 1, 0]), torch.tensor([0.0, -1, 0, 1.0])),
        **given,
    )


def moved(truth: Tracks, shift: tuple[float, float, float]) -> Tracks:
    """Everyone elsewhere in space, at the same place in the image."""
    return truth.with_(xyz=truth.xyz + torch.tensor(shift))


def renamed(truth: Tracks, names: dict[int, int]) -> Tracks:
    """The same people under other identities."""
    person = torch.tensor([names[p] for p in truth.person.tolist()], dtype=torch.int64)
    rows = {name: getattr(truth, name) for name in ("frame", "xyz", "xy", "confidence", "sigma", "frames", "times")}
    given = {"skeleton": truth.skeleton, "camera": truth.camera, "fps": truth.fps, "world": truth.world}
    return Tracks.of_rows(person=person, **rows, **given)


def nobody(truth: Tracks) -> Tracks:
    """The same video with no one found."""
    return truth[torch.zeros(len(truth), dtype=torch.bool)]
