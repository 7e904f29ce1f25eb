"""Matching of the two branches, fit of depth, and the integration network against the original."""

import numpy as np
import torch

from dyad.models.integration import BLENDING_NAMINGS, BlendingNetwork
from dyad.models.namings import adopt
from dyad.models.pose_matching import released_match
from dyad.models.topdown import fit_depths_to_truth_released

from .recipe import close, state_of


def test_matching_chooses_and_fits_as_the_original(parity) -> None:
    fixture = state_of(parity, "threed_integration")
    top, bottom = fixture.tensor("top_down"), fixture.tensor("bottom_up_17")
    for video in range(len(top)):
        matched = released_match(top[video].mT, bottom[video])
        assert np.array_equal(matched.index, fixture.arrays["matched_index"][video])
        np.testing.assert_allclose(matched.pose.mT, fixture.arrays["matched"][video], atol=1e-5)


def test_depths_of_the_matched_are_fitted_to_the_truth(parity) -> None:
    fixture = state_of(parity, "threed_integration")
    depth = fixture.tensor("bottom_up_14")[..., 0, 2].gather(2, fixture.tensor("matched_index")).mT
    for video, reference in enumerate(fixture.tensor("depth_reference_f64")):
        fitted = fit_depths_to_truth_released(depth[video], reference)
        np.testing.assert_allclose(fitted, fixture.arrays["matched_depth"][video], rtol=2e-6)


@torch.no_grad()
def test_the_network_blends_as_the_original(parity) -> None:
    fixture = state_of(parity, "threed_integration")
    pose = fixture.tensor("net_pose_input")
    joints = pose.shape[-1] // 6
    network = BlendingNetwork(joints=joints, width=fixture.state["fc1.fc.weight"].shape[0]).eval()
    adopt(network, fixture.state, BLENDING_NAMINGS[0])
    top, bottom = pose.unflatten(-1, (2, 3, joints)).unbind(-3)
    blend = network(top, bottom, fixture.tensor("net_depth_input"))
    close(blend.pose, fixture, "net_pose_output")
    close(blend.depth, fixture, "net_depth_output")
