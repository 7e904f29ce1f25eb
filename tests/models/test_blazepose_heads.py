from pathlib import Path

import pytest
import torch

from dyad.models.blazepose import BlazePoseDetector
from dyad.models.blazepose_heads import (
    BlazePoseFeatures,
    BlazePoseFinder,
    PersonHeads,
    PersonNetwork,
    PlainFeatures,
    SideBySide,
)
from dyad.models.weights import BLAZEPOSE_DETECTOR
from dyad.models.zoo import make

IMAGES = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def file(blazepose_folder: Path) -> Path:
    return blazepose_folder / BLAZEPOSE_DETECTOR.file


@pytest.fixture(scope="module")
def heads() -> PersonHeads:
    torch.manual_seed(0)
    return PersonHeads(width=16, layers=1).eval()


def test_shapes(file: Path, heads: PersonHeads) -> None:
    for features in (BlazePoseFeatures.from_file(file), PlainFeatures().eval()):
        maps = PersonNetwork(features, heads)(IMAGES)
        assert maps.middle.shape == maps.reach.shape == maps.depth.shape == (2, 1, 8, 12)
        assert maps.offsets.shape == (2, 17, 2, 8, 12)
        assert maps.heatmaps.shape == (2, 17, 16, 24)
        assert maps.relative.shape == (2, 16, 8, 12)


def test_the_features_are_frozen_and_the_heads_learn(file: Path, heads: PersonHeads) -> None:
    network = PersonNetwork(BlazePoseFeatures.from_file(file), heads)
    learning = {name for name, value in network.named_parameters() if value.requires_grad}
    assert learning == {f"heads.{name}" for name, _ in heads.named_parameters()}


def test_one_pass_gives_what_two_give(file: Path, heads: PersonHeads) -> None:
    proposals, maps = BlazePoseFinder.from_files(file, heads)(IMAGES)
    alone = BlazePoseDetector.from_file(file)(IMAGES)
    for ours, theirs in zip(proposals, alone, strict=True):
        assert torch.equal(ours, theirs)
    other = PersonNetwork(BlazePoseFeatures.from_file(file), heads)(IMAGES)
    for ours, theirs in zip(maps, other, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_prior_of_nobody_changes_nothing_and_others_must_fit(heads: PersonHeads) -> None:
    features = PlainFeatures().eval()(IMAGES)
    without, empty = heads(features), heads(features, torch.zeros(2, 17, 8, 12))
    assert torch.equal(without.middle, empty.middle)
    with pytest.raises(ValueError, match="prior of shape"):
        heads(features, torch.zeros(2, 17, 4, 12))
    with pytest.raises(ValueError, match="prior of shape"):
        PersonHeads(width=16, prior_joints=0).eval()(features, torch.zeros(2, 17, 8, 12))


def test_sides_must_fit() -> None:
    with pytest.raises(ValueError, match="divisible by 32"):
        PlainFeatures()(torch.zeros(1, 3, 40, 64))


def test_the_zoo_knows_them() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in make("person-heads").parameters()) < 400_000
        make("person-network", width=32)


def test_without_heads_the_detector_is_alone(file: Path, heads: PersonHeads) -> None:
    proposals, maps = BlazePoseFinder.from_files(file, heads)(IMAGES, heads=False)
    assert maps is None
    assert torch.equal(proposals.scores, BlazePoseDetector.from_file(file)(IMAGES).scores)


def test_a_network_with_features_of_its_own_beside_the_detector(file: Path, heads: PersonHeads) -> None:
    network = PersonNetwork(PlainFeatures().eval(), heads)
    both = SideBySide(BlazePoseDetector.from_file(file), network)
    proposals, maps = both(IMAGES)
    assert torch.equal(proposals.scores, BlazePoseDetector.from_file(file)(IMAGES).scores)
    assert maps is not None
    assert torch.equal(maps.middle, network(IMAGES).middle)
    assert both(IMAGES, heads=False)[1] is None
