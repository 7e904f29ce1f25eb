"""Means that know how many they are of."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Mean:
    """A mean that remembers how many it is of, so that two can be added."""

    total: float = 0.0
    count: int = 0

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Of the finite ones among values of any shape."""
        good = values[torch.isfinite(values)]
        return cls(float(good.sum()), good.numel())

    @classmethod
    def of_array(cls, values: NDArray[np.float64], scale: float = 1.0) -> Self:
        """Of the finite ones among values of any shape, each times `scale`, such as 1000 from m to mm."""
        good = values[np.isfinite(values)]
        return cls(scale * float(good.sum()), good.size)

    def __add__(self, other: "Mean") -> "Mean":
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.total / self.count if self.count else math.nan


NOTHING = Mean()
