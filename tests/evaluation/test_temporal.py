import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.evaluation.pose3d import mean_error
from dyad.evaluation.temporal import (
    acceleration_errors,
    contacts,
    derivative,
    foot_sliding,
    heights,
    jitter,
    velocity_errors,
)
from tests.evaluation.made_poses import poses, turn, walker

SEEDS = st.integers(0, 10_000)


def uneven(frames: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).uniform(0.01, 0.1, frames))


@given(SEEDS)
def test_a_walker_on_y_is_x_has_the_speed_of_a_diagonal(seed: int) -> None:
    times = uneven(12, seed)
    walk = walker(times)
    still = np.broadcast_to(walk[:1], walk.shape)
    assert velocity_errors(walk, still, times) == pytest.approx(np.sqrt(2))
    assert velocity_errors(still, walk, times) == pytest.approx(np.sqrt(2))
    assert acceleration_errors(walk, still, times) == pytest.approx(0, abs=1e-9)
    assert jitter(walk, times) == pytest.approx(0, abs=1e-6)


@given(SEEDS)
def test_derivatives_of_a_cubic_are_exact_however_uneven_the_times(seed: int) -> None:
    times = uneven(9, seed)
    cubic = np.stack((2 * times**3, times**2, 5 * times), -1)
    assert derivative(cubic, times, order=3) == pytest.approx(np.tile([12.0, 0.0, 0.0], (6, 1)), abs=1e-5)
    assert derivative(cubic[:, 1:], times, order=2) == pytest.approx(np.tile([2.0, 0.0], (7, 1)), abs=1e-7)
    assert jitter(cubic, times) == pytest.approx(12.0, abs=1e-5)


@given(SEEDS, st.floats(10, 100))
def test_times_turn_frames_into_seconds(seed: int, fps: float) -> None:
    truth, found = poses(8, 5, seed=seed), poses(8, 5, seed=seed + 1)
    times = 3 + np.arange(8) / fps
    assert velocity_errors(truth, found, times) == pytest.approx(fps * velocity_errors(truth, found))
    assert acceleration_errors(truth, found, times) == pytest.approx(
        fps**2 * acceleration_errors(truth, found), rel=1e-6
    )
    assert jitter(truth, times) == pytest.approx(fps**3 * jitter(truth), rel=1e-6)


@given(SEEDS)
def test_a_constant_offset_and_a_common_turn_change_nothing(seed: int) -> None:
    truth, found = poses(8, 5, seed=seed), poses(8, 5, seed=seed + 1)
    times, by = uneven(8, seed), turn(seed)
    for errors in (velocity_errors, acceleration_errors):
        base = errors(truth, found, times)
        assert errors(truth, found + np.array([3, -1, 2]), times) == pytest.approx(base)
        assert errors(truth @ by.T, found @ by.T, times) == pytest.approx(base)
        assert errors(2 * truth, 2 * found, times) == pytest.approx(2 * base)
        assert errors(found, truth, times) == pytest.approx(base)
        assert errors(truth, truth, times) == pytest.approx(0, abs=1e-9)
        assert errors(truth[::-1], found[::-1], -times[::-1]) == pytest.approx(base[::-1])
    assert acceleration_errors(truth, truth + times[:, None, None], times) == pytest.approx(0, abs=1e-6)
    assert velocity_errors(truth, truth + times[:, None, None], times) == pytest.approx(np.sqrt(3))


def test_people_are_free_axes() -> None:
    truth, found = poses(6, 2, 5, seed=1), poses(6, 2, 5, seed=2)
    both = velocity_errors(truth, found)
    assert both.shape == (5, 2, 5)
    assert both[:, 1] == pytest.approx(velocity_errors(truth[:, 1], found[:, 1]))


def test_no_derivative_reaches_across_a_gap() -> None:
    truth, found = poses(7, 2, seed=1), poses(7, 2, seed=2)
    found[3, 0], truth[5, 1] = np.nan, np.nan
    speed, change = velocity_errors(truth, found), acceleration_errors(truth, found)
    assert np.isinf(speed[:, 0]).tolist() == [False, False, True, True, False, False]
    assert np.isnan(speed[:, 1]).tolist() == [False, False, False, False, True, True]
    assert np.isinf(change[:, 0]).tolist() == [False, True, True, True, False]
    assert np.isnan(jitter(found)[:, 0]).tolist() == [True, True, True, True]


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_too_few_frames_have_no_error(frames: int) -> None:
    short = poses(frames, 5)
    assert velocity_errors(short, short).shape == (max(frames - 1, 0), 5)
    assert acceleration_errors(short, short).shape == (max(frames - 2, 0), 5)
    assert jitter(short).shape == (0, 5)
    assert np.isnan(mean_error(jitter(short)))


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 2.0, 1.0], [0.0, np.nan, 1.0]])
def test_times_that_are_none_are_refused(times: list[float]) -> None:
    with pytest.raises(BadInput, match="increasing times"):
        velocity_errors(poses(3, 5), poses(3, 5), times)


FLOOR = (0.0, -2.0, 0.0, 3.0)
"""Below the camera by 1.5 m, with a normal that is not of length 1."""


def test_heights_are_metres_above_the_floor() -> None:
    assert heights([[0.0, 1.5, 4.0], [7.0, 0.5, 2.0], [0.0, 1.6, 0.0]], FLOOR) == pytest.approx([0.0, 1.0, -0.1])
    assert contacts([[0.0, 1.45, 4.0], [7.0, 0.5, 2.0], [np.nan] * 3], FLOOR, below=0.1).tolist() == [
        True,
        False,
        False,
    ]
    with pytest.raises(BadInput, match="a floor is four numbers"):
        heights(np.zeros(3), (0, 0, 0, 1))


@given(SEEDS, st.floats(0.1, 3))
def test_a_standing_foot_that_moves_slides_at_its_horizontal_speed(seed: int, speed: float) -> None:
    times = uneven(10, seed)
    foot = np.stack((0.6 * speed * times, 1.5 - 0.01 * times, 4 + 0.8 * speed * times), -1)[:, None]
    touching = contacts(foot, FLOOR, below=0.1)
    assert touching.all()
    assert foot_sliding(foot, FLOOR, touching, times) == pytest.approx(speed)
    assert foot_sliding(foot + np.array([5, 0, 7]), FLOOR, touching, times) == pytest.approx(speed)
    assert mean_error(foot_sliding(np.broadcast_to(foot[:1], foot.shape), FLOOR, touching, times)) == 0


def test_only_pairs_of_standing_frames_count() -> None:
    foot = np.array([[0.0, 1.5, 4.0], [0.1, 1.5, 4.0], [0.6, 1.2, 4.0], [1.0, 1.5, 4.0], [1.0, 1.5, 4.2]])[:, None]
    got = foot_sliding(foot, FLOOR, contacts(foot, FLOOR, below=0.05))[:, 0]
    assert np.isnan(got).tolist() == [False, True, True, False]
    assert got[[0, 3]] == pytest.approx([0.1, 0.2])


@given(SEEDS)
def test_more_contact_never_counts_fewer_frames(seed: int) -> None:
    feet = poses(10, 2, seed=seed) * (1, 0.2, 1) + (0, 1.5, 0)
    low, high = (contacts(feet, FLOOR, below=below) for below in (0.05, 0.3))
    assert (low <= high).all()
    assert np.isfinite(foot_sliding(feet, FLOOR, low)).sum() <= np.isfinite(foot_sliding(feet, FLOOR, high)).sum()
