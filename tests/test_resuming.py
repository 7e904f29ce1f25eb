"""A run that was broken off goes on, and ends with the same bytes; what belongs to another run is not used."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad
from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.export.flow_archive import flow_archive
from dyad.models.raft import raft_small
from dyad.pipeline import Refinement
from dyad.resuming import STAGES, refining
from dyad.stages.flow import CheckedFlow, FileFlow, MeanFlow, NetworkFlow
from tests.core.test_video import encode, ramp
from tests.refinement.scenes import noisy
from tests.refinement.swinging import Swing, swing
from tests.standin import StandIn

DETECTOR = f"{Path(__file__).with_name('standin.py')}:StandIn"
PIECE = 32


class Broken(Exception):
    pass


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k % 200) for k in range(110)])


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    dyad.run(clip, folder, detector=DETECTOR, piece=PIECE)
    assert not (folder / STAGES).exists()
    return (folder / "tracks.npz").read_bytes()


def run(clip: Path, folder: Path, *, until: int | None = None, **options) -> list[int]:
    """Frames that went by; ends with Broken at one of them."""
    seen: list[int] = []

    def on_frame(found) -> None:
        seen.append(found.frame)
        if found.frame == until:
            raise Broken

    dyad.run(clip, folder, detector=DETECTOR, piece=PIECE, on_frame=on_frame, **options)
    return seen


def pieces(folder: Path) -> list[str]:
    return sorted(path.name[-8:] for path in (folder / STAGES).glob("found-*.npz"))


def test_a_broken_run_goes_on_to_the_same_bytes(clip, whole, tmp_path) -> None:
    with pytest.raises(Broken):
        run(clip, tmp_path, until=20)
    assert pieces(tmp_path) == []
    for until, kept in ((70, 2), (100, 3)):
        with pytest.raises(Broken):
            run(clip, tmp_path, until=until, resume=True)
        assert len(pieces(tmp_path)) == kept
    # What a killed process leaves besides.
    (tmp_path / ".overlay-xyz.mp4").write_bytes(b"half")
    (tmp_path / ".dyad-abc").mkdir()
    assert run(clip, tmp_path, resume=True) == list(range(110))
    assert (tmp_path / "tracks.npz").read_bytes() == whole
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["overlay.mp4", "report.html", "run.json", "tracks.npz"]


def test_a_finished_run_is_not_repeated(clip, whole, tmp_path) -> None:
    first = dyad.run(clip, tmp_path, detector=DETECTOR, piece=PIECE)
    before = (tmp_path / "tracks.npz").stat().st_mtime_ns
    assert run(clip, tmp_path, resume=True) == []
    assert (tmp_path / "tracks.npz").stat().st_mtime_ns == before
    again = dyad.run(clip, tmp_path, detector=DETECTOR, piece=PIECE, resume=True)
    assert (again.coverage, again.notes) == (first.coverage, first.notes)
    (tmp_path / "tracks.npz").unlink()
    assert len(run(clip, tmp_path, resume=True)) == 110
    assert (tmp_path / "tracks.npz").read_bytes() == whole


def test_without_resume_nothing_kept_is_used(clip, tmp_path) -> None:
    with pytest.raises(Broken):
        run(clip, tmp_path, until=70)
    with pytest.raises(Broken):
        run(clip, tmp_path, until=20)
    assert pieces(tmp_path) == []


@pytest.mark.parametrize("change", [{"fov": 50.0}, {"every": 2}, {"frames": slice(1, None)}])
def test_what_another_run_left_is_told_and_not_used(clip, tmp_path, caplog, change) -> None:
    with pytest.raises(Broken):
        run(clip, tmp_path / "a", until=70)
    run(clip, tmp_path / "a", resume=True, **change)
    assert "starting anew" in caplog.text
    run(clip, tmp_path / "b", **change)
    assert (tmp_path / "a/tracks.npz").read_bytes() == (tmp_path / "b/tracks.npz").read_bytes()


def test_another_video_under_the_same_name_is_another_run(clip, tmp_path, caplog) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    with pytest.raises(Broken):
        run(tmp_path / "clip.mp4", tmp_path / "out", until=70)
    encode(tmp_path / "clip.mp4", [ramp((k + 1) % 200) for k in range(110)])
    run(tmp_path / "clip.mp4", tmp_path / "out", resume=True)
    assert "starting anew" in caplog.text


def test_options_of_later_stages_keep_what_was_found(clip, tmp_path, caplog) -> None:
    with pytest.raises(Broken):
        run(clip, tmp_path / "a", until=70)
    run(clip, tmp_path / "a", resume=True, height=1.6)
    assert "Going on after 2 pieces" in caplog.text
    run(clip, tmp_path / "b", height=1.6)
    assert (tmp_path / "a/tracks.npz").read_bytes() == (tmp_path / "b/tracks.npz").read_bytes()


def test_parts_of_which_nothing_is_known_are_refused(clip, tmp_path) -> None:
    with pytest.raises(BadUsage, match="detector"):
        dyad.run(clip, tmp_path, detector=StandIn(), resume=True)
    dyad.run(clip, tmp_path, detector=StandIn())
    assert not (tmp_path / STAGES).exists()


# What a run with refinement comes to, one after the other, and what it has kept by then.
STEPS = {
    "lifting": ("dyad.stages.lifting_learned.LearnedLifter.__call__", ["found"]),
    "flow": ("dyad.stages.flow.FileFlow.__call__", ["found"]),
    "pose": ("dyad.refinement.pose.PoseRefiner.__call__", ["estimate", "found", "seconds"]),
    "correcting flow": ("dyad.refinement.flow_fusion.LimbFusion.__call__", ["estimate", "found", "pose", "seconds"]),
    "judging": ("dyad.refinement.agreement.Agreement.__call__", ["estimate", "flow", "found", "pose", "seconds"]),
    "drawing": ("dyad.viewer.overlay.OverlayWriter.write", ["estimate", "flow", "found", "pose", "seconds"]),
}


@pytest.fixture(scope="module")
def refined(tmp_path_factory) -> tuple[Path, Path, bytes]:
    """A clip in three pieces, its flow, and the bytes of a refined run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("refined")
    video = encode(folder / "clip.mp4", [ramp(k % 200) for k in range(80)])
    random = np.random.default_rng(0)
    with flow_archive(folder / "flow.npz") as archive:
        for k in range(79):
            archive.write(Flow.from_numpy(random.normal(0, 0.5, (48, 64, 2)).astype(np.float32)), k)
    dyad.run(video, folder / "whole", detector=DETECTOR, piece=PIECE, refine=True, flow=str(folder / "flow.npz"))
    return video, folder / "flow.npz", (folder / "whole/tracks.npz").read_bytes()


