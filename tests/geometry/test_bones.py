import torch

from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.geometry.bones import bone_lengths, outward, with_bone_lengths


def poses(count: int = 5) -> torch.Tensor:
    return torch.randn(count, len(BODY17), 3, generator=torch.Generator().manual_seed(3))


def test_lengths_of_a_known_chain() -> None:
    xyz = torch.tensor([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0], [3.0, 4.0, 2.0]])
    lengths = bone_lengths(xyz, (-1, 0, 1))
    assert torch.isnan(lengths[0])
    assert lengths[1:].tolist() == [5.0, 2.0]


def test_parents_come_before_children_in_any_order_of_joints() -> None:
    for skeleton in (BODY17, MUPOTS17):
        order = outward(skeleton.parents)
        assert sorted(order) == list(range(len(skeleton)))
        assert all(order.index(parent) < order.index(child) for parent, child in skeleton.bones)


def test_its_own_lengths_leave_a_pose_as_it_is() -> None:
    for skeleton in (BODY17, MUPOTS17):
        xyz = poses()
        assert torch.allclose(
            with_bone_lengths(xyz, bone_lengths(xyz, skeleton.parents), skeleton.parents), xyz, atol=1e-5
        )


def test_new_lengths_are_taken_and_directions_kept() -> None:
    xyz = poses()
    lengths = torch.rand(5, len(BODY17)) + 0.1
    changed = with_bone_lengths(xyz, lengths, BODY17.parents)
    root = BODY17.index(BODY17.root)
    assert torch.equal(changed[:, root], xyz[:, root])
    measured = bone_lengths(changed, BODY17.parents)
    for parent, child in BODY17.bones:
        assert torch.allclose(measured[:, child], lengths[:, child], atol=1e-5)
        before, after = xyz[:, child] - xyz[:, parent], changed[:, child] - changed[:, parent]
        assert torch.allclose(torch.cosine_similarity(before, after, dim=-1), torch.ones(5), atol=1e-5)


def test_a_missing_joint_hides_only_what_hangs_on_it() -> None:
    xyz = poses()
    xyz[0, BODY17.index("left_elbow")] = torch.nan
    changed = with_bone_lengths(xyz, torch.ones(5, len(BODY17)), BODY17.parents)
    missing = [BODY17.names[j] for j in torch.nonzero(torch.isnan(changed[0]).any(-1))[:, 0].tolist()]
    assert missing == ["left_elbow", "left_wrist"]
    assert torch.isfinite(changed[1:]).all()
