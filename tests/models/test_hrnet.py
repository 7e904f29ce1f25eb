import pytest
import torch

from dyad.models.higherhrnet import higherhrnet
from dyad.models.hrnet import hrnet

TINY = {"width": 4, "joints": 3, "modules": (1, 1, 1), "units": 1}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("width", "millions"), [(16, 7.4), (32, 28.5), (48, 63.6)])
def test_every_width_has_the_parameters_that_its_description_says(width, millions) -> None:
    with torch.device("meta"):
        network = hrnet(width=width)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_maps_are_a_quarter_of_the_size_and_of_each_image_alone(images) -> None:
    network = hrnet(**TINY).eval()
    with torch.no_grad():
        both, alone = network(images), network(images[1:])
    assert both.shape == (2, 3, 16, 8)
    torch.testing.assert_close(both[1:], alone, rtol=1e-5, atol=1e-6)


def test_stages_double_in_size_and_tags_come_from_the_first(images) -> None:
    network = higherhrnet(stages=2, **TINY).eval()
    with torch.no_grad():
        both, alone = network(images), network(images[1:])
    assert [tuple(maps.shape) for maps in both.heatmaps] == [(2, 3, 16, 8), (2, 3, 32, 16), (2, 3, 64, 32)]
    assert both.tags.shape == (2, 3, 16, 8)
    torch.testing.assert_close(both.heatmaps[2][1:], alone.heatmaps[2], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("network", [hrnet(**TINY), higherhrnet(**TINY)], ids=["hrnet", "higherhrnet"])
def test_gradients_reach_every_parameter(network, images) -> None:
    found = network.eval()(images)
    maps = [found] if isinstance(found, torch.Tensor) else [*found.heatmaps, found.tags]
    sum((m * torch.linspace(-1, 1, m.numel()).view_as(m)).sum() for m in maps).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


@pytest.mark.parametrize("make", [hrnet, higherhrnet])
@pytest.mark.parametrize("shape", [(1, 3, 48, 64), (1, 4, 64, 64), (3, 64, 64)])
def test_images_of_other_sizes_are_refused(make, shape) -> None:
    with pytest.raises(ValueError, match="multiples of 32 px"):
        make(**TINY)(torch.zeros(shape))
