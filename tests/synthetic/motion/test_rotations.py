"""Rotations against scipy's, and by their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dyad.synthetic.motion.rotations import (
    about,
    between,
    from_euler,
    from_quaternion,
    from_vector,
    orthonormal,
    slerp,
    to_quaternion,
    to_vector,
    twist_angle,
    unit,
)

MANY = Rotation.random(200, random_state=1)


def test_the_forms_of_a_rotation_agree_with_scipy() -> None:
    matrices = MANY.as_matrix()
    wxyz = np.roll(MANY.as_quat(canonical=True), 1, -1)
    np.testing.assert_allclose(from_quaternion(wxyz), matrices, atol=1e-12)
    np.testing.assert_allclose(to_quaternion(matrices), wxyz, atol=1e-12)
    np.testing.assert_allclose(to_vector(matrices), MANY.as_rotvec(), atol=1e-9)
    np.testing.assert_allclose(from_vector(MANY.as_rotvec()), matrices, atol=1e-12)


@pytest.mark.parametrize("order", ["xyz", "zxy", "zyx", "yxz", "x", "zy", "zxz"])
def test_euler_angles_multiply_in_the_order_written(order: str) -> None:
    angles = np.random.default_rng(0).uniform(-3, 3, (20, len(order)))
    expected = Rotation.identity(20)
    for i, letter in enumerate(order):
        expected = expected * Rotation.from_euler(letter, angles[:, i : i + 1])
    np.testing.assert_allclose(from_euler(order, angles), expected.as_matrix(), atol=1e-12)


def test_no_axis_is_no_turn() -> None:
    assert from_euler("", np.zeros((4, 0))).shape == (4, 3, 3)


def test_half_turns_survive() -> None:
    halves = from_vector(np.pi * np.vstack((np.eye(3), unit([[1.0, 1, 0], [1, -1, 1]]))))
    np.testing.assert_allclose(from_vector(to_vector(halves)), halves, atol=1e-9)
    np.testing.assert_allclose(from_quaternion(to_quaternion(halves)), halves, atol=1e-12)


def test_slerp_is_exact_at_its_ends_and_goes_at_one_pace() -> None:
    first, second = MANY[:50].as_matrix(), MANY[50:100].as_matrix()
    assert (slerp(first, second, np.zeros(50)) == first).all()
    assert (slerp(first, second, np.ones(50)) == second).all()
    whole = np.linalg.norm(to_vector(np.swapaxes(first, -1, -2) @ second), axis=-1)
    part = np.linalg.norm(to_vector(np.swapaxes(first, -1, -2) @ slerp(first, second, np.full(50, 0.3))), axis=-1)
    np.testing.assert_allclose(part, 0.3 * whole, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_the_least_turn_reaches_its_end_and_is_the_least(numbers: list[float]) -> None:
    start, end = np.array(numbers[:3]), np.array(numbers[3:])
    if min(np.linalg.norm(start), np.linalg.norm(end)) < 1e-3:
        return
    turn = between(start, end)
    np.testing.assert_allclose(turn @ unit(start), unit(end), atol=1e-7)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    angle = np.arccos(np.clip(unit(start) @ unit(end), -1, 1))
    assert np.linalg.norm(to_vector(turn)) == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize("axis", np.eye(3))
def test_opposite_directions_are_half_a_turn_apart(axis: np.ndarray) -> None:
    turn = between(axis, -axis)
    np.testing.assert_allclose(turn @ axis, -axis, atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_a_twist_is_what_was_twisted() -> None:
    axis = unit([0.3, -0.8, 0.5])
    angles = np.linspace(-3.1, 3.1, 25)
    swing = between(axis, unit([0.1, -0.9, 0.9]))
    np.testing.assert_allclose(twist_angle(swing @ about(axis, angles), axis), angles, atol=1e-9)
    assert abs(twist_angle(swing, axis)) < 1e-9


def test_the_nearest_rotation_is_a_rotation() -> None:
    rough = MANY.as_matrix() + np.random.default_rng(2).normal(0, 1e-3, (200, 3, 3))
    clean = orthonormal(rough)
    np.testing.assert_allclose(clean @ np.swapaxes(clean, -1, -2), np.broadcast_to(np.eye(3), clean.shape), atol=1e-12)
    assert (np.linalg.det(clean) > 0).all()
    assert np.abs(clean - MANY.as_matrix()).max() < 0.01
