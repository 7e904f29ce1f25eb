import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dyad.export.turns import about, between, between_keys, euler_zxy, frame, matrices, slerp, steadied, unit
from dyad.export.twist import steady_turns

UNITS = st.integers(0, 2**31).map(lambda seed: unit(np.random.default_rng(seed).normal(size=(2, 3))))


@given(UNITS)
@settings(max_examples=50, deadline=None)
def test_between_is_the_shortest_turn(ends: np.ndarray) -> None:
    start, end = ends
    turn = Rotation.from_matrix(between(start, end))
    assert turn.apply(start) == pytest.approx(end, abs=1e-9)
    assert turn.magnitude() == pytest.approx(np.arccos(np.clip(start @ end, -1, 1)), abs=1e-6)


def test_between_opposites_is_half_a_turn() -> None:
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    turn = between(axes, -axes)
    assert (turn @ axes[..., None])[..., 0] == pytest.approx(-axes)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_about_and_frame() -> None:
    assert about(np.array([0.0, 0, 1]), np.array(np.pi / 2)) @ [1, 0, 0] == pytest.approx([0, 1, 0])
    assert frame(np.array([0.0, 2, 0]), np.array([-1.0, 5, 0])) == pytest.approx(
        np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    )


def test_angles_are_those_of_scipy_and_do_not_jump() -> None:
    times = np.linspace(0, 1, 400)[:, None]
    # Through the lock at x = 90 degrees, and round about every axis more than once.
    turns = Rotation.from_euler("ZXY", np.concatenate([900 * times, 120 * times, -700 * times], 1), degrees=True)
    angles = euler_zxy(turns.as_quat()[:, None])[:, 0]
    again = Rotation.from_euler("ZXY", angles, degrees=True)
    assert (again * turns.inv()).magnitude().max() < 1e-6
    away = np.abs(angles[:, 1] - 90) > 10
    steps = np.abs(np.diff(angles, axis=0)).max(1)
    assert steps[away[1:] & away[:-1]].max() < 10
    assert angles[-1] == pytest.approx([900, 120, -700], abs=1e-6)
    resumed = euler_zxy(turns.as_quat()[200:, None], angles[199][None])[:, 0]
    assert resumed == pytest.approx(angles[200:], abs=1e-6)


@pytest.mark.parametrize("x", [90.0, -90.0])
def test_angles_where_two_axes_coincide(x: float) -> None:
    turn = Rotation.from_euler("ZXY", [30, x, 50], degrees=True)
    again = Rotation.from_euler("ZXY", euler_zxy(turn.as_quat()[None]), degrees=True)
    assert (again * turn.inv()).magnitude()[0] < 1e-6


def test_slerp_goes_the_short_way_at_a_steady_rate() -> None:
    ends = Rotation.from_euler("y", [[10], [70]], degrees=True).as_quat()
    for second in (ends[1], -ends[1]):
        found = [Rotation.from_quat(slerp(ends[0], second, np.array(s))).as_euler("YXZ", True)[0] for s in (0, 0.25, 1)]
        assert found == pytest.approx([10, 25, 70])
    assert slerp(ends[0], ends[0], np.array(0.3)) == pytest.approx(ends[0])


def test_steadied_keeps_the_rotation_and_loses_the_jumps() -> None:
    smooth = Rotation.from_euler("x", np.linspace(0, 700, 60)[:, None], degrees=True).as_quat()
    found = steadied(np.where((np.arange(60) % 7 < 3)[:, None], -smooth, smooth))
    assert (np.abs((found * smooth).sum(-1)) > 0.999).all()
    assert ((found[1:] * found[:-1]).sum(-1) > 0.9).all()


def test_between_keys_holds_the_ends() -> None:
    before, share = between_keys(np.array([1.0, 2, 4]), np.array([0.0, 1, 1.5, 2, 3, 4, 9]))
    assert (before + share).tolist() == pytest.approx([0, 0, 0.5, 1, 1.5, 2, 2])
    assert between_keys(np.array([5.0]), np.array([0.0, 7]))[0].tolist() == [0, 0]


REST, HINGE = np.array([1.0, 0, 0]), np.array([0.0, -1, 0])
TIMES = np.arange(60) / 25


def arm(turns: Rotation, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of an upper arm that is turned in space, and the axis and sine of the elbow's bend."""
    return turns.apply(REST), turns.apply(HINGE) * np.sin(bend)[:, None]


def test_a_bent_elbow_shows_the_twist() -> None:
    turns = Rotation.from_euler("zyx", np.stack([-60 + 0 * TIMES, 10 * np.sin(TIMES), 40 * TIMES], -1), degrees=True)
    bone, bend = arm(turns, np.full(60, 1.2))
    found = steady_turns(REST, HINGE, bone, bend, TIMES)
    assert (found @ REST) == pytest.approx(bone, abs=1e-9)
    off = (Rotation.from_matrix(found) * turns.inv()).magnitude()
    assert np.degrees(off).max() < 8
    assert np.degrees(off[10:-10]).max() < 3


def test_a_straight_arm_keeps_the_twist_that_it_had() -> None:
    turns = Rotation.from_euler("zx", np.stack([-60 + 20 * np.sin(3 * TIMES), 50 + 0 * TIMES], -1), degrees=True)
    bend = np.where((TIMES > 0.8) & (TIMES < 1.6), 0.02, 0.9)
    noise = np.random.default_rng(0).normal(0, 0.03, (60, 3))
    bone, axis = arm(turns, bend)
    found = steady_turns(REST, HINGE, bone, axis + noise - bone * (noise * bone).sum(-1, keepdims=True), TIMES)
    assert np.degrees((Rotation.from_matrix(found) * turns.inv()).magnitude()).max() < 15
    steps = Rotation.from_matrix(found[:-1].transpose(0, 2, 1) @ found[1:]).magnitude()
    assert np.degrees(steps).max() < 8


def test_an_arm_that_is_never_bent_turns_from_rest_by_the_shortest_way() -> None:
    turns = Rotation.from_rotvec(np.stack([0 * TIMES, 0 * TIMES, -0.3 - 0.4 * TIMES], -1))
    bone, bend = arm(turns, np.zeros(60))
    found = steady_turns(REST, HINGE, bone, bend, TIMES)
    assert np.degrees((Rotation.from_matrix(found) * turns.inv()).magnitude()).max() < 1


def test_pointing_opposite_to_rest_flips_nothing() -> None:
    angle = np.linspace(2.0, 4.2, 60)
    turns = Rotation.from_rotvec(np.stack([0.05 + 0 * TIMES, 0 * TIMES, angle], -1))
    bone, bend = arm(turns, np.zeros(60))
    found = steady_turns(REST, HINGE, bone, bend, TIMES)
    steps = Rotation.from_matrix(found[:-1].transpose(0, 2, 1) @ found[1:]).magnitude()
    assert np.degrees(steps).max() < 12
    assert (found @ REST) == pytest.approx(bone, abs=1e-9)


def test_a_single_frame() -> None:
    turn = Rotation.from_euler("zx", [[-70, 30]], degrees=True)
    bone, bend = arm(turn, np.array([1.0]))
    assert steady_turns(REST, HINGE, bone, bend, np.zeros(1)) == pytest.approx(turn.as_matrix(), abs=0.05)
    assert matrices(turn.as_quat()) == pytest.approx(turn.as_matrix())
