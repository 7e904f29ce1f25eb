"""The chained top-down branch: scaling, the two Root-TCNs, and the fit to the truth that bears its name."""

import pytest
import torch

from dyad.models.gcn import JointBoneGCN, bone_confidence, bone_hops, directed_affinity, joint_hops
from dyad.models.joints import BODY17
from dyad.models.tcn import JointTCN, RootTCN, root_features
from dyad.models.topdown import (
    TopDownLifting,
    camera_centric,
    fit_depths_to_truth_released,
    released_scaling,
    to_mupots,
    torso_scaling,
)


def person() -> torch.Tensor:
    """Upright, y down."""
    torch.manual_seed(0)
    xy = 200 + 20 * torch.randn(17, 2)
    xy[BODY17.index("neck")] = torch.tensor([205.0, 120.0])
    xy[BODY17.index("pelvis")] = torch.tensor([200.0, 200.0])
    return xy


def test_torso_scaling_forgets_place_and_size_and_keeps_up_up() -> None:
    xy = person()
    scaled = torso_scaling(xy)
    assert torch.allclose(torso_scaling(3 * xy + torch.tensor([50.0, -20.0])), scaled, atol=1e-5)
    assert scaled[BODY17.index("neck"), 1] < -0.9
    assert released_scaling(xy)[BODY17.index("neck"), 1] == pytest.approx(1)  # upside down, as released
    lying = xy.flip(-1).clone()
    lying[BODY17.index("neck"), 1] = lying[BODY17.index("pelvis"), 1] + 0.01
    assert torso_scaling(lying).abs().max() < 10
    assert released_scaling(lying).abs().max() > 1000
    assert torch.isfinite(torso_scaling(torch.zeros(17, 2))).all()


@pytest.mark.parametrize("dimensions", [2, 5])
def test_people_are_lifted_alone_and_each_frame_has_a_result(dimensions) -> None:
    torch.manual_seed(0)
    small = {"kernels": (3, 3), "channels": 8}
    lifting = TopDownLifting(JointBoneGCN(width=8), JointTCN(**small), RootTCN(dimensions=dimensions, **small)).eval()
    xy, confidence = 300 + 50 * torch.randn(2, 6, 17, 2), torch.rand(2, 6, 17)
    joints = directed_affinity(confidence, joint_hops())
    bones = directed_affinity(bone_confidence(confidence), bone_hops())
    both = lifting(xy, joints, bones)
    assert both.pose.shape == (2, 6, 17, 3)
    assert both.root.shape == (2, 6)
    alone = lifting(xy[1:], joints[1:], bones[1:])
    assert torch.allclose(both.pose[1:], alone.pose, atol=1e-5)
    assert torch.allclose(both.root[1:], alone.root, atol=1e-5)
    (both.pose.sum() + both.root.sum()).backward()
    assert all(p.grad is not None for p in lifting.parameters())


def test_root_features_and_shapes_refused() -> None:
    xy, pose = torch.randn(1, 9, 17, 2), torch.randn(1, 9, 17, 3)
    assert torch.equal(root_features(xy, pose)[..., 2:], pose)
    with pytest.raises(ValueError, match="expected"):
        RootTCN(kernels=(3, 3), channels=4)(root_features(xy, pose))


def test_the_root_stands_on_its_ray_at_its_depth() -> None:
    torch.manual_seed(0)
    pose, focal, centre = torch.randn(4, 17, 3), torch.tensor([1000.0, 1100.0]), torch.tensor([320.0, 240.0])
    xy, root = 100 + 300 * torch.rand(4, 2), torch.tensor([0.002, 0.003, 0.004, 0.005])
    placed = camera_centric(pose, root, xy, focal, centre)
    pelvis = placed[:, BODY17.index("pelvis")]
    assert torch.allclose(pelvis[:, 2], 1000 * root)
    assert torch.allclose(pelvis[:, :2] / pelvis[:, 2:] * focal + centre, xy, atol=1e-3)
    assert torch.allclose(placed - pelvis[:, None], pose - pose[:, :1], atol=1e-5)


def test_mupots_order_goes_by_name() -> None:
    pose = torch.arange(17.0)[:, None].expand(17, 3)
    indices = to_mupots(pose)[:, 0].int().tolist()
    assert [BODY17[i] for i in indices][:2] == ["head_top", "neck"]
    assert BODY17[indices[-1]] == "nose"
    assert sorted(indices) == list(range(17))


def test_the_fit_to_the_truth_is_the_least_squares_line() -> None:
    truth = torch.tensor([[3.0, 3.5], [4.0, 5.0]])
    assert torch.allclose(fit_depths_to_truth_released(-2 * truth + 7, truth), truth.double())
    noisy = truth + torch.tensor([[0.1, -0.2], [0.0, 0.3]])
    residual = fit_depths_to_truth_released(noisy, truth) - truth
    assert residual.sum().abs() < 1e-9
    assert (residual * noisy).sum().abs() < 1e-6
