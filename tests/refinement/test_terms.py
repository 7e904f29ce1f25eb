"""Each energy: its value on cases done by hand, its gradient, and what it says of missing joints, sizes and rates."""

import pytest
import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, pixels
from dyad.refinement import residuals, terms
from dyad.refinement.readings import Readings, cut
from dyad.refinement.residuals import Setting
from dyad.refinement.terms import smooth_l1
from dyad.refinement.views import Flat, Perspective, WeakPerspective

FRAMES, PEOPLE, JOINTS = 4, 2, 3
SIZE = (1000, 800)
BONES = ((0, 1), (1, 2))


def setting(*, fps: float = 10.0, size: tuple[int, int] = SIZE, present: Tensor | None = None, **given) -> Setting:
    there = torch.ones(FRAMES, PEOPLE, dtype=torch.bool) if present is None else present
    return Setting.of(there, torch.arange(len(there), dtype=torch.float64) / fps, size, **given)


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sheet(matrix: list[list[float]], size: tuple[int, int] = (64, 48)) -> Flow:
    """A flow that is linear in the place: uv = matrix (x, y, 1)."""
    xy = pixels(size)
    return Flow((torch.cat((xy, torch.ones(*xy.shape[:2], 1)), -1) @ torch.tensor(matrix).T).movedim(-1, 0))


def as_kept(flow: Flow) -> Flow:
    """The flow as a `FlowShelf` keeps it, so that windows of it are exact."""
    return Flow(flow.uv.half().float(), flow.valid, flow.occluded)


def readings(flow: Flow, xy: Tensor, *, radius: int = 12, **given: bool) -> Readings:
    wanted = torch.ones(xy.shape[:2], dtype=torch.bool)
    return cut([flow] * len(xy), xy, wanted, radius=radius, **given)


def ones(*shape: int) -> Tensor:
    return torch.ones(*shape, dtype=torch.float64)


def test_smooth_l1_is_a_parabola_and_then_a_line() -> None:
    values = torch.tensor([0.0, 0.5, -0.5, 1.0, 3.0, -3.0])
    assert smooth_l1(values).tolist() == [0.0, 0.125, 0.125, 0.5, 2.5, 2.5]


def test_three_d_by_hand() -> None:
    initial = numbers(FRAMES, PEOPLE, JOINTS, 3)
    moved = initial.clone()
    moved[1, 0, 2, 1] += 0.2
    energy = terms.three_d(moved, initial, setting(), weight=ones(FRAMES, PEOPLE, JOINTS))
    assert energy.tolist() == pytest.approx([0.02 / (FRAMES * JOINTS * 3), 0.0])


def test_two_d_weighs_outside_of_rho() -> None:
    xy = 10 * numbers(FRAMES, PEOPLE, JOINTS, 2)
    seen = ones(FRAMES, PEOPLE, JOINTS)
    seen[2, 1, 0] = 0.25
    off = xy.clone()
    off[2, 1, 0, 0] += 5.0
    energy = terms.two_d(xy, off, setting(), weight=seen)
    assert energy.tolist() == pytest.approx([0.0, 0.25 * 4.5 / (FRAMES * JOINTS * 2)])


def test_position_and_acceleration_by_hand() -> None:
    still = numbers(1, PEOPLE, JOINTS, 3).expand(FRAMES, -1, -1, -1)
    steady = still + 0.1 * torch.arange(FRAMES, dtype=torch.float64)[:, None, None, None]
    assert terms.position(still, setting()).tolist() == [0.0, 0.0]
    assert terms.position(steady, setting()).tolist() == pytest.approx([0.005 * (FRAMES - 1) / FRAMES] * 2)
    assert terms.acceleration(steady, setting()).tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    kinked = still.clone()
    kinked[-1] += 0.1
    assert terms.acceleration(kinked, setting()).tolist() == pytest.approx([0.005 / FRAMES] * 2)


