"""The image operators of TFLite as torch modules: NCHW, any batch, differentiable."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NONE, RELU, RELU6 = 0, 1, 3  # the file's numbers of activations


class Conv(nn.Module):
    """Convolution with its padding (top, bottom, left, right; None is TensorFlow's SAME) and its activation."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        padding: tuple[int, int, int, int] | None = None,
        activation: int = 0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = None if bias is None else nn.Parameter(bias)
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding, self.activation = padding, activation

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        top, bottom, left, right = self.padding or (
            *_same(height, self.weight.shape[2], self.stride[0], self.dilation[0]),
            *_same(width, self.weight.shape[3], self.stride[1], self.dilation[1]),
        )
        if top != bottom or left != right:
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        return activate(x, self.activation)


class Add(nn.Module):
    def __init__(self, activation: int) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return activate(a + b, self.activation)


class Enlarge(nn.Module):
    """Bilinear enlargement by whole factors, half-pixel centres, optionally with an activation after it."""

    def __init__(self, factor: tuple[int, int], activation: int = 0) -> None:
        super().__init__()
        self.factor, self.activation = factor, activation

    def forward(self, x: Tensor) -> Tensor:
        size = [int(x.shape[-2]) * self.factor[0], int(x.shape[-1]) * self.factor[1]]
        return activate(F.interpolate(x, size, mode="bilinear", align_corners=False), self.activation)


class MaxPool(nn.Module):
    def __init__(self, window: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.window, self.stride = window, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.window, self.stride)


class DepthToSpace(nn.Module):
    """TensorFlow's order: the block's row and column are the slow part of the channel number (torch: the fast one)."""

    def __init__(self, block: int) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        block, rest = self.block, channels // self.block**2
        if rest * block**2 != channels:
            raise ValueError(f"{channels} channels cannot be spread over blocks of {block}x{block}")
        cells = x.reshape(count, block, block, rest, height, width).permute(0, 3, 4, 1, 5, 2)
        return cells.reshape(count, rest, height * block, width * block).contiguous(memory_format=torch.channels_last)


class Pad(nn.Module):
    def __init__(self, padding: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        top, bottom, left, right = self.padding
        return F.pad(x, (left, right, top, bottom))


class Rows(nn.Module):
    """Reshape of an image to (N, anything, columns) or (N, columns), in the file's NHWC order."""

    def __init__(self, columns: int, rank: int) -> None:
        super().__init__()
        self.columns, self.rank = columns, rank

    def forward(self, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1)
        # An empty batch would take any shape.
        values = height * width * channels
        if values % self.columns or (self.rank == 2 and values != self.columns):
            raise ValueError(f"{values} values do not make rows of {self.columns}")
        if self.rank == 2:
            return pixels.reshape(count, self.columns)
        return pixels.reshape(count, values // self.columns, self.columns)


class Concatenate(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, self.dim)


def activate(x: Tensor, activation: int) -> Tensor:
    # In place: nothing else reads these tensors, and the gradient of ReLU needs its result only.
    if activation == RELU:
        return x.relu_()
    return F.relu6(x, inplace=True) if activation == RELU6 else x


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """TensorFlow's SAME: as many outputs as strides begun; the odd pixel of padding goes to the far side."""
    missing = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return missing // 2, missing - missing // 2
