"""What losses without labels make of a network that integrates: table 2 of [TB], in small.

The network goes on from where the labelled training left it, on crowds whose truth is not looked at and whose branches
err more than those it knew. E_rep: the fused pose against the 2D joints, by their confidence. E_mp: the fused pose
turned about the vertical by a random angle, estimated anew as the branches err, fused again and turned back. "dis":
what the discriminators make of the fused pairs.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dyad.core.skeleton import BODY17
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.stages.plausibility import WEIGHTS
from dyad.stages.simulated_branches import simulate_branch
from dyad.synthetic.gatherings import Troupe
from dyad.training.branch_batches import ERRORS, BranchData, branch_batches
from dyad.training.integration import fuse
from dyad.training.loop import Batch
from dyad.training.pair_loss import Implausible

_ROOT = BODY17.index(BODY17.root)
_SEED = 77


@dataclass(frozen=True)
class Unlabelled:
    """Weights of the losses: of E_rep and E_mp, m, and of the discriminators' −log C."""

    reprojection: float = 0.0
    perspective: float = 0.0
    plausible: float = 0.0


TABLE2: Mapping[str, Unlabelled] = {
    "Rep": Unlabelled(reprojection=1.0),
    "MP": Unlabelled(perspective=1.0),
    "Rep+dis": Unlabelled(reprojection=1.0, plausible=0.03),
    "Rep+MP+dis": Unlabelled(reprojection=1.0, perspective=1.0, plausible=0.03),
}


@dataclass(frozen=True)
class UnlabelledData:
    """Crowds: companies in the stock, and how branches err there."""

    pairs: int = 24
    singles: int = 60
    batches: BranchData = field(
        default_factory=lambda: BranchData(
            unpaired=0.0,
            masked=0.0,
            errors={name: replace(errors, hidden=1.4 * errors.hidden) for name, errors in ERRORS.items()},
        )
    )


def without_labels(
    network: nn.Module,
    losses: Unlabelled,
    *,
    steps: int = 150,
    rate: float = 1e-4,
    motions: Path | None = None,
    troupe: Troupe | None = None,
    discriminator: str = WEIGHTS,
    data: UnlabelledData | None = None,
) -> nn.Module:
    """A copy of the network after so many steps; truth enters neither the losses nor the choice of when to stop."""
    data = data or UnlabelledData()
    rng = np.random.default_rng(_SEED)
    stock = troupe or Troupe.rehearse(rng, pairs=data.pairs, singles=data.singles, motions=motions)
    student = copy.deepcopy(network).requires_grad_(True).train()
    odd = Implausible(Checkpoint.load(find_weights(discriminator)).build().float()) if losses.plausible else None
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.0)
    source = branch_batches(stock, data.batches, _SEED, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        for step in range(steps):
            batch = next(source)
            found = fuse(student, batch)[0].float()
            there = torch.isfinite(found[..., 0, 0])
            pose = torch.where(there[..., None, None], found, 0.0)
            loss = losses.reprojection * reprojection(pose, there, batch)
            if losses.perspective:
                loss = loss + losses.perspective * perspective(student, pose, there, batch, step, data.batches)
            if odd is not None:
                whole = torch.where(there[..., None, None], found, batch["poses"][:, :, 0])
                loss = loss + losses.plausible * odd(whole, batch)
            if not torch.isfinite(loss):
                continue
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
    return student.eval().requires_grad_(False)


def reprojection(pose: Tensor, there: Tensor, batch: Batch) -> Tensor:
    """E_rep in m at the distance of the person: joints from their rays, by the rays' confidence."""
    depth = pose[..., 2:].clamp(min=0.3)
    known = torch.isfinite(batch["rays"]).all(-1) & there[..., None]
    off = torch.where(known[..., None], pose[..., :2] / depth - batch["rays"].nan_to_num(), 0.0)
    far = pose[:, :, _ROOT, 2].detach().clamp(0.3, 30)[..., None]
    weight = torch.where(known, batch["ray_confidence"], 0.0)
    length = (off.square().sum(-1) + 1e-8).sqrt() * far
    return (length.clamp(max=1.0) * weight).sum() / weight.sum().clamp(min=1)


def perspective(network: nn.Module, pose: Tensor, there: Tensor, batch: Batch, step: int, data: BranchData) -> Tensor:
    """E_mp in m: how far the pose, turned, seen anew, fused and turned back, comes out from itself."""
    random = torch.Generator().manual_seed(_SEED * 100_003 + step)
    angle = (torch.rand(len(pose), generator=random) * 2 - 1) * math.pi
    turn = _about_vertical(angle)
    root = pose[:, :, _ROOT, None]
    turned = torch.einsum("nij,ntkj->ntki", turn, pose - root) + root
    solid = torch.where(there[..., None, None], turned, turned.new_tensor((0.0, 0.0, 4.0))).detach()
    nobody = torch.full_like(solid, torch.nan)
    said = [
        simulate_branch(solid, batch["hidden"], nobody, batch["step"], [data.errors[name]] * len(pose), random)
        for name in ("top-down", "bottom-up")
    ]
    rays = solid[..., :2] / solid[..., 2:].clamp(min=0.3)
    again = fuse(
        network,
        {
            **batch,
            "poses": torch.stack([branch.xyz for branch in said], 2),
            "confidence": torch.stack([branch.confidence for branch in said], 2),
            "rays": rays,
            "other": nobody,
            "other_confidence": torch.zeros_like(solid[..., 0]),
            "roles": torch.tensor((1, 2)).expand(len(pose), 2),
        },
    )[0].float()
    known = torch.isfinite(again[..., 0, 0]) & there
    again = torch.where(known[..., None, None], again, solid)
    back = torch.einsum("nji,ntkj->ntki", turn, again - again[:, :, _ROOT, None])
    off = (back - (pose - root)).square().sum(-1)
    return ((off + 1e-8).sqrt().mean(-1) * known).sum() / known.sum().clamp(min=1)


def _about_vertical(angle: Tensor) -> Tensor:
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack((cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos), -1).unflatten(-1, (3, 3))
