import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.pose3d import absolute_errors, mean_error, median_error, pck, root_errors


def poses(people: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(people, 14, 3))


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_a_shift_is_the_absolute_error_and_no_root_error(x: float, y: float, z: float) -> None:
    truth = poses()
    moved = truth + np.array([x, y, z])
    assert absolute_errors(truth, moved) == pytest.approx(np.hypot(np.hypot(x, y), z))
    assert root_errors(truth, moved, truth[:, 0], moved[:, 0]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("shift", "expected"), [(0.149, 1.0), (0.151, 0.0)])
def test_the_threshold_is_where_it_says(shift: float, expected: float) -> None:
    truth = poses()
    assert pck(absolute_errors(truth, truth + np.array([0, 0, shift])), within=0.15) == expected


def test_a_missing_joint_fails_and_an_unknown_one_does_not_count() -> None:
    truth, found = poses(1), poses(1)
    found[0, :7] = np.nan
    assert pck(absolute_errors(truth, found)) == pytest.approx(0.5)
    truth[0, :7] = np.nan
    assert pck(absolute_errors(truth, found)) == 1.0
    assert np.isnan(absolute_errors(truth, found)[0, :7]).all()


def test_a_missing_root_fails_every_joint() -> None:
    truth = poses(2)
    root = truth[:, 0].copy()
    root[1] = np.nan
    errors = root_errors(truth, truth, truth[:, 0], root)
    assert np.isinf(errors[1]).all()
    assert pck(errors) == 0.5


def test_missed_people_fail_and_nobody_at_all_is_undefined() -> None:
    errors = np.zeros((2, 14))
    assert pck(errors, missed=2) == 0.5
    assert pck(np.zeros((0, 14)), missed=3) == 0.0
    assert np.isnan(pck(np.zeros((0, 14))))


def test_means_are_over_people_not_over_joints() -> None:
    errors = np.zeros((2, 14))
    errors[0, 1:] = np.nan
    errors[1] = 1.0
    assert pck(errors) == 0.5


def test_mean_and_median_leave_out_what_is_missing() -> None:
    errors = np.array([[1.0, 2.0, np.inf], [9.0, np.nan, np.nan]])
    assert mean_error(errors) == 4.0
    assert median_error(errors) == 2.0
    assert np.isnan(mean_error([]))
    assert np.isnan(median_error([]))


@given(st.integers(0, 1000), st.floats(0.05, 0.5))
def test_a_wider_threshold_never_scores_less(seed: int, within: float) -> None:
    errors = absolute_errors(poses(seed=seed) * 0.1, poses(seed=seed + 1) * 0.1)
    assert pck(errors, within=within) <= pck(errors, within=within * 1.5)
