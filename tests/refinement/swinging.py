"""People whose limbs swing, and the flow of their limbs before a resting background: a world that costs nothing."""

from dataclasses import dataclass

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.flow import Flow
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.refinement.moves import Moves
from dyad.refinement.target import LimbSketch
from tests.refinement.scenes import pose

SIZE = (160, 120)
_SWING = {"wrist": 0.25, "elbow": 0.12, "ankle": 0.3, "knee": 0.15}


@dataclass(frozen=True)
class Swing:
    """Two people of about 60 px. The images are of no matter: one resting pattern, or one a shot."""

    truth: Tracks
    flows: list[Flow]
    video: Video


def swing(frames: int = 14, *, fps: float = 10.0, cut: int | None = None) -> Swing:
    camera = Camera.from_focal(SIZE, 150.0)
    time = torch.arange(frames) / fps
    reach = torch.tensor([_SWING.get(name.split("_")[-1], 0.0) for name in BODY17.names])
    side = torch.tensor([-1.0 if name.startswith("left") else 1.0 for name in BODY17.names])
    turn = torch.sin(5 * time)[:, None] * reach * side
    people = []
    for person, x in enumerate((-0.9, 0.9)):
        way = torch.stack((x + (0.3 - 0.6 * person) * time, 0.02 * time, 4.0 + 0.2 * person + 0 * time), -1)
        joints = pose() + way[:, None]
        people.append(joints + torch.stack((turn * (1 - 2 * person), -turn.abs() / 3, 0.5 * turn), -1))
    xyz = torch.stack(people, 1).flatten(0, 1)
    frame, person = torch.arange(frames).repeat_interleave(2), torch.arange(2).repeat(frames)
    truth = Tracks.of_rows(
        camera=camera,
        frame=frame,
        person=person,
        xyz=xyz,
        xy=camera.project(xyz),
        confidence=torch.ones(len(xyz), len(BODY17)),
        fps=fps,
        frames=torch.arange(frames),
    )
    drawn = LimbSketch(thickness=3.0)(Moves.of(truth), SIZE)
    flow = drawn.over(Flow(torch.zeros(frames - 1, 2, SIZE[1], SIZE[0])))
    chance = np.random.default_rng(0)
    shots = np.kron(chance.integers(0, 255, (2, 12, 16, 3), np.uint8), np.ones((1, 10, 10, 1), np.uint8))
    shown = np.arange(frames) >= (frames if cut is None else cut)
    return Swing(truth, [flow[k] for k in range(frames - 1)], Video(shots[shown.astype(int)], camera=camera, fps=fps))