def test_bones_may_turn_but_not_grow() -> None:
    turned = torch.zeros(2, 1, JOINTS, 3, dtype=torch.float64)
    turned[0, 0, :, 0] = turned[1, 0, :, 1] = torch.tensor((0.0, 0.3, 0.7))
    there = setting(present=torch.ones(2, 1, dtype=torch.bool))
    assert terms.bone(turned, BONES, there).item() == pytest.approx(0.0, abs=1e-12)
    turned[1] *= 1.1
    expected = 0.5 * (0.03**2 + 0.04**2) / (2 * 2)
    assert terms.bone(turned, BONES, there).item() == pytest.approx(expected)


def test_camera_by_hand() -> None:
    cameras = torch.zeros(FRAMES, PEOPLE, 3, dtype=torch.float64)
    cameras[2:, 1, 0] = 0.4
    assert terms.camera(cameras, setting()).tolist() == pytest.approx([0.0, 0.08 / (FRAMES * 3)])


def test_flow_is_zero_for_points_that_it_moves_and_counts_what_is_left() -> None:
    matrix = [[0.02, 0.01, 1.0], [-0.01, 0.03, -0.5]]
    flow = as_kept(sheet(matrix))
    xy = torch.empty(FRAMES, PEOPLE, JOINTS, 2, dtype=torch.float64)
    xy[0] = 25 + 5 * numbers(PEOPLE, JOINTS, 2)
    for frame in range(1, FRAMES):
        xy[frame] = xy[frame - 1] + flow.at(xy[frame - 1])
    near, trusted = readings(flow, xy[:-1]), ones(FRAMES - 1, PEOPLE, JOINTS)
    assert terms.optical(xy, near, setting(), weight=trusted).abs().max() < 1e-9
    # Read where the step ends, as the equation is printed, the flow of another place is taken.
    assert terms.optical(xy, readings(flow, xy[1:]), setting(), weight=trusted, reading="end").min() > 1e-5
    for wrong in (xy.flip(0), xy.flip(-1)):
        assert terms.optical(wrong, readings(flow, wrong[:-1]), setting(), weight=trusted).min() > 0.05
    off = xy.clone()
    off[-1, 0, 1, 0] += 0.5
    count = FRAMES * JOINTS * 2
    assert terms.optical(off, near, setting(), weight=trusted)[0].item() == pytest.approx(0.125 / count, rel=1e-5)


