from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.clip import Clip
from dyad.core.skeleton import BODY17
from dyad.models.blazepose import Region
from dyad.models.blazepose_heads import BlazePoseFinder
from dyad.models.checkpoints import Checkpoint, shipped
from dyad.models.weights import BLAZEPOSE_DETECTOR
from dyad.stages.proposals import Proposer, distinct

from .conftest import Networks

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def image(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[0]).permute(2, 0, 1)


def hits(region: Region, boxes: Tensor) -> Tensor:
    """Which boxes (P,) some region is about: its centre in the middle half of the box, its side about the box's."""
    middle, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    near = ((region.centre[:, None] - middle).abs() < 0.35 * size).all(-1)
    ratio = region.side[:, None] / size.amax(-1)
    return (near & (ratio > 0.8) & (ratio < 2.6)).any(0)


@pytest.mark.parametrize("tiles", [False, True])
def test_everyone_is_proposed(networks: Networks, image: Tensor, drawn: Clip, tiles: bool) -> None:
    proposed = Proposer(networks.detector, device=CPU, tiles=tiles)(image)
    region, score = proposed.region, proposed.score
    assert hits(region, drawn.truth[drawn.truth.frame == 0].box).all()
    assert region.centre.shape == (len(score), 2)
    assert (score.diff() <= 0).all()
    assert (score > 0.3).all()
    assert len(score) <= 24


def test_policy(networks: Networks, image: Tensor) -> None:
    assert len(Proposer(networks.detector, device=CPU, sizes=(448,), most=1)(image)) == 1
    assert len(Proposer(networks.detector, device=CPU, sizes=(448,), threshold=1.1)(image)) == 0


def test_one_size_sees_what_is_large_enough_in_it(networks: Networks, image: Tensor, drawn: Clip) -> None:
    boxes = drawn.truth[drawn.truth.frame == 0].box
    # Shown twice as large, the same person is found in the same place.
    double = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    region = Proposer(networks.detector, device=CPU, sizes=(640,))(image).region
    other = Proposer(networks.detector, device=CPU, sizes=(640,))(double).region
    assert torch.equal(hits(region, boxes), hits(Region(other.centre / 2, other.side / 2, other.angle), boxes))


@pytest.mark.parametrize("size", [(2, 2), (31, 200), (200, 31)])
def test_images_of_any_shape(networks: Networks, size: tuple[int, int]) -> None:
    proposed = Proposer(networks.detector, device=CPU, tiles=True)(torch.zeros(3, *size, dtype=torch.uint8))
    region, score = proposed.region, proposed.score
    assert len(region.side) == len(score)
    assert torch.isfinite(region.centre).all()


@pytest.fixture(scope="module")
def finder(blazepose_folder: Path) -> BlazePoseFinder:
    heads = Checkpoint.load(shipped()["person-heads"]).build()
    return BlazePoseFinder.from_files(blazepose_folder / BLAZEPOSE_DETECTOR.file, heads)


@pytest.mark.parametrize("tiles", [False, True])
def test_heads_tell_of_everyone_with_joints(finder: BlazePoseFinder, image: Tensor, drawn: Clip, tiles: bool) -> None:
    proposed = Proposer(finder, device=CPU, tiles=tiles)(image)
    truth = drawn.truth[drawn.truth.frame == 0]
    told = proposed[proposed.told]
    assert hits(told.region, truth.box).all()
    assert torch.isfinite(told.xy).all()
    assert proposed[~proposed.told].xy.isnan().all()
    assert ((told.score > 0.4) & (told.score <= 1)).all()
    real = truth.skeleton.convert(truth.xy, BODY17)
    height = truth.box[:, 3] - truth.box[:, 1]
    apart = torch.linalg.vector_norm(real[:, None] - told.xy[None], dim=-1).median(-1).values
    assert (apart.amin(1) < 0.12 * height).all()


def test_heads_left_out_change_nothing(networks: Networks, finder: BlazePoseFinder, image: Tensor) -> None:
    alone = Proposer(networks.detector, device=CPU)(image)
    without = Proposer(finder, device=CPU)(image, heads=False)
    assert torch.equal(alone.region.centre, without.region.centre)
    assert torch.equal(alone.score, without.score)
    assert not without.told.any()


def test_distinct_keeps_the_best_of_what_is_alike() -> None:
    centre = torch.tensor([[0.0, 0.0], [10.0, 0.0], [100.0, 0.0], [0.0, 0.0]])
    radius = torch.tensor([50.0, 55.0, 50.0, 20.0])
    score = torch.tensor([0.5, 0.9, 0.6, 0.4])
    # The first repeats the second; the last has the same middle but is another size.
    assert distinct(centre, radius, score).tolist() == [1, 2, 3]
    assert distinct(centre[:0], radius[:0], score[:0]).tolist() == []
