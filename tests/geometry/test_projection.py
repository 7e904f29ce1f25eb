import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.geometry.projection import distort, project, rays, undistort, unproject

FOCAL = torch.tensor([900.0, 950.0], dtype=torch.float64)
CENTRE = torch.tensor([639.5, 362.0], dtype=torch.float64)
NONE = torch.zeros(5, dtype=torch.float64)
# (k1 k2 p1 p2 k3, largest radius at depth 1 that the lens shows): phone, wide action camera, strong pincushion.
LENSES = [
    ([0.08, -0.15, 0.001, -0.0007, 0.05], 0.8),
    ([-0.30, 0.10, 0.002, 0.001, -0.012], 0.9),
    ([0.5, 0.2, 0.0, 0.0, 0.0], 1.0),
]


def lens(numbers: list[float]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_projection_of_known_points() -> None:
    xyz = torch.tensor([[0.0, 0.0, 5.0], [1.0, 0.0, 2.0], [0.0, -1.0, 2.0]], dtype=torch.float64)
    expected = [[639.5, 362.0], [639.5 + 450, 362.0], [639.5, 362.0 - 475]]
    assert torch.allclose(project(xyz, FOCAL, CENTRE, NONE), lens(expected))


def test_distortion_is_the_five_coefficient_model() -> None:
    """One point worked out by hand for each coefficient: x = 0.3, y = -0.4, so r² = 0.25."""
    at = lens([0.3, -0.4])
    by_hand = {
        0: (0.3 * 0.25, -0.4 * 0.25),
        1: (0.3 * 0.0625, -0.4 * 0.0625),
        2: (2 * 0.3 * -0.4, 0.25 + 2 * 0.16),
        3: (0.25 + 2 * 0.09, 2 * 0.3 * -0.4),
        4: (0.3 * 0.015625, -0.4 * 0.015625),
    }
    for coefficient, shift in by_hand.items():
        numbers = NONE.clone()
        numbers[coefficient] = 1.0
        assert torch.allclose(distort(at, numbers) - at, lens(list(shift)))


@pytest.mark.parametrize(("numbers", "reach"), LENSES)
def test_undistort_inverts_the_lens_over_the_whole_image(numbers: list[float], reach: float) -> None:
    radius = torch.linspace(0, reach, 60, dtype=torch.float64)[:, None]
    angle = torch.linspace(0, 2 * math.pi, 48, dtype=torch.float64)
    ideal = torch.stack((radius * angle.cos(), radius * angle.sin()), -1)
    assert torch.allclose(undistort(distort(ideal, lens(numbers)), lens(numbers)), ideal, atol=1e-12)
    single = undistort(distort(ideal.float(), lens(numbers).float()), lens(numbers).float())
    assert torch.allclose(single, ideal.float(), atol=2e-5)


def test_what_lies_beyond_the_fold_of_a_barrel_has_no_ray() -> None:
    # r - 0.3 r³ is at most 0.7027, at r = 1.054.
    barrel = lens([-0.3, 0, 0, 0, 0])
    seen = undistort(lens([[0.702, 0.0], [0.71, 0.0], [0.0, -3.0], [0.1, 0.1]]), barrel)
    assert torch.isfinite(seen).all(-1).tolist() == [True, False, False, True]


@settings(deadline=None)
@given(x=st.floats(-0.6, 0.6), y=st.floats(-0.6, 0.6), depth=st.floats(0.1, 100), which=st.integers(0, len(LENSES) - 1))
def test_unproject_inverts_project(x: float, y: float, depth: float, which: int) -> None:
    bend = lens(LENSES[which][0])
    xyz = lens([x * depth, y * depth, depth])
    back = unproject(project(xyz, FOCAL, CENTRE, bend), xyz[2], FOCAL, CENTRE, bend)
    assert torch.allclose(back, xyz, rtol=1e-9, atol=1e-9 * depth)


def test_rays_have_depth_one_and_meet_their_points() -> None:
    xyz = lens([[1.0, -2.0, 4.0], [0.3, 0.2, 1.0]])
    assert torch.allclose(rays(project(xyz, FOCAL, CENTRE, NONE), FOCAL, CENTRE, NONE), xyz / xyz[:, 2:])


def test_what_is_not_in_front_is_missing() -> None:
    xyz = lens([[1.0, 1.0, 0.0], [1.0, 1.0, -2.0], [math.nan, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert torch.isnan(project(xyz, FOCAL, CENTRE, NONE)).any(-1).tolist() == [True, True, True, False]


def test_nobody_projects_to_nothing() -> None:
    bend = lens(LENSES[0][0])
    assert project(torch.zeros(0, 17, 3).double(), FOCAL, CENTRE, bend).shape == (0, 17, 2)
    assert rays(torch.zeros(0, 17, 2).double(), FOCAL, CENTRE, bend).shape == (0, 17, 3)


def test_leading_dimensions_of_the_camera_broadcast() -> None:
    xyz = torch.randn(3, 17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.3 + lens([0, 0, 4])
    focals = lens([[800, 800], [900, 900], [1000, 1010]])[:, None]
    bends = torch.stack([lens(numbers) for numbers, _ in LENSES])[:, None]
    together = project(xyz, focals, CENTRE, bends)
    for i in range(3):
        assert torch.allclose(together[i], project(xyz[i], focals[i], CENTRE, bends[i]))
    assert torch.allclose(unproject(together, xyz[..., 2], focals, CENTRE, bends), xyz)


@settings(max_examples=3, deadline=None)
@given(which=st.integers(0, len(LENSES) - 1), seed=st.integers(0, 1000))
def test_gradients_pass_through_the_lens(which: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    xy = (torch.rand(2, 2, dtype=torch.float64, generator=generator) - 0.5).requires_grad_()
    bend = lens(LENSES[which][0])
    assert torch.autograd.gradcheck(lambda at: undistort(distort(at, bend), bend), (xy,))
