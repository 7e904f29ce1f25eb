"""Anatomy3D: what lengths and directions are, and which frames they are of."""

import pytest
import torch

from dyad.models.anatomy3d import BONES, Anatomy3D
from dyad.models.joints import BODY17


def network(**arguments) -> Anatomy3D:
    torch.manual_seed(0)
    return Anatomy3D(**{"kernels": [3, 3], "channels": 16, **arguments}).eval()


def joints(frames: int, people: int = 1) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.cat((torch.randn(people, frames, 17, 2), torch.rand(people, frames, 17, 1)), -1)


def test_the_bones_are_a_tree() -> None:
    assert len({frozenset(bone) for bone in BONES}) == 16
    assert {joint for bone in BONES for joint in bone} == set(BODY17)


@torch.no_grad()
def test_shapes_units_and_independence_of_people_and_windows() -> None:
    model, pose = network(), joints(80, 2)
    found = model(pose)
    assert found.pose.shape == (2, 72, 17, 3)
    assert found.lengths.shape == (2, 16)
    assert found.directions.shape == found.early_directions.shape == (2, 72, 16, 3)
    assert torch.allclose(found.directions.norm(dim=-1), torch.ones(2, 72, 16))
    second = model(pose[1:])
    assert torch.allclose(found.pose[1:], second.pose, atol=1e-5)
    # 72 windows go through in two parts.
    one = model(pose[1:, 70:79], frames=pose[1:, 4:-4, :, :2])
    assert torch.allclose(one.pose[:, 0], second.pose[:, 70], atol=1e-5)


@torch.no_grad()
def test_lengths_are_of_the_frames_given_and_need_no_order() -> None:
    model, pose = network(), joints(20)
    frames = pose[..., :2]
    lengths = model(pose, frames=frames).lengths
    assert torch.allclose(lengths, model(pose, frames=frames.flip(1)).lengths, atol=1e-5)
    assert torch.allclose(lengths, model(pose, padded=True).lengths, atol=1e-5)
    one = model.length.poses(frames[:, :1])
    outer, inner = ([BODY17.index(bone[end]) for bone in BONES] for end in (0, 1))
    measured = (one[:, 0, outer] - one[:, 0, inner]).norm(dim=-1)
    assert torch.allclose(model(pose, frames=frames[:, :1]).lengths, measured, atol=1e-6)
    assert model(pose, padded=True).pose.shape == (1, 20, 17, 3)


def test_gradients_reach_everything_and_other_shapes_are_refused() -> None:
    model = network().train()
    found = model(joints(12, 4))
    (found.pose.square().sum() + found.early_directions[..., 0].sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    with pytest.raises(ValueError, match="at least 9 frames"):
        model(joints(8))
    with pytest.raises(ValueError, match="x, y, visibility"):
        model(torch.randn(1, 12, 17, 2))
    with pytest.raises(ValueError, match="odd"):
        network(kernels=[3, 4])
