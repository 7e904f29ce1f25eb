"""Temporal convolution over windows of features: the one block that VideoPose3D's model and both TCNs are made of."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

Form = Literal["dilated", "strided"]


class NormSettings(NamedTuple):
    """Batch norm's two numbers, which differ between the published networks."""

    eps: float = 1e-5
    momentum: float = 0.1


TORCH_NORM = NormSettings()


def relu(channels: int) -> nn.Module:
    """The activation that needs no number per channel."""
    return nn.ReLU()


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, activation, dropout: (N, C_in, T) to (N, C_out, T')."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        dilation: int = 1,
        stride: int = 1,
        norm: NormSettings = TORCH_NORM,
        activation: Callable[[int], nn.Module] = relu,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(outputs, eps=norm.eps, momentum=norm.momentum)
        self.act = activation(outputs)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.act(self.norm(self.conv(x))))


class TemporalBlock(nn.Module):
    """A wide convolution over `kernel` frames and one over a single frame, added to the frames they are about.

    Dilated, it maps (N, C, T) to (N, C, T - (kernel - 1) * dilation); strided, to (N, C, (T - kernel) // kernel + 1).
    Both compute the same numbers for the frames that they have in common. Causal: the frame that the result is about
    is the window's last instead of its middle one. With `extra`, the wide convolution sees that many channels besides,
    given along with the features.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        *,
        dilation: int,
        extra: int = 0,
        form: Form = "dilated",
        causal: bool = False,
        norm: NormSettings = TORCH_NORM,
        activation: Callable[[int], nn.Module] = relu,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        strided = form == "strided"
        self.step = kernel if strided else 1
        spacing = 1 if strided else dilation
        self.start = spacing * (kernel - 1 if causal else kernel // 2)
        layer = partial(ConvNorm, norm=norm, activation=activation, dropout=dropout)
        self.wide = layer(channels + extra, channels, kernel, dilation=spacing, stride=self.step)
        self.point = layer(channels, channels, 1)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        y = self.point(self.wide(x if extra is None else torch.cat((x, extra), 1)))
        last = self.start + self.step * (y.shape[-1] - 1) + 1
        return x[..., self.start : last : self.step] + y


class TemporalModel(nn.Module):
    """A feature sequence (N, inputs, T) to one result per window (N, outputs, T').

    Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training" (2019).
    The dilated form gives a result for each of the T - receptive_field + 1 windows. The strided form skips what only
    other windows need: for one window of exactly `receptive_field` frames it gives the same and is quicker to train.
    One set of weights serves both forms, causal or not.

    Args:
        inputs, outputs: features per frame.
        kernels: frames that each layer sees, odd; the receptive field is their product.
        channels: width of all layers in between.
        form: "dilated" or "strided".
        causal: whether the result is about the last frame of the window instead of the middle one.
        dropout: share of features dropped after each convolution while training.
        norm, activation: batch norm's numbers; the activation for a number of channels.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernels: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        form: Form = "dilated",
        causal: bool = False,
        dropout: float = 0.0,
        norm: NormSettings = TORCH_NORM,
        activation: Callable[[int], nn.Module] = relu,
    ) -> None:
        super().__init__()
        if form not in ("dilated", "strided"):
            raise ValueError(f"form must be 'dilated' or 'strided', got {form!r}")
        if not kernels or any(k < 1 or k % 2 == 0 for k in kernels):
            raise ValueError(f"kernels must be odd numbers of frames, got {tuple(kernels)}")
        self.inputs, self.form = inputs, form
        layer = partial(ConvNorm, norm=norm, activation=activation, dropout=dropout)
        block = partial(TemporalBlock, channels, form=form, causal=causal)
        block = partial(block, norm=norm, activation=activation, dropout=dropout)
        first, *rest = kernels
        self.expand = layer(inputs, channels, first, stride=first if form == "strided" else 1)
        blocks, dilation = [], first
        for kernel in rest:
            blocks.append(block(kernel, dilation=dilation))
            dilation *= kernel
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv1d(channels, outputs, 1)
        self.receptive_field = dilation
        self.causal = causal

    @property
    def padding(self) -> tuple[int, int]:
        """Frames to put before and after a sequence so that a dilated model gives one result per frame."""
        total = self.receptive_field - 1
        return (total, 0) if self.causal else (total // 2, total // 2)

    def forward(self, features: Tensor) -> Tensor:
        if features.dim() != 3 or features.shape[1] != self.inputs:
            raise ValueError(f"expected features (N, {self.inputs}, T), got {tuple(features.shape)}")
        if features.shape[-1] < self.receptive_field:
            raise ValueError(f"expected at least {self.receptive_field} frames, got {features.shape[-1]}: pad them")
        x = self.expand(features)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def pad_edges(features: Tensor, before: int, after: int) -> Tensor:
    """Repeat the first and the last frame of (N, C, T)."""
    first, last = features[..., :1], features[..., -1:]
    return torch.cat((first.expand(-1, -1, before), features, last.expand(-1, -1, after)), -1)
