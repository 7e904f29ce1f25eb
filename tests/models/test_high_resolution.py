"""The high-resolution backbone: sizes, batch independence, and that everything takes part."""

import torch

from dyad.models.high_resolution import HighResolutionBackbone


def test_a_quarter_of_the_size_and_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = HighResolutionBackbone(inputs=5, width=4, modules=(1, 1, 2), units=1)
    images = torch.randn(2, 5, 64, 96)
    out = network(images)
    assert out.shape == (2, 4, 16, 24)
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    # Weights just before a batch norm that feeds a dead unit may have none; nearly all must have some.
    alive = [p.grad.abs().sum() > 0 for p in network.parameters()]
    assert sum(alive) > 0.95 * len(alive)


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    network = HighResolutionBackbone(width=4, modules=(1, 1, 1), units=1).eval()
    images = torch.randn(2, 3, 32, 64)
    assert torch.allclose(network(images)[1:], network(images[1:]), atol=1e-4)
