import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dyad.geometry.rigid import from_quaternion, to_camera, to_world


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_quarter_turn_about_each_axis() -> None:
    half = math.sqrt(0.5)
    x, y, z = torch.eye(3, dtype=torch.float64)
    for axis, before, after in ((0, y, z), (1, z, x), (2, x, y)):
        quaternion = torch.tensor([half, 0.0, 0.0, 0.0], dtype=torch.float64)
        quaternion[1 + axis] = half
        assert torch.allclose(from_quaternion(quaternion) @ before, after)


@given(st.integers(0, 10_000))
def test_rotations_keep_lengths_and_handedness_and_both_signs_are_one(seed: int) -> None:
    quaternion = drawn(seed, 5, 4)
    rotation = from_quaternion(quaternion)
    assert torch.allclose(rotation @ rotation.transpose(-1, -2), torch.eye(3, dtype=torch.float64).expand(5, 3, 3))
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(5, dtype=torch.float64))
    assert torch.allclose(from_quaternion(-2 * quaternion), rotation)


@given(st.integers(0, 10_000))
def test_there_and_back(seed: int) -> None:
    points, rotation, place = drawn(seed, 4, 7, 3), from_quaternion(drawn(seed + 1, 4, 4)), drawn(seed + 2, 4, 3)
    assert torch.allclose(to_world(to_camera(points, rotation, place), rotation, place), points)
    assert torch.allclose(to_camera(place[:, None], rotation, place), torch.zeros(4, 1, 3, dtype=torch.float64))
    one = to_camera(points, rotation[0], place[0])
    assert torch.allclose(one[0], to_camera(points[0], rotation[0], place[0]))


def test_what_lies_along_the_cameras_third_axis_is_in_front_of_it() -> None:
    rotation, place = from_quaternion(drawn(3, 4)), drawn(4, 3)
    ahead = place + 2 * rotation[:, 2]
    assert to_camera(ahead[None], rotation, place)[0].tolist() == pytest.approx([0, 0, 2], abs=1e-12)
