"""RAFT's update: what a look around the targets says about how the flow should change (section 3.3)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Aggregator(Protocol):
    """Spreads motion over the image by the context (N, C, H, W) of the first image: made once, asked each iteration.

    Gets motion features (N, motion, H, W); returns them with what it adds.
    """

    def __call__(self, context: Tensor, /) -> Callable[[Tensor], Tensor]: ...


class Unaggregated(nn.Module):
    """Leaves each pixel its own motion."""

    def forward(self, context: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda motion: motion


class MotionEncoder(nn.Module):
    """Products (N, correlation, H, W) and flow (N, 2, H, W) to motion (N, outputs, H, W), of which the flow is the end.

    Args:
        correlation: channels of the products.
        correlation_widths: of the convolutions of the products, 1x1 and then 3x3.
        flow_widths: of the convolutions of the flow, 7x7 and then 3x3.
        outputs: channels returned.
    """

    def __init__(
        self, *, correlation: int, correlation_widths: Sequence[int], flow_widths: Sequence[int], outputs: int
    ) -> None:
        super().__init__()
        self.correlation = _convolutions(correlation, correlation_widths, first=1)
        self.flow = _convolutions(2, flow_widths, first=7)
        self.join = nn.Conv2d(correlation_widths[-1] + flow_widths[-1], outputs - 2, 3, padding=1)

    def forward(self, products: Tensor, flow: Tensor) -> Tensor:
        both = torch.cat((self.correlation(products), self.flow(flow)), 1)
        return torch.cat((self.join(both).relu_(), flow), 1)


def _convolutions(inputs: int, widths: Sequence[int], *, first: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, width in enumerate(widths):
        kernel = 3 if i else first
        layers += [nn.Conv2d(inputs, width, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
        inputs = width
    return nn.Sequential(*layers)


class _Fixed(NamedTuple):
    """What a gated unit needs in every iteration and what is the same in all of them.

    The context's share of each gate is convolved once: a third of the work of RAFT's unit.
    """

    gates: Tensor
    candidate: Tensor
    gates_weight: Tensor
    candidate_weight: Tensor


class GatedUnit(nn.Module):
    """A convolutional gated recurrent unit whose input is a constant context beside what changes.

    `z` says how much of the state changes, `r` how much of it is seen while `q` proposes the new one.
    """

    def __init__(self, *, hidden: int, context: int, inputs: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        channels = hidden + context + inputs
        self.z = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self.r = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self.q = nn.Conv2d(channels, hidden, kernel, padding=padding)
        self._split = (hidden, context, inputs)
        self._padding = padding

    def fixed(self, context: Tensor) -> _Fixed:
        weight = torch.cat((self.z.weight, self.r.weight))
        bias = torch.cat([part for part in (self.z.bias, self.r.bias) if part is not None])
        old, constant, new = weight.split(self._split, 1)
        q_old, q_constant, q_new = self.q.weight.split(self._split, 1)
        return _Fixed(
            F.conv2d(context, constant, bias, padding=self._padding),
            F.conv2d(context, q_constant, self.q.bias, padding=self._padding),
            torch.cat((old, new), 1),
            torch.cat((q_old, q_new), 1),
        )

    def forward(self, hidden: Tensor, inputs: Tensor, fixed: _Fixed) -> Tensor:
        seen = torch.cat((hidden, inputs), 1)
        gates = F.conv2d(seen, fixed.gates_weight, padding=self._padding) + fixed.gates
        z, r = gates.sigmoid_().chunk(2, 1)
        seen = torch.cat((r * hidden, inputs), 1)
        q = F.conv2d(seen, fixed.candidate_weight, padding=self._padding) + fixed.candidate
        return torch.lerp(hidden, q.tanh_(), z)


class FlowHead(nn.Module):
    """The change of the flow (N, 2, H, W) that a state (N, hidden, H, W) calls for."""

    def __init__(self, *, hidden: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.conv2(self.conv1(hidden).relu_())


class Update(nn.Module):
    """One iteration: products and flow become motion, motion changes the state, the state changes the flow."""

    def __init__(self, *, motion: MotionEncoder, units: Sequence[GatedUnit], head: FlowHead) -> None:
        super().__init__()
        self.motion = motion
        self.units = nn.ModuleList(units)
        self.head = head

    def fixed(self, context: Tensor) -> list[_Fixed]:
        """What the context (N, context, H, W) adds in every iteration."""
        return [cast(GatedUnit, unit).fixed(context) for unit in self.units]

    def forward(
        self,
        hidden: Tensor,
        products: Tensor,
        flow: Tensor,
        fixed: Sequence[_Fixed],
        aggregate: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor]:
        """State (N, hidden, H, W) afterwards, and the change of the flow (N, 2, H, W)."""
        motion = aggregate(self.motion(products, flow))
        for unit, constant in zip(self.units, fixed, strict=True):
            hidden = unit(hidden, motion, constant)
        return hidden, self.head(hidden)
