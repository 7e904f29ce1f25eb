"""Reading depth: exact on maps that are linear, at whatever size; and what the released reading gets wrong."""

import pytest
import torch

from dyad.models.bottomup import BottomUpMaps
from dyad.models.depth_readout import CoordinateScale, DepthReadout, JointExpansion, released_readout
from dyad.models.joints import TB14


def linear_maps(width: int, height: int) -> BottomUpMaps:
    """Depth 3 + u + 0.5 v of the root and (k + 1) (0.1 u - 0.2 v) of joint k, where u and v go from edge to edge."""
    u = ((torch.arange(width) + 0.5) / width).expand(height, -1)
    v = ((torch.arange(height) + 0.5) / height)[:, None].expand(-1, width)
    relative = torch.stack([(k + 1) * (0.1 * u - 0.2 * v) for k in range(13)])
    empty = torch.zeros(1, 14, height, width)
    return BottomUpMaps(empty, empty[..., None], (3 + u + 0.5 * v)[None, None], relative[None])


@pytest.mark.parametrize("size", [(64, 48), (32, 24), (128, 96)])
def test_depth_is_the_maps_at_the_joint_at_any_size(size) -> None:
    torch.manual_seed(0)
    xy = torch.rand(3, 14, 2) * torch.tensor([50.0, 35.0]) + 5
    u, v = (xy[..., 0] + 0.5) / 64, (xy[..., 1] + 0.5) / 48
    root = 3 + u[:, :1] + 0.5 * v[:, :1]
    k = torch.arange(1, 14)
    expected = torch.cat((root, root + k * (0.1 * u[:, 1:] - 0.2 * v[:, 1:])), 1)
    depth = DepthReadout()(xy, linear_maps(*size), size=(64, 48))
    assert torch.allclose(depth, expected, atol=1e-4)


def test_the_released_reading_is_right_only_where_maps_are_a_quarter() -> None:
    xy = torch.full((1, 14, 2), 100.0)
    quarter, half = linear_maps(64, 64), linear_maps(128, 128)
    ours = [DepthReadout()(xy, maps, size=(256, 256)) for maps in (quarter, half)]
    released = [released_readout(xy, m.root_depth[0, 0], m.relative_depth[0])[..., 2] for m in (quarter, half)]
    assert torch.allclose(ours[0], ours[1], atol=1e-4)
    assert (released[0] - ours[0]).abs().max() < 0.03
    assert (released[1] - ours[1]).abs().max() > 0.2


def test_what_was_not_found_or_lies_outside_has_no_depth() -> None:
    xy = torch.full((3, 14, 2), 10.0)
    elbow = TB14.index("left_elbow")
    xy[0, elbow] = torch.nan
    xy[1, elbow] = torch.tensor([64.0, 10.0])
    xy[2, 0] = torch.nan
    depth = DepthReadout()(xy, linear_maps(64, 48))
    missing = depth.isnan()
    assert missing[0].nonzero().flatten().tolist() == [elbow]
    assert missing[1].nonzero().flatten().tolist() == [elbow]
    assert missing[2].all()
    edge = torch.full((1, 14, 2), -0.4)
    assert torch.isfinite(DepthReadout()(edge, linear_maps(64, 48))).all()
    assert DepthReadout()(torch.zeros(0, 14, 2), linear_maps(64, 48)).shape == (0, 14)


def test_slips_are_refused_and_the_small_networks_learn() -> None:
    with pytest.raises(ValueError, match="expected joints"):
        DepthReadout()(torch.zeros(1, 17, 2), linear_maps(8, 8))
    scale, expansion = CoordinateScale(), JointExpansion()
    expansion(scale(torch.randn(2, 14, 3))).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in (*scale.parameters(), *expansion.parameters()))
