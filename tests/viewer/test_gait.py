import numpy as np
import pytest

from dyad.viewer.gait import gait, slopes

UP = np.array([0.0, -1.0, 0.0])
TIMES = np.arange(0, 6, 1 / 30)


def walk(speed=1.3, stride=1.1, times=TIMES, noise=0.0, start=0.0):
    """Pelvis (n, 3) and ankles (n, 2, 3) of somebody who walks along x, y down."""
    rng = np.random.default_rng(0)
    x = speed * np.maximum(times - start, 0)
    swing = 0.3 * np.sin(2 * np.pi * times / stride) * (times >= start)
    pelvis = np.stack([x, -0.95 + 0.02 * np.cos(4 * np.pi * times / stride), 4 + 0 * x], 1)
    feet = np.stack([np.stack([x + s * swing, -0.08 + 0 * x, 4 + 0.1 * s + 0 * x], 1) for s in (1, -1)], 1)
    return pelvis + noise * rng.standard_normal(pelvis.shape), feet + noise * rng.standard_normal(feet.shape)


@pytest.mark.parametrize(("speed", "stride"), [(0.6, 1.5), (1.3, 1.1), (1.8, 0.95)])
def test_speed_distance_and_cadence(speed, stride):
    pelvis, feet = walk(speed, stride)
    found = gait(TIMES, pelvis, feet, UP, np.ones(len(TIMES), bool))
    assert (found.low, found.speed, found.high) == pytest.approx((speed,) * 3, abs=0.01)
    assert found.distance == pytest.approx(speed * 6, rel=0.02)
    assert found.cadence == pytest.approx(120 / stride, rel=0.01)


def test_noise_and_uneven_times_change_little():
    times = np.sort(np.random.default_rng(1).uniform(0, 8, 220))
    pelvis, feet = walk(times=times, noise=0.02)
    found = gait(times, pelvis, feet, UP, np.ones(len(times), bool))
    assert found.speed == pytest.approx(1.3, abs=0.06)
    assert found.cadence == pytest.approx(120 / 1.1, rel=0.03)


def test_who_stands_does_not_walk_however_the_arms_move():
    pelvis, feet = walk(0.0)
    pelvis[:, 1] += 0.3 * np.sin(9 * TIMES)  # up and down is no way
    found = gait(TIMES, pelvis, feet, UP, np.ones(len(TIMES), bool))
    assert found.walked == found.distance == 0
    assert np.isnan([found.speed, found.cadence]).all()


def test_only_walking_counts():
    pelvis, feet = walk(1.3, start=3.0)
    found = gait(TIMES, pelvis, feet, UP, np.ones(len(TIMES), bool))
    assert found.walked == pytest.approx(3.0, abs=0.3)
    assert found.speed == pytest.approx(1.3, abs=0.02)
    assert found.cadence == pytest.approx(120 / 1.1, rel=0.04)


def test_who_glides_has_no_cadence():
    pelvis, feet = walk()
    feet = np.repeat(pelvis[:, None], 2, 1)
    found = gait(TIMES, pelvis, feet, UP, np.ones(len(TIMES), bool))
    assert found.speed == pytest.approx(1.3, abs=0.01)
    assert np.isnan(found.cadence)
    assert np.isnan(gait(TIMES, pelvis, None, UP, np.ones(len(TIMES), bool)).cadence)


def test_what_was_only_filled_in_is_no_walk():
    pelvis, feet = walk()
    assert gait(TIMES, pelvis, feet, UP, np.zeros(len(TIMES), bool)).walked == 0


def test_slopes_of_a_line_are_exact_and_far_places_cost_no_digits():
    times = 1e4 + TIMES
    values = np.stack([1e4 + 2 * TIMES, -3 * TIMES], 1)
    values[40] = np.nan
    found = slopes(times, values)
    assert np.isnan(found[40]).all()
    rest = np.delete(found, 40, 0)
    assert rest == pytest.approx(np.tile([2.0, -3.0], (len(rest), 1)), abs=1e-6)
    assert np.isnan(slopes(times[:2], values[:2])).all()
    assert slopes(times[:0], values[:0]).shape == (0, 2)
