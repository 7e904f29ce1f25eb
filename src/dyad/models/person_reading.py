"""People read off the maps of the bottom-up heads: one for every peak of middles, his joints and his depth."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.geometry.grids import sample
from dyad.models.blazepose_heads import LEAST_REACH, MOST_REACH, STRIDE, PersonMaps

# Two readings whose joints lie closer in the mean, as a share of the larger reach, are of one person: on held-out
# renders the average precision is 0.55, 0.63, 0.66, 0.60 with 0.2, 0.3, 0.4, 0.5.
_SAME = 0.4


class ReadPeople(NamedTuple):
    """People read in images, best first within each; px are those of the image shown."""

    image: Tensor  # (M,) which
    score: Tensor  # (M,) 0..1
    middle: Tensor  # (M, 2) px
    reach: Tensor  # (M,) px
    xy: Tensor  # (M, J, 2) px
    confidence: Tensor  # (M, J) 0..1, of the heat map at the joint
    metres: Tensor  # (M,) reach times depth over focal length: equation 3 of [TB] for all cameras
    relative: Tensor  # (M, J) m beyond the pelvis, equation 4

    def chosen(self, rows: Tensor) -> "ReadPeople":
        return ReadPeople(*(value[rows] for value in self))


def read_people(maps: PersonMaps, *, threshold: float = 0.2, most: int = 64, snap: float = 0.12) -> ReadPeople:
    """Everyone whose middle has a local peak of at least `threshold`, the `most` best of all images.

    `snap`: a joint moves to the best place of its heat map within so many reaches; 0 leaves it where the person says.
    """
    score = maps.middle[:, 0].float().sigmoid()
    peak = (score == F.max_pool2d(score[:, None], 3, 1, 1)[:, 0]) & (score > threshold)
    image, y, x = torch.nonzero(peak, as_tuple=True)
    best = torch.argsort(score[image, y, x], descending=True, stable=True)[:most]
    image, y, x = image[best], y[best], x[best]
    cell = (torch.stack((x, y), -1) + 0.5) * STRIDE - 0.5
    reach = maps.reach[image, 0, y, x].float().exp().clamp(0.5 * LEAST_REACH, 2 * MOST_REACH)
    offsets = maps.offsets[image, :, :, y, x].float()
    xy = cell[:, None] + offsets * reach[:, None, None]
    heat = maps.heatmaps.float().sigmoid()
    if snap and len(image):
        xy = _snapped(xy, heat, image, snap * reach)
    confidence = torch.zeros(xy.shape[:2])
    relative = torch.zeros(xy.shape[:2])
    for i in torch.unique(image).tolist():
        rows = torch.nonzero(image == i)[:, 0]
        confidence[rows] = _own(heat[i], xy[rows], STRIDE // 2)
        relative[rows, 1:] = _own(maps.relative[i].float(), xy[rows, 1:], STRIDE)
    metres = maps.depth[image, 0, y, x].float().exp()
    return ReadPeople(image, score[image, y, x], cell, reach, xy, confidence, metres, relative)


def _own(maps: Tensor, xy: Tensor, stride: int) -> Tensor:
    """Of each joint (P, J, 2) px the value (P, J) of its own map (J, h, w)."""
    grid = xy.new_tensor((maps.shape[-1] - 1, maps.shape[-2] - 1))
    at = ((xy + 0.5) / stride - 0.5).clamp(min=0).minimum(grid)
    values = sample(maps[None], at.reshape(1, -1, 2)).reshape(*xy.shape[:-1], len(maps))
    own = torch.arange(len(maps))
    return values[:, own, own]


def _snapped(xy: Tensor, heat: Tensor, image: Tensor, radius: Tensor) -> Tensor:
    """Joints moved to the best place of a fan of places within `radius` (M,) px: heat times nearness."""
    steps = torch.linspace(-1, 1, 7)
    fan = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    places = xy[:, :, None] + fan * radius[:, None, None, None]  # (M, J, K, 2)
    prior = torch.exp(-1.0 * fan.square().sum(-1))
    worth = []
    for k in range(len(fan)):
        worth.append(
            torch.cat([_own(heat[i], places[m : m + 1, :, k], STRIDE // 2) for m, i in enumerate(image.tolist())])
        )
    value = torch.stack(worth, -1) * prior + 0.02 * prior
    # The mean of good places rather than the best of a coarse fan.
    weight = value**4
    return (places * weight[..., None]).sum(2) / weight.sum(2, keepdim=True).clamp(min=1e-9)


def merge(people: ReadPeople) -> Tensor:
    """Rows to keep, best first, of people read in one image shown at several sizes, in px of one of them."""
    kept: list[int] = []
    for row in torch.argsort(people.score, descending=True, stable=True).tolist():
        if not kept:
            kept.append(row)
            continue
        size = torch.maximum(people.reach[kept], people.reach[row])
        apart = torch.linalg.vector_norm(people.xy[kept] - people.xy[row], dim=-1).mean(-1)
        if not (apart < _SAME * size).any():
            kept.append(row)
    return torch.tensor(kept, dtype=torch.int64)
