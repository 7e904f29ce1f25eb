"""Stacks of fully connected layers."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn


def dense(widths: Sequence[int], *, activation: Callable[[], nn.Module] = nn.GELU) -> nn.Sequential:
    """Linear layers through the given widths with an activation between every two, none after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])
