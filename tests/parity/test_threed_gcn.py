"""The graph network of the two-branch method against the original."""

import numpy as np
import pytest
import torch

from .recipe import close
from .threed import Watch, gcn, thinned


@torch.no_grad()
def test_it_computes_what_the_original_does(parity) -> None:
    fixture, network = gcn(parity)
    enter, joints, bones = (Watch(m) for m in (network.enter, network.joint2, network.bone2))
    on_joints, on_bones = Watch(network.joint1), Watch(network.bone1)
    inputs = [fixture.tensor(name) for name in ("pose2d", "joint_affinity", "bone_affinity")]
    close(network(*inputs), fixture, "output")
    close(enter.output[..., : fixture.arrays["layer_c1_part"].shape[-1]], fixture, "layer_c1_part")
    for entered, first, second, name in (
        (enter.output, on_joints.output, joints.output, "layer_c3_part"),
        (network.incidence @ enter.output, on_bones.output, bones.output, "layer_b3_part"),
    ):
        close(thinned(torch.cat((entered, first, second), -1), fixture.arrays[name]), fixture, name)


def test_bones_are_those_of_the_original(parity) -> None:
    fixture, network = gcn(parity)
    assert np.array_equal(network.incidence, fixture.arrays["bone_matrix"])
    np.testing.assert_allclose(network.incidence_inverse, fixture.arrays["bone_matrix_inverse"], atol=2e-6)


@torch.no_grad()
def test_a_transposed_affinity_does_not_pass(parity) -> None:
    fixture, network = gcn(parity)
    pose, on_joints, on_bones = (fixture.tensor(name) for name in ("pose2d", "joint_affinity", "bone_affinity"))
    with pytest.raises(AssertionError, match="off by"):
        close(network(pose, on_joints.mT, on_bones), fixture, "output")
