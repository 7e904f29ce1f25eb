"""A stock of motions made of people who stand about and wave, for tests."""

import numpy as np

from dyad.core.skeleton import BODY17
from dyad.synthetic.gatherings import Floats, Troupe
from tests.stages.crowd import standing


def waving(frames: int, *, x: float = 0.0, z: float = 0.0, phase: float = 0.0) -> Floats:
    """Joints (T, 17, 3) m, y up, on the floor."""
    pose = standing(x, z).numpy().astype(np.float32)
    pose[:, 1] = 1.0 - pose[:, 1]
    moving = np.repeat(pose[None], frames, 0)
    swing = 0.3 * np.sin(np.arange(frames) / 5 + phase)
    for name in ("left_wrist", "right_ankle"):
        moving[:, BODY17.index(name), 2] += swing.astype(np.float32)
    return moving


def troupe(frames: int = 40) -> Troupe:
    """Two companies of one and two of two, who stand 0.6 m apart."""
    singles = [waving(frames, phase=k)[:, None] for k in range(2)]
    pairs = [np.stack((waving(frames, phase=k), waving(frames, x=0.6, phase=k + 1)), 1) for k in range(2)]
    return Troupe([*singles, *pairs])