def test_a_refined_run_broken_between_its_stages_goes_on_to_the_same_bytes(refined, tmp_path, monkeypatch) -> None:
    video, flow, whole = refined
    options = {"detector": DETECTOR, "piece": PIECE, "refine": True, "flow": str(flow), "resume": True}

    def broken(*_: object, **__: object) -> None:
        raise Broken

    for where, kept in STEPS.values():
        with monkeypatch.context() as patch:
            patch.setattr(where, broken)
            with pytest.raises(Broken):
                dyad.run(video, tmp_path, **options)
        names = {path.name.split("-")[0].removesuffix(".json") for path in (tmp_path / STAGES).iterdir()}
        assert sorted(names) == kept
    with monkeypatch.context() as patch:
        # Nothing of what was done is done again.
        for name in ("flow", "pose", "correcting flow"):
            patch.setattr(STEPS[name][0], broken)
        dyad.run(video, tmp_path, **options)
    assert (tmp_path / "tracks.npz").read_bytes() == whole
    assert not (tmp_path / STAGES).exists()


class Own:
    """A flow estimator of which nothing is known."""

    def __init__(self, inner: FlowEstimator) -> None:
        self.inner = inner

    def __call__(self, first, second) -> Flow:
        return self.inner(first, second)

    def copy(self) -> "Own":
        return self


@pytest.fixture(scope="module")
def world() -> Swing:
    return swing(4)


def flow_files(world: Swing, folder: Path, share: float) -> FileFlow:
    for k, flow in enumerate(world.flows):
        write_flow(folder / f"{k}.flo", Flow(share * flow.uv))
    return FileFlow.of(folder)


