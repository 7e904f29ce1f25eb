"""The directed graph network: equation 12 by hand, and how the network treats its inputs."""

import math

import torch

from dyad.models.gcn import BONES, JointBoneGCN, bone_confidence, bone_hops, directed_affinity, joint_hops
from dyad.models.joints import BODY17


def test_hops_are_bones_walked() -> None:
    hops = joint_hops()
    at = BODY17.index
    assert hops[at("left_wrist"), at("left_elbow")] == 1
    assert hops[at("left_wrist"), at("right_wrist")] == 6
    assert hops[at("head_top"), at("right_ankle")] == 7
    assert torch.equal(hops, hops.T)
    between = bone_hops()
    shin, thigh, arm = (BONES.index(b) for b in (("left_knee", "left_ankle"), ("left_hip", "left_knee"), BONES[4]))
    assert between[shin, thigh] == 1
    assert between[shin, arm] == 7


def test_affinity_is_equation_12_read_by_the_receiver() -> None:
    hops = joint_hops(("a", "b", "c"), (("a", "b"), ("b", "c")))
    confidence = torch.tensor([0.9, 0.5, 0.0])
    raw = directed_affinity(confidence, hops, normalised=False)
    e = math.exp(-1)
    expected = torch.tensor([[0.9, 0.5 * e, 0.0], [0.9 * e, 0.5, 0.0], [0.9 * e * e, 0.5 * e, 0.0]])
    assert torch.allclose(raw, expected)
    shares = directed_affinity(confidence, hops)
    assert torch.allclose(shares.sum(-1), torch.ones(3))
    assert torch.allclose(shares[2], torch.tensor([0.9 * e, 0.5, 0.0]) / (0.9 * e + 0.5))
    assert not directed_affinity(torch.zeros(3), hops).any()


def test_a_bone_is_as_sure_as_its_less_sure_joint() -> None:
    confidence = torch.ones(17)
    confidence[BODY17.index("left_knee")] = 0.25
    sure = bone_confidence(confidence)
    assert {BONES[k] for k in range(len(BONES)) if sure[k] < 1} == {
        ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
    }


def test_each_pose_is_lifted_alone_and_everything_learns() -> None:
    torch.manual_seed(0)
    network = JointBoneGCN(width=16)
    pose, confidence = torch.randn(3, 17, 2), torch.rand(3, 17)
    joints = directed_affinity(confidence, joint_hops())
    bones = directed_affinity(bone_confidence(confidence), bone_hops())
    out = network(pose, joints, bones)
    assert out.shape == (3, 17, 3)
    assert torch.allclose(out[1:2], network(pose[1:2], joints[1:2], bones[1:2]), atol=1e-6)
    out.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())
    assert torch.allclose(network.incidence @ network.incidence_inverse, torch.eye(16), atol=1e-5)
