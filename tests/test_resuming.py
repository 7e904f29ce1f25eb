"""A run that was broken off goes on, and ends with the same bytes; what belongs to another run is not used."""

from pathlib import Path

import numpy as np
import pytest

import dyad
from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.export.flow_archive import flow_archive
from dyad.resuming import STAGES
from tests.core.test_video import encode, ramp
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
