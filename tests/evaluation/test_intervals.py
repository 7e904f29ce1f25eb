from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.evaluation.intervals import interval_coverage


def drawn(seed: int, rows: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and sigma (rows,3) that fit: errors are normal with that standard deviation."""
    generator = np.random.default_rng(seed)
    truth, sigma = generator.normal(size=(rows, 3)), generator.uniform(0.01, 0.3, (rows, 3))
    return truth, truth + sigma * generator.normal(size=(rows, 3)), sigma


def test_errors_that_fit_are_covered_as_often_as_claimed() -> None:
    for got in interval_coverage(*drawn(0, 40_000)):
        assert (got.x, got.y, got.z) == pytest.approx([got.share] * 3, abs=0.01)
        assert got.counted == 40_000


def test_a_known_quantile() -> None:
    """Half of a normal distribution lies within 0.674 standard deviations."""
    truth, sigma = np.zeros((2, 3)), np.ones((2, 3))
    found = np.array([[0.674, 0.675, -0.674], [0.675, 0.674, 0.0]])
    (half,) = interval_coverage(truth, found, sigma, shares=(0.5,))
    assert half == (0.5, 2, 0.5, 0.5, 1.0)


@given(st.integers(0, 1000), st.floats(1.1, 4))
def test_a_wider_claim_covers_no_less(seed: int, factor: float) -> None:
    truth, found, sigma = drawn(seed, 60)
    narrow, wide = (interval_coverage(truth, found, s) for s in (sigma, factor * sigma))
    for a, b in zip(narrow, wide, strict=True):
        assert all(m <= n for m, n in zip(a[2:], b[2:], strict=True))
    for a, b in pairwise(narrow):
        assert all(m <= n for m, n in zip(a[2:], b[2:], strict=True))
    assert interval_coverage(factor * truth + 1, factor * found + 1, factor * sigma) == narrow
    assert interval_coverage(found, truth, sigma) == narrow
    order = np.random.default_rng(seed).permutation(60)
    assert interval_coverage(truth[order], found[order], sigma[order]) == narrow


def test_axes_are_told_apart() -> None:
    truth, found, sigma = drawn(0)
    sigma[:, 2] *= 0.1
    for got in interval_coverage(truth, found, sigma):
        assert got.x == pytest.approx(got.share, abs=0.04)
        assert got.z < 0.5 * got.share


def test_what_is_unknown_does_not_count() -> None:
    truth, found, sigma = drawn(0, 10)
    truth[0, 1] = found[1, 2] = sigma[2, 0] = np.nan
    assert interval_coverage(truth, found, sigma)[0].counted == 7
    nobody = interval_coverage(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)))
    assert [got.counted for got in nobody] == [0, 0, 0]
    assert np.isnan(nobody[0].x)


def test_perfect_is_covered_even_without_doubt() -> None:
    assert all(got[2:] == (1, 1, 1) for got in interval_coverage(*np.zeros((3, 5, 3))))


def test_nonsense_is_refused() -> None:
    with pytest.raises(BadInput, match="negative"):
        interval_coverage(np.zeros((1, 3)), np.zeros((1, 3)), -np.ones((1, 3)))
    with pytest.raises(BadInput, match="between 0 and 1"):
        interval_coverage(np.zeros((1, 3)), np.zeros((1, 3)), np.ones((1, 3)), shares=(90,))
    with pytest.raises(BadInput, match="are all"):
        interval_coverage(np.zeros((1, 3)), np.zeros((1, 3)), np.ones(3))
