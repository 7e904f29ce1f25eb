"""A flow read between pixels, warped, checked against the flow back, resized, cut and mirrored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow, Flows, Lazy, between, inside, pixels

W, H = 13, 9


def affine(matrix, shift, size=(W, H)) -> Flow:
    """The flow x → matrix x + shift (so uv = that - x), which bilinear reading gives back exactly."""
    xy = pixels(size).double()
    to = xy @ torch.tensor(matrix, dtype=torch.float64).T + torch.tensor(shift, dtype=torch.float64)
    return Flow((to - xy).movedim(-1, 0))


def random_flow(seed: int, *, batch: tuple[int, ...] = ()) -> Flow:
    generator = torch.Generator().manual_seed(seed)
    return Flow(3 * torch.randn(*batch, 2, H, W, generator=generator))


def test_shapes_are_checked_and_floats_are_float32():
    flow = Flow(torch.zeros(2, H, W, dtype=torch.float64), torch.ones(H, W))
    assert flow.uv.dtype == torch.float32
    assert flow.valid.dtype == torch.bool
    assert flow.size == (W, H)
    with pytest.raises(BadInput, match=r"\(…, 2, H, W\)"):
        Flow(torch.zeros(H, W, 2))
    with pytest.raises(BadInput, match=r"valid should have the shape \(9, 13\)"):
        Flow(torch.zeros(2, H, W), torch.ones(W, H))


def test_at_pixel_centres_it_is_the_pixel_itself():
    flow = random_flow(0)
    assert torch.equal(flow.at(pixels((W, H))), flow.uv.movedim(0, -1))


def test_an_affine_flow_is_read_exactly_between_pixels():
    flow = affine([[1.1, 0.2], [-0.1, 0.9]], [2.0, -1.0])
    xy = torch.rand(200, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor((W - 1, H - 1))
    expected = xy @ torch.tensor([[0.1, 0.2], [-0.1, -0.1]]).T + torch.tensor([2.0, -1.0])
    assert torch.allclose(flow.at(xy), expected, atol=2e-5)


def test_outside_is_nan_and_the_outermost_half_pixel_is_inside():
    flow = random_flow(2)
    xy = torch.tensor(
        [[-0.5, 0.0], [W - 0.5, H - 0.5], [-0.51, 0.0], [0.0, H - 0.49], [np.nan, 1.0], [np.inf, 1.0], [-0.3, 4.0]]
    )
    value = flow.at(xy)
    assert torch.isfinite(value).all(-1).tolist() == [True, True, False, False, False, False, True]
    assert torch.equal(value[0], flow.uv[:, 0, 0])
    assert torch.equal(value[1], flow.uv[:, -1, -1])
    assert torch.equal(inside(xy, (W, H)), torch.isfinite(value).all(-1))


def test_gradients_in_flow_and_position_are_right():
    generator = torch.Generator().manual_seed(3)
    uv = torch.randn(2, 3, 5, 6, dtype=torch.float64, generator=generator).requires_grad_()
    xy = (torch.rand(2, 7, 2, dtype=torch.float64, generator=generator) * 4.5 - 0.2).requires_grad_()
    assert torch.autograd.gradcheck(between, (uv, xy))


def test_the_slope_at_a_pixel_centre_is_that_to_the_next_pixel():
    flow = random_flow(4)
    xy = torch.tensor([[4.0, 3.0]], requires_grad=True)
    flow.at(xy)[0, 0].backward()
    u = flow.uv[0]
    assert torch.allclose(xy.grad, torch.stack((u[3, 5] - u[3, 4], u[4, 4] - u[3, 4]))[None])


def test_beside_an_unknown_pixel_the_slope_towards_it_is_level():
    uv = random_flow(4).uv
    uv[:, 3, 5] = torch.nan
    xy = torch.tensor([[4.0, 3.0]], requires_grad=True)
    Flow(uv).at(xy)[0, 0].backward()
    assert torch.allclose(xy.grad, torch.stack((torch.tensor(0.0), uv[0, 4, 4] - uv[0, 3, 4]))[None])


def test_unknown_pixels_make_unknown_points_and_never_nan_gradients():
    uv = random_flow(5).uv
    uv[:, 3, 4] = torch.nan
    uv[:, 6, 6] = 1e30
    valid = torch.ones(H, W, dtype=torch.bool)
    valid[6, 6] = False
    uv.requires_grad_()
    flow = Flow(uv, valid)
    assert int((~flow.known).sum()) == 2
    xy = torch.tensor(
        [[4.0, 3.0], [3.5, 3.0], [3.0, 3.0], [3.0, 2.5], [5.5, 6.0], [6.5, 5.5], [5.0, 6.0], [99.0, 0.0]],
        requires_grad=True,
    )
    value = flow.at(xy)
    assert torch.isfinite(value).all(-1).tolist() == [False, False, True, True, False, False, True, False]
    torch.nan_to_num(value).square().sum().backward()
    assert torch.isfinite(xy.grad).all()
    assert torch.isfinite(uv.grad).all()
    assert (xy.grad[~torch.isfinite(value).all(-1)] == 0).all()


def test_a_batch_reads_each_flow_at_its_own_points():
    flow = random_flow(6, batch=(4,))
    xy = torch.rand(4, 5, 3, 2) * 8
    together = flow.at(xy)
    assert together.shape == (4, 5, 3, 2)
    assert torch.equal(together, torch.stack([flow[i].at(xy[i]) for i in range(4)]))
    assert len(flow) == 4
    assert torch.equal(Flow.stack([flow[i] for i in range(4)]).uv, flow.uv)
    assert flow[1:3].uv.shape == (2, 2, H, W)
    with pytest.raises(BadInput, match="points to read"):
        flow.at(xy[:3])
    with pytest.raises(TypeError):
        len(flow[0])


@given(st.integers(0, 100), st.floats(-20, 20), st.floats(-20, 20))
@settings(max_examples=30, deadline=None)
def test_reading_is_linear_in_the_flow(seed, a, b):
    one, two = random_flow(seed), random_flow(seed + 1)
    xy = torch.rand(20, 2, generator=torch.Generator().manual_seed(seed)) * 8
    mixed = Flow(a * one.uv + b * two.uv).at(xy)
    assert torch.allclose(mixed, a * one.at(xy) + b * two.at(xy), atol=1e-3)


def test_warping_the_next_image_gives_this_one():
    second = torch.rand(3, H, W)
    flow = Flow(torch.stack((torch.full((H, W), 2.0), torch.full((H, W), -1.0))))
    first = flow.warp(second)
    assert torch.equal(first[:, 1:, : W - 2], second[:, : H - 1, 2:])
    assert torch.isnan(first[:, 0]).all()
    assert torch.isnan(first[:, :, W - 2 :]).all()
    with pytest.raises(BadInput, match="cannot warp"):
        flow.warp(torch.rand(3, H, W + 1))


def test_a_flow_and_its_inverse_agree_and_another_does_not():
    matrix, shift = np.array([[1.05, 0.02], [-0.03, 0.97]]), np.array([0.4, -0.3])
    inverse = np.linalg.inv(matrix)
    forth, back = affine(matrix, shift), affine(inverse, -inverse @ shift)
    miss = forth.disagreement(back)
    stays = inside(forth.targets(), (W, H))
    # The outermost half pixel repeats its pixel, so what lands there may be off by half a step of the flow.
    well = inside(forth.targets(), (W, H)) & (
        (forth.targets() >= 0) & (forth.targets() <= torch.tensor([W - 1, H - 1]))
    ).all(-1)
    assert float(miss[well].max()) < 1e-4
    assert torch.isnan(miss[~stays]).all()
    assert torch.equal(forth.occlusion(back), ~stays)
    assert forth.occlusion(Flow(-back.uv - 3))[well].all()


def test_what_a_moving_square_covers_is_occluded():
    # A square at x 2..4 goes 3 px to the right over a still background.
    def scene(x0: int, u: float) -> torch.Tensor:
        uv = torch.zeros(2, H, W)
        uv[0, 3:6, x0 : x0 + 3] = u
        return uv

    forth, back = Flow(scene(2, 3.0)), Flow(scene(5, -3.0))
    covered = torch.zeros(H, W, dtype=torch.bool)
    covered[3:6, 5:8] = True
    assert torch.equal(forth.occlusion(back), covered)
    unknown = Flow(back.uv, torch.zeros(H, W))
    assert not forth.occlusion(unknown).any()


@pytest.mark.parametrize("size", [(26, 18), (7, 5), (13, 9), (40, 4)])
def test_resizing_keeps_where_things_go(size):
    flow = affine([[1.1, 0.05], [-0.02, 0.95]], [0.5, 0.3])
    small = flow.resize(*size)
    assert small.size == size
    scale = torch.tensor(size) / torch.tensor((W, H))
    xy = torch.rand(100, 2) * torch.tensor((W - 3.0, H - 3.0)) + 1
    there = (xy + 0.5) * scale - 0.5
    where = (xy + flow.at(xy) + 0.5) * scale - 0.5
    inner = (
        inside(there + 1, (size[0] - 1, size[1] - 1)) & (there >= 1).all(-1) & (there <= torch.tensor(size) - 2).all(-1)
    )
    assert torch.allclose((there + small.at(there))[inner], where[inner], atol=2e-4)
    if size == (W, H):
        assert torch.allclose(small.uv, flow.uv, atol=1e-5)


def test_resizing_by_two_and_back_of_masks():
    occluded = torch.zeros(H, W, dtype=torch.bool)
    occluded[2:4, 5] = True
    valid = torch.ones(H, W, dtype=torch.bool)
    valid[7, 1] = False
    large = Flow(torch.zeros(2, H, W), valid, occluded).resize(2 * W, 2 * H)
    assert torch.equal(large.occluded, occluded.repeat_interleave(2, 0).repeat_interleave(2, 1))
    assert not large.known[14:16, 2:4].any()
    assert torch.equal(large.resize(W, H).occluded, occluded)
    with pytest.raises(BadUsage, match="1x1"):
        large.resize(0, 4)


def test_parts_and_mirrors():
    flow = Flow(random_flow(7).uv, torch.rand(H, W) > 0.2, torch.rand(H, W) > 0.5)
    part = flow.crop(3, 2, 5, 4)
    assert torch.equal(part.uv, flow.uv[:, 2:6, 3:8])
    assert torch.equal(part.valid, flow.valid[2:6, 3:8])
    for wrong in ((-1, 0, 2, 2), (0, 0, W + 1, 2), (3, 2, 0, 1), (12, 0, 2, 1)):
        with pytest.raises(BadUsage, match="not inside"):
            flow.crop(*wrong)
    twice = flow.flip().flip()
    assert torch.equal(twice.uv, flow.uv)
    assert torch.equal(twice.occluded, flow.occluded)
    xy = torch.tensor([[2.25, 3.5]])
    mirrored = torch.tensor([[W - 1 - 2.25, 3.5]])
    plain = Flow(flow.uv)
    assert torch.allclose(plain.flip().at(mirrored), plain.at(xy) * torch.tensor([-1.0, 1.0]), atol=1e-6)


def test_numpy_there_and_back():
    flow = Flow(random_flow(8, batch=(2,)).uv, torch.rand(2, H, W) > 0.3)
    array = flow.numpy()
    assert array.shape == (2, H, W, 2)
    assert np.array_equal(np.isfinite(array).all(-1), flow.known.numpy())
    again = Flow.from_numpy(array)
    assert torch.equal(again.known, flow.known)
    assert torch.equal(again.filled(0), flow.filled(0))


def test_a_lazy_series_makes_what_is_asked_for_and_keeps_nothing():
    asked = []

    def make(i: int) -> Flow:
        asked.append(i)
        return random_flow(i)

    flows: Flows = Lazy(3, make)
    assert len(flows) == 3
    assert asked == []
    assert torch.equal(flows[-1].uv, random_flow(2).uv)
    assert len(list(flows)) == 3  # type: ignore[call-overload]
    assert asked == [2, 0, 1, 2]
    with pytest.raises(IndexError):
        flows[3]