def test_where_a_flow_is_read_has_a_slope() -> None:
    flow = sheet([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
    xy = torch.full((2, 1, 1, 2), 20.25, dtype=torch.float64, requires_grad=True)
    there, trusted = setting(present=torch.ones(2, 1, dtype=torch.bool)), ones(1, 1, 1)
    with torch.no_grad():
        near = readings(flow, xy[:-1])
    value = residuals.optical(xy, near, there, weight=trusted).value[0, 0, 0, 0]
    assert torch.autograd.grad(value, xy)[0][:, 0, 0, 0].tolist() == pytest.approx([1.5, -1.0])
    value = residuals.optical(xy, near, there, weight=trusted, reading="end").value[0, 0, 0, 0]
    assert torch.autograd.grad(value, xy)[0][:, 0, 0, 0].tolist() == pytest.approx([1.0, -0.5])


def test_gradients_of_all_terms() -> None:
    points = numbers(FRAMES, PEOPLE, JOINTS, 3, scale=0.2, seed=1).requires_grad_()
    cameras = numbers(FRAMES, PEOPLE, 3, scale=0.1, seed=2).requires_grad_()
    xy = (20.3 + 3 * numbers(FRAMES, PEOPLE, JOINTS, 2, seed=3)).requires_grad_()
    flow = sheet([[0.02, 0.05, 1.0], [-0.04, 0.03, -0.5]])
    with torch.no_grad():
        near = {"start": readings(flow, xy[:-1]), "end": readings(flow, xy[1:])}
    there, weight = setting(size=(100, 80)), ones(FRAMES, PEOPLE, JOINTS)
    initial, detected = numbers(FRAMES, PEOPLE, JOINTS, 3, scale=0.2), xy.detach() + 0.03
    check = torch.autograd.gradcheck
    assert check(lambda x: terms.three_d(x, initial, there, weight=weight), points)
    assert check(lambda x: terms.two_d(x, detected, there, weight=weight), xy)
    assert check(lambda x: terms.position(x, there), points)
    assert check(lambda x: terms.acceleration(x, there), points)
    assert check(lambda x: terms.bone(x, BONES, there), points)
    assert check(lambda x: terms.camera(x, there), cameras)
    for reading, close in near.items():
        assert check(lambda x, n=close, r=reading: terms.optical(x, n, there, weight=weight[1:], reading=r), xy)


@pytest.mark.parametrize("name", ["perspective", "weak", "flat"])
def test_gradients_through_the_projection(name: str) -> None:
    lens = Camera.from_focal((640, 480), 500.0)
    lens = Camera(lens.size, lens.focal, lens.centre, torch.tensor((0.1, -0.05, 0.001, 0.002, 0.0)))
    unit, origin = ones(FRAMES, PEOPLE), numbers(FRAMES, PEOPLE, 2)
    view = {"perspective": Perspective(lens), "weak": WeakPerspective(80 * unit, origin), "flat": Flat()}[name]
    ahead = torch.tensor((0.0, 0.0, 4.0), dtype=torch.float64)
    points = numbers(FRAMES, PEOPLE, JOINTS, view.dims, scale=0.3) + ahead[: view.dims]
    cameras = 1 + numbers(FRAMES, PEOPLE, 1, 3, scale=0.1).expand(-1, -1, JOINTS, -1)
    points, cameras = points.requires_grad_(), cameras.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, c: view.project(x, c), (points, cameras))


def test_projections_by_hand() -> None:
    point = torch.tensor((0.5, -1.0, 2.0), dtype=torch.float64).view(1, 1, 1, 3)
    seen = Perspective(Camera.from_focal((101, 81), 100.0)).project(point)
    assert seen.flatten().tolist() == pytest.approx([50 + 25, 40 - 50])
    weak = WeakPerspective.of_crops(ones(1, 1) * 2, torch.tensor([[[30.0, 50.0]]]))
    camera = torch.tensor((0.8, 0.1, -0.2), dtype=torch.float64).view(1, 1, 1, 3)
    assert weak.project(point, camera).flatten().tolist() == pytest.approx([15 + 56 * 0.48, 25 - 56 * 0.96])
    behind = Perspective(Camera.guess((10, 10))).project(-point.requires_grad_())
    assert behind.isnan().all()
    assert torch.autograd.grad(behind.nansum(), point)[0].abs().max() == 0


def test_a_camera_for_every_frame() -> None:
    focal = torch.tensor((100.0, 200.0)).view(2, 1, 1, 1).expand(2, 1, 1, 2)
    camera = Camera((100, 100), focal, torch.full((2, 1, 1, 2), 49.5))
    xy = Perspective(camera).project(torch.tensor((0.1, 0.0, 1.0)).expand(2, 1, 3, 3))
    assert xy[:, 0, 0, 0].tolist() == pytest.approx([59.5, 69.5])


def test_a_weak_camera_is_found_again() -> None:
    view = WeakPerspective(50 * ones(FRAMES, PEOPLE), numbers(FRAMES, PEOPLE, 2))
    points, cameras = numbers(FRAMES, PEOPLE, JOINTS, 3), 1 + numbers(FRAMES, PEOPLE, 3, scale=0.1)
    xy = view.project(points, cameras[:, :, None])
    points[0, 0, 0] = torch.nan
    assert torch.allclose(view.fitted(points, xy, ones(FRAMES, PEOPLE, JOINTS)), cameras)


def test_what_is_absent_counts_as_zero_and_has_no_slope() -> None:
    present = torch.ones(FRAMES, PEOPLE, dtype=torch.bool)
    present[1, 1] = False
    xyz = numbers(FRAMES, PEOPLE, JOINTS, 3)
    xyz[2, 0, 1] = torch.nan
    xyz[1, 1] = torch.nan
    there, weight = setting(present=present), ones(FRAMES, PEOPLE, JOINTS)
    free = torch.nan_to_num(xyz).requires_grad_()
    points = torch.where(xyz.isfinite(), free, torch.nan)
    energies = [
        terms.three_d(points, torch.zeros_like(xyz), there, weight=weight),
        terms.position(points, there),
        terms.acceleration(points, there),
        terms.bone(points, BONES, there),
        terms.two_d(points[..., :2], torch.zeros_like(xyz)[..., :2], there, weight=weight),
    ]
    for energy in energies:
        slope = torch.autograd.grad(energy.sum(), free, retain_graph=True)[0]
        assert energy.isfinite().all()
        assert slope.isfinite().all()
        assert slope[~xyz.isfinite()].abs().max() == 0
    # The second person is there in frames 0, 2 and 3: one step, no change of motion.
    assert energies[2][1] == 0
    expected = smooth_l1(xyz[3, 1] - xyz[2, 1]).sum() / (3 * JOINTS * 3)
    assert energies[1][1].item() == pytest.approx(expected.item())


def test_nothing_is_tied_across_a_cut() -> None:
    xyz = numbers(FRAMES, PEOPLE, JOINTS, 3)
    shot = torch.tensor((0, 0, 1, 1))
    moved = xyz.clone()
    moved[2:] += 10
    for term in (terms.position, terms.acceleration):
        assert torch.allclose(term(xyz, setting(shot=shot)), term(moved, setting(shot=shot)))
    assert setting(shot=shot).joined[:, 0].tolist() == [True, False, True]


def test_an_image_twice_as_large_has_the_same_energy() -> None:
    xy = 20 + 4 * numbers(FRAMES, PEOPLE, JOINTS, 2)
    matrix = [[0.02, 0.05, 1.0], [-0.04, 0.03, -0.5]]
    small, trusted = sheet(matrix), ones(FRAMES - 1, PEOPLE, JOINTS)
    large = small.resize(128, 96)
    twice = 2 * xy + 0.5
    one = terms.optical(xy, readings(small, xy[:-1]), setting(size=small.size), weight=trusted)
    two = terms.optical(twice, readings(large, twice[:-1], radius=24), setting(size=large.size), weight=trusted)
    assert torch.allclose(one, two, rtol=1e-4)
    weight = ones(FRAMES, PEOPLE, JOINTS)
    one = terms.two_d(xy, xy + 1, setting(size=(64, 48)), weight=weight)
    assert torch.allclose(one, terms.two_d(twice, twice + 2, setting(size=(128, 96)), weight=weight))


def test_twice_the_frames_have_the_same_energy() -> None:
    times = {fps: torch.arange(40 * fps // 10 + 1) / fps for fps in (10, 20, 40)}
    found = []
    for fps, t in times.items():
        xyz = torch.sin(0.7 * t.double())[:, None, None, None] * numbers(1, 1, JOINTS, 3)
        there = setting(fps=fps, present=torch.ones(len(t), 1, dtype=torch.bool))
        found.append([terms.position(xyz, there).item(), terms.acceleration(xyz, there).item()])
    assert found[0] == pytest.approx(found[1], rel=0.06)
    assert found[1] == pytest.approx(found[2], rel=0.03)


def test_uneven_times_are_taken_as_they_are() -> None:
    times = torch.tensor((0.0, 0.1, 0.25, 0.3), dtype=torch.float64)
    there = Setting.of(torch.ones(FRAMES, 1, dtype=torch.bool), times, SIZE)
    steady = times[:, None, None, None] * numbers(1, 1, JOINTS, 3)
    value = residuals.position(steady, there).value
    assert torch.allclose(value, value[:1].expand_as(value))
    assert terms.acceleration(steady, there).item() == pytest.approx(0.0, abs=1e-12)


def test_windows_read_as_the_whole_flow_does() -> None:
    flow = as_kept(Flow(torch.randn(2, 48, 64, generator=torch.Generator().manual_seed(0))))
    xy = torch.tensor([[0.2, 0.3], [63.4, 47.4], [30.7, 20.1], [-0.4, 20.0], [90.0, 5.0], [torch.nan, 3.0]])
    near = readings(flow, xy[None, None], radius=3)
    assert near.uv.shape[-2:] == (7, 7)
    assert torch.allclose(near.at(xy[None, None])[0, 0], flow.at(xy), equal_nan=True)
    # Farther on the window's edge is repeated, without a jump, where there was anything to read at first.
    assert torch.equal(near.at(xy[None, None] + 9)[0, 0, 2], flow.at(torch.tensor([[34.0, 23.0]]))[0])
    assert torch.equal(near.at(xy[None, None] + 9).isnan(), near.at(xy[None, None]).isnan())


def test_windows_are_small_and_exact_far_from_the_corner() -> None:
    """16 bits hold a shelf's flow, but not a place in a large image."""
    chance = torch.Generator().manual_seed(0)
    flow = as_kept(Flow(torch.randn(2, 40, 3000, generator=chance)))
    xy = torch.tensor([[2899.3, 20.6], [2700.75, 20.25]], dtype=torch.float64)
    near = readings(flow, xy[None, None], radius=10)
    assert near.uv.element_size() == 2
    read = near.at(xy[None, None])
    assert read.dtype == torch.float64
    torch.testing.assert_close(read[0, 0], flow.at(xy), atol=1e-9, rtol=0)
    # A place that is unknown, but not its neighbours, is known to be so.
    flow.uv[:, 20, 2899] = torch.nan
    assert readings(flow, xy[None, None], radius=10).counted[0, 0].tolist() == [False, True]


def test_flow_spreads_on_an_edge_alone() -> None:
    moves = torch.arange(64).expand(48, 64) >= 32
    flow = Flow(torch.stack((6.0 * moves, 8.0 * moves)))
    xy = torch.tensor([[10.0, 20.0], [31.5, 20.0], [50.0, 20.0], [33.0, 20.0]])
    known = readings(flow, xy[None, None], radius=8).spread[0, 0]
    # Half of the columns around the edge stand still and half move by 10 px.
    assert known.tolist()[::2] == [0, 0]
    assert max(known[1], known[3]) <= 10
    slope = Flow(torch.stack((torch.arange(64.0).expand(48, 64), torch.zeros(48, 64))))
    assert readings(slope, xy[None, None], radius=8).spread[0, 0].tolist() == [2, 2, 2, 2]
    assert readings(Flow(torch.full((2, 48, 64), torch.nan)), xy[None, None]).spread.isnan().all()


def test_hidden_and_unwanted_flow_is_not_read() -> None:
    flow = Flow(torch.ones(2, 20, 20), occluded=torch.arange(20).expand(20, 20) < 10)
    xy = torch.tensor([[5.0, 5.0], [15.0, 5.0]])[None, None]
    assert readings(flow, xy).at(xy).isnan()[0, 0, :, 0].tolist() == [True, False]
    assert readings(flow, xy, hidden=True).at(xy).isfinite().all()
    assert cut([flow], xy, torch.zeros(1, 1, dtype=torch.bool), radius=2).at(xy).isnan().all()
    with pytest.raises(BadInput, match="2 frames have 1 flows between them, got 2"):
        cut([flow, flow], xy, torch.ones(1, 1, dtype=torch.bool), radius=2)
