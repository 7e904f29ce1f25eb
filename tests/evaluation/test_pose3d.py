import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.pose3d import (
    AUC_3DHP_M,
    AUC_RELEASED_M,
    absolute_errors,
    auc,
    mean_error,
    mean_of_pose_means,
    median_error,
    middle,
    pck,
    root_errors,
    weighted_mean_error,
)


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


def test_the_two_sets_of_thresholds() -> None:
    assert (AUC_3DHP_M[0], AUC_3DHP_M[-1], len(AUC_3DHP_M)) == (0.0, 0.15, 31)
    assert (AUC_RELEASED_M[0], AUC_RELEASED_M[-1], len(AUC_RELEASED_M)) == (0.0, 0.195, 40)


def test_auc_is_the_mean_of_the_curve() -> None:
    """An error of 52.5 mm is below 20 of the 31 thresholds of one set, and below 29 of the 40 of the other."""
    errors = np.full((2, 14), 0.0525)
    assert auc(errors, thresholds=AUC_3DHP_M) == pytest.approx(20 / 31)
    assert auc(errors, thresholds=AUC_RELEASED_M) == pytest.approx(29 / 40)
    assert auc(errors, thresholds=AUC_RELEASED_M, missed=2) == pytest.approx(29 / 80)
    assert auc(np.zeros((2, 14)), thresholds=AUC_3DHP_M) == pytest.approx(30 / 31)
    assert np.isnan(auc(np.zeros((0, 14)), thresholds=AUC_3DHP_M))


@given(st.integers(0, 1000), st.floats(0.1, 3))
def test_the_unit_scales_the_errors_and_the_order_of_people_is_free(seed: int, factor: float) -> None:
    truth, found = poses(4, seed), poses(4, seed + 1)
    errors = absolute_errors(truth, found)
    assert absolute_errors(factor * truth, factor * found) == pytest.approx(factor * errors)
    assert absolute_errors(found, truth) == pytest.approx(errors)
    order = np.random.default_rng(seed).permutation(4)
    assert absolute_errors(truth[order], found[order]) == pytest.approx(errors[order])
    assert pck(errors[order] * 0.1) == pytest.approx(pck(errors * 0.1))
    assert auc(errors * 0.1, thresholds=AUC_3DHP_M) == pytest.approx(auc(errors[order] * 0.1, thresholds=AUC_3DHP_M))


def test_the_middle_of_the_hips() -> None:
    truth = poses(2)
    assert middle(truth, 8, 11) == pytest.approx((truth[:, 8] + truth[:, 11]) / 2)
    truth[0, 8, 1] = np.nan
    assert np.isnan(middle(truth, 8, 11)[0]).any()


def test_the_mean_of_means_weighs_poses_and_the_mean_weighs_joints() -> None:
    errors = np.array([[1.0, np.nan, np.inf], [3.0, 5.0, 7.0], [np.nan, np.inf, np.nan]])
    assert mean_of_pose_means(errors) == 3.0
    assert mean_error(errors) == 4.0
    assert np.isnan(mean_of_pose_means(np.full((2, 3), np.nan)))


def test_weights_multiply_errors_and_never_hide_a_missing_joint() -> None:
    errors = np.array([[1.0, 2.0], [3.0, np.inf]])
    assert weighted_mean_error(errors, np.ones((2, 1))) == mean_error(errors)
    assert weighted_mean_error(errors, [[2.0], [0.0]]) == pytest.approx((2 + 4 + 0) / 3)
    assert weighted_mean_error(errors, [1.0, 0.0]) == pytest.approx((1 + 0 + 3) / 3)
