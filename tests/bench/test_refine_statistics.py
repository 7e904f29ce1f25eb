import numpy as np
import pytest

from dyad.bench.refine_statistics import change, interval, ratio
from dyad.core.errors import BadInput

RANDOM = np.random.default_rng(5)


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = RANDOM.normal(3.0, 2.0, 400)
    found = interval(values)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.12)
    assert found.value - found.low == pytest.approx(half, rel=0.12)
    assert interval(values) == found


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(60):
        found = interval(np.random.default_rng(seed).normal(1.0, 1.0, 40), seed=seed)
        inside += found.low <= 1.0 <= found.high
    assert 52 <= inside <= 59


def test_clips_of_one_world_are_no_new_evidence() -> None:
    values = RANDOM.normal(0.0, 1.0, 30)
    once = interval(values)
    twice = interval(np.repeat(values, 2), np.repeat([f"w{k}" for k in range(30)], 2).tolist())
    alone = interval(np.repeat(values, 2))
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.1)
    assert alone.high - alone.low == pytest.approx((once.high - once.low) / np.sqrt(2), rel=0.1)


def test_pairs_are_compared_and_not_heaps() -> None:
    """Clips differ much and each gains a little: the gain is sure all the same."""
    before = RANDOM.uniform(1, 100, 20)
    after = 0.97 * before
    found = change(before, after, lower_is_better=True, names=[str(k) for k in range(20)])
    assert found.relative.value == pytest.approx(-0.03)
    assert found.relative.high < -0.029
    assert found.difference.high < 0
    assert found.before.low < found.after.value < found.before.high
    assert (found.improved, found.worsened, found.worst, found.worst_clip) == (1, 0, 0, "")


@pytest.mark.parametrize("lower", [True, False])
def test_the_direction_decides_what_is_better(lower: bool) -> None:
    before, after = [10.0, 10.0, 10.0, 10.0, np.nan], [9.0, 12.0, 10.0, 9.5, 1.0]
    found = change(before, after, lower_is_better=lower, names=list("abcde"))
    assert found.clips == 4
    assert (found.improved, found.worsened) == ((0.5, 0.25) if lower else (0.25, 0.5))
    assert found.worst == pytest.approx(0.2 if lower else 0.1)
    assert found.worst_clip == ("b" if lower else "a")
    assert found.difference.value == pytest.approx(0.125)


def test_nothing_is_nothing() -> None:
    found = change([np.nan], [1.0], lower_is_better=True, names=["a"])
    assert found.clips == 0
    assert np.isnan(found.before.value)
    assert np.isnan(interval([]).value)
    assert np.isnan(ratio([], []).value)
    assert np.isnan(change([0.0], [0.0], lower_is_better=True, names=["a"]).relative.value)
    with pytest.raises(BadInput, match="same clips"):
        change([1.0], [1.0, 2.0], lower_is_better=True, names=["a"])


def test_a_ratio_is_of_sums() -> None:
    found = ratio([1.0, 9.0], [10.0, 10.0])
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((0.1, 0.9))
