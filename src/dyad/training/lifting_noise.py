"""What detectors of 2D joints get wrong: bias, errors that last, hidden joints, outliers, gaps; and what they say."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dyad.core.skeleton import BODY17
from dyad.training.dice import Dice


def _limbs() -> Tensor:
    """What is hidden together (K, 17), 0 or 1: ends of limbs, whole limbs, all legs, everything."""
    groups = [
        [f"{side}_{part}" for part in parts]
        for side in ("left", "right")
        for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))
        for parts in (chain, chain[1:], chain[2:])
    ]
    groups += [[n for n in BODY17.names if n.endswith(("knee", "ankle"))], list(BODY17.names)]
    return torch.tensor([[float(name in group) for name in BODY17.names] for group in groups])


_LIMBS = _limbs()


class Seen(NamedTuple):
    """2D joints as a detector tells them: rays (N, T, 17, 2) at depth 1, NaN where missing; confidence (N, T, 17)."""

    rays: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class Noise:
    """Errors of 2D joints, in m at the person's distance, one standard deviation.

    Attributes:
        white: least and most of the error that is new in every frame. exact: share of sequences with no other error.
        bias: of each joint for good. lasting: least and most of what lasts for tenths of seconds.
        hidden: of hidden joints, and burden: how many of the limbs are hidden at a time, in the mean.
        outliers: share of joints put anywhere within half a metre. swapped: share of frames with sides confused.
        missing: share of joints that are not told. unsure: share of sequences whose confidence tells nothing.
        lacking: share of joints that a sequence never tells, and mistaken: that it has elsewhere for good, with ease.
    """

    white: tuple[float, float] = (0.003, 0.015)
    exact: float = 0.35
    bias: float = 0.02
    lasting: tuple[float, float] = (0.004, 0.025)
    hidden: float = 0.08
    burden: float = 0.1
    outliers: float = 0.01
    swapped: float = 0.01
    missing: float = 0.02
    unsure: float = 0.2
    lacking: float = 0.01
    mistaken: float = 0.003

    def __call__(self, xyz: Tensor, dice: Dice) -> Seen:
        """How true joints (N, T, 17, 3) m, in the camera's axes, are seen."""
        n, t, j, _ = xyz.shape
        depth = xyz[..., 2:].clamp(min=0.3)
        rough = ~dice.chance(self.exact, n, 1, 1)
        hidden = self._hidden(n, t, dice)
        strength = dice.uniform(n, 1, 1, 1, low=0.5, high=1.5)
        error = dice.between(n, 1, 1, 1, low=self.white[0], high=self.white[1]) * dice.normal(n, t, j, 2)
        slow, fast = (dice.lasting(n, t, j, 2, width=width) for width in (8, 2))
        lasting = dice.between(n, 1, 1, 1, low=self.lasting[0], high=self.lasting[1])
        quick = dice.uniform(n, 1, 1, 1)
        steady = strength * self.bias * dice.normal(n, 1, j, 2) + lasting * (quick * fast + (1 - quick) * slow)
        error = error + rough[..., None] * steady
        size = self.hidden * torch.where(rough[..., None], strength, 1.3 * dice.uniform(n, 1, 1, 1))
        lasts = dice.uniform(n, 1, 1, 1)
        astray = 0.7 * dice.lasting(n, t, j, 2, width=8) + 0.7 * dice.normal(n, 1, j, 2)
        astray = lasts.sqrt() * astray + (1 - lasts).sqrt() * dice.normal(n, t, j, 2)
        error = error + hidden[..., None] * size * astray
        wild = rough & dice.chance(self.outliers, n, t, j)
        error = torch.where(wild[..., None], dice.uniform(n, t, j, 2, low=-0.5, high=0.5), error)
        mistaken = dice.chance(self.mistaken, n, 1, j, 1)
        error = error + mistaken * dice.uniform(n, 1, j, 2, low=-0.5, high=0.5)
        rays = (xyz[..., :2] + error) / depth
        swap = rough & (dice.lasting(n, t, 1, width=2) > self._quantile(self.swapped))
        rays = torch.where(swap[..., None], BODY17.flip(rays), rays)
        confidence = self._confidence(hidden, wild, dice)
        gone = rough & (dice.uniform(n, t, j) < self.missing * 2 * dice.uniform(n, 1, 1))
        gone = gone | (hidden & dice.chance(0.25, n, 1, 1))
        gone = gone | dice.chance(self.lacking, n, 1, j)
        # Now and then nobody is found for a while.
        gone = gone | (rough & (dice.lasting(n, t, 1, width=4) > self._quantile(self.missing)))
        rays = torch.where(gone[..., None], torch.full_like(rays, torch.nan), rays)
        return Seen(rays, torch.where(gone, torch.zeros_like(confidence), confidence))

    @staticmethod
    def _quantile(share: float) -> float:
        """What a normal number exceeds with a probability of `share`."""
        return float(torch.special.ndtri(torch.tensor(1 - share, dtype=torch.float64)))

    def _hidden(self, n: int, t: int, dice: Dice) -> Tensor:
        """Which joints are hidden (N, T, 17): limbs for a while, now and then both legs, or all of the person."""
        limbs = _LIMBS.to(dice.device)
        k = len(limbs)
        start = dice.uniform(n, k, 1, low=-0.5, high=1.0) * t
        length = (0.05 + 0.6 * dice.uniform(n, k, 1) ** 2) * t
        time = torch.arange(t, device=dice.device)
        during = dice.chance(self.burden, n, k, 1) & (time >= start) & (time < start + length)
        return torch.einsum("nkt,kj->ntj", during.float(), limbs) > 0

    def _confidence(self, hidden: Tensor, wild: Tensor, dice: Dice) -> Tensor:
        n, t, j = hidden.shape
        stir = 0.1 * dice.lasting(n, t, j, width=3)
        seen = (0.95 - 0.35 * dice.uniform(n, 1, j) ** 2 + stir).clamp(0.3, 1)
        unseen = (0.05 + 0.4 * dice.uniform(n, 1, 1) + stir).clamp(0.03, 0.7)
        told = torch.where(hidden, unseen, seen)
        told = torch.where(wild & dice.chance(0.6, n, t, j), 0.3 * told, told)
        # Some joints that are seen well are told with doubt, and the reverse.
        told = torch.where(dice.chance(0.02, n, t, j), dice.uniform(n, t, j, low=0.03), told)
        flat = dice.uniform(n, 1, 1, low=0.5).expand_as(told)
        return torch.where(dice.chance(self.unsure, n, 1, 1), flat, told)
