"""A run that was broken off goes on, and ends with the same bytes; what belongs to another run is not used."""

from pathlib import Path

import pytest

import dyad
from dyad.core.errors import BadUsage
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
