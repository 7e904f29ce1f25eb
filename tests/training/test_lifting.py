"""Training lifting networks: the loss knows the truth, a tiny training from end to end, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.models.lifting import Lifted, LiftingNetwork
from dyad.models.sight import FRAME_FEATURES, JOINT_FEATURES
from dyad.training import lifting_motion
from dyad.training.lifting import (
    WEIGHTS,
    LiftingErrors,
    located,
    main,
    train_lifting,
)
from dyad.training.lifting_motion import clips
from dyad.training.loop import LOG, STATE
from dyad.training.program import command_of
from dyad.training.recipes import HELD_OUT, Optimisation, recipe_of
from dyad.training.recipes_lifting import LIFTING, LiftingLoss, LiftingRecipe

TINY = LiftingRecipe(
    Optimisation(steps=4, averaging=0.9),
    made=2,
    bodies=2,
    graph=4,
    width=16,
    dilations=(1, 3),
    frames=12,
    batch=4,
    held_out=4,
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only walks are made, since they are made quickest."""
    monkeypatch.setattr(lifting_motion, "KINDS", {"walk": None})
    monkeypatch.setattr(lifting_motion, "PAIRS", {})
    monkeypatch.setattr(lifting_motion, "_MADE_FRAMES", 40)


def truth() -> tuple[dict[str, torch.Tensor], Lifted]:
    """A batch, and the answer that is right."""
    random = torch.Generator().manual_seed(0)
    pose = 0.2 * torch.randn(2, 10, 17, 3, generator=random) + torch.tensor((0.1, 0.0, 3.0))
    scale = torch.full((2, 10), 0.07)
    up = torch.tensor((0.0, -1.0, 0.0)).expand(2, 10, 3)
    batch = {"pose": pose, "scale": scale, "up": up, "stature": torch.tensor((1.5, 1.8))}
    batch |= {"there": torch.ones(2, 10, dtype=torch.bool)}
    batch |= {"joints": torch.zeros(2, 10, 17, JOINT_FEATURES), "frames": torch.zeros(2, 10, FRAME_FEATURES)}
    root = pose[:, :, 0]
    place = torch.cat((root[..., :2] / root[..., 2:] / scale[..., None], (root[..., 2:] * scale[..., None]).log()), -1)
    stature = torch.stack(((batch["stature"] / 1.7).log()[:, None].expand(2, 10), torch.zeros(2, 10)), -1)
    relative = pose - root[:, :, None]
    found = Lifted(relative, relative, place, torch.zeros(2, 10, 17, 2), torch.zeros(2, 10), up, stature)
    return batch, found


def test_the_truth_costs_nothing_and_what_is_off_costs() -> None:
    batch, found = truth()
    torch.testing.assert_close(located(found, batch["scale"]), batch["pose"][:, :, 0])
    told = LiftingErrors(LiftingLoss())(lambda joints, frames: found, batch)
    named = ("pose", "single", "pace", "plane", "depth", "up", "stature")
    # The root of a small number stands for the length of nothing.
    assert all(float(told[name]) < 5e-4 for name in named), told
    nearer = found._replace(root=found.root + torch.tensor((0.0, 0.0, 0.1)))
    assert float(LiftingErrors(LiftingLoss())(lambda joints, frames: nearer, batch)["depth"]) == pytest.approx(0.1)
    off = found._replace(pose=found.pose + torch.tensor((0.0, 0.0, 0.05)))
    worse = LiftingErrors(LiftingLoss())(lambda joints, frames: off, batch)
    assert float(worse["pose"]) == pytest.approx(0.05, rel=1e-3)
    assert float(worse["pace"]) < 2e-4
    # Frames without anybody do not count.
    batch["there"][:, 5:] = False
    wild = found._replace(pose=found.pose + 9.0 * ~batch["there"][..., None, None])
    assert float(LiftingErrors(LiftingLoss())(lambda joints, frames: wild, batch)["pose"]) < 2e-4


@pytest.mark.usefixtures("few")
def test_a_tiny_training_leaves_weights_that_rebuild_the_network(tmp_path: Path) -> None:
    stopped = train_lifting(tmp_path, TINY, device="cpu", minutes=0.0, command="again")
    assert stopped.stopped == "time"
    assert (tmp_path / STATE).is_file()
    outcome = train_lifting(tmp_path, TINY, device="cpu", command="again", log_every=2, validate_every=2)
    assert outcome.step == 4
    assert outcome.stopped is None
    assert {"mpjpe_mm", "pck", "depth_percent", "up_degrees", "stature_percent"} < set(outcome.metrics)
    checkpoint = Checkpoint.load(tmp_path / WEIGHTS)
    network = checkpoint.build()
    assert isinstance(network, LiftingNetwork)
    assert checkpoint.about["command"] == "again"
    assert "CMU" in checkpoint.about["data"]
    assert len(checkpoint.about["curve"]) == 2
    ours, theirs = outcome.network.state_dict(), network.state_dict()
    assert all(torch.allclose(ours[name].half().float(), theirs[name]) for name in ours)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4]
    # Once more from the start: the same weights.
    again = train_lifting(tmp_path / "again", TINY, device="cpu")
    assert all(torch.equal(value, again.network.state_dict()[name]) for name, value in ours.items())


def test_recordings_are_kept_for_judging(mocap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifting_motion, "find_motions", lambda folder: sorted(folder.glob("cmu_walking_1*.npz")))
    learnt, judged = (clips(mocap, made=0, seed=0, held_out=kept) for kept in (False, True))
    assert len(judged.start) >= 1
    assert len(learnt.start) > 4 * len(judged.start)
    assert float(learnt.weight.sum()) == pytest.approx(1)
    assert int(learnt.length.sum()) == len(learnt.translation)
    assert learnt.translation[:, 1].min() > 0.3


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="held out"):
        TINY.with_(seed=HELD_OUT)
    with pytest.raises(BadUsage, match="multiples"):
        TINY.with_(batch=5)
    with pytest.raises(BadUsage, match="presets"):
        recipe_of(LIFTING, "huge")
    with pytest.raises(BadInput, match="no motion capture"):
        clips(tmp_path, made=0, seed=0)
    assert main(["-o", str(tmp_path / "out"), "--motions", str(tmp_path / "none")]) == BadInput.exit_status


def test_presets_and_commands() -> None:
    assert recipe_of(LIFTING, "laptop", steps=7, batch=None).optimisation.steps == 7
    assert recipe_of(LIFTING, "laptop", motions=Path("a b")).motions == Path("a b")
    assert command_of("lift", "gpu", steps=3, seed=None, motions=Path("a b")) == (
        "dyad train lift --preset gpu --steps 3 --motions 'a b'"
    )
    for recipe in LIFTING.values():
        assert json.loads(json.dumps(recipe.to_json())) == recipe.to_json()
        assert recipe.seed < HELD_OUT
        assert replace(recipe, seed=1) != recipe
