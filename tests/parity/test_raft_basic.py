import pytest
import torch

from dyad.models.namings import adopt
from dyad.models.raft import RAFT, RAFT_NAMINGS, raft_basic
from tests.parity.raft_checks import check_parts, flow
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "raft_basic")


@pytest.fixture(scope="module")
def network(fixture) -> RAFT:
    network = raft_basic().eval()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    return network


def test_its_parts_are_the_originals(network, fixture) -> None:
    check_parts(network, fixture)


@pytest.mark.parametrize("iterations", [12, 20])
def test_its_flow_is_the_originals(network, fixture, iterations) -> None:
    found = flow(network, fixture, iterations)
    close(found.low, fixture, f"flow_low_{iterations}")
    close(found.flow, fixture, f"flow_up_{iterations}")


def test_every_prediction_is_the_originals(network, fixture) -> None:
    found = flow(network, fixture, 3, every=True)
    close(torch.stack(found.every), fixture, "predictions_3")
    assert torch.equal(found.every[-1], found.flow)
    assert len(flow(network, fixture, 3).every) == 1


def test_it_starts_from_a_given_flow(network, fixture) -> None:
    close(flow(network, fixture, 5, start="flow_init").low, fixture, "flow_low_init_5")


def test_products_on_the_fly_give_the_same_flow(fixture) -> None:
    network = raft_basic(correlation="on_the_fly").eval()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    close(flow(network, fixture, 12).flow, fixture, "flow_up_12")


def test_a_window_whose_x_and_y_are_swapped_is_noticed(network, fixture, monkeypatch) -> None:
    original = network.correlation

    def swapped(first, second):
        look = original(first, second)
        return lambda at: look(at).unflatten(1, (4, 9, 9)).transpose(2, 3).flatten(1, 3)

    monkeypatch.setattr(network, "correlation", swapped)
    with pytest.raises(AssertionError, match="flow_up_12: off by"):
        close(flow(network, fixture, 12).flow, fixture, "flow_up_12")
