"""How thick people are: half the thickness of a limb, by the name of the joint at its far end."""

import torch
from torch import Tensor

from dyad.core.skeleton import Skeleton

# m, of an adult, clothes included. Measured to the sides of the bone between two joints, not of the whole part: the
# hips and shoulders of a skeleton lie under little flesh, its spine under much.
_FLESH = {
    **{"hip": 0.12, "knee": 0.075, "ankle": 0.05, "spine": 0.13, "neck": 0.13, "nose": 0.08, "head_top": 0.09},
    **{"head": 0.08, "shoulder": 0.08, "elbow": 0.045, "wrist": 0.035},
}


def fleshed(skeleton: Skeleton) -> tuple[list[tuple[int, int]], Tensor]:
    """The bones (parent, child) of a skeleton with flesh on, and half their thickness (B,) m."""
    bones = [(a, b) for a, b in skeleton.bones if _kind(skeleton.names[b]) in _FLESH]
    return bones, torch.tensor([_FLESH[_kind(skeleton.names[b])] for _, b in bones])


def _kind(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")
