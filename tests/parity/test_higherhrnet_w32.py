"""HigherHRNet w32: maps and tags of both stages, and what test-time aggregation makes of them."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from dyad.models.higherhrnet import HIGHERHRNET_NAMINGS, HigherHRNet, higherhrnet
from dyad.models.mirroring import StageAggregation
from dyad.models.namings import adopt
from dyad.models.zoo import recognise
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "higherhrnet_w32")


@pytest.fixture(scope="module")
def network(fixture) -> HigherHRNet:
    network = higherhrnet().eval()
    adopt(network, fixture.state, HIGHERHRNET_NAMINGS[0])
    return network


@pytest.fixture(scope="module")
def images(fixture) -> Tensor:
    return fixture.tensor("image") / 255


def test_both_stages_are_the_originals(network, fixture, images) -> None:
    with torch.no_grad():
        found = network(images)
    coarse, fine = found.heatmaps
    close(torch.cat((coarse, found.tags), 1), fixture, "stage0")
    close(fine, fixture, "stage1")


def test_the_aggregation_is_the_originals(network, fixture, images) -> None:
    with torch.no_grad():
        found = StageAggregation(network)(images)
    for name, values in (("test_heatmaps_part", found.heatmaps), ("test_tags_part", found.tags)):
        close(values[:, : fixture.arrays[name].shape[1]], fixture, name)


def test_an_enlargement_to_the_corners_instead_of_the_centres_is_noticed(network, fixture, images, monkeypatch) -> None:
    wrong = partial(interpolate, mode="bilinear", align_corners=True)
    monkeypatch.setattr("dyad.models.mirroring.enlarged", lambda maps, size: wrong(maps, size=size))
    with torch.no_grad():
        found = StageAggregation(network)(images)
    part = fixture.arrays["test_heatmaps_part"].shape[1]
    with pytest.raises(AssertionError, match="off by"):
        close(found.heatmaps[:, :part], fixture, "test_heatmaps_part")


def test_its_checkpoint_is_recognised(fixture) -> None:
    assert recognise(fixture.state) == ("higherhrnet-w32", HIGHERHRNET_NAMINGS[0])
