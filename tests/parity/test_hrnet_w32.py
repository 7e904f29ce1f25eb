"""HRNet w32: its maps, the mean with those of the mirror image, and keypoints in the image."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.models.heatmaps import Crop, in_image, maxima, released_reading
from dyad.models.hrnet import HRNET_NAMINGS, HRNet, hrnet
from dyad.models.mirroring import PUBLISHED_SHIFT, MirroredHeatmaps
from dyad.models.namings import adopt
from dyad.models.zoo import recognise
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    fixture = state_of(parity, "hrnet_w32")
    # A mean of two maps is no less exact than one.
    fixture.meta["float32_vs_float64"]["heatmaps_flip_average_part"] = fixture.meta["float32_vs_float64"]["heatmaps"]
    return fixture


@pytest.fixture(scope="module")
def network(fixture) -> HRNet:
    network = hrnet().eval()
    adopt(network, fixture.state, HRNET_NAMINGS[0])
    return network


@pytest.fixture(scope="module")
def images(fixture) -> Tensor:
    return fixture.tensor("image") / 255


def test_its_maps_and_features_are_the_originals(network, fixture, images) -> None:
    seen: dict[str, Tensor] = {}
    watched = {
        "layer1_part": (network.backbone.layer1, lambda y: y[..., ::2, ::2]),
        "stage2_branch1_part": (network.backbone.stage2, lambda y: y[1]),
        "stage3_branch2_part": (network.backbone.stage3, lambda y: y[2]),
        "stage4_branch0_part": (network.backbone.stage4, lambda y: y[0]),
    }
    hooks = [
        module.register_forward_hook(lambda _, __, y, name=name, part=part: seen.update({name: part(y)}))
        for name, (module, part) in watched.items()
    ]
    with torch.no_grad():
        close(network(images), fixture, "heatmaps")
    for hook in hooks:
        hook.remove()
    for name, value in seen.items():
        close(value[:, : fixture.arrays[name].shape[1]], fixture, name)
    assert seen.keys() == watched.keys()


def test_the_mean_with_the_mirror_image_is_the_originals_and_needs_their_shift(network, fixture, images) -> None:
    name = "heatmaps_flip_average_part"
    part = fixture.arrays[name].shape[1]
    with torch.no_grad():
        close(MirroredHeatmaps(network, shift=PUBLISHED_SHIFT)(images)[:, :part], fixture, name)
        with pytest.raises(AssertionError, match="off by"):
            close(MirroredHeatmaps(network)(images)[:, :part], fixture, name)


def test_batch_statistics_are_noticed(fixture, images) -> None:
    network = hrnet()
    adopt(network, fixture.state, HRNET_NAMINGS[0])
    with torch.no_grad(), pytest.raises(AssertionError, match="off by"):
        close(network.train()(images), fixture, "heatmaps")


@pytest.mark.parametrize(
    ("maps", "before", "crop"), [("heatmaps", "", "decode"), ("synthetic_heatmaps", "synthetic_", "synthetic")]
)
def test_keypoints_are_the_originals(fixture, maps, before, crop) -> None:
    heatmaps = fixture.tensor(maps)
    highest = maxima(heatmaps)
    shown = highest.value > 0
    whole = torch.stack((highest.x, highest.y), -1) * shown[..., None]
    assert torch.equal(whole.float(), fixture.tensor(f"{before}max_coords"))
    assert torch.equal(highest.value[..., None], fixture.tensor(f"{before}max_values"))
    found = released_reading()(heatmaps)
    assert torch.equal(found.confidence, highest.value)
    box = Crop(fixture.tensor(f"{crop}_center"), 200 * fixture.tensor(f"{crop}_scale"))
    size = (heatmaps.shape[-1], heatmaps.shape[-2])
    ours = in_image(found.xy, box, map_size=size, reference="corners")
    np.testing.assert_allclose(ours, fixture.arrays[f"{before}final_coords"], rtol=1e-6, atol=1e-3)


def test_its_checkpoint_is_recognised(fixture) -> None:
    assert recognise(fixture.state) == ("hrnet-w32", HRNET_NAMINGS[0])
    prefixed = {f"module.{name}": value for name, value in fixture.state.items()}
    assert recognise(prefixed) == ("hrnet-w32", HRNET_NAMINGS[0])
