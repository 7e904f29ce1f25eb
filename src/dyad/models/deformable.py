"""Convolution that looks where it is told to: each tap has an offset and a weight of its own at every pixel.

Zhu et al., "Deformable ConvNets v2: more deformable, better results", CVPR 2019. All taps of all pixels are sampled at
once, so that it runs, forward and backward, wherever torch runs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def deformable_conv(
    x: Tensor,
    offsets: Tensor,
    masks: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """Modulated deformable convolution of x (N, C, H, W) to (N, O, H', W').

    Args:
        offsets: (N, 2 G K, H', W'): for each of G groups of channels and K taps, row by row, how many pixels down and
            how many to the right of its place the tap looks; between pixels bilinear, 0 outside of the map.
        masks: (N, G K, H', W'): what each tap is multiplied with, taken as it comes.
        weight: (O, C, kh, kw) with K = kh kw. bias: (O,).

    Raises ValueError for shapes that do not fit one another.
    """
    groups, size = _checked(x, offsets, masks, weight, stride, padding, dilation)
    number, channels = x.shape[:2]
    taps = weight.shape[-2] * weight.shape[-1]
    # Half as many digits would not tell pixels apart.
    exact = torch.promote_types(offsets.dtype, torch.float32)
    x, offsets = x.to(exact), offsets.to(exact)
    grid = _places(offsets.reshape(number, groups, taps, 2, *size), x, weight, stride, padding, dilation)
    seen = F.grid_sample(
        x.reshape(number * groups, channels // groups, *x.shape[-2:]),
        grid.reshape(number * groups, taps * size[0], size[1], 2),
        padding_mode="zeros",
        align_corners=False,
    ).reshape(number, groups, channels // groups, taps, *size)
    weighted = (seen * masks.reshape(number, groups, 1, taps, *size)).to(weight.dtype)
    result = weight.reshape(len(weight), -1) @ weighted.reshape(number, channels * taps, -1)
    if bias is not None:
        result = result + bias[:, None]
    return result.reshape(number, len(weight), *size)


def _places(offsets: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
    """Where taps look, offsets (N, G, K, 2, H', W') to (N, G, K, H', W', 2), in grid_sample's units.

    The offsets are taken relative to the middle of the map, so that they lose as little as may be to rounding.
    """
    axes = []
    for axis in (0, 1):
        pixels = torch.arange(offsets.shape[-2 + axis], device=x.device, dtype=offsets.dtype) * stride - padding
        taps = torch.arange(weight.shape[-2 + axis], device=x.device, dtype=offsets.dtype) * dilation
        length = x.shape[-2 + axis]
        axes.append((taps[:, None] + pixels - (length - 1) / 2, 2 / length))
    (rows, per_row), (columns, per_column) = axes
    # (kh, 1, H', 1) and (1, kw, 1, W') spread over the K taps.
    shape = (len(rows), len(columns), *offsets.shape[-2:])
    down = rows[:, None, :, None].expand(shape).flatten(0, 1) + offsets[:, :, :, 0]
    right = columns[None, :, None, :].expand(shape).flatten(0, 1) + offsets[:, :, :, 1]
    return torch.stack((right * per_column, down * per_row), -1)


def _checked(
    x: Tensor, offsets: Tensor, masks: Tensor, weight: Tensor, stride: int, padding: int, dilation: int
) -> tuple[int, tuple[int, int]]:
    """Number of groups, and height and width of the result."""
    kernel = weight.shape[-2:]
    size = tuple(
        (side + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        for side, k in zip(x.shape[-2:], kernel, strict=True)
    )
    taps = kernel[0] * kernel[1]
    groups = masks.shape[1] // taps
    wanted = (len(x), groups * taps, *size)
    if (
        groups < 1
        or x.shape[1] % groups
        or weight.shape[1] != x.shape[1]
        or tuple(masks.shape) != wanted
        or tuple(offsets.shape) != (wanted[0], 2 * wanted[1], *size)
    ):
        raise ValueError(
            f"masks (N, G {taps}, {size[0]}, {size[1]}) and offsets of twice as many channels are needed for maps "
            f"{tuple(x.shape)} and weights {tuple(weight.shape)}, got {tuple(masks.shape)} and {tuple(offsets.shape)}"
        )
    return groups, (size[0], size[1])


class DeformableConv(nn.Module):
    """`deformable_conv` with weights of its own, to maps of the same size; the kernel is square and odd."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, dilation: int = 1) -> None:
        super().__init__()
        like = nn.Conv2d(inputs, outputs, kernel)
        self.weight, self.bias = like.weight, like.bias
        self.dilation = dilation
        self.padding = dilation * (kernel // 2)

    def forward(self, x: Tensor, offsets: Tensor, masks: Tensor) -> Tensor:
        return deformable_conv(x, offsets, masks, self.weight, self.bias, padding=self.padding, dilation=self.dilation)
