"""Made-up people, cameras and flows whose truth is known exactly."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.flow import Flow, pixels
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks

STANDING = {
    "pelvis": (0.0, 0.0), "right_hip": (-0.13, 0.0), "right_knee": (-0.14, 0.45), "right_ankle": (-0.15, 0.88),
    "left_hip": (0.13, 0.0), "left_knee": (0.14, 0.45), "left_ankle": (0.15, 0.88), "spine": (0.0, -0.25),
    "neck": (0.0, -0.5), "nose": (0.02, -0.62), "head_top": (0.0, -0.75), "left_shoulder": (0.18, -0.48),
    "left_elbow": (0.3, -0.22), "left_wrist": (0.35, 0.03), "right_shoulder": (-0.18, -0.48),
    "right_elbow": (-0.3, -0.22), "right_wrist": (-0.35, 0.03),
}  # fmt: skip


def pose() -> Tensor:
    """Joints (17, 3) m of somebody who stands, about the pelvis, not all at one depth."""
    flat = torch.tensor([STANDING[name] for name in BODY17.names])
    return torch.cat((flat, 0.1 * torch.sin(9 * flat.sum(-1, keepdim=True))), -1)


@dataclass(frozen=True)
class Scene:
    """People before a camera, and the flow of a world whose motion in the image is an affine map a frame."""

    truth: Tracks
    flows: list[Flow]


def scene(*, frames: int = 12, fps: float = 10.0, size: tuple[int, int] = (320, 240), people: int = 2) -> Scene:
    """People who move at constant velocity, each 3 to 5 m away, with flow that is exact on each one's half.

    The image's left half is one person's, the right the other's.
    """
    camera = Camera.from_focal((320, 240), 300.0).resize(*size)
    middle = (torch.arange(people) - (people - 1) / 2) * 1.6
    step = torch.tensor([[0.25, 0.1, 0.0], [-0.2, -0.05, 0.0], [0.1, 0.0, 0.0]])[:people] / fps
    time = torch.arange(frames)[:, None, None, None]
    start = torch.stack((middle, torch.zeros(people), torch.full((people,), 4.0)), -1)
    # Parallel to the image, so that the flow of a whole person at one depth is one vector.
    joints = pose() * torch.tensor((1.0, 1.0, 0.0))
    xyz = joints + start[:, None] + time * step[:, None]
    moved = camera.project(xyz[1]) - camera.project(xyz[0])
    side = (pixels(size)[..., 0] >= (size[0] - 1) / 2).long().clamp(max=people - 1)
    flow = moved[:, 0].float()[side].movedim(-1, 0)
    frame, person = (torch.arange(n) for n in (frames, people))
    truth = Tracks.of_rows(
        camera=camera,
        frame=frame.repeat_interleave(people),
        person=person.repeat(frames),
        xyz=xyz.flatten(0, 1),
        xy=camera.project(xyz).flatten(0, 1),
        confidence=torch.ones(frames * people, len(BODY17)),
        fps=fps,
    )
    return Scene(truth, [Flow(flow) for _ in range(frames - 1)])


def noisy(truth: Tracks, *, metres: float = 0.03, px: float = 1.0, seed: int = 0) -> Tracks:
    """The tracks with white noise on 3D and 2D joints."""
    chance = torch.Generator().manual_seed(seed)
    xyz, xy = (torch.randn(v.shape, generator=chance) for v in (truth.xyz, truth.xy))
    return replace(truth, xyz=truth.xyz + metres * xyz, xy=truth.xy + px * xy)


def error(tracks: Tracks, truth: Tracks) -> float:
    """Mean distance of joints, m."""
    return float(torch.linalg.vector_norm(tracks.xyz - truth.xyz, dim=-1).nanmean())


def image_error(tracks: Tracks, truth: Tracks) -> float:
    """Mean distance of 2D joints, px."""
    return float(torch.linalg.vector_norm(tracks.xy - truth.xy, dim=-1).nanmean())
