"""Pairs of people, true and false, and what telling them apart costs (equations 8 and 9 of [TB]).

True pairs are people near one another in gatherings, some of whom act together, turned and moved at random as
gatherings are, and such as were put beside one another at random without touching. False ones are what simulated
estimators make of the same two, and, for D2 alone, those put in one another's way: each by itself is a pose like any.
"""

import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17
from dyad.models.discriminators import InteractionDiscriminator, discriminator_loss, plausibility_loss
from dyad.stages.neighbours import mean_estimate
from dyad.stages.plausibility import penetration
from dyad.training.loop import Batch

_THROUGH, _TOUCH = 0.1, 0.02
"""m of penetration from which, and up to which, a displaced pair is a false one and a true one."""
_ROOT = BODY17.index(BODY17.root)


def pairs_of(batch: Batch, *, near: float, every: int = 1, offset: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the first and of the second person, and frames, of all pairs of true people within `near` m."""
    frames = torch.arange(offset, batch["truth"].shape[1], every, device=batch["truth"].device)
    other = batch["other_row"][:, frames]
    row, at = torch.nonzero(other >= 0, as_tuple=True)
    frame, second = frames[at], other[row, at]
    roots = batch["truth"][:, :, _ROOT]
    close = torch.linalg.vector_norm(roots[row, frame] - roots[second, frame], dim=-1) < near
    return row[close], second[close], frame[close]


class PairLoss:
    """Equation 8 on true and estimated pairs, and what D2 says of pairs that could be and of those that could not."""

    def __init__(self, *, near: float = 2.0, every: int = 6) -> None:
        self.near, self.every = near, every

    def __call__(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        if not isinstance(network, InteractionDiscriminator):
            raise BadUsage(f"a pair's loss is for the discriminators of equation 9, got {type(network).__name__}")
        offset = int(torch.randint(self.every, ()))
        true, estimated, moved = self.pairs(batch, offset)
        if not len(true[0]) or not len(estimated[0]):
            return {"loss": torch.stack([p.sum() for p in network.parameters()]).sum() * 0.0}
        equation8 = discriminator_loss(network(*true), network(*estimated))
        right = network.pair(*(torch.cat(each) for each in zip(true, kept_clear(moved), strict=True)))
        wrong = network.pair(*in_the_way(moved))
        apart = nn.functional.softplus(-right).mean() + nn.functional.softplus(wrong).sum() / max(len(wrong), 1)
        return {"loss": equation8 + 0.5 * apart, "equation8": equation8, "apart": apart}

    def pairs(self, batch: Batch, offset: int = 0) -> tuple[tuple[Tensor, Tensor], ...]:
        """True, estimated and displaced pairs, each two (N, J, 3)."""
        first, second, frame = pairs_of(batch, near=self.near, every=self.every, offset=offset)
        truth = batch["truth"]
        true = truth[first, frame], truth[second, frame]
        said = [*batch["poses"].unbind(2), mean_estimate(batch["poses"], batch["confidence"])[0]]
        wrong = [(pose[first, frame], pose[second, frame]) for pose in said]
        both = tuple(torch.cat([pair[side] for pair in wrong]) for side in (0, 1))
        whole = torch.isfinite(both[0]).all((-1, -2)) & torch.isfinite(both[1]).all((-1, -2))
        return true, (both[0][whole], both[1][whole]), displaced(*true)


def displaced(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs (N, J, 3) with the second person turned about the vertical and put somewhere beside the first one."""
    n = len(first)
    # Drawn on the CPU, so that all devices learn from the same.
    angle = ((torch.rand(n) * 2 - 1) * torch.pi).to(first.device)
    aside = (torch.randn(n, 3) * torch.tensor((0.4, 0.0, 0.4))).to(first.device)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack((cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos), -1).unflatten(-1, (3, 3))
    root = second[:, _ROOT, None]
    moved = torch.einsum("nij,nkj->nki", turn, second - root)
    aside[:, 1] = (second - first)[:, _ROOT, 1]
    return first, moved + first[:, _ROOT, None] + aside[:, None]


def in_the_way(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Those of pairs whose bodies are in one another's way."""
    through = penetration(*pair) > _THROUGH
    return pair[0][through], pair[1][through]


def kept_clear(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Those of pairs whose bodies hardly touch: a random translation and rotation that could be."""
    clear = penetration(*pair) < _TOUCH
    return pair[0][clear], pair[1][clear]


class Implausible(nn.Module):
    """What a network that estimates poses pays for pairs that frozen discriminators tell from true ones: −log C.

    For `PoseLoss`; `batch["other_row"]` says who is beside whom.
    """

    def __init__(self, discriminator: nn.Module, *, near: float = 2.0) -> None:
        super().__init__()
        self.discriminator = discriminator.eval().requires_grad_(False)
        self.near = near

    def forward(self, found: Tensor, batch: Batch) -> Tensor:
        first, second, frame = pairs_of(batch, near=self.near, every=4, offset=int(torch.randint(4, ())))
        if not len(first):
            return found.sum() * 0.0
        with torch.autocast(found.device.type, enabled=False):
            return plausibility_loss(self.discriminator(found[first, frame], found[second, frame]))
