"""What crowds without labels teach a network that integrates: table 2 of [TB], in small.

A teacher, the network as the labelled training left it, fuses crowds whose truth is not looked at, who move as its own
did not, and whose branches err more than those it knew. Its answers are the pseudo-labels of a student, which sees less
of the estimates than the teacher did and goes on with labelled crowds as well. What a crowd costs the student counts by
softmax(-E / r) over the batch, r the epoch and E the teacher's, so that easy ones come first (equation 11 with the sign
that its text means). E is E_rep, the fused pose against the 2D joints by their confidence (equation 15), or E_mp, the
fused pose turned about the vertical by a random angle, estimated anew as the branches err, fused again and turned back,
or both; the student's own E is a loss as well (equation 10). "dis": the student also pays for what the discriminators
tell from true pairs.
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
from dyad.training.integration import PoseLoss, fuse
from dyad.training.integration_recipes import INTEGRATION
from dyad.training.loop import Batch
from dyad.training.pair_loss import Implausible

_ROOT = BODY17.index(BODY17.root)
_SEED = 77
# Confidence of 2D joints below which they are taken for hidden.
_UNSEEN = 0.3


@dataclass(frozen=True)
class Unlabelled:
    """Which errors weigh crowds and are minimised, E_rep and E_mp, and the weight of the discriminators' -log C.

    labels: weight of labelled crowds. pseudo: of the pseudo-labels. consistent: of the student's own error.
    """

    labels: float = 1.0
    pseudo: float = 1.0
    consistent: float = 1.0
    reprojection: bool = False
    perspective: bool = False
    plausible: float = 0.0


TABLE2: Mapping[str, Unlabelled] = {
    "labelled alone": Unlabelled(pseudo=0.0, consistent=0.0),
    "Rep": Unlabelled(reprojection=True),
    "MP": Unlabelled(perspective=True),
    "Rep+dis": Unlabelled(reprojection=True, plausible=0.003),
    "Rep+MP+dis": Unlabelled(reprojection=True, perspective=True, plausible=0.003),
}
UNHELD: Mapping[str, Unlabelled] = {
    name: replace(losses, labels=0.0, pseudo=0.0) for name, losses in TABLE2.items() if losses.consistent
}
"""Equation 10 as it is printed: neither labels nor pseudo-labels hold the student."""


@dataclass(frozen=True)
class UnlabelledData:
    """How branches err on crowds; `less`: what the student sees less of the estimates; epoch: steps of one."""

    less: float = 0.25
    epoch: int = 50
    batches: BranchData = field(
        default_factory=lambda: BranchData(
            unpaired=0.0,
            masked=0.0,
            errors={name: replace(errors, hidden=1.4 * errors.hidden) for name, errors in ERRORS.items()},
        )
    )


def crowds_to_learn_from(motions: Path | None, *, pairs: int = 24, singles: int = 60) -> Troupe:
    """A stock of motions of seeds that judge nothing; some of those of singles from the folder `motions`."""
    return Troupe.rehearse(np.random.default_rng(_SEED), pairs=pairs, singles=singles, motions=motions)


def without_labels(
    network: nn.Module,
    losses: Unlabelled,
    *,
    troupe: Troupe,
    steps: int = 150,
    rate: float = 1e-4,
    labelled: Troupe | None = None,
    discriminator: str = WEIGHTS,
    data: UnlabelledData | None = None,
) -> nn.Module:
    """The student after so many steps; the truth of crowds without labels enters neither losses nor the choice of when
    to stop. The teacher stays as it is.

    Args:
        troupe: motions of crowds without labels. labelled: of those with labels; the same if None.
    """
    data = data or UnlabelledData()
    teacher = copy.deepcopy(network).requires_grad_(False).eval()
    student = copy.deepcopy(network).requires_grad_(True).train()
    odd = Implausible(Checkpoint.load(find_weights(discriminator)).build().float()) if losses.plausible else None
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0.0)
    unlabelled = branch_batches(troupe, data.batches, _SEED, 0)
    taught = branch_batches(labelled or troupe, BranchData(), _SEED + 1, 0)
    supervised = PoseLoss(INTEGRATION["laptop"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        for step in range(steps):
            batch = {name: value for name, value in next(unlabelled).items() if name not in ("truth", "hidden")}
            with torch.no_grad():
                pseudo = fuse(teacher, batch)[0].float()
                error = disagreement(teacher, pseudo, batch, losses, step, data.batches)
            weight = easy_first(error, 1 + step // data.epoch)
            found = fuse(student, seen_less(batch, data.less, step))[0].float()
            loss = losses.pseudo * weighed(found, pseudo, weight)
            if losses.labels:
                loss = loss + losses.labels * supervised(student, next(taught))["loss"]
            if losses.consistent and (losses.reprojection or losses.perspective):
                own = disagreement(student, found, batch, losses, step, data.batches)
                both = torch.isfinite(own) & torch.isfinite(error)
                loss = loss + losses.consistent * (weight * torch.where(both, own, 0.0)).sum() / both.sum().clamp(min=1)
            if odd is not None:
                whole = torch.where(torch.isfinite(found), found, pseudo.nan_to_num())
                loss = loss + losses.plausible * odd(whole, {**batch, "truth": pseudo})
            if not torch.isfinite(loss):
                continue
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
    return student.eval().requires_grad_(False)


def easy_first(error: Tensor, epoch: int) -> Tensor:
    """softmax(-E / r) over all that is known of `error` (N, T), in units of its mean, times their count; 0 for NaN.

    Equation 11 of [TB]; printed without the minus sign, which would prefer what is wrong.
    """
    known = torch.isfinite(error)
    scale = error[known].mean().clamp(min=1e-6) if known.any() else error.new_ones(())
    score = torch.where(known, -error / (scale * epoch), -torch.inf)
    return score.flatten().softmax(0).view(error.shape).nan_to_num() * known.sum()


def disagreement(
    teacher: nn.Module, pseudo: Tensor, batch: Batch, losses: Unlabelled, step: int, data: BranchData
) -> Tensor:
    """E (N, T) of pseudo-labels in m; NaN where nobody is."""
    there = torch.isfinite(pseudo[..., 0, 0])
    pose = torch.where(there[..., None, None], pseudo, 0.0)
    error = torch.zeros_like(pose[..., 0, 0])
    if losses.reprojection:
        error = error + reprojection(pose, there, batch)
    if losses.perspective:
        error = error + perspective(teacher, pose, there, batch, step, data)
    return torch.where(there, error, torch.nan)


def seen_less(batch: Batch, share: float, step: int) -> dict[str, Tensor]:
    """The batch without some limbs of some estimates, the same in all frames."""
    random = torch.Generator().manual_seed(_SEED * 100_019 + step)
    n, _, k, j = batch["confidence"].shape
    gone = (torch.rand(n, 1, k, j, generator=random) < share).expand_as(batch["confidence"])
    return {
        **batch,
        "poses": torch.where(gone[..., None], torch.nan, batch["poses"]),
        "confidence": torch.where(gone, 0.0, batch["confidence"]),
    }


def weighed(found: Tensor, pseudo: Tensor, weight: Tensor) -> Tensor:
    """Mean distance in m of joints (N, T, J, 3) about the root, and of the root's direction, by the weights (N, T)."""
    both = torch.isfinite(found[..., 0, 0]) & torch.isfinite(pseudo[..., 0, 0])
    found, pseudo = (torch.where(both[..., None, None], each, 0.0) for each in (found, pseudo))
    off = (found - found[:, :, _ROOT, None]) - (pseudo - pseudo[:, :, _ROOT, None])
    length = (off.square().sum(-1) + 1e-8).sqrt().mean(-1)
    return (weight * both * length).sum() / both.sum().clamp(min=1)


