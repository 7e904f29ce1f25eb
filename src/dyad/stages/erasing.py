"""Painting over people who were found, so that whoever stands behind or beside them can be seen by a network."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.skeleton import BLAZEPOSE33
from dyad.geometry.grids import rescale_xy, sample, to_float
from dyad.stages.regions import People

# Limbs of a body and half their thickness as a share of the body's size.
_LIMBS = (
    ("left_shoulder", "left_elbow", 0.035),
    ("left_elbow", "left_wrist", 0.03),
    ("right_shoulder", "right_elbow", 0.035),
    ("right_elbow", "right_wrist", 0.03),
    ("left_shoulder", "left_hip", 0.05),
    ("right_shoulder", "right_hip", 0.05),
    ("left_shoulder", "right_hip", 0.06),
    ("right_shoulder", "left_hip", 0.06),
    ("left_shoulder", "right_shoulder", 0.05),
    ("left_hip", "right_hip", 0.05),
    ("left_hip", "left_knee", 0.05),
    ("left_knee", "left_ankle", 0.04),
    ("right_hip", "right_knee", 0.05),
    ("right_knee", "right_ankle", 0.04),
    ("left_ankle", "left_foot_index", 0.03),
    ("right_ankle", "right_foot_index", 0.03),
    ("left_ear", "right_ear", 0.07),
    ("nose", "left_ear", 0.06),
    ("nose", "right_ear", 0.06),
)
_COARSE = 4


class Erased(NamedTuple):
    """An image with people painted over, and where: `cover` is 0..1 on a grid four times as coarse."""

    image: Tensor
    cover: Tensor

    def distrust(self, people: People) -> People:
        """The people as read from this image, with little trust in joints that lie under paint."""
        at = rescale_xy(people.xy, 1 / _COARSE).reshape(1, -1, 2)
        painted = sample(self.cover[None, None], at).reshape(people.seen.shape)
        return replace(people, seen=people.seen * (1 - 0.8 * painted))


def erase(image: Tensor, people: People) -> Erased:
    """The image (3, H, W) as float with everyone in `people` painted over in the blurred colours around them."""
    image = to_float(image)
    height, width = image.shape[-2:]
    rows, columns = -(-height // _COARSE), -(-width // _COARSE)
    y = (torch.arange(rows) + 0.5) * _COARSE - 0.5
    x = (torch.arange(columns) + 0.5) * _COARSE - 0.5
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    cover = torch.zeros(rows, columns)
    for person in range(len(people)):
        span = float(people.span[person])
        for first, second, share in _LIMBS:
            a, b = people.xy[person, BLAZEPOSE33.indices(first, second)]
            radius = share * span
            low, high = (torch.minimum(a, b) - 2 * radius) / _COARSE, (torch.maximum(a, b) + 2 * radius) / _COARSE
            x0, y0 = (max(0, int(v)) for v in low)
            x1, y1 = (max(0, int(v) + 2) for v in high)
            near = grid[y0:y1, x0:x1]
            along = b - a
            t = (((near - a) @ along) / along.square().sum().clamp(min=1e-6)).clamp(0, 1)
            gap = torch.linalg.vector_norm(near - a - t[..., None] * along, dim=-1)
            painted = ((1.5 * radius - gap) / (0.5 * radius + 1e-6)).clamp(0, 1)
            cover[y0:y1, x0:x1] = torch.maximum(cover[y0:y1, x0:x1], painted)
    # What is painted is blurred anyway, so that it is made of a quarter of the image's lines.
    small = F.interpolate(image[None], (rows, columns), mode="area")[0]
    paint = torch.cat((_spread(small * (1 - cover), 1 - cover[None]), cover[None]))
    # By the whole factor, then cut: to sides that four does not divide, the paint would drift off the bodies.
    paint = F.interpolate(paint[None], scale_factor=_COARSE, mode="bilinear")[0, :, :height, :width]
    return Erased(torch.lerp(image, paint[:3], paint[3:]), cover)


def _spread(kept: Tensor, weight: Tensor) -> Tensor:
    """Colours of what is kept, spread over what is not: a pyramid of averages, each filling what finer ones lack."""
    size = kept.shape[-2:]
    colour, trust = kept[None], weight[None]
    result, known = torch.zeros_like(colour), torch.zeros_like(trust)
    for _ in range(6):
        if min(colour.shape[-2:]) < 4:
            break
        colour, trust = F.avg_pool2d(colour, 3, 2, 1), F.avg_pool2d(trust, 3, 2, 1)
        fine = F.interpolate(torch.cat((colour, trust), 1), size, mode="bilinear")
        share = (1 - known) * (fine[:, 3:] / 0.3).clamp(0, 1)
        result += share * fine[:, :3] / fine[:, 3:].clamp(min=1e-3)
        known += share
    return (result / known.clamp(min=1e-3))[0]
