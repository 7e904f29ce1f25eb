"""The joint adaptation network."""

import torch

from dyad.models.adaptation import AdaptationNetwork


def test_each_pose_by_a_matrix_of_its_own() -> None:
    torch.manual_seed(0)
    network = AdaptationNetwork(joints=5, width=16)
    pose = torch.randn(3, 3, 5)
    out = network(pose)
    assert out.shape == (3, 3, 5)
    assert torch.allclose(network(pose[1:2]), out[1:2], atol=1e-6)
    with torch.no_grad():  # with the linear map of no effect, only the matrices are left, transposed
        network.linear.weight.copy_(torch.eye(15))
        network.linear.bias.zero_()
    assert torch.allclose(network(pose), torch.einsum("nji,njk->nik", network.matrices(pose), pose), atol=1e-6)
    network(pose).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())
