"""What holds of GMA whatever its weights are."""

import pytest
import torch

from dyad.models.gma import Attention, Content, ContentAndPosition, Position, gma
from dyad.models.raft import raft_basic


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.rand(1, 3, 64, 72, generator=draw), torch.rand(1, 3, 64, 72, generator=draw)


@pytest.mark.parametrize("score", [Content(), Position(channels=6), ContentAndPosition(channels=6)])
def test_shares_sum_to_one_and_are_each_heads_own(score) -> None:
    shares = Attention(context=5, channels=6, heads=3, score=score)(torch.randn(2, 5, 4, 7))
    assert shares.shape == (2, 3, 28, 28)
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 3, 28))
    assert not torch.allclose(shares[:, 0], shares[:, 1])


def test_attention_by_position_depends_on_the_distance_alone() -> None:
    queries = torch.randn(1, 1, 1, 1, 6).expand(1, 1, 5, 8, 6)
    scores = Position(channels=6)(queries, queries).view(5, 8, 5, 8)
    torch.testing.assert_close(scores[0, 1, 2, 4], scores[1, 3, 3, 6])
    assert not torch.isclose(scores[0, 1, 2, 4], scores[2, 4, 0, 1])


@pytest.mark.parametrize("arguments", [{}, {"heads": 2}, {"attention": "content_and_position"}])
def test_gradients_reach_every_parameter(arguments, pair) -> None:
    network = gma(**arguments).train()
    torch.nn.init.ones_(network.aggregator.gamma)
    network(*pair, iterations=2).flow.square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []
    assert float(network.aggregator.attention.to_qk.weight.grad.abs().max()) > 0


def test_without_attention_its_motion_is_that_of_raft(pair) -> None:
    """gamma is 0 at first: both halves of what the state sees are the motion, whatever attention says."""
    network, plain = gma().eval(), raft_basic().eval()
    state = network.state_dict()
    for name in plain.state_dict():
        value = state[name]
        if ".units." in name and name.endswith("weight"):
            value = torch.cat((value[:, :256], value[:, 256:384] + value[:, 384:]), 1)
        plain.state_dict()[name].copy_(value)
    with torch.no_grad():
        torch.testing.assert_close(
            network(*pair, iterations=3).flow, plain(*pair, iterations=3).flow, rtol=1e-4, atol=1e-4
        )


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(ValueError, match="content, content_and_position, position, got 'colour'"):
        gma(attention="colour")
    with pytest.raises(ValueError, match="at most 32 px"):
        Position(channels=2, reach=4)(torch.zeros(1, 1, 3, 5, 2), torch.zeros(1, 1, 3, 5, 2))
