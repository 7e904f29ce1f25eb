"""What the maps of the two branches cost: heat (equation 1), tags, depth (equation 2)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dyad.models.bottomup import BottomUpMaps
from dyad.models.higherhrnet import Stages
from dyad.training.loop import Batch
from dyad.training.published_recipes import BranchRecipe


class BranchLoss:
    """Of a network that draws heat maps and tags (`HigherHRNet`), or depth besides (`BottomUpNetwork`).

    Args:
        depth: whether the network draws depth and sees a prior.
    """

    def __init__(self, recipe: BranchRecipe, *, depth: bool) -> None:
        self.recipe, self.depth = recipe, depth

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of a batch of `published_images.BranchBatches`; "loss", "heat", "tag", and "depth" in m²."""
        images = batch["image"].float() / 255
        said = network(images, batch["prior"].float()) if self.depth else network(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.of(said, batch)

    def of(self, said: Stages | BottomUpMaps, batch: Batch) -> dict[str, Tensor]:
        """The same of what the network drew."""
        width, recipe = batch["image"].shape[-1], self.recipe
        full = isinstance(said, BottomUpMaps)
        heats = (said.heatmaps,) if full else said.heatmaps
        tags = said.tags[..., 0] if full else said.tags
        told = {
            "heat": sum(
                (heat_loss(maps.float(), batch[f"heat.{width // maps.shape[-1]}"], batch["told"]) for maps in heats),
                batch["xy"].new_zeros(()),
            ),
            "tag": tag_loss(at_joints(tags.float(), batch["xy"], width), batch["confidence"] > 0),
        }
        loss = recipe.heat * told["heat"] + recipe.tag * told["tag"]
        if full:
            maps = torch.cat((said.root_depth, said.relative_depth), 1).float()
            known = (batch["confidence"] > 0) & torch.isfinite(batch["depth"])
            told["depth"] = depth_loss(at_joints(maps, batch["xy"], width), batch["depth"], known)
            loss = loss + recipe.depth * told["depth"]
        return {"loss": loss, **told}


def at_joints(maps: Tensor, xy: Tensor, width: int) -> Tensor:
    """Values (N, P, J) of maps (N, J, h, w) at the pixels of joints (N, P, J, 2) px in an image so wide; any at NaN."""
    h, w = maps.shape[-2:]
    x, y = ((xy.nan_to_num(0.0) + 0.5) * (w / width)).floor().long().unbind(-1)
    place = y.clamp(0, h - 1) * w + x.clamp(0, w - 1)
    return maps.flatten(2).gather(2, place.transpose(1, 2)).transpose(1, 2)


def heat_loss(maps: Tensor, truth: Tensor, told: Tensor) -> Tensor:
    """Equation 1 as the mean over pixels of maps (N, J, h, w) whose joints the data set tells, (N, J) bool."""
    off = (maps - truth.float()).square().mean((2, 3))
    return (off * told).sum() / told.sum().clamp(min=1)


def tag_loss(tags: Tensor, known: Tensor) -> Tensor:
    """Associative embedding (Newell et al. 2017): tags (N, P, J) of one person are alike, those of two are not.

    The mean squared distance from the person's mean tag, and half the mean of exp(−d² / 2) of the d between two means.
    """
    share = known.float()
    count = share.sum(-1)
    there = (count > 0).float()
    mean = (tags * share).sum(-1) / count.clamp(min=1)
    apart = ((tags - mean[..., None]).square() * share).sum(-1) / count.clamp(min=1)
    people = there.sum(-1)
    pull = (apart * there).sum(-1) / people.clamp(min=1)
    near = torch.exp(-0.5 * (mean[:, :, None] - mean[:, None]).square()) * there[:, :, None] * there[:, None]
    pairs = people * (people - 1)
    push = 0.5 * (near.sum((1, 2)) - people) / pairs.clamp(min=1)
    return (pull + push).mean()


def depth_loss(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Equation 2: the mean squared error of depths (N, P, J) where they are known; 0 where none is."""
    off = torch.where(known, found - truth, torch.zeros_like(found))
    return off.square().sum() / known.sum().clamp(min=1)


def mean_of(parts: list[Mapping[str, Tensor]]) -> dict[str, float]:
    """The mean of each number."""
    return {name: round(sum(float(part[name]) for part in parts) / len(parts), 6) for name in parts[0]} if parts else {}
