"""Random numbers for data that are made on the device that trains, from one generator."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dice:
    """Draws of one generator, on its device."""

    generator: torch.Generator

    @classmethod
    def of(cls, seed: int, device: torch.device) -> "Dice":
        return cls(torch.Generator(device).manual_seed(seed))

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Evenly from `low` to `high`."""
        drawn = torch.rand(shape, generator=self.generator, device=self.device)
        return drawn if (low, high) == (0.0, 1.0) else low + (high - low) * drawn

    def between(self, *shape: int, low: float, high: float) -> Tensor:
        """From `low` to `high`, every factor equally often."""
        return low * (high / low) ** self.uniform(*shape)

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0 and variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def chance(self, share: float, *shape: int) -> Tensor:
        """True with that probability."""
        return self.uniform(*shape) < share

    def whole(self, below: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to `below` - 1."""
        return torch.randint(below, shape, generator=self.generator, device=self.device)

    def weighted(self, weights: Tensor, count: int) -> Tensor:
        """`count` places of a list, as often as their weights say."""
        return torch.multinomial(weights, count, replacement=True, generator=self.generator)

    def lasting(self, sequences: int, frames: int, *shape: int, width: float) -> Tensor:
        """Normal noise (sequences, frames, …) of variance 1 that lasts for some `width` frames: a cubic spline."""
        step = 1.6 * width
        knots = int(frames / step) + 5
        at = torch.arange(frames, device=self.device)[:, None] / step - torch.arange(knots, device=self.device) + 1.5
        off = at.abs()
        near, far = 2 / 3 - off**2 + off**3 / 2, (2 - off).clamp(min=0) ** 3 / 6
        basis = torch.where(off < 1, near, far)
        basis = basis / basis.square().sum(1, keepdim=True).sqrt()
        count = 1
        for side in shape:
            count *= side
        return (basis @ self.normal(sequences, knots, count)).reshape(sequences, frames, *shape)
