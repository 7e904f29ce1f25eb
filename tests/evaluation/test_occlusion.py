import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.occlusion import most_overlapped, overlap_with_others

BOX = np.array([[0.0, 0, 100, 200]])
ASIDE = np.array([1.0, 0, 1, 0])


def test_ones_own_detection_is_nobody_else() -> None:
    assert overlap_with_others(BOX, BOX).tolist() == [0]
    assert overlap_with_others(BOX, BOX + 5).tolist() == [0]
    assert overlap_with_others(BOX, np.empty((0, 4))).tolist() == [0]
    assert overlap_with_others(np.empty((0, 4)), BOX).tolist() == []


def test_a_stranger_counts_with_or_without_an_own_detection() -> None:
    half = BOX + ASIDE * 50
    assert overlap_with_others(BOX, np.concatenate([BOX, half])) == pytest.approx(1 / 3)
    assert overlap_with_others(BOX, np.concatenate([half, BOX])) == pytest.approx(1 / 3)
    # Less alike than an own detection is, so that it is somebody else.
    assert overlap_with_others(BOX, BOX + ASIDE * 60) == pytest.approx(40 / 160)


def test_two_people_hide_each_other_alike() -> None:
    pair = np.concatenate([BOX, BOX + ASIDE * 40])
    assert overlap_with_others(pair, pair + 2) == pytest.approx([60 / 140] * 2)


def test_absent_people_overlap_nothing() -> None:
    with_absent = np.concatenate([BOX, np.full((1, 4), np.nan)])
    assert overlap_with_others(with_absent, np.concatenate([BOX, BOX + 20]))[1] == 0


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 40))
def test_the_most_overlapped_are_the_largest(values: list[float], count: int) -> None:
    overlaps = [np.array(values[:7]), np.array(values[7:]).reshape(1, -1)]
    chosen, threshold = most_overlapped(overlaps, count)
    assert [mask.shape for mask in chosen] == [each.shape for each in overlaps]
    flat = np.concatenate([mask.ravel() for mask in chosen])
    positive = sorted((v for v in values if v > 0), reverse=True)[:count]
    assert sorted(np.array(values)[flat].tolist(), reverse=True) == positive
    assert (threshold == positive[-1]) if positive else np.isnan(threshold)


def test_uncounted_people_are_never_chosen() -> None:
    chosen, threshold = most_overlapped([np.array([np.nan, 0.2, 0.0])], 3)
    assert chosen[0].tolist() == [False, True, False]
    assert threshold == 0.2
    assert most_overlapped([], 3).chosen == ()
