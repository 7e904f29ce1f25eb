"""The bottom-up network: shapes, the prior, and the reading with the mirrored image."""

import pytest
import torch

from dyad.models.bottomup import BottomUpNetwork, MirroredReading
from dyad.models.joints import BODY17, TB14, mirrored


@pytest.fixture(scope="module")
def network() -> BottomUpNetwork:
    torch.manual_seed(0)
    return BottomUpNetwork(width=4, channels=4).eval()


@torch.no_grad()
def test_four_families_at_half_the_size(network) -> None:
    maps = network(torch.rand(2, 3, 64, 32))
    assert [tuple(m.shape) for m in maps] == [(2, 14, 32, 16), (2, 14, 32, 16, 1), (2, 1, 32, 16), (2, 13, 32, 16)]
    images = torch.rand(1, 3, 64, 32)
    assert torch.equal(network(images).heatmaps, network(images, torch.zeros(1, 17, 64, 32)).heatmaps)
    assert not torch.equal(network(images).heatmaps, network(images, torch.ones(1, 17, 64, 32)).heatmaps)


@torch.no_grad()
def test_without_a_prior() -> None:
    network = BottomUpNetwork(prior_joints=0, width=4, channels=4).eval()
    reading = MirroredReading(network, prior_joints=())
    assert reading(torch.rand(1, 3, 32, 32)).tags.shape == (1, 14, 32, 32, 2)


@torch.no_grad()
def test_the_mirrored_scene_reads_as_the_mirror_of_the_scene(network) -> None:
    reading = MirroredReading(network)
    images, prior = torch.rand(1, 3, 64, 64), torch.rand(1, 17, 64, 64)
    there = reading(images, prior)
    back = reading(images.flip(-1), prior[:, mirrored(BODY17)].flip(-1))
    swapped = back.tags.flip(3)[:, mirrored(TB14)].flip(-1)
    assert torch.allclose(there.tags, swapped, atol=1e-4)
    forgetful = MirroredReading(network, swap_prior=False)(images, prior)
    assert not torch.allclose(forgetful.tags, swapped, atol=1e-4)


def test_sides_and_priors_that_do_not_fit_are_refused(network) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        network(torch.rand(1, 3, 60, 64))
    with pytest.raises(ValueError, match="prior"):
        network(torch.rand(1, 3, 64, 64), torch.rand(1, 16, 64, 64))
    with pytest.raises(ValueError, match="layer"):
        BottomUpNetwork(width=4, channels=4, head_layers=0)
