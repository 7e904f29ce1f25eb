import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.geometry.filtering import gaussian_smooth, to_nearest, weighted_median


def uneven(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.cumsum(0.01 + 0.05 * torch.rand(count, generator=generator, dtype=torch.float64), 0)


@pytest.mark.parametrize("width", [0.02, 0.1, 1.0])
def test_a_constant_velocity_passes_unchanged(width: float) -> None:
    times = uneven(600)
    line = torch.stack((3 * times - 1, -0.5 * times, torch.full_like(times, 7.0)), -1)
    weights = 0.1 + torch.rand(600, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(gaussian_smooth(line, times, weights, width), line, atol=1e-8)


def test_missing_values_on_a_line_are_filled_on_the_line() -> None:
    times = torch.arange(100, dtype=torch.float64) / 30
    line = (2 * times + 1)[:, None].repeat(1, 2)
    holed = line.clone()
    holed[20:25, 0] = math.nan
    holed[::3, 1] = math.nan
    assert torch.allclose(gaussian_smooth(holed, times, torch.ones(100), 0.1), line, atol=1e-6)


def test_far_from_any_value_nothing_is_invented() -> None:
    times = torch.arange(1000, dtype=torch.float64) / 100
    values = torch.sin(times)
    values[300:700] = math.nan
    smooth = gaussian_smooth(values, times, torch.ones(1000), 0.1)
    # 40 frames are four widths.
    known = torch.isfinite(smooth)
    assert known[:338].all()
    assert known[662:].all()
    assert not known[342:658].any()


def test_values_without_weight_do_not_count() -> None:
    times = uneven(80)
    line = times * 2
    wild, weights = line.clone(), torch.ones(80)
    wild[40], weights[40] = 1e6, 0
    assert torch.allclose(gaussian_smooth(wild, times, weights, 0.2), line, atol=1e-6)


def test_noise_falls_as_theory_says() -> None:
    """White noise of n values a second, smoothed over w seconds, keeps 1 / (2 sqrt(pi) w n) of its variance."""
    rate, width = 50.0, 0.2
    times = torch.arange(1500, dtype=torch.float64) / rate
    noise = torch.randn(1500, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kept = float(gaussian_smooth(noise, times, torch.ones(1500), width)[100:-100].var())
    assert kept == pytest.approx(1 / (2 * math.sqrt(math.pi) * width * rate), rel=0.05)


def test_blocks_leave_no_trace() -> None:
    """What a frame gets does not depend on where the signal begins."""
    times, generator = uneven(900), torch.Generator().manual_seed(3)
    values = torch.randn(900, 3, generator=generator, dtype=torch.float64)
    whole = gaussian_smooth(values, times, torch.ones(900), 0.1)
    part = gaussian_smooth(values[100:], times[100:], torch.ones(800), 0.1)
    assert torch.allclose(whole[200:], part[100:], atol=1e-12)


def test_time_may_run_backwards_and_units_may_change() -> None:
    times, values = uneven(50), torch.randn(50, 2, generator=torch.Generator().manual_seed(4))
    forward = gaussian_smooth(values, times, torch.ones(50), 0.1)
    backward = gaussian_smooth(values.flip(0), -times.flip(0), torch.ones(50), 0.1).flip(0)
    assert torch.allclose(forward, backward, atol=1e-5)
    assert torch.allclose(forward, gaussian_smooth(values, times * 1000, torch.ones(50), 100.0), atol=1e-5)


def test_little_is_left_as_it_is() -> None:
    values = torch.randn(5, 2)
    assert torch.equal(gaussian_smooth(values, torch.arange(5), torch.ones(5), 0.0), values)
    assert torch.equal(gaussian_smooth(values[:1], torch.zeros(1), torch.ones(1), 1.0), values[:1])
    assert gaussian_smooth(values[:0], torch.zeros(0), torch.ones(0), 1.0).shape == (0, 2)
    assert gaussian_smooth(values[:, :0], torch.arange(5), torch.ones(5), 1.0).shape == (5, 0)
    assert gaussian_smooth(values, torch.arange(5), torch.ones(5), 1.0).dtype == torch.float32


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=30))
def test_even_weights_give_the_plain_median(numbers: list[float]) -> None:
    values = torch.tensor(numbers)
    expected = np.quantile(np.array(numbers, dtype=np.float32), 0.5, method="inverted_cdf")
    assert float(weighted_median(values, torch.ones(len(numbers)))) == float(expected)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-100, 100, width=32), st.integers(0, 4)), min_size=1, max_size=15))
def test_a_weight_is_a_number_of_copies(pairs: list[tuple[float, int]]) -> None:
    values, counts = torch.tensor([p[0] for p in pairs]), torch.tensor([float(p[1]) for p in pairs])
    copies = [value for value, count in pairs for _ in range(count)]
    found = float(weighted_median(values, counts))
    if not copies:
        assert math.isnan(found)
    else:
        assert found == float(np.quantile(np.array(copies, dtype=np.float32), 0.5, method="inverted_cdf"))


def test_the_median_is_over_time_and_ignores_missing_values() -> None:
    values = torch.tensor([[1.0, math.nan, math.nan], [5.0, 2.0, math.nan], [3.0, 4.0, math.nan]])
    found = weighted_median(values, torch.tensor([1.0, 1.0, 1.0]))
    assert found[:2].tolist() == [3.0, 2.0]
    assert math.isnan(found[2])
    # One weight a row, in an array that is as high as it is wide.
    assert weighted_median(values, torch.tensor([9.0, 1.0, 1.0]))[0] == 1.0
    assert torch.isnan(weighted_median(values[:0], torch.ones(0))).all()


def test_the_nearest_time_that_counts_may_lie_before_or_after() -> None:
    times = torch.tensor([0.0, 1.0, 2.0, 4.0, 5.0, 7.0])
    seen = torch.tensor([False, True, False, False, True, False])
    assert to_nearest(times, seen).tolist() == [1.0, 0.0, 1.0, 1.0, 0.0, 2.0]
    assert to_nearest(times, ~seen).tolist() == [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert to_nearest(times, times == 4.0).tolist() == [4.0, 3.0, 2.0, 0.0, 1.0, 3.0]
    assert to_nearest(times, times < 0).tolist() == [torch.inf] * 6
