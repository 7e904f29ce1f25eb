"""A detector that costs nothing: two people who walk to and fro and go away now and then, in any video.

What it says of a frame depends on the frames that it saw before, as a network's following does: pieces that are cut
elsewhere, or seen by another order, would give other numbers. DYAD_STANDIN_PAUSE are seconds that every frame takes;
DYAD_STANDIN_DIE is a file whose absence kills the process that comes to frame 100, once.
"""

import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from dyad.core.detections import Detections
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Video

# Metres from the pelvis: x to the right, y down.
_PLACES = {
    "pelvis": (0, 0),
    "hip": (0.1, 0.02),
    "knee": (0.11, 0.45),
    "ankle": (0.12, 0.88),
    "spine": (0, -0.25),
    "neck": (0, -0.5),
    "nose": (0, -0.62),
    "head_top": (0, -0.78),
    "shoulder": (0.18, -0.48),
    "elbow": (0.25, -0.2),
    "wrist": (0.28, 0.05),
}


def _template() -> torch.Tensor:
    rows = []
    for name in BODY17.names:
        side, _, part = name.partition("_")
        mirrored = {"left": 1, "right": -1}.get(side)
        x, y = _PLACES[name if mirrored is None else part]
        rows.append((x * (mirrored or 1), y, 0.0))
    return torch.tensor(rows)


class StandIn:
    """Made without arguments, so that `--detector standin.py:StandIn` finds it."""

    def __init__(self) -> None:
        self.death = os.environ.get("DYAD_STANDIN_DIE")
        self.pause = float(os.environ.get("DYAD_STANDIN_PAUSE", "0"))
        self.template = _template()

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterator[Detections]:
        drift = 0.0
        for chunk in video.chunks(8):
            for k in range(len(chunk.indices)):
                frame = int(chunk.indices[k])
                time.sleep(self.pause)
                if frame == 100 and self.death and not Path(self.death).exists():
                    Path(self.death).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                drift = 0.9 * drift + 0.001 * (float(chunk.images[k].mean()) % 1.0)
                yield self.people(video, frame, float(chunk.times[k]), drift, bool(chunk.cut[k]))

    def people(self, video: Video, frame: int, moment: float, drift: float, cut: bool) -> Detections:
        random = torch.Generator().manual_seed(frame)
        here = [p for p in range(2) if (moment + 17 * p) % 60 < 45]
        poses = []
        for p in here:
            swing = 0.15 * math.sin(5 * moment + p)
            pose = self.template.clone()
            for name in ("left_ankle", "right_wrist", "right_ankle", "left_wrist"):
                pose[BODY17.index(name), 2] += swing * (1 if name in ("left_ankle", "right_wrist") else -1)
            root = torch.tensor((1.2 * math.sin(0.4 * moment + 2.5 * p) + drift, 0.2, 4.5 + p))
            poses.append(pose + root + 0.01 * torch.randn(pose.shape, generator=random))
        xyz = torch.stack(poses) if poses else torch.zeros(0, len(BODY17), 3)
        xy = video.camera.project(xyz.double()).float()
        boxes = torch.cat((xy.amin(1), xy.amax(1)), -1) if here else torch.zeros(0, 4)
        return Detections(
            frame, moment, boxes, torch.full((len(here),), 0.9), xy, torch.full(xy.shape[:2], 0.8), BODY17, xyz, cut=cut
        )
