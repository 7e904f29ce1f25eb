"""People who stand about, for tests: tracks whose truth is known."""

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks

CAMERA = Camera.from_focal((1000, 800), 900.0)
_UP = {
    **{"pelvis": (0.0, 0.9), "spine": (0.0, 1.15), "neck": (0.0, 1.4), "nose": (0.0, 1.52), "head_top": (0.0, 1.68)},
    **{"hip": (0.12, 0.9), "knee": (0.13, 0.5), "ankle": (0.14, 0.08)},
    **{"shoulder": (0.18, 1.38), "elbow": (0.3, 1.12), "wrist": (0.38, 0.9)},
}


def standing(x: float, z: float) -> Tensor:
    """Joints (17, 3) m of somebody who stands at x, z and faces the camera 1 m above the floor."""
    rows = []
    for name in BODY17.names:
        side, _, kind = name.rpartition("_") if name.startswith(("left", "right")) else ("", "", name)
        aside, up = _UP[kind]
        rows.append((x + (aside if side == "left" else -aside), 1.0 - up, z - (0.06 if kind == "nose" else 0.0)))
    return torch.tensor(rows, dtype=torch.float64)


def tracks_of(poses: Tensor, ids: list[int], *, sure: float | Tensor = 0.9, cuts: tuple[int, ...] = ()) -> Tracks:
    """Tracks of poses (T, P, 17, 3) m, NaN for who is not there."""
    frame, person = torch.nonzero(torch.isfinite(poses[..., 0, 0]), as_tuple=True)
    xyz = poses[frame, person]
    confidence = torch.as_tensor(sure, dtype=torch.float32).expand(poses.shape[:-1])[frame, person]
    return Tracks.of_rows(
        camera=CAMERA,
        frame=frame,
        person=torch.tensor(ids)[person],
        xyz=xyz,
        xy=CAMERA.project(xyz),
        confidence=confidence,
        frames=torch.arange(len(poses)),
        fps=25.0,
        cuts=cuts,
    )


def passing(frames: int = 20) -> Tensor:
    """(T, 2, 17, 3) m: two who pass one another a metre apart in depth."""
    way = torch.linspace(-0.8, 0.8, frames).tolist()
    return torch.stack([torch.stack((standing(x, 4.0), standing(-x, 5.0))) for x in way])
