import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.aligned import n_errors, pa_errors, procrustes, scaled
from dyad.evaluation.pose3d import absolute_errors, mean_error
from tests.evaluation.made_poses import poses, turn

SEEDS = st.integers(0, 10_000)
SCALES = st.floats(0.2, 5)


def rms(errors: np.ndarray) -> np.ndarray:
    return np.sqrt((errors**2).mean(-1))


@given(SEEDS, SCALES)
def test_pa_does_not_see_a_similarity_of_the_prediction(seed: int, scale: float) -> None:
    truth, found = poses(3, 14, seed=seed), poses(3, 14, seed=seed + 1)
    moved = scale * found @ turn(seed).T + (1.0, -2.0, 3.0)
    assert pa_errors(truth, moved) == pytest.approx(pa_errors(truth, found), abs=1e-9)
    assert pa_errors(truth, scale * truth @ turn(seed).T + 1) == pytest.approx(0, abs=1e-9)
    assert absolute_errors(truth, moved) != pytest.approx(absolute_errors(truth, found), abs=1e-3)


@given(SEEDS, SCALES)
def test_pa_turns_and_scales_with_the_truth(seed: int, scale: float) -> None:
    """Errors are in the truth's unit; which way the truth looks is nothing to them."""
    truth, found = poses(2, 14, seed=seed), poses(2, 14, seed=seed + 1)
    moved = scale * truth @ turn(seed).T - 2
    assert pa_errors(moved, found) == pytest.approx(scale * pa_errors(truth, found), abs=1e-9)


def test_a_mirror_image_stays_wrong() -> None:
    truth = poses(20, 14)
    mirrored = truth * (-1, 1, 1)
    assert (pa_errors(truth, mirrored).mean(-1) > 0.1).all()


@given(SEEDS)
def test_a_freer_fit_leaves_less(seed: int) -> None:
    """In the measure that fits minimise, the root of the mean square."""
    truth, found = poses(3, 14, seed=seed), poses(3, 14, seed=seed + 1)
    free, none = (rms(errors(truth, found)) for errors in (pa_errors, absolute_errors))
    assert (free <= none + 1e-12).all()
    assert (rms(n_errors(truth, found)) <= none + 1e-12).all()


@given(SEEDS, st.floats(-4, 4).filter(lambda factor: abs(factor) > 0.1))
def test_n_errors_do_not_see_scale_but_place_and_direction(seed: int, factor: float) -> None:
    truth, found = poses(3, 14, seed=seed), poses(3, 14, seed=seed + 1)
    assert n_errors(truth, factor * found) == pytest.approx(n_errors(truth, found), abs=1e-9)
    assert n_errors(truth, factor * truth) == pytest.approx(0, abs=1e-9)
    assert n_errors(truth, truth + 1).mean() > 0.05
    assert n_errors(truth, truth @ turn(seed + 2).T).mean() > 1e-3


def test_a_scale_worked_out_by_hand() -> None:
    truth = np.array([[[2.0, 0.0, 0.0], [0.0, 4.0, 0.0]]])
    found = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert scaled(truth, found)[0] == pytest.approx(3 * found[0])
    assert n_errors(truth, found) == pytest.approx(np.array([[1.0, 1.0]]))
    assert scaled(truth, np.zeros_like(found)) == pytest.approx(0)


@given(SEEDS)
def test_each_person_is_fitted_alone(seed: int) -> None:
    truth, found = poses(4, 14, seed=seed), poses(4, 14, seed=seed + 1)
    order = np.random.default_rng(seed).permutation(4)
    for errors in (pa_errors, n_errors):
        assert errors(truth[order], found[order]) == pytest.approx(errors(truth, found)[order])
        assert errors(truth[:1], found[:1]) == pytest.approx(errors(truth, found)[:1])


@pytest.mark.parametrize("errors", [pa_errors, n_errors])
def test_missing_joints_fail_and_unknown_ones_do_not_count(errors) -> None:
    truth = poses(2, 14)
    found = 1.0 * truth
    found[0, 3] = np.nan
    truth[1, 5, 2] = np.nan
    got = errors(truth, found)
    assert np.isinf(got[0, 3])
    assert np.isnan(got[1, 5])
    assert mean_error(got) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(got).sum() == 26


@pytest.mark.parametrize("known", [0, 1, 2])
def test_what_can_be_laid_on_anything_counts_as_missing(known: int) -> None:
    truth, found = poses(1, 14), poses(1, 14, seed=3)
    found[0, known:] = np.nan
    assert np.isnan(procrustes(truth, found)).all()
    assert np.isinf(pa_errors(truth, found)).all()


@pytest.mark.parametrize("errors", [pa_errors, n_errors])
def test_nobody_has_no_errors(errors) -> None:
    assert errors(np.zeros((0, 14, 3)), np.zeros((0, 14, 3))).shape == (0, 14)


def test_joints_in_one_point_are_no_reason_to_fail() -> None:
    truth = poses(1, 14)
    assert np.isfinite(pa_errors(truth, np.zeros_like(truth))).all()
