"""Products of features: both ways of computing them, against what a plain loop says."""

import itertools

import pytest
import torch

from dyad.models.correlation import AllPairs, Auto, OnTheFly

LEVELS, RADIUS = 3, 2
SIDE = 2 * RADIUS + 1


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    return tuple(torch.randn(2, 5, 9, 14, generator=draw) for _ in range(2))


def _targets(spread: float) -> torch.Tensor:
    """Where 9x14 pixels go: by up to a few `spread`, many of them outside."""
    x, y = torch.meshgrid(torch.arange(14.0), torch.arange(9.0), indexing="xy")
    moves = spread * torch.randn(2, 2, 9, 14, generator=torch.Generator().manual_seed(5))
    return torch.stack((x, y)) + moves


def _read(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """(C,) of an image (C, H, W) between its pixels, 0 outside."""
    out = torch.zeros(len(image))
    left, top = int(x // 1), int(y // 1)
    for row, column in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
            out += (1 - abs(x - column)) * (1 - abs(y - row)) * image[:, row, column]
    return out


@pytest.mark.parametrize("policy", [AllPairs, OnTheFly, Auto])
def test_each_channel_is_the_product_at_its_offset(policy, pair) -> None:
    first, second = pair
    targets = _targets(3)
    found = policy(levels=LEVELS, radius=RADIUS)(first, second)(targets)
    assert found.shape == (2, LEVELS * SIDE**2, 9, 14)
    maps = [second, torch.nn.functional.avg_pool2d(second, 2), torch.nn.functional.avg_pool2d(second, 4)]
    for image, level, i, j, row, column in [
        (0, 0, 0, 4, 3, 5),
        (1, 1, 3, 1, 8, 0),
        (0, 2, 2, 2, 0, 13),
        (1, 0, 4, 0, 4, 7),
    ]:
        x, y = (targets[image, :, row, column] / 2**level).tolist()
        there = _read(maps[level][image], x + i - RADIUS, y + j - RADIUS)
        expected = first[image, :, row, column] @ there / 5**0.5
        channel = level * SIDE**2 + i * SIDE + j
        assert float(found[image, channel, row, column]) == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("spread", [0.0, 1.0, 8.0, 1000.0])
@pytest.mark.parametrize("tile", [1, 4, 16])
def test_both_ways_and_their_gradients_are_the_same(pair, spread, tile) -> None:
    results = []
    for policy in (AllPairs(LEVELS, RADIUS), OnTheFly(LEVELS, RADIUS, tile=tile)):
        inputs = [t.clone().requires_grad_() for t in (*pair, _targets(spread))]
        found = policy(inputs[0], inputs[1])(inputs[2])
        (found * torch.linspace(-1, 1, found.numel()).view_as(found)).sum().backward()
        results.append([found.detach(), *(t.grad for t in inputs)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_gradients_are_those_of_finite_differences(monkeypatch) -> None:
    # In double precision, which the features are not computed in otherwise.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    draw = torch.Generator().manual_seed(7)
    first, second = (torch.randn(1, 2, 3, 4, generator=draw, dtype=torch.float64).requires_grad_() for _ in range(2))
    targets = (3 * torch.rand(1, 2, 3, 4, generator=draw, dtype=torch.float64)).requires_grad_()

    def look(a: torch.Tensor, b: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return OnTheFly(levels=2, radius=1, tile=2)(a, b)(at)

    assert torch.autograd.gradcheck(look, (first, second, targets), eps=1e-6, atol=1e-6, fast_mode=True)


def test_what_lies_outside_is_nothing(pair) -> None:
    for policy in (AllPairs(LEVELS, RADIUS), OnTheFly(LEVELS, RADIUS)):
        look = policy(*pair)
        for far in (1e9, -1e9):
            assert not look(torch.full((2, 2, 9, 14), far)).any()


def test_large_images_are_looked_at_on_the_fly(pair, monkeypatch) -> None:
    monkeypatch.setattr(AllPairs, "__call__", lambda *_: pytest.fail("all pairs"))
    Auto(LEVELS, RADIUS, most_bytes=1000)(*pair)
    with pytest.raises(pytest.fail.Exception, match="all pairs"):
        Auto(LEVELS, RADIUS, most_bytes=1 << 20)(*pair)


def test_features_that_are_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64 px"):
        AllPairs()(torch.zeros(1, 4, 8, 7), torch.zeros(1, 4, 8, 7))


@pytest.mark.parametrize("policy", [AllPairs, OnTheFly])
def test_sums_stay_in_32_bits_where_the_rest_is_narrow(policy, pair) -> None:
    found = policy(LEVELS, RADIUS)(*pair)(_targets(1))
    with torch.autocast("cpu", torch.bfloat16):
        narrow = policy(LEVELS, RADIUS)(*pair)(_targets(1))
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, found)
