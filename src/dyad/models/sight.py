"""How a lifting network sees tracked people: through a virtual camera that looks at each and magnifies all alike."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dyad.geometry.looking import toward
from dyad.models.joints import BODY17, positions

_TRUNK = positions(("pelvis", "right_hip", "left_hip", "spine", "neck", "left_shoulder", "right_shoulder"), BODY17)
# Frames to either side over which the camera's aim and its magnification are evened out.
_REACH = 15
_FARTHEST = 6.0
JOINT_FEATURES, FRAME_FEATURES = 4, 10
CONFIDENCE = 2
"""Which of a joint's features is its confidence."""


class Sight(NamedTuple):
    """N sequences of T frames of one person each.

    Attributes:
        joints: (N, T, 17, JOINT_FEATURES): x and y on the image plane of the virtual camera over `scale` (0 where
            missing), the confidence, and whether the joint is there at all.
        frames: (N, T, FRAME_FEATURES): the direction of the virtual camera in the real one, the scale, how these two
            change over time, the direction against gravity, 0 where it is not known, and whether it is.
        turn: (N, T, 3, 3) takes the axes of the virtual camera to those of the real one.
        scale: (N, T) size of the person on the image plane at depth 1: root mean square about the middle.
    """

    joints: Tensor
    frames: Tensor
    turn: Tensor
    scale: Tensor


def sight(rays: Tensor, confidence: Tensor, up: Tensor) -> Sight:
    """What is seen of viewing rays, with `frames` at about 30 a second.

    Args:
        rays: (N, T, 17, 2) x and y of each joint's ray at depth 1, NaN for a joint that is missing.
        confidence: (N, T, 17) 0..1.
        up: (N, 3) unit vector against gravity in the camera's axes, zeros where it is not known.
    """
    there = torch.isfinite(rays).all(-1) & (confidence > 0)
    rays = torch.where(there[..., None], rays, torch.zeros_like(rays))
    trust = torch.where(there, confidence.clamp(0.02, 1.0), torch.zeros_like(confidence))
    middle = _aim(rays, trust)
    turn = toward(torch.cat((middle, torch.ones_like(middle[..., :1])), -1))
    # A point on the real image plane, turned into the virtual camera and brought to depth 1 there.
    full = torch.cat((rays, torch.ones_like(rays[..., :1])), -1)
    seen = (turn[:, :, None] * full[..., None]).sum(-2)
    plane = seen[..., :2] / seen[..., 2:].clamp(min=0.05)
    alone = trust.sum(-1)
    spread = (trust * plane.square().sum(-1)).sum(-1, keepdim=True)
    scale = _evened(spread, alone, None, None)[..., 0].sqrt().clamp(min=1e-4)
    plane = (plane / scale[..., None, None]).clamp(-_FARTHEST, _FARTHEST)
    plane = torch.where(there[..., None], plane, torch.zeros_like(plane))
    known = there.to(rays.dtype)
    joints = torch.cat((plane, (confidence * known)[..., None], known[..., None]), -1)
    drift = torch.zeros_like(middle)
    drift[:, 1:] = (middle[:, 1:] - middle[:, :-1]) / scale[:, 1:, None]
    growth = torch.zeros_like(scale)
    growth[:, 1:] = (scale[:, 1:] / scale[:, :-1]).log()
    above = (turn * up[:, None, :, None]).sum(-2)
    told = (up.abs().amax(-1) > 0).to(rays.dtype)[:, None, None].expand(*scale.shape, 1)
    moved = torch.cat((20 * drift, 20 * growth[..., None]), -1).clamp(-3, 3)
    parts = (middle, scale.log()[..., None] + 2.0, moved, above, told)
    return Sight(joints, torch.cat(parts, -1), turn, scale)


def _aim(rays: Tensor, trust: Tensor) -> Tensor:
    """The middle (N, T, 2) of the person's trunk on the image plane, evened out over time."""
    trunk = trust[..., _TRUNK]
    own = (trunk[..., None] * rays[..., _TRUNK, :]).sum(-2)
    return _evened(own, trunk.sum(-1), (trust[..., None] * rays).sum(-2), trust.sum(-1))


def _evened(sums: Tensor, weight: Tensor, instead: Tensor | None, alone: Tensor | None) -> Tensor:
    """Weighted means (N, T, D) over the frames around each, over the whole sequence where none of them counts.

    `sums` (N, T, D) are already times their `weight` (N, T); `instead` and `alone` stand in where a sequence has no
    weight at all.
    """
    window = 2 * _REACH + 1

    def around(values: Tensor) -> Tensor:
        return functional.avg_pool1d(values.transpose(1, 2), window, 1, _REACH).transpose(1, 2)

    near, near_weight = around(sums), around(weight[..., None])
    whole, whole_weight = sums.mean(1, keepdim=True), weight.mean(1, keepdim=True)[..., None]
    if instead is not None and alone is not None:
        none = whole_weight <= 0
        whole = torch.where(none, instead.mean(1, keepdim=True), whole)
        whole_weight = torch.where(none, alone.mean(1, keepdim=True)[..., None], whole_weight)
    enough = near_weight > 1e-3
    safe = torch.where(enough, near_weight, torch.ones_like(near_weight))
    return torch.where(enough, near / safe, whole / whole_weight.clamp(min=1e-6))


def turned(turn: Tensor, vectors: Tensor) -> Tensor:
    """Vectors (…, K, 3) by rotations (…, 3, 3); element by element, so that no lower precision touches them."""
    return (turn[..., None, :, :] * vectors[..., None, :]).sum(-1)


def turned_back(turn: Tensor, vectors: Tensor) -> Tensor:
    """Vectors (…, K, 3) by the inverses of rotations (…, 3, 3)."""
    return (turn[..., None, :, :] * vectors[..., :, None]).sum(-2)
