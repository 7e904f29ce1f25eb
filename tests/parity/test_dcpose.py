"""DCPose: rough and refined maps, the features between them, keypoints, and one deformable convolution alone."""

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.models.dcpose import DCPOSE_NAMINGS, DCPose, dcpose
from dyad.models.deformable import deformable_conv
from dyad.models.heatmaps import crop_around, in_image, released_reading
from dyad.models.namings import adopt
from dyad.models.zoo import recognise
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "dcpose")


@pytest.fixture(scope="module")
def network(fixture) -> DCPose:
    network = dcpose().eval()
    adopt(network, fixture.state, DCPOSE_NAMINGS[0])
    return network


def test_its_maps_and_features_are_the_originals(network, fixture) -> None:
    seen: dict[str, Tensor] = {}
    watched = {
        "difference_features_part": network.difference,
        "support_features": network.support,
        "combined_part": network.combine,
        "offsets0_part": network.warps[0].offsets,
        "masks0_part": network.warps[0].masks,
        "warped0": network.warps[0],
        "warped4": network.warps[4],
    }
    hooks = [
        module.register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
        for name, module in watched.items()
    ]
    frames = (fixture.tensor(f"image_{name}") / 255 for name in ("current", "previous", "next"))
    with torch.no_grad():
        found = network(*frames, distances=fixture.tensor("margin"))
    for hook in hooks:
        hook.remove()
    close(found.rough.flatten(0, 1), fixture, "rough_heatmaps")
    assert seen.keys() == watched.keys()
    for name, value in seen.items():
        close(value[:, : fixture.arrays[name].shape[1]], fixture, name)
    close(found.heatmaps, fixture, "heatmaps")


def test_its_keypoints_are_the_originals(fixture) -> None:
    corner, size = fixture.tensor("box").split(2)
    crop = crop_around(torch.cat((corner, corner + size)), aspect=288 / 384)
    np.testing.assert_allclose(crop.centre, fixture.arrays["box_center"], rtol=1e-6)
    np.testing.assert_allclose(crop.size, 200 * fixture.arrays["box_scale"], rtol=1e-6)
    heatmaps = fixture.tensor("heatmaps")
    found = released_reading()(heatmaps)
    ours = in_image(found.xy, crop, map_size=(heatmaps.shape[-1], heatmaps.shape[-2]), reference="corners")
    np.testing.assert_allclose(ours, fixture.arrays["keypoints_untruncated"], rtol=1e-6, atol=1e-3)
    whole, score = np.split(fixture.arrays["keypoints"], [2], -1)
    # They cut off what follows the point.
    rest = np.abs(ours.numpy()) - np.abs(whole)
    assert ((rest > -1e-3) & (rest < 1 + 1e-3)).all()
    assert (found.confidence[..., None].numpy() == score).all()


def deformed(fixture: Fixture, offsets: Tensor) -> Tensor:
    said = next(note for note in fixture.meta["notes"] if note.startswith("deform_"))
    options = {name: int(re.search(rf"{name} (\d+)", said)[1]) for name in ("stride", "padding", "dilation")}
    inputs = (fixture.tensor(f"deform_{name}") for name in ("input", "masks", "weight", "bias"))
    x, masks, weight, bias = inputs
    return deformable_conv(x, offsets, masks, weight, bias, **options)


def test_one_deformable_convolution_is_the_originals(fixture) -> None:
    offsets = fixture.tensor("deform_offsets")
    expected = fixture.tensor("deform_result")
    torch.testing.assert_close(deformed(fixture, offsets), expected, rtol=1e-5, atol=1e-5)
    exchanged = offsets.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)
    assert (deformed(fixture, exchanged) - expected).abs().max() > 0.1


def test_its_checkpoint_is_recognised(fixture) -> None:
    assert recognise(fixture.state) == ("dcpose", DCPOSE_NAMINGS[0])
