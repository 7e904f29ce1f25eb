import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.pckh import head_errors, head_segments, pckh, pckh_by_joint

NAN = np.nan


def test_half_a_head_is_right_and_a_little_more_is_not() -> None:
    truth = np.zeros((2, 3, 2))
    predicted = np.array([[[3, 4], [0, 5.01], [0, 0]], [[0, 9], [0, 10], [0, 11]]], dtype=float)
    errors = head_errors(truth, predicted, head=[10, 20])
    assert errors.tolist() == pytest.approx(np.array([[0.5, 0.501, 0], [0.45, 0.5, 0.55]]))
    assert pckh(errors) == pytest.approx(4 / 6)
    assert pckh_by_joint(errors).tolist() == [1, 0.5, 0.5]
    assert pckh(errors, within=0.45) == pytest.approx(2 / 6)


def test_what_is_missed_is_wrong_and_what_is_not_labelled_does_not_count() -> None:
    truth = np.array([[[0, 0], [NAN, NAN]], [[0, 0], [0, 0]], [[0, 0], [0, 0.0]]])
    predicted = np.array([[[0, 0], [0, 0]], [[NAN, NAN], [NAN, NAN]], [[0, 0], [0, 0.0]]])
    errors = head_errors(truth, predicted, head=[10, 10, NAN])
    assert np.isinf(errors[1]).all()
    assert pckh(errors) == pytest.approx(1 / 3)
    assert pckh_by_joint(errors).tolist() == [0.5, 0]
    assert np.isnan(pckh_by_joint(head_errors(truth[2:], predicted[2:], head=[0.0]))).all()


def test_nobody_is_no_number() -> None:
    errors = head_errors(np.zeros((0, 4, 2)), np.zeros((0, 4, 2)), head=[])
    assert np.isnan(pckh(errors))
    assert pckh_by_joint(errors).shape == (4,)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-100, 100))
def test_neither_order_nor_scale_nor_place_matters(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    truth, head = rng.uniform(0, 200, (5, 6, 2)), rng.uniform(10, 50, 5)
    predicted = truth + rng.normal(0, 10, truth.shape)
    order = rng.permutation(5)
    base = head_errors(truth, predicted, head=head)
    moved = head_errors(truth[order] * scale + shift, predicted[order] * scale + shift, head=head[order] * scale)
    assert np.allclose(moved, base[order])
    assert 0 <= pckh(base, within=0.3) <= pckh(base) <= 1
    assert np.nanmean(pckh_by_joint(base)) == pytest.approx(pckh(base))


def test_head_segments_are_lengths() -> None:
    assert head_segments([[0, 0], [1, np.nan]], [[3, 4], [0, 0]]).tolist()[0] == 5
    assert np.isnan(head_segments([[0, 0], [1, np.nan]], [[3, 4], [0, 0]])[1])
