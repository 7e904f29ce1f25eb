"""What the bottom-up heads cost on cuttings whose people are known."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.models.blazepose_heads import LEAST_REACH, MOST_REACH, STRIDE, PersonMaps
from dyad.training.cuttings import middles_of, reach_of

_UNSURE = 1.4
"""People up to so much smaller or larger than those wanted may be found or not."""


class Wanted(NamedTuple):
    """What the maps should say of one image, cells (h, w): centre (h, w) 0..1 and how much it counts; which person
    (index) each cell speaks of and with how much weight; heat (J, 2h, 2w) and how much it counts (2h, 2w)."""

    centre: Tensor
    counts: Tensor
    owner: Tensor
    weight: Tensor
    heat: Tensor
    heat_counts: Tensor


def wanted(xy: Tensor, confidence: Tensor, depth: Tensor, size: tuple[int, int]) -> Wanted:
    """Of people xy (P, J, 2) px, confidence (P, J), depth (P,) m in an image of `size` (width, height)."""
    w, h = (n // STRIDE for n in size)
    inside = confidence > 0
    reach, middle = reach_of(xy), middles_of(xy, inside)
    seen = (confidence == 1).float().mean(-1)
    sized = (reach >= LEAST_REACH) & (reach <= MOST_REACH)
    near = (reach >= LEAST_REACH / _UNSURE) & (reach <= MOST_REACH * _UNSURE)
    sure = sized & (seen > 0.15)
    dots = _dots(middle, (0.12 * reach).clamp(5.0, 16.0), (w, h), STRIDE)
    none = dots.new_zeros(1, h, w)
    centre = torch.cat((none, dots[sure])).amax(0)
    # Who is too large, too small or too hidden to be surely wanted is no error either way.
    doubtful = ~sure & (near | (reach < LEAST_REACH))
    discs = _dots(middle, (0.35 * reach).clamp(min=6.0), (w, h), STRIDE)
    counts = 1 - (torch.cat((none, discs[doubtful])).amax(0) > 0.5).float() * (centre < 0.5)
    speaking = torch.where(near[:, None, None], dots, torch.zeros_like(dots))
    # Of two in one cell the nearer one is spoken of.
    speaking = speaking * torch.exp(-0.1 * torch.argsort(torch.argsort(depth)).float())[:, None, None]
    weight, owner = torch.cat((none, speaking)).max(0)
    weight = torch.where(weight > 0.3, weight, torch.zeros_like(weight))
    fine = STRIDE // 2
    heat = dots.new_zeros(xy.shape[1], 2 * h, 2 * w)
    heat_counts = dots.new_ones(2 * h, 2 * w)
    for p in torch.nonzero(near)[:, 0].tolist():
        drawn = _dots(xy[p], (0.06 * reach[p]).clamp(4.0, 10.0).expand(len(xy[p])), (2 * w, 2 * h), fine)
        heat = torch.maximum(heat, drawn * inside[p, :, None, None])
    for p in torch.nonzero(~near)[:, 0].tolist():
        disc = _dots(middle[p : p + 1], reach[p : p + 1].clamp(min=4.0), (2 * w, 2 * h), fine)[0]
        heat_counts = heat_counts * (disc < 0.6)
    return Wanted(centre, counts, (owner - 1).clamp(min=0), weight, heat, heat_counts)


def _dots(at: Tensor, sigma: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Gaussians (P, h, w) of `sigma` (P,) px round places (P, 2) px, on a grid of cells; the nearest cell has 1."""
    w, h = size
    at = at.nan_to_num(-1e6)
    grid_x, grid_y = ((torch.arange(n, dtype=torch.float32) + 0.5) * stride - 0.5 for n in (w, h))
    x, y = (((v + 0.5) / stride).floor() * stride + stride / 2 - 0.5 for v in at.unbind(-1))
    across = torch.exp(-0.5 * ((grid_x - x[:, None]) / sigma[:, None]) ** 2)
    down = torch.exp(-0.5 * ((grid_y - y[:, None]) / sigma[:, None]) ** 2)
    return down[:, :, None] * across[:, None, :]


class PersonLoss:
    """The mean over a batch of: focal losses of middles and joints, distances of all that is said of a person."""

    def __call__(self, maps: PersonMaps, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of maps of N images and a batch of `Wanted` and of people, as `Shown`, with N in front."""
        maps = PersonMaps(*(value.float() for value in maps))
        goal = Wanted(*(batch[name] for name in Wanted._fields))
        image, y, x = torch.nonzero(goal.weight, as_tuple=True)
        weight, owner = goal.weight[image, y, x].float(), goal.owner[image, y, x].long()
        total = weight.sum().clamp(min=1)
        xy = batch["xy"][image, owner]
        reach = reach_of(xy)
        cell = (torch.stack((x, y), -1) + 0.5) * STRIDE - 0.5
        off = ((xy - cell[:, None]) / reach[:, None, None]).clamp(-3, 3)
        apart = (maps.offsets[image, :, :, y, x] - off).abs().nan_to_num(0.0).sum(-1).mean(-1)
        metres = batch["metres"][image, owner].clamp(min=1e-3).log()
        told = {
            "middle": focal(maps.middle[:, 0], goal.centre.float(), goal.counts.float()),
            "heat": focal(maps.heatmaps, goal.heat.float(), goal.heat_counts[:, None].float()),
            "reach": (weight * (maps.reach[image, 0, y, x] - reach.log()).abs()).sum() / total,
            "offsets": (weight * apart).sum() / total,
            "metres": (weight * (maps.depth[image, 0, y, x] - metres).abs()).sum() / total,
            "relative": _relative(maps.relative, batch),
        }
        shares = {"middle": 1.0, "heat": 0.5, "reach": 1.0, "offsets": 2.0, "metres": 0.5, "relative": 1.0}
        return {"loss": sum((shares[k] * v for k, v in told.items()), maps.middle.new_zeros(())), **told}


def _relative(maps: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Mean error, m, of relative depths (N, J - 1, h, w) read at the joints."""
    at = (((batch["xy"][:, :, 1:] + 0.5) / STRIDE).floor()).nan_to_num(-1).long()
    h, w = maps.shape[-2:]
    known = (batch["confidence"][:, :, 1:] > 0) & (at >= 0).all(-1) & (at[..., 0] < w) & (at[..., 1] < h)
    image, person, joint = torch.nonzero(known, as_tuple=True)
    x, y = at[image, person, joint].unbind(-1)
    z = batch["xyz"][..., 2]
    truth = (z[:, :, 1:] - z[:, :, :1])[image, person, joint]
    return (maps[image, joint, y, x] - truth).abs().clamp(max=1.0).sum() / max(len(image), 1)


def focal(logits: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """CornerNet's focal loss of logits against Gaussians, over the number of their peaks."""
    peak = (truth > 0.999).float() * counts
    there = F.logsigmoid(logits) * torch.sigmoid(-logits) ** 2 * peak
    not_there = F.logsigmoid(-logits) * torch.sigmoid(logits) ** 2 * (1 - truth) ** 4 * (1 - peak) * counts
    return -(there + not_there).sum() / peak.sum().clamp(min=1)
