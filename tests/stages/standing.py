"""Rigid people of body17 who stand or slide on a floor before a known camera: every length and place is known."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks

CAMERA = Camera.from_focal((1280, 720), 900.0)
FPS = 25.0
# Where the floor lies: y in m below the camera.
FLOOR = 1.3

# A standing body of 1.7 m, m: to its left, up from the floor, to its front.
_BODY = {
    "pelvis": (0, 0.92, 0), "right_hip": (-0.12, 0.92, 0), "right_knee": (-0.13, 0.49, 0.04),
    "right_ankle": (-0.13, 0.0765, 0), "left_hip": (0.12, 0.92, 0), "left_knee": (0.13, 0.49, 0.04),
    "left_ankle": (0.13, 0.0765, 0), "spine": (0, 1.17, 0.02), "neck": (0, 1.42, 0), "nose": (0, 1.56, 0.1),
    "head_top": (0, 1.7, 0.02), "left_shoulder": (0.18, 1.42, 0), "left_elbow": (0.23, 1.14, -0.03),
    "left_wrist": (0.28, 0.92, 0.09), "right_shoulder": (-0.18, 1.42, 0), "right_elbow": (-0.23, 1.14, -0.03),
    "right_wrist": (-0.28, 0.92, 0.09),
}  # fmt: skip


def body(height: float = 1.7, turned: float = 0.6) -> Tensor:
    """Joints (17, 3) m about the point on the floor under the pelvis, camera axes, turned by `turned` rad."""
    side, up, front = torch.tensor([_BODY[name] for name in BODY17.names], dtype=torch.float64).unbind(-1)
    angle = torch.tensor(turned, dtype=torch.float64)
    # Someone who faces the camera has his left at larger x and his front at smaller z.
    x = side * angle.cos() - front * angle.sin()
    z = -side * angle.sin() - front * angle.cos()
    return torch.stack((x, -up, z), -1) * height / 1.7


def people_at(
    places: Sequence[Tensor],
    times: Tensor,
    *,
    heights: Sequence[float] | None = None,
    camera: Camera = CAMERA,
    frames: Tensor | None = None,
) -> Tracks:
    """People at places (T, 2), x and z in m, NaN while away; exact xyz and xy, confidence 1."""
    frames = torch.arange(len(times)) if frames is None else frames
    rows: dict[str, list[Tensor]] = {"frame": [], "person": [], "time": [], "xyz": []}
    for person, place in enumerate(places):
        here = torch.isfinite(place).all(-1)
        floor = torch.stack((place[here, 0], torch.full_like(place[here, 0], FLOOR), place[here, 1]), -1)
        rows["xyz"].append(body(1.7 if heights is None else heights[person]) + floor[:, None])
        rows["frame"].append(frames[here])
        rows["time"].append(times[here])
        rows["person"].append(torch.full((int(here.sum()),), person))
    joined = {name: torch.cat(parts) for name, parts in rows.items()}
    xy = camera.project(joined["xyz"])
    low, high = (xy.amin(1), xy.amax(1)) if len(xy) else (torch.zeros(0, 2), torch.zeros(0, 2))
    return Tracks.of_rows(
        **joined,
        xy=xy,
        box=torch.cat((low, high), -1),
        confidence=torch.ones(xy.shape[:2]),
        skeleton=BODY17,
        camera=camera,
        fps=FPS,
        frames=frames,
        times=times,
    )


def clock(seconds: float) -> Tensor:
    return torch.arange(round(seconds * FPS), dtype=torch.float64) / FPS


def slide(times: Tensor, x0: float, z0: float, *, vx: float = 0.1, vz: float = 0.0) -> Tensor:
    """Places (T, 2) of someone who moves at (vx, vz) m/s."""
    return torch.stack((x0 + vx * times, z0 + vz * times), -1)
