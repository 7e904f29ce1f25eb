import numpy as np
import pytest

from dyad.evaluation.coverage import by_value, clearly_visible, share


def test_share_of_the_counted() -> None:
    assert share([True, False, True, True]) == 0.75
    assert share([True, False, True, True], [True, True, False, False]) == 0.5
    assert np.isnan(share([True], [False]))
    assert np.isnan(share([]))


def test_clear_means_tall_enough_and_not_hidden() -> None:
    height = np.array([49.9, 50, 80, 80, np.nan])
    hidden = np.array([0, 3 / 10, 0.31, 0.1 + 0.2, 0])
    assert clearly_visible(height, hidden).tolist() == [False, True, False, True, False]


def test_bins_are_half_open_and_say_when_they_are_empty() -> None:
    bins = by_value([0, 9.9, 10, 25, np.nan, 500], [True, False, True, True, True, True], (0, 10, 20, 30, np.inf))
    assert [b.count for b in bins] == [2, 1, 1, 1]
    assert [b.share for b in bins] == [0.5, 1, 1, 1]
    assert np.isnan(by_value([], [], (0, 1))[0].share)
    assert (bins[3].low, bins[3].high) == (pytest.approx(30), np.inf)
