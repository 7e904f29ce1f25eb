"""`dyad refine` and `dyad run --refine` as a script meets them, with flow from files."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.flow import Flow
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.estimates.skeletons import POSETRACK17
from dyad.export.flow_archive import flow_archive
from dyad.export.video import clip_writer
from dyad.models.checkpoints import Checkpoint
from dyad.models.raft import raft_small
from dyad.pipeline import Refinement
from dyad.refinement.alternate import Refiner
from dyad.stages import DETECTORS
from dyad.stages.flow import FileFlow
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_flow import FlowNoise, OracleFlow
from dyad.stages.shrunk_flow import ShrunkFlow
from tests.conftest import Dyad
from tests.refinement.scenes import error, image_error, noisy
from tests.refinement.swinging import Swing, swing
from tests.test_cli import WRITTEN, contents

pytestmark = pytest.mark.usefixtures("_own_cache")


@pytest.fixture
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def world() -> Swing:
    return swing(10)


@pytest.fixture(scope="module")
def folder(world: Swing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`clip.mp4`, its `flow.npz`, and the noisy tracks of a run in `run`, whose first frame is the video's third."""
    folder = tmp_path_factory.mktemp("world")
    with clip_writer(folder / "clip.mp4", quality=10) as writer:
        for k in range(12):
            writer.write(world.video[max(0, k - 2)], k / 10)
    estimator = OracleFlow(world.flows, noise=FlowNoise(error=0.2, motion=0.05, outliers=0.01), seed=3)
    images = world.video[0:10]
    with flow_archive(folder / "flow.npz") as archive:
        for k in range(9):
            chunks = [next(Video(images[i : i + 1]).chunks(1)) for i in (k, k + 1)]
            for chunk, i in zip(chunks, (k, k + 1), strict=True):
                chunk.indices[:] = i
            archive.write(estimator(*chunks)[0], k + 2)
    shifted(noisy(world.truth)).save(folder / "run" / "tracks.npz")
    shifted(world.truth).save(folder / "truth" / "tracks.npz")
    return folder


def shifted(tracks: Tracks) -> Tracks:
    """Two frames later."""
    later = {"frame": tracks.frame + 2, "frames": tracks.frames + 2}
    return tracks.with_(**later, time=tracks.time + 0.2, times=tracks.times + 0.2, video="clip.mp4")


def test_tracks_and_flow_gain_and_all_is_told(folder: Path, world: Swing, tmp_path: Path, dyad: Dyad) -> None:
    out = tmp_path / "out"
    words = (folder / "clip.mp4", "--tracks", folder / "run", "--flow", folder / "flow.npz", "-o", out)
    ended = dyad("refine", *words, "--save-flow", "--json")
    assert (ended.status, ended.out.count("\n")) == (0, 1)
    assert contents(out) == sorted([*WRITTEN, "flow.mp4", "flow.npz"])
    truth, given, found = (Tracks.load(place) for place in (folder / "truth", folder / "run", out))
    assert error(found, truth) < 0.7 * error(given, truth)
    assert torch.equal(found.frame, given.frame)
    assert found.agreement.isfinite().any()
    told = json.loads(ended.out)
    account = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert told["refinement"] == account["refinement"]
    assert account["refinement"]["cycles"] == 1
    before, after = account["refinement"]["scores"]
    assert after < before
    assert account["refinement"]["recipe"] == "fast"
    assert account["refinement"]["cost_ratio"] > 1
    assert set(account["refinement"]["seconds"]) == {"flow", "pose", "tune", "score"}
    assert {"flow", "pose", "tune", "score", "draw", "write"} <= set(account["seconds"])
    assert account["options"]["flow"] == str(folder / "flow.npz")
    # What was written can be read as an estimator.
    flow = FileFlow.of(out)
    assert sorted(flow.files) == list(range(2, 11))
    assert flow.several is not None
    assert not torch.equal(flow.several[3].uv, world.flows[3].uv)
    # A finished folder is not worked on again; another configuration is.
    written = (out / "overlay.mp4").stat().st_mtime_ns
    again = dyad("refine", *words, "--save-flow", "--json", "--resume")
    assert again.status == 0
    assert json.loads(again.out)["refinement"] == account["refinement"]
    assert (out / "overlay.mp4").stat().st_mtime_ns == written


