"""The joint adaptation network against the original."""

import torch

from dyad.models.adaptation import ADAPTATION_NAMINGS, AdaptationNetwork
from dyad.models.namings import adopt

from .recipe import close, state_of


@torch.no_grad()
def test_matrices_and_poses(parity) -> None:
    fixture = state_of(parity, "threed_adaptation")
    pose = fixture.tensor("input")
    width = fixture.state["l0.fc.weight"].shape[0]
    network = AdaptationNetwork(joints=pose.shape[-1], width=width).eval()
    adopt(network, fixture.state, ADAPTATION_NAMINGS[0])
    close(network.matrices(pose), fixture, "matrices")
    close(network(pose), fixture, "output")
