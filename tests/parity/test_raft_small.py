import pytest
import torch
from torch.nn import functional as F

from dyad.models.namings import adopt
from dyad.models.raft import RAFT, RAFT_NAMINGS, raft_small
from tests.parity.raft_checks import check_parts, flow
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "raft_small")


@pytest.fixture(scope="module")
def network(fixture) -> RAFT:
    network = raft_small().eval()
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
    close(torch.stack(flow(network, fixture, 3, every=True).every), fixture, "predictions_3")


def test_it_starts_from_a_given_flow(network, fixture) -> None:
    close(flow(network, fixture, 5, start="flow_init").low, fixture, "flow_low_init_5")


def test_products_on_the_fly_give_the_same_flow(fixture) -> None:
    network = raft_small(correlation="on_the_fly").eval()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    close(flow(network, fixture, 12).flow, fixture, "flow_up_12")


def test_an_upsampling_to_the_edges_instead_of_the_centres_is_noticed(network, fixture) -> None:
    low = flow(network, fixture, 12).low
    edges = 8 * F.interpolate(low, scale_factor=8, mode="bilinear", align_corners=False)
    with pytest.raises(AssertionError, match="flow_up_12: off by"):
        close(edges, fixture, "flow_up_12")
