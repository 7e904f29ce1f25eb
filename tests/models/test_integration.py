"""The integration networks: what must hold whatever the weights."""

import pytest
import torch

from dyad.models.integration import BlendingNetwork, IntegrationNetwork


def people(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two branches' poses (4, 17, 3) about 4 m away and confidences (4, 17, 2)."""
    torch.manual_seed(seed)
    first = 0.4 * torch.randn(4, 17, 3) + torch.tensor([0.5, 0.0, 4.0])
    return first, first + 0.1 * torch.randn(4, 17, 3), torch.rand(4, 17, 2)


def stirred(**arguments) -> IntegrationNetwork:
    network = IntegrationNetwork(**arguments)
    torch.nn.init.normal_(network.layers[-1].weight, std=0.1)
    return network


def test_blending_two_equal_people_changes_nothing() -> None:
    torch.manual_seed(0)
    pose = torch.randn(3, 5, 3, 17)
    depth = 2 + torch.rand(3, 5, 1)
    blend = BlendingNetwork()(pose, pose, depth.expand(-1, -1, 2))
    assert torch.allclose(blend.pose, pose, atol=1e-6)
    assert torch.allclose(blend.depth, 1000 * depth, atol=1e-2)


def test_untrained_it_is_the_mean_that_confidence_weighs() -> None:
    first, second, confidence = people()
    share = confidence / confidence.sum(-1, keepdim=True)
    expected = share[..., :1] * first + share[..., 1:] * second
    assert torch.allclose(IntegrationNetwork()(first, second, confidence), expected, atol=1e-4)


@pytest.mark.parametrize(("layers", "width"), [(1, 512), (3, 32), (5, 64)])
def test_it_moves_with_the_people_and_learns(layers, width) -> None:
    network = stirred(layers=layers, width=width)
    first, second, confidence = people()
    assert sum(isinstance(m, torch.nn.Linear) for m in network.modules()) == layers
    out = network(first, second, confidence)
    shift = torch.tensor([0.3, -1.0, 2.0])
    assert torch.allclose(network(first + shift, second + shift, confidence), out + shift, atol=1e-4)
    assert torch.allclose(network(first[1:2], second[1:2], confidence[1:2]), out[1:2], atol=1e-5)
    out.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def test_whom_only_one_branch_saw_and_whom_none_saw() -> None:
    first, second, confidence = people()
    gone = torch.full_like(second, torch.nan)
    alone = IntegrationNetwork()(first, gone, confidence)
    assert torch.allclose(alone, first, atol=1e-4)
    network = stirred()
    doubt = confidence.clone()
    doubt[..., 1] = 0.7  # says nothing of somebody who was not seen
    assert torch.equal(network(first, gone, confidence), network(first, gone, doubt))
    assert torch.isfinite(network(first, gone, confidence)).all()
    assert network(gone, gone, confidence).isnan().all()
    first[0, 3] = torch.nan
    out = network(first, gone, confidence)
    assert torch.isfinite(out).all()
    first.requires_grad_(True)
    network(first, gone, confidence).sum().backward()
    assert torch.isfinite(first.grad).all()


def test_a_network_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        IntegrationNetwork(layers=0)
