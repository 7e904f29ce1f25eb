"""A small description of a person's clothes, for telling people apart after they met."""

import torch
from torch import Tensor

from dyad.core.skeleton import BLAZEPOSE33
from dyad.geometry.grids import sample, to_float

_TRUNK = BLAZEPOSE33.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_THIGHS = (BLAZEPOSE33.indices("left_hip", "left_knee"), BLAZEPOSE33.indices("right_hip", "right_knee"))
_LEVELS = 4


def describe(image: Tensor, xy: Tensor) -> Tensor:
    """Colours of trunk and thighs as square roots of two histograms (N, 128): their dot product is a likeness 0..2.

    Args:
        image: (3, H, W) uint8 or float RGB.
        xy: (N, 33, 2) px landmarks in BlazePose's order.
    """
    if not len(xy):
        return torch.zeros(0, 2 * _LEVELS**3)
    steps = torch.linspace(0.15, 0.85, 6)
    across, down = torch.meshgrid(steps, steps, indexing="xy")
    left_top, right_top, left_low, right_low = (xy[:, joint, None] for joint in _TRUNK)
    across, down = across.reshape(1, -1, 1), down.reshape(1, -1, 1)
    trunk = (left_top * (1 - across) + right_top * across) * (1 - down) + (
        left_low * (1 - across) + right_low * across
    ) * down
    thighs = torch.cat([xy[:, a, None] + (xy[:, b] - xy[:, a])[:, None] * steps[:, None] for a, b in _THIGHS], 1)
    return torch.cat([_histogram(image, points) for points in (trunk, thighs)], -1)


def _histogram(image: Tensor, points: Tensor) -> Tensor:
    # Only the pixels near the points are turned into floats.
    height, width = image.shape[-2:]
    low = points.amin((0, 1)).floor().long().clamp(min=0)
    x0, y0 = min(int(low[0]), width - 1), min(int(low[1]), height - 1)
    high = points.amax((0, 1)).ceil().long() + 2
    part = to_float(image[None, :, y0 : max(y0 + 1, int(high[1])), x0 : max(x0 + 1, int(high[0]))])
    colours = sample(part, (points - points.new_tensor((x0, y0)))[None])[0]
    cell = (colours * _LEVELS).long().clamp(0, _LEVELS - 1)
    code = (cell[..., 0] * _LEVELS + cell[..., 1]) * _LEVELS + cell[..., 2]
    counts = torch.zeros(len(points), _LEVELS**3).scatter_add(1, code, torch.ones(code.shape))
    return (counts / points.shape[1]).sqrt()
