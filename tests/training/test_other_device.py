"""Every training runs on a device that is not the CPU."""

from pathlib import Path

import pytest

from dyad.models.checkpoints import Checkpoint
from dyad.training import published_branches, published_lifting
from dyad.training.bottomup import train_bottomup
from dyad.training.discriminator import DISCRIMINATOR, train_discriminator
from dyad.training.flow import train_flow
from dyad.training.integration import implausible, train_integration
from dyad.training.integration_recipes import INTEGRATION
from dyad.training.lifting import train_lifting
from dyad.training.recipes import recipe_of
from dyad.training.unlabelled_lifting import train_ssl
from tests.other_device import other_device
from tests.training.test_bottomup import TINY as HEADS
from tests.training.test_bottomup import folder_with
from tests.training.test_bottomup import stills as stills
from tests.training.test_discriminator import DATA, small
from tests.training.test_lifting import TINY as LIFTING
from tests.training.test_lifting import few as few
from tests.training.test_published import data as data
from tests.training.test_published import gcn as gcn
from tests.training.test_unlabelled_lifting import TINY as SELF
from tests.training.test_unlabelled_lifting import teacher as teacher
from tests.training.test_unlabelled_lifting import tracks
from tests.training.tiny import TINY as FLOW
from tests.training.troupes import troupe


@pytest.fixture
def stocked(tmp_path: Path) -> Path:
    for name in ("stock", "held"):
        troupe().save(tmp_path / f"{name}.npz")
    return tmp_path


def test_flow(tmp_path: Path) -> None:
    with other_device():
        assert train_flow(tmp_path, FLOW, device="meta", workers=0).step == FLOW.optimisation.steps


@pytest.mark.usefixtures("few")
def test_lifting(tmp_path: Path) -> None:
    with other_device():
        assert train_lifting(tmp_path, LIFTING, device="meta").step == 4


def test_integration(stocked: Path) -> None:
    recipe = recipe_of(INTEGRATION, "tiny", steps=2, data=DATA, plausible=0.1)
    path = stocked / "d.safetensors"
    Checkpoint.of(small(), "discriminator", arguments={"width": 8, "layers": 2}).save(path)
    discriminator = implausible(str(path))
    with other_device():
        outcome = train_integration(stocked, recipe, device="meta", discriminator=discriminator)
    assert outcome.step == 2
    assert outcome.metrics["mpjpe_mm"] > 0


def test_discriminators(stocked: Path) -> None:
    with other_device():
        outcome = train_discriminator(
            stocked, recipe_of(DISCRIMINATOR, "tiny", steps=2, data=DATA, near=3.0), device="meta"
        )
    assert outcome.metrics["pairs"] > 0


@pytest.mark.parametrize("features", ["blazepose", "plain"])
def test_heads(features: str, blazepose_folder: Path, stills: Path, tmp_path: Path) -> None:
    folder = folder_with(stills, tmp_path / "heads")
    with other_device() as narrowed:
        outcome = train_bottomup(
            folder, HEADS.with_(features=features, steps=2, precision="bfloat16"), device="meta", validate_every=100
        )
    assert outcome.step == 2
    assert set(narrowed) == {"meta"}


@pytest.mark.usefixtures("few")
def test_videos_without_labels(tmp_path: Path, teacher: Path) -> None:
    tracks().save(tmp_path / "joints" / "tracks.npz")
    with other_device():
        outcome = train_ssl(
            tmp_path / "out", SELF.with_(steps=2), joints=tmp_path / "joints", model=str(teacher), device="meta"
        )
    assert outcome.step == 2


def test_networks_of_published_sequences(data: Path, gcn: Path, tmp_path: Path) -> None:
    with other_device():
        for kind in ("gcn", "tcn", "root"):
            changes = {"data": data, "gcn": None if kind == "gcn" else str(gcn), "steps": 2}
            assert published_lifting.train_preset(kind, tmp_path / kind, "tiny", changes, device="meta").step == 2


@pytest.mark.parametrize("kind", ["topdown", "bottomup"])
def test_published_branches(kind: published_branches.Branch, data: Path, tmp_path: Path) -> None:
    changes = {"data": data, "steps": 1}
    with other_device():
        outcome = published_branches.train_preset(kind, tmp_path, "tiny", changes, device="meta", workers=0)
    assert outcome.step == 1