def reprojection(pose: Tensor, there: Tensor, batch: Batch) -> Tensor:
    """E_rep (N, T) in m at the distance of the person: joints from their rays, by the rays' confidence."""
    depth = pose[..., 2:].clamp(min=0.3)
    known = torch.isfinite(batch["rays"]).all(-1) & there[..., None]
    off = torch.where(known[..., None], pose[..., :2] / depth - batch["rays"].nan_to_num(), 0.0)
    far = pose[:, :, _ROOT, 2].detach().clamp(0.3, 30)[..., None]
    weight = torch.where(known, batch["ray_confidence"], 0.0)
    length = (off.square().sum(-1) + 1e-8).sqrt() * far
    return (length.clamp(max=1.0) * weight).sum(-1) / weight.sum(-1).clamp(min=1e-3)


def perspective(network: nn.Module, pose: Tensor, there: Tensor, batch: Batch, step: int, data: BranchData) -> Tensor:
    """E_mp (N, T) in m: how far the pose, turned, seen anew, fused and turned back, comes out from itself."""
    random = torch.Generator().manual_seed(_SEED * 100_003 + step)
    angle = (torch.rand(len(pose), generator=random) * 2 - 1) * math.pi
    turn = _about_vertical(angle)
    root = pose[:, :, _ROOT, None]
    turned = torch.einsum("nij,ntkj->ntki", turn, pose - root) + root
    solid = torch.where(there[..., None, None], turned, turned.new_tensor((0.0, 0.0, 4.0))).detach()
    nobody = torch.full_like(solid, torch.nan)
    unseen = batch["ray_confidence"] < _UNSEEN
    said = [
        simulate_branch(solid, unseen, nobody, batch["step"], [data.errors[name]] * len(pose), random)
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
    return (off + 1e-8).sqrt().mean(-1) * known


def _about_vertical(angle: Tensor) -> Tensor:
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack((cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos), -1).unflatten(-1, (3, 3))
