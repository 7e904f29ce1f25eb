import pytest
import torch

from dyad.models.gma import GMA_NAMINGS, gma
from dyad.models.namings import Naming, adopt, misfit, translated
from dyad.models.raft import RAFT
from tests.parity.raft_checks import check_parts, flow, images
from tests.parity.recipe import Fixture, close, state_of

OTHERS = ("content_and_position", "position")


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    fixture = state_of(parity, "gma")
    index = torch.arange(160)
    fixture.state["module.att.pos_emb.rel_ind"] = index - index[:, None] + 159
    return fixture


def _fitting(network: RAFT, fixture: Fixture) -> Naming:
    [naming] = [n for n in GMA_NAMINGS if misfit(network, translated(fixture.state, n)) is None]
    return naming


def _loaded(fixture: Fixture, **arguments: str) -> RAFT:
    network = gma(**arguments).eval()
    adopt(network, fixture.state, _fitting(network, fixture))
    return network


@pytest.fixture(scope="module")
def network(fixture) -> RAFT:
    return _loaded(fixture)


def _shares(network: RAFT, fixture: Fixture, step: int) -> torch.Tensor:
    with torch.no_grad():
        context = network.split(network.context(2 * images(fixture)[0] - 1))[1]
        return network.aggregator.attention(context)[:, :, ::step]


def test_its_parts_are_the_originals(network, fixture) -> None:
    close(_shares(network, fixture, 29), fixture, "attention_part")
    check_parts(network, fixture)


@pytest.mark.parametrize("iterations", [12, 20])
def test_its_flow_is_the_originals(network, fixture, iterations) -> None:
    found = flow(network, fixture, iterations)
    close(found.low, fixture, f"flow_low_{iterations}")
    close(found.flow, fixture, f"flow_up_{iterations}")


def test_every_prediction_is_the_originals(network, fixture) -> None:
    close(torch.stack(flow(network, fixture, 2, every=True).every), fixture, "predictions_2")


@pytest.mark.parametrize("kind", OTHERS)
def test_the_other_attentions_are_the_originals(fixture, kind) -> None:
    network = _loaded(fixture, attention=kind)
    close(_shares(network, fixture, 61), fixture, f"{kind}_attention_part")
    close(flow(network, fixture, 4).low, fixture, f"{kind}_flow_low_4")


def test_products_on_the_fly_give_the_same_flow(fixture) -> None:
    network = _loaded(fixture, correlation="on_the_fly")
    close(flow(network, fixture, 12).flow, fixture, "flow_up_12")


def test_attention_along_the_wrong_axis_is_noticed(network, fixture, monkeypatch) -> None:
    attend = network.aggregator.attention.forward
    monkeypatch.setattr(network.aggregator.attention, "forward", lambda context: attend(context).transpose(2, 3))
    with pytest.raises(AssertionError, match="flow_up_12: off by"):
        close(flow(network, fixture, 12).flow, fixture, "flow_up_12")