@pytest.fixture(scope="module")
def key(world: Swing) -> Callable[..., str]:
    def found(flow: FlowEstimator, tracks: Tracks = world.truth, **wanted) -> str:
        return refining(world.video, tracks, Refinement.default(flow=flow, **wanted), asked=True)

    return found


def test_a_refinement_is_known_by_its_people_threads_and_versions(key, world, tmp_path, monkeypatch) -> None:
    flow = flow_files(world, tmp_path, 1.0)
    found = [key(flow), key(flow, cycles=2), key(flow, tracks=noisy(world.truth))]
    assert key(flow) == found[0]
    with monkeypatch.context() as patch:
        patch.setattr("torch.get_num_threads", lambda: 77)
        found.append(key(flow))
    with monkeypatch.context() as patch:
        patch.setattr("torch.__version__", "0.1")
        found.append(key(flow))
    assert len({*found}) == 5


def test_files_of_flow_are_known_by_their_place_size_and_time(key, world, tmp_path) -> None:
    one = flow_files(world, tmp_path / "one", 1.0)
    # The same names, sizes and times elsewhere.
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    before = key(one)
    assert key(FileFlow.of(tmp_path / "one")) == before
    others = [FileFlow.of(tmp_path / "two"), FileFlow.of(tmp_path / "one", first=1), MeanFlow((one,))]
    assert len({before, *map(key, others)}) == 4
    write_flow(tmp_path / "one" / "1.flo", world.flows[0])
    assert key(FileFlow.of(tmp_path / "one")) != before
    write_flow(tmp_path / "all.npz", Flow.stack(world.flows))
    before = key(FileFlow.of(tmp_path / "all.npz"))
    write_flow(tmp_path / "all.npz", Flow.stack(world.flows[:2]))
    assert key(FileFlow.of(tmp_path / "all.npz")) != before
    held = [key(FileFlow({0: 0}, "held", Flow(torch.full((1, 2, 8, 8), value)))) for value in (1.0, 1.0, 2.0)]
    assert held[0] == held[1] != held[2]


def test_networks_are_known_by_their_weights_and_settings(key) -> None:
    def network(seed: int = 0, **policy) -> NetworkFlow:
        torch.manual_seed(seed)
        return NetworkFlow(raft_small(), **policy)

    assert key(network()) == key(network())
    policies = [{"seed": 1}, {"iterations": 3}, {"padding": "kitti"}, {"warm": True}, {"batch": 2}]
    found = [key(network()), *(key(network(**policy)) for policy in policies), key(network(), flow_side=640)]
    found += [
        key(CheckedFlow(network())),
        key(MeanFlow((network(), network()))),
        key(MeanFlow((network(), network(1)))),
    ]
    assert len({*found}) == len(found)
    with pytest.raises(BadUsage, match="whether the flow is"):
        key(MeanFlow((network(), Own(network()))))


def test_another_flow_is_not_taken_for_one_that_was_refined_with(world, tmp_path) -> None:
    one, two = (flow_files(world, tmp_path / name, share) for name, share in (("one", 1.0), ("two", 0.3)))
    given, out = noisy(world.truth), tmp_path / "out"
    found = dyad.refine(world.video, given, out, flow=one).tracks
    written = (out / "tracks.npz").stat().st_mtime_ns
    again = dyad.refine(world.video, given, out, flow=FileFlow.of(tmp_path / "one"), resume=True).tracks
    assert (out / "tracks.npz").stat().st_mtime_ns == written
    assert torch.equal(again.xyz, found.xyz)
    other = dyad.refine(world.video, given, out, flow=two, resume=True).tracks
    assert not torch.equal(other.xyz, found.xyz)
    # Of an object of which nothing is known nobody can say; without resume it is as good as any.
    with pytest.raises(BadUsage, match=r"whether the flow is .* leave out resume"):
        dyad.refine(world.video, given, out, flow=Own(two), resume=True)
    assert torch.equal(dyad.refine(world.video, given, out, flow=Own(two)).tracks.xyz, other.xyz)
    with pytest.raises(BadUsage, match="whether the flow is"):
        dyad.run(world.video[0:4], out, detector=DETECTOR, refine=True, flow=Own(two), resume=True)
