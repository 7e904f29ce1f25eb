"""The discriminators: what each may see, equations 8 and 9 by hand, and that a pair's fault can be learnt."""

import math

import pytest
import torch

from dyad.models.discriminators import (
    InteractionDiscriminator,
    PairDiscriminator,
    PoseDiscriminator,
    discriminator_loss,
    interaction_discriminator,
    plausibility_loss,
)


def pair(seed: int = 0, count: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    first, second = 0.3 * torch.randn(2, count, 17, 3) + torch.tensor([0.0, 0.0, 4.0])
    return first, second + torch.tensor([1.0, 0.0, 0.0])


def test_one_person_is_judged_wherever_they_stand() -> None:
    torch.manual_seed(0)
    network = PoseDiscriminator(width=16)
    first, _ = pair()
    assert torch.allclose(network(first), network(first + torch.tensor([3.0, 1.0, 9.0])), atol=1e-4)
    assert network(first).shape == (6,)


def test_two_people_are_judged_together_and_in_either_order() -> None:
    torch.manual_seed(0)
    network = PairDiscriminator(width=16)
    first, second = pair()
    judged = network(first, second)
    assert torch.allclose(judged, network(second, first), atol=1e-6)
    assert not torch.allclose(judged, network(first, second + torch.tensor([0.5, 0.0, 0.0])), atol=1e-4)
    assert torch.allclose(judged[2:3], network(first[2:3], second[2:3]), atol=1e-5)


class Says(torch.nn.Module):
    """Answers with the probability that the root's x coordinate of each person sums to."""

    def forward(self, *people: torch.Tensor) -> torch.Tensor:
        return torch.logit(sum(p[:, 0, 0] for p in people))


def test_equations_8_and_9() -> None:
    first, second = torch.zeros(1, 17, 3), torch.zeros(1, 17, 3)
    first[0, 0, 0], second[0, 0, 0] = 0.2, 0.6
    judged = InteractionDiscriminator(Says(), Says())(first, second)
    assert judged.item() == pytest.approx(0.25 * (0.2 + 0.6) + 0.5 * 0.8)
    loss = discriminator_loss(torch.tensor([0.9, 0.9]), judged)
    assert loss.item() == pytest.approx(-math.log(0.9) - math.log(1 - 0.6), rel=1e-5)
    assert plausibility_loss(judged).item() == pytest.approx(-math.log(0.6), rel=1e-5)
    assert torch.isfinite(discriminator_loss(torch.zeros(2), torch.ones(1)))


def test_it_learns_that_two_people_cannot_be_in_one_place() -> None:
    torch.manual_seed(0)
    network = interaction_discriminator(width=32, layers=3)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    apart = torch.tensor([1.0, 0.0, 0.0])
    for step in range(60):
        first, second = pair(step, 64)
        loss = discriminator_loss(network(first, second), network(first, second - apart))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())
    first, second = pair(10**6, 200)
    with torch.no_grad():
        assert (network(first, second) > network(first, second - apart)).float().mean() > 0.95
