"""Batches for networks that integrate estimates: gatherings of people, and what simulated estimators say of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from dyad.core.skeleton import BODY17
from dyad.models.fusion import ROLES
from dyad.stages.neighbours import mean_estimate, neighbours
from dyad.stages.simulated_branches import BranchErrors, Common, simulate_branch, simulate_view
from dyad.synthetic.gatherings import Gathering, Troupe

ERRORS: Mapping[str, BranchErrors] = {
    "any": BranchErrors.any(),
    "top-down": BranchErrors.top_down(),
    "bottom-up": BranchErrors.bottom_up(),
}
_ROOT = BODY17.index(BODY17.root)


@dataclass(frozen=True)
class BranchData:
    """What a batch is drawn from.

    Attributes:
        scenes: gatherings a batch. frames: of each. people: least and most in one. window: gatherings in use at a time,
        each `repeats` times in the mean, with other errors each time.
        estimates: most estimates a person. unpaired: chance that all but one estimate of a person are left out, and
        masked: share of joints of an estimate that are left out, where any are; joints are then zeros to a network.
        alike: most that estimators of one person have in common, of the luck that makes their errors.
    """

    scenes: int = 8
    frames: int = 24
    people: tuple[int, int] = (2, 4)
    window: int = 320
    repeats: int = 8
    estimates: int = 2
    unpaired: float = 0.08
    masked: float = 0.15
    alike: float = 0.9
    errors: Mapping[str, BranchErrors] = field(default_factory=lambda: dict(ERRORS))


def branch_batches(troupe: Troupe, data: BranchData, seed: int, step: int) -> Iterator[dict[str, Tensor]]:
    """Batches from a step on, the same whenever they are asked for."""
    kept: dict[int, Gathering] = {}
    while True:
        rng = np.random.default_rng((seed, step, 1))
        first = step * data.scenes // data.repeats
        names = [first + int(k) for k in rng.integers(data.window, size=data.scenes)]
        for old in [name for name in kept if name < first]:
            del kept[old]
        for name in names:
            if name not in kept:
                own = np.random.default_rng((seed, name, 0))
                kept[name] = troupe.gather(own, people=data.people, frames=data.frames)
        yield simulate([kept[name] for name in names], data, torch.Generator().manual_seed(seed * 1_000_003 + step))
        step += 1


def simulate(gatherings: list[Gathering], data: BranchData, random: torch.Generator) -> dict[str, Tensor]:
    """One row a person: truth, what estimators and a detector say, and the neighbour as far as estimates know him."""
    scenes = len(gatherings)
    most = max(g.xyz.shape[1] for g in gatherings)
    frames = gatherings[0].xyz.shape[0]
    truth = torch.full((scenes, frames, most, len(BODY17), 3), torch.nan)
    hidden = torch.zeros((scenes, frames, most, len(BODY17)), dtype=torch.bool)
    for s, each in enumerate(gatherings):
        truth[s, :, : each.xyz.shape[1]] = torch.from_numpy(each.xyz)
        hidden[s, :, : each.xyz.shape[1]] = torch.from_numpy(each.hidden)
    scene, person = torch.nonzero(torch.isfinite(truth[:, 0, :, 0, 0]), as_tuple=True)
    beside = neighbours(truth, torch.ones_like(truth[..., 0]), root=_ROOT)

    def rows(values: Tensor) -> Tensor:
        return values.transpose(1, 2)[scene, person]

    step = torch.tensor([1 / g.fps for g in gatherings])[scene]
    focal = torch.tensor([g.focal for g in gatherings], dtype=torch.float32)[scene]
    own, covered, other = rows(truth), rows(hidden), rows(beside.xyz)
    roles = _roles(len(own), data, random)
    names = [[ROLES[r] for r in row] for row in roles.tolist()]
    seed = int(torch.randint(2**31, (), generator=random))
    luck = Common(seed, data.alike * torch.rand(len(own), generator=random))
    said = [
        simulate_branch(own, covered, other, step, [data.errors[row[k]] for row in names], random, common=luck)
        for k in range(roles.shape[1])
    ]
    poses = torch.stack([branch.xyz for branch in said], 2)
    confidence = torch.stack([branch.confidence for branch in said], 2)
    poses, confidence = _left_out(poses, confidence, data, random)
    view = simulate_view(own, covered, other, focal, step, random)
    mean, sure = mean_estimate(poses, confidence)
    dense = torch.full_like(truth, torch.nan).transpose(1, 2).contiguous()
    trust = torch.zeros_like(dense[..., 0])
    dense[scene, person], trust[scene, person] = mean, sure
    company = neighbours(dense.transpose(1, 2), trust.transpose(1, 2), root=_ROOT)
    return {
        "truth": own,
        "hidden": covered,
        "poses": poses,
        "confidence": confidence,
        "rays": view.rays,
        "ray_confidence": view.confidence,
        "other": rows(company.xyz),
        "other_confidence": rows(company.confidence),
        "other_row": _row_of(rows(company.index[..., None])[..., 0], scene, person),
        "step": step,
        "roles": roles,
    }


def _row_of(index: Tensor, scene: Tensor, person: Tensor) -> Tensor:
    """Row (N, T) of the neighbour, -1 for none."""
    table = torch.full((int(scene.max()) + 1, int(person.max()) + 1), -1)
    table[scene, person] = torch.arange(len(scene))
    return torch.where(index >= 0, table[scene[:, None], index.clamp(min=0)], -1)


def _roles(rows: int, data: BranchData, random: torch.Generator) -> Tensor:
    """Who estimates (N, K): the two branches for half of the people, anybody for the others."""
    roles = torch.zeros(rows, data.estimates, dtype=torch.int64)
    both = torch.rand(rows, generator=random) < 0.6
    roles[both, 0], roles[both, 1] = ROLES.index("top-down"), ROLES.index("bottom-up")
    # The third of two branches, and of half of the others, is left out in `_left_out`.
    return roles


def _left_out(poses: Tensor, confidence: Tensor, data: BranchData, random: torch.Generator) -> tuple[Tensor, Tensor]:
    n, t, k, j = confidence.shape
    gone = torch.zeros(n, t, k, j, dtype=torch.bool)
    if k > 2:
        gone[:, :, 2:] = (torch.rand(n, 1, k - 2, 1, generator=random) < 0.75).expand(-1, t, -1, j)
    alone = torch.rand(n, generator=random) < data.unpaired
    keep = torch.randint(min(k, 2), (n,), generator=random)
    only = torch.arange(k) != keep[:, None]
    gone |= (alone[:, None] & only)[:, None, :, None]
    # A mask in frames that follow one another, as occlusion is.
    some = torch.rand(n, 1, k, 1, generator=random) < 0.4
    start = torch.randint(t, (n, 1, k, j), generator=random)
    length = torch.randint(1, t, (n, 1, k, j), generator=random)
    frame = torch.arange(t)[None, :, None, None]
    masked = (torch.rand(n, 1, k, j, generator=random) < data.masked) & (frame >= start) & (frame < start + length)
    gone |= masked & some
    return torch.where(gone[..., None], torch.nan, poses), torch.where(gone, 0.0, confidence)


def as_pairs(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The first two estimates alone."""
    two = {name: batch[name][:, :, :2] for name in ("poses", "confidence")}
    return {**batch, **two, "roles": batch["roles"][:, :2]}


def smaller(data: BranchData, **changes: object) -> BranchData:
    """A copy with some fields replaced."""
    return replace(data, **changes)  # type: ignore[arg-type]
