import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.models.deformable import DeformableConv, deformable_conv


def drawn(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def read(x: Tensor, y: float, column: float) -> float:
    """Bilinear, zeros outside: the sum over the four pixels around."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for col in (math.floor(column), math.floor(column) + 1):
            if 0 <= row < x.shape[0] and 0 <= col < x.shape[1]:
                total += float(x[row, col]) * (1 - abs(y - row)) * (1 - abs(column - col))
    return total


def looped(x, offsets, masks, weight, bias, *, stride: int, padding: int, dilation: int) -> Tensor:
    """The definition, one product after another."""
    kh, kw = weight.shape[-2:]
    taps = kh * kw
    groups = masks.shape[1] // taps
    each = x.shape[1] // groups
    result = torch.zeros(len(x), len(weight), *masks.shape[-2:], dtype=x.dtype)
    for n, o, i, j in torch.cartesian_prod(*(torch.arange(s) for s in result.shape)).tolist():
        total = float(bias[o])
        for c in range(x.shape[1]):
            for tap in range(taps):
                slot = (c // each) * taps + tap
                y = i * stride - padding + tap // kw * dilation + float(offsets[n, 2 * slot, i, j])
                column = j * stride - padding + tap % kw * dilation + float(offsets[n, 2 * slot + 1, i, j])
                seen = read(x[n, c], y, column)
                total += float(weight[o, c, tap // kw, tap % kw]) * float(masks[n, slot, i, j]) * seen
        result[n, o, i, j] = total
    return result


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 1, 1, 2), (2, 2, 2, 1)])
def test_it_is_what_the_definition_says(stride, padding, dilation, groups) -> None:
    x, weight, bias = drawn(2, 4, 5, 6), drawn(3, 4, 3, 2, seed=1), drawn(3, seed=2)
    size = [(s + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for s, k in ((5, 3), (6, 2))]
    offsets = drawn(2, 2 * groups * 6, *size, seed=3, scale=2)
    masks = drawn(2, groups * 6, *size, seed=4)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    found = deformable_conv(x, offsets, masks, weight, bias, **options)
    torch.testing.assert_close(found, looped(x, offsets, masks, weight, bias, **options))


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_without_offsets_it_is_a_convolution(stride, dilation) -> None:
    x, weight, bias = drawn(2, 4, 9, 7), drawn(5, 4, 3, 3, seed=1), drawn(5, seed=2)
    wanted = F.conv2d(x, weight, bias, stride=stride, padding=2, dilation=dilation)
    shape = (2, 2 * 9, *wanted.shape[-2:])
    offsets, masks = torch.zeros(2, 2 * shape[1], *shape[2:]).double(), torch.ones(shape).double()
    found = deformable_conv(x, offsets, masks, weight, bias, stride=stride, padding=2, dilation=dilation)
    torch.testing.assert_close(found, wanted)


def test_taps_sent_away_read_nothing() -> None:
    layer = DeformableConv(2, 3).double()
    x = drawn(1, 2, 4, 4)
    found = layer(x, torch.full((1, 18, 4, 4), 100.0).double(), torch.ones(1, 9, 4, 4).double())
    torch.testing.assert_close(found, layer.bias[:, None, None].expand(1, 3, 4, 4))


def test_it_can_be_differentiated_by_everything() -> None:
    inputs = [
        drawn(1, 2, 3, 4),
        # Between pixels: at whole ones a bilinear reading has a kink.
        0.3 + 0.2 * drawn(1, 18, 3, 4, seed=1).sin(),
        drawn(1, 9, 3, 4, seed=2),
        drawn(2, 2, 3, 3, seed=3),
        drawn(2, seed=4),
    ]
    for value in inputs:
        value.requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: deformable_conv(*a, padding=1), inputs)


def test_maps_one_pixel_wide_are_read() -> None:
    x, weight = drawn(1, 1, 4, 1), drawn(1, 1, 3, 3, seed=1)
    found = deformable_conv(x, torch.zeros(1, 18, 4, 1).double(), torch.ones(1, 9, 4, 1).double(), weight, padding=1)
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1))


@pytest.mark.parametrize(
    ("offsets", "masks"),
    [
        ((1, 18, 4, 4), (1, 9, 3, 4)),
        ((1, 9, 4, 4), (1, 9, 4, 4)),
        ((1, 54, 4, 4), (1, 27, 4, 4)),
        ((1, 2, 4, 4), (1, 1, 4, 4)),
    ],
)
def test_offsets_of_another_shape_are_refused(offsets, masks) -> None:
    with pytest.raises(ValueError, match="offsets of twice as many channels"):
        deformable_conv(
            torch.zeros(1, 2, 4, 4), torch.zeros(offsets), torch.zeros(masks), torch.zeros(3, 2, 3, 3), padding=1
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_still_looks_between_the_right_pixels(dtype) -> None:
    """Black and white columns, read a quarter to the right: of itself half precision knows no such place at 300."""
    x = (torch.arange(400) % 2).expand(1, 1, 1, 400)
    offsets = torch.tensor([0.0, 0.25]).view(1, 2, 1, 1).expand(1, 2, 1, 400)
    found = deformable_conv(*(v.to(dtype) for v in (x, offsets, torch.ones(1, 1, 1, 400), torch.ones(1, 1, 1, 1))))
    assert found.dtype == dtype
    wanted = torch.tensor([0.25, 0.75]).repeat(200)[:399]
    torch.testing.assert_close(found[0, 0, 0, :399].float(), wanted, rtol=0, atol=0.01)
