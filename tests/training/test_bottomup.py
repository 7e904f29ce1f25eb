import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.training.bottomup import BOTTOM_UP, WEIGHTS, batches, pool, prepared, train_bottomup
from dyad.training.cuttings import Cutting
from dyad.training.loop import LOG
from dyad.training.recipes import HELD_OUT
from dyad.training.stills import crowds

WORLDS = tuple(replace(world, scenes=replace(world.scenes, furniture=0)) for world in crowds((96, 64), most=5))
TINY = BOTTOM_UP["cpu"].with_(
    steps=4, batch=2, stills=3, cuttings=4, held_out=1, width=16, worlds=WORLDS, cutting=Cutting(size=(96, 64)),
    precision="float32",
)  # fmt: skip


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the stills lie already."""
    folder = tmp_path_factory.mktemp("stills")
    pool(TINY, TINY.seed, TINY.stills, folder)
    pool(TINY, HELD_OUT, TINY.held_out, folder)
    return folder


def folder_with(stills: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in stills.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_stills_are_read_as_they_were_rendered(stills: Path, tmp_path: Path) -> None:
    read, made = pool(TINY, TINY.seed, TINY.stills, stills), pool(TINY, TINY.seed, 2, tmp_path)
    assert len(read) == TINY.stills
    for a, b in zip(read, made, strict=False):
        assert all(torch.equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


def test_batches_take_all_cuttings_in_turn(stills: Path) -> None:
    kept = prepared(TINY.with_(features="plain"), pool(TINY, TINY.seed, TINY.stills, stills), None)
    kept["which"] = torch.arange(TINY.cuttings)
    source = batches(TINY, kept, 0)
    first = [next(source)["which"].tolist() for _ in range(4)]
    assert sorted(first[0] + first[1]) == sorted(first[2] + first[3]) == list(range(TINY.cuttings))
    assert next(batches(TINY, kept, 3))["which"].tolist() == first[3]


def test_a_stopped_training_goes_on_to_the_same_end(blazepose_folder: Path, stills: Path, tmp_path: Path) -> None:
    whole, parted = (folder_with(stills, tmp_path / name) for name in ("whole", "parted"))
    train_bottomup(whole, TINY, log_every=1, validate_every=100)
    stopped = train_bottomup(parted, TINY, minutes=0.0, log_every=1, save_every=1)
    assert stopped.stopped == "time"
    outcome = train_bottomup(parted, TINY, log_every=1, validate_every=100)
    assert outcome.step == 4
    one, two = (Checkpoint.load(folder / WEIGHTS) for folder in (whole, parted))
    assert one.network == "person-heads"
    assert all(torch.equal(value, two.tensors[name]) for name, value in one.tensors.items())
    assert one.about["licence"] == "Apache-2.0"
    assert {"recall", "precision", "average_precision", "depth"} <= set(one.about["metrics"])
    heads = one.build()
    assert not any(name.startswith("features") for name, _ in heads.named_parameters())
    lines = [json.loads(line) for line in (whole / LOG).read_text().splitlines()]
    assert {"loss", "middle", "heat", "relative"} <= set(lines[0])


def test_features_from_scratch_are_trained_too(stills: Path, tmp_path: Path) -> None:
    folder = folder_with(stills, tmp_path / "plain")
    train_bottomup(folder, TINY.with_(features="plain", steps=2), validate_every=100)
    found = Checkpoint.load(folder / WEIGHTS)
    assert found.network == "person-network"
    found.build()


def test_wrong_recipes() -> None:
    for wrong in ({"seed": HELD_OUT}, {"features": "other"}, {"cuttings": 0}, {"cutting": Cutting(size=(100, 64))}):
        with pytest.raises(BadUsage):
            TINY.with_(**wrong)
