"""The bottom-up network against the original: the four map families, and the reading with the mirrored image."""

import pytest
import torch

from dyad.models.bottomup import BOTTOM_UP_NAMINGS, BottomUpNetwork, MirroredReading
from dyad.models.namings import adopt

from .recipe import Fixture, close, state_of
from .threed import Watch, first_channels


@pytest.fixture(scope="module")
def case(request) -> tuple[Fixture, BottomUpNetwork, torch.Tensor, torch.Tensor]:
    fixture = state_of(request.getfixturevalue("parity"), "threed_bottom_up")
    made = fixture.meta["constructor"]
    prior = fixture.tensor("person_heatmaps")
    network = BottomUpNetwork(
        joints=made["num_pts"],
        prior_joints=prior.shape[1],
        channels=made["head_chn"],
        head_layers=made["head_layernum"],
        doubling_layers=made["upsample_layers"],
        width=fixture.state["backbone.stage1.blocks.0.0.units.0.c1.conv.weight"].shape[0],
    )
    adopt(network, fixture.state, BOTTOM_UP_NAMINGS[0])
    return fixture, network.eval(), fixture.tensor("image") / 255, prior


@torch.no_grad()
def test_maps_and_what_leads_to_them(case) -> None:
    fixture, network, image, prior = case
    backbone = network.backbone
    layer1, stage3, features = Watch(backbone.layer1), Watch(backbone.stage3), Watch(backbone)
    coarsest = Watch(backbone.stage4[-1].branches[3])
    doubled, relative = Watch(network.doubling), Watch(network.relative.layers)
    maps = network(image, prior)
    close(torch.cat((maps[0], maps[1][..., 0], maps[2], maps[3]), 1), fixture, "output")
    for name, value in (
        ("layer1_part", layer1.output),
        ("stage2_branch1_part", stage3.output[1]),
        ("stage3_branch3_part", coarsest.output),
        ("backbone_part", features.output),
        ("upsample_part", doubled.output),
        ("head4_part", relative.output),
    ):
        close(first_channels(value, fixture.arrays[name]), fixture, name)


@torch.no_grad()
def test_reading_with_the_mirrored_image(case) -> None:
    fixture, network, image, prior = case
    maps = MirroredReading(network, swap_prior=False)(image, prior)
    for name, value in (
        ("test_heatmaps_part", maps.heatmaps),
        ("test_tags_part", maps.tags),
        ("test_root_depth_part", maps.root_depth),
        ("test_relative_depth_part", maps.relative_depth),
    ):
        close(first_channels(value, fixture.arrays[name]), fixture, name)


@torch.no_grad()
def test_the_default_swaps_the_prior_and_so_differs_in_the_mirrored_tags_alone(case) -> None:
    fixture, network, image, prior = case
    tags = first_channels(MirroredReading(network)(image, prior).tags, fixture.arrays["test_tags_part"])
    stored = fixture.tensor("test_tags_part")
    assert (tags - stored)[..., 0].abs().max() < 0.01
    assert (tags - stored)[..., 1].abs().max() > 0.1
