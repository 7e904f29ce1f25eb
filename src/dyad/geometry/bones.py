"""Bone lengths, and poses with lengths put right, for joints ordered so that parents come before children or not."""

import torch
from torch import Tensor


def bone_lengths(xyz: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Length (…, J) of the bone from each joint (…, J, 3) to its parent; NaN for the root."""
    index = torch.tensor([p if p >= 0 else j for j, p in enumerate(parents)], device=xyz.device)
    lengths = torch.linalg.vector_norm(xyz - xyz[..., index, :], dim=-1)
    roots = torch.tensor([p < 0 for p in parents], device=xyz.device)
    return torch.where(roots, torch.full_like(lengths, torch.nan), lengths)


def outward(parents: tuple[int, ...]) -> list[int]:
    """Joint indices sorted so that every parent comes before its children."""
    depth = []
    for joint in range(len(parents)):
        hops, at = 0, joint
        while parents[at] >= 0:
            at, hops = parents[at], hops + 1
        depth.append(hops)
    return sorted(range(len(parents)), key=lambda joint: depth[joint])


def with_bone_lengths(xyz: Tensor, lengths: Tensor, parents: tuple[int, ...]) -> Tensor:
    """The pose (…, J, 3) with every bone's direction kept and its length set to `lengths` (…, J); the root stays."""
    joints = list(xyz.unbind(-2))
    for joint in outward(parents):
        parent = parents[joint]
        if parent < 0:
            continue
        bone = xyz[..., joint, :] - xyz[..., parent, :]
        unit = bone / torch.linalg.vector_norm(bone, dim=-1, keepdim=True).clamp(min=1e-9)
        joints[joint] = joints[parent] + unit * lengths[..., joint, None]
    return torch.stack(joints, -2)
