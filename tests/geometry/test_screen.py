import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dyad.geometry.projection import project
from dyad.geometry.screen import from_screen, project_to_screen, to_screen

PLAIN = torch.tensor([2.2, 2.3, 0.03, -0.02, 0, 0, 0, 0, 0], dtype=torch.float64)


def test_the_screen_runs_from_minus_one_to_one_across() -> None:
    corners = torch.tensor([[0.0, 0.0], [1000.0, 500.0], [500.0, 250.0]], dtype=torch.float64)
    expected = torch.tensor([[-1.0, -0.5], [1.0, 0.5], [0.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(to_screen(corners, (1000, 500)), expected)


@given(st.floats(-2000, 2000), st.floats(-2000, 2000), st.integers(1, 4000), st.integers(1, 4000))
def test_there_and_back(x: float, y: float, width: int, height: int) -> None:
    point = torch.tensor([x, y], dtype=torch.float64)
    back = from_screen(to_screen(point, (width, height)), (width, height))
    assert back.tolist() == pytest.approx([x, y], abs=1e-8)


def test_without_a_lens_it_is_a_pinhole() -> None:
    points = torch.tensor([[0.5, -0.25, 2.0], [-1.0, 0.3, 4.0]], dtype=torch.float64)
    expected = project(points, PLAIN[:2], PLAIN[2:4], torch.zeros(5, dtype=torch.float64))
    assert torch.allclose(project_to_screen(points, PLAIN), expected)
    assert torch.allclose(project_to_screen(points, PLAIN, lens=False), expected)


def test_the_lens_by_hand() -> None:
    """x = 0.3, y = -0.4, so r² = 0.25: each number of the lens by itself."""
    point = torch.tensor([[0.6, -0.8, 2.0]], dtype=torch.float64)
    by_hand = {4: (0.075, -0.1), 5: (0.01875, -0.025), 6: (0.0046875, -0.00625), 7: (0.34, -0.12), 8: (-0.12, 0.41)}
    for place, expected in by_hand.items():
        lens = torch.tensor([1.0, 1, 0, 0, 0, 0, 0, 0, 0], dtype=torch.float64)
        lens[place] = 1
        moved = project_to_screen(point, lens)[0] - torch.tensor([0.3, -0.4], dtype=torch.float64)
        assert moved.tolist() == pytest.approx(expected)


def test_far_to_the_side_it_stops_at_45_degrees() -> None:
    points = torch.tensor([[9.0, -9.0, 2.0], [2.0, -2.0, 2.0]], dtype=torch.float64)
    on_screen = project_to_screen(points, PLAIN)
    assert torch.allclose(on_screen[0], on_screen[1])


def test_each_pose_has_its_own_camera() -> None:
    points = torch.rand(3, 17, 3, dtype=torch.float64) + torch.tensor([0, 0, 3.0])
    cameras = torch.rand(3, 9, dtype=torch.float64)
    each = torch.stack([project_to_screen(p, c) for p, c in zip(points, cameras, strict=True)])
    assert torch.allclose(project_to_screen(points, cameras), each)