def test_killed_and_resumed_gives_the_same_bytes(
    folder: Path,
    tmp_path: Path,
    dyad: Dyad,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def words(name: str) -> tuple:
        words = ("refine", folder / "clip.mp4", "--tracks", folder / "run", "--flow", folder / "flow.npz")
        return *words, "-o", tmp_path / name, "--resume"

    assert dyad(*words("whole")).status == 0
    with monkeypatch.context() as patch:
        patch.setattr("dyad.refinement.flow_fusion.LimbFusion.__call__", _killed)
        assert dyad(*words("out")).status == 130
    assert contents(tmp_path / "out") == [".dyad-stages"]
    kept = contents(tmp_path / "out" / ".dyad-stages")
    assert [name.split("-")[0].split(".")[0] for name in kept] == ["estimate", "pose", "seconds"]
    with monkeypatch.context() as patch:
        patch.setattr("dyad.stages.flow.FileFlow.__call__", _killed)
        assert dyad(*words("out")).status == 0
    assert contents(tmp_path / "out") == WRITTEN
    one, two = ((tmp_path / name / "tracks.npz").read_bytes() for name in ("whole", "out"))
    assert one == two


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_two_dimensions_and_others_detections(folder: Path, tmp_path: Path, dyad: Dyad) -> None:
    truth, given = (Tracks.load(folder / name) for name in ("truth", "run"))
    words = (folder / "clip.mp4", "--flow", folder / "flow.npz")
    ended = dyad("refine", *words, "--tracks", folder / "run", "--mode", "2d", "-o", tmp_path / "flat")
    assert ended.status == 0
    flat = Tracks.load(tmp_path / "flat")
    assert image_error(flat, truth) < 0.85 * image_error(given, truth)
    assert torch.equal(flat.xyz, given.xyz)
    ended = dyad(
        "refine", *words, "--tracks", folder / "run", "--detections", folder / "truth", "-o", tmp_path / "seen"
    )
    assert ended.status == 0
    seen = Tracks.load(tmp_path / "seen")
    assert image_error(seen, truth) < 1e-3
    assert error(seen, truth) < 0.7 * error(given, truth)


def test_poses_of_another_tool_without_3d(folder: Path, tmp_path: Path, dyad: Dyad) -> None:
    truth = Tracks.load(folder / "truth")
    one = truth[truth.person == 0]
    detections = np.concatenate((one.xy.numpy(), one.confidence.numpy()[..., None]), -1)
    np.savez(tmp_path / "dcpose.npz", detections=detections, frames=one.frame.numpy())
    words = (folder / "clip.mp4", "--tracks", tmp_path / "dcpose.npz", "--focal", "150")
    whole = tmp_path / "flow"
    with flow_archive(whole / "flow.npz") as archive:
        known = FileFlow.of(folder / "flow.npz")
        for frame in range(11):
            archive.write(known.several[frame - 2] if frame > 1 else Flow(torch.zeros(2, 120, 160)), frame)
    ended = dyad("refine", *words, "--flow", whole, "-o", tmp_path / "out", "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["refinement"]["mode"] == "2d"
    assert len(Tracks.load(tmp_path / "out")) == 10


def test_poses_of_several_files_are_averaged(folder: Path, world: Swing, tmp_path: Path, dyad: Dyad) -> None:
    truth, given = (Tracks.load(folder / name) for name in ("truth", "run"))
    shifted(noisy(world.truth, seed=7)).save(tmp_path / "other" / "tracks.npz")
    one = truth[truth.person == 1].convert(POSETRACK17)
    joints = torch.cat((one.xy, one.confidence[..., None]), -1).nan_to_num()
    np.savez(tmp_path / "dcpose.npz", detections=joints.numpy(), frames=one.frame.numpy())
    words = ("refine", folder / "clip.mp4", "--flow", folder / "flow.npz", "--json")
    ended = dyad(*words, "--cycles", "0", "--tracks", f"{folder / 'run'},{tmp_path / 'other'}", "-o", tmp_path / "out")
    assert ended.status == 0, ended.err
    mean = Tracks.load(tmp_path / "out")
    assert error(mean, truth) < 0.8 * error(given, truth)
    assert image_error(mean, truth) < 0.8 * image_error(given, truth)
    # A file of 2D joints besides, and of one person alone; poses stay 3D.
    ended = dyad(*words, "--tracks", f"{folder / 'run'},{tmp_path / 'dcpose.npz'}", "-o", tmp_path / "mixed")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["refinement"]["mode"] == "3d"
    mixed = Tracks.load(tmp_path / "mixed")
    assert torch.equal(mixed.frame, given.frame)
    person = mixed.person == 1
    assert image_error(mixed[person], truth[person]) < 0.8 * image_error(given[person], truth[person])
    assert torch.equal(mixed[~person].xy, given[~person].xy)


def test_files_that_cannot_be_averaged(folder: Path, world: Swing, tmp_path: Path, dyad: Dyad) -> None:
    given = Tracks.load(folder / "run")
    given.with_(camera=given.camera.from_focal((160, 120), 300.0)).save(tmp_path / "long.npz")
    given.with_(xy=given.xy + 500).save(tmp_path / "strangers.npz")
    noisy(world.truth)[world.truth.frame < 2].save(tmp_path / "early.npz")
    words = ("refine", folder / "clip.mp4", "--flow", folder / "flow.npz", "-o", tmp_path / "out", "--tracks")
    for other, status, said in (
        (tmp_path / "long.npz", 3, "two cameras"),
        (tmp_path / "strangers.npz", 3, "nobody of"),
        (tmp_path / "early.npz", 3, "frames 0 to 1, none of which is among the 10"),
        (tmp_path / "none.npz", 3, "none.npz"),
        ("", 2, "one comma"),
    ):
        ended = dyad(*words, f"{folder / 'run'},{other}")
        assert ended.status == status, ended
        assert said in ended.complaint


def test_run_with_refinement(
    folder: Path,
    tmp_path: Path,
    dyad: Dyad,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth = Tracks.load(folder / "truth")
    monkeypatch.setitem(DETECTORS, "blazepose", lambda weights, device, **policy: OracleDetector(truth))
    monkeypatch.setattr("dyad.workfolder.flow_weights", lambda flow: {"flow": Path(flow)})
    words = ("run", folder / "clip.mp4", "--frames", "2:12", "--focal", "150", "--json")
    ended = dyad(*words, "--refine", "--flow", folder / "flow.npz", "-o", tmp_path / "on")
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["options"]["refine"] is True
    assert told["refinement"]["cost_ratio"] > 1
    assert {"detect", "lift", "flow", "pose", "tune"} <= set(told["seconds"])
    assert contents(tmp_path / "on") == WRITTEN
    assert set(told["weights"]) == {"lifting.safetensors", "flow"}
    ended = dyad(*words, "-o", tmp_path / "off")
    assert "refinement" not in json.loads(ended.out)
    assert "flow" not in json.loads(ended.out)["weights"]
    assert not torch.equal(Tracks.load(tmp_path / "on").xyz, Tracks.load(tmp_path / "off").xyz)


def test_a_run_refines_what_a_detector_of_2d_joints_saw(
    folder: Path, tmp_path: Path, dyad: Dyad, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = Tracks.load(folder / "truth")
    flat = noisy(truth.with_(xyz=truth.xyz * torch.nan))
    monkeypatch.setitem(DETECTORS, "blazepose", lambda weights, device, **policy: OracleDetector(flat))
    words = ("run", folder / "clip.mp4", "--frames", "2:12", "--focal", "150", "--lifter", "geometric")
    for name, more in (("before", ()), ("after", ("--refine", "--flow", folder / "flow.npz"))):
        assert dyad(*words, *more, "-o", tmp_path / name).status == 0
    before, after = (Tracks.load(tmp_path / name) for name in ("before", "after"))
    assert torch.equal(before.xyz, after.xyz)
    # Whoever is found first is 0, and the rows are in order of the people.
    orders = (truth, truth.with_(xy=truth.xy.roll(len(truth) // 2, 0)))
    same = min(orders, key=lambda order: image_error(before, order))
    assert image_error(after, same) < 0.85 * image_error(before, same)


def test_what_cannot_be_refined(folder: Path, tmp_path: Path, dyad: Dyad) -> None:
    clip, run, flow = folder / "clip.mp4", folder / "run", folder / "flow.npz"
    given = Tracks.load(run)
    given.with_(camera=given.camera.resize(80, 60)).save(tmp_path / "small.npz")
    given.with_(frames=given.frames + 20, frame=given.frame + 20).save(tmp_path / "late.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with clip_writer(tmp_path / "short.mp4") as writer:
        for k in range(6):
            writer.write(np.zeros((120, 160, 3), np.uint8), k / 10)
    for words, status, said in (
        (
            (clip, "--tracks", tmp_path / "small.npz"),
            3,
            "the tracks are about images of 80x60 px and clip.mp4 is 160x120",
        ),
        ((tmp_path / "short.mp4", "--tracks", run), 3, "the tracks are about frame 6, and short.mp4 has frames 2 to 5"),
        ((clip, "--tracks", tmp_path / "late.npz"), 3, "frames 22:32 hold nothing of clip.mp4"),
        ((clip, "--tracks", tmp_path / "none"), 3, "no tracks at"),
        ((clip, "--tracks", tmp_path / "text.npz"), 3, "text.npz"),
        ((clip, "--tracks", run, "--cycles", "-1"), 2, "0 cycles or more"),
        ((clip, "--tracks", run, "--focal", "100"), 2, "tracks have their camera already"),
        ((clip, "--tracks", run, "--flow", "raft-small"), 4, "raft-small"),
        ((clip, "--tracks", run, "--recipe", "paper", "--flow", flow), 2, "no network to tune"),
        ((clip, "--tracks", run, "--detections", tmp_path / "none.json"), 3, "none.json"),
    ):
        ended = dyad("refine", *words, *(() if "--flow" in words else ("--flow", flow)), "-o", tmp_path / "out")
        assert ended.status == status, ended
        assert said in ended.complaint
    ended = dyad("refine", clip, "--tracks", run, "--flow", flow, "-o", run)
    assert ended.status == 2
    assert "would overwrite" in ended.complaint
    assert dyad("refine", clip, "-o", tmp_path / "out").status == 2


def test_the_default_stops_by_the_score_and_shrinks_for_networks(tmp_path: Path) -> None:
    Checkpoint.of(raft_small(), "raft-small").save(tmp_path / "small.safetensors")
    made = Refinement.default(flow=str(tmp_path / "small.safetensors"), device="cpu")
    assert isinstance(made.refiner, Refiner)
    assert made.refiner.score is not None
    assert not made.refiner.whole
    assert made.estimator.longest == 960


@pytest.mark.parametrize("recipe", ["paper", "released"])
def test_the_papers_recipes_are_fixed(tmp_path: Path, recipe: str) -> None:
    """Nothing ends their cycles, and networks have the paper's iterations, whatever they were trained with."""
    path = str(tmp_path / "few.safetensors")
    Checkpoint.of(raft_small(), "raft-small", iterations=7).save(path)
    made, fast = (Refinement.default(flow=path, recipe=name, cycles=2, device="cpu") for name in (recipe, "fast"))
    assert (made.refiner.score, made.refiner.cycles) == (None, 2)
    assert isinstance(made.estimator, ShrunkFlow)
    assert isinstance(fast.estimator, ShrunkFlow)
    assert made.estimator.estimator.iterations == made.estimator.estimator.copy().iterations == 20
    assert fast.estimator.estimator.iterations == 7
    assert made.refiner.tuner.iterations is None
