"""A full disk, outputs that cannot be written, two runs at once: one clear sentence and the right exit status."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from dyad.cli import main
from dyad.core.errors import BadUsage
from dyad.core.locks import only_writer
from dyad.core.tracks import Tracks
from dyad.export.saving import export_tracks
from tests.fuzz.readers import make_tracks
from tests.synthetic.motion.test_bvh import SMALL


@pytest.fixture
def dyad(capsys: pytest.CaptureFixture[str]):
    """Runs the command line; exit status and what it said on standard error."""

    def run(*words: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as leave:
            main([str(word) for word in words])
        return leave.value.code, capsys.readouterr().err.strip()

    return run


@contextmanager
def small_files(room: int):
    """No file may grow past so many bytes, as on a disk that is nearly full."""
    import resource

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def is_sentence(said: str) -> bool:
    lines = [line for line in said.splitlines() if not line.startswith("note: ")]
    return len(lines) == 1 and lines[0].startswith("dyad: ") and "fault in Dyad" not in said


WRITERS = {
    **{
        to: ("export", "{tracks}", "--to", to, "-o")
        for to in ("bvh", "glb", "c3d", "trc", "coco", "mot", "csv", "parquet")
    },
    "lift": ("lift", "{tracks}", "-o"),
    "synth": ("synth", "1", "--size", "64x48", "--seconds", "0.2", "--people", "1", "--no-flow", "-o"),
}


@pytest.mark.skipif(os.name != "posix", reason="file size limits are those of POSIX")
# These tracks have no boxes, so that a file for MOT is empty.
@pytest.mark.parametrize("verb", [verb for verb in WRITERS if verb != "mot"])
def test_a_full_disk_is_said_and_leaves_no_scraps(verb: str, tmp_path: Path, dyad) -> None:
    tracks = make_tracks(tmp_path)
    out = tmp_path / "out"
    words = [word.format(tracks=tracks) for word in WRITERS[verb]]
    with small_files(20):
        status, said = dyad(*words, out / f"x.{verb}" if words[0] == "export" and verb != "coco" else out)
    assert status == 3, said
    assert is_sentence(said), said
    left = [path for path in out.rglob("*") if path.is_file()] if out.exists() else []
    assert [path for path in left if path.stat().st_size > 20 or path.name.startswith(".")] == []


@pytest.mark.parametrize("verb", list(WRITERS))
def test_an_output_below_a_file_is_said(verb: str, tmp_path: Path, dyad) -> None:
    tracks = make_tracks(tmp_path)
    (tmp_path / "taken").write_text("a file")
    words = [word.format(tracks=tracks) for word in WRITERS[verb]]
    status, said = dyad(*words, tmp_path / "taken" / "out")
    assert status == 3, said
    assert is_sentence(said), said
    assert "taken" in said
    assert (tmp_path / "taken").read_text() == "a file"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is a file system on which nobody can write")
def test_a_read_only_file_system_is_said(tmp_path: Path, dyad) -> None:
    status, said = dyad("export", make_tracks(tmp_path), "--to", "csv", "-o", "/proc/self/x.csv")
    assert status == 3, said
    assert is_sentence(said), said


def test_two_runs_on_one_folder_exclude_each_other(tmp_path: Path, dyad, walkers: Path, blazepose_folder: Path) -> None:
    out = tmp_path / "out"
    with only_writer(out):
        status, said = dyad("run", walkers, "-o", out)
    assert (status, is_sentence(said)) == (BadUsage.exit_status, True), said
    assert "another run is writing to" in said
    assert not out.exists()


@pytest.mark.soak
def test_two_processes_on_one_folder_leave_one_whole_result(
    tmp_path: Path, walkers: Path, blazepose_folder: Path
) -> None:
    words = [
        sys.executable,
        "-m",
        "dyad",
        "run",
        str(walkers),
        "-o",
        str(tmp_path / "out"),
        "--every",
        "3",
        "--threads",
        "1",
    ]
    runs = [subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) for _ in range(2)]
    said = [run.communicate()[1] for run in runs]
    codes = sorted(run.returncode for run in runs)
    # Usually the second is refused; on a very busy machine it may begin when the first is done.
    assert codes in ([0, 2], [0, 0]), said
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"tracks.npz", "run.json", "report.html", "overlay.mp4"} <= names
    assert [name for name in names if name.startswith(".")] == []


def test_memory_that_does_not_suffice_is_no_fault_of_dyad(
    tmp_path: Path, dyad, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: object) -> None:
        raise MemoryError("Unable to allocate 99 GiB")

    monkeypatch.setattr("dyad.core.tracks.Tracks.load", starved)
    status, said = dyad("export", make_tracks(tmp_path), "--to", "csv")
    assert status == 1
    assert said.startswith("dyad: memory does not suffice")


def test_a_symlink_in_place_of_a_result_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.csv").symlink_to(target)
    export_tracks(Tracks.load(make_tracks(tmp_path)), tmp_path / "out" / "x.csv", "csv")
    assert target.read_text() == "precious"
    assert not (tmp_path / "out" / "x.csv").is_symlink()


def test_names_that_are_markup_stay_text(tmp_path: Path) -> None:
    from dataclasses import replace

    from dyad.viewer.report import write_report

    name = "<script>alert(1)</script>\n../../\U0001f600\u2028'\".mp4"
    tracks = replace(Tracks.load(make_tracks(tmp_path)), video=name)
    page = write_report(tmp_path / "page.html", tracks, video=None, run={"video": {"name": name}}, notes=[name])
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    for to in ("csv", "coco", "mot", "trc", "bvh", "glb", "c3d"):
        export_tracks(tracks, tmp_path / "made" / to, to)
    made = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
    assert len(made) >= 7
    assert not list(tmp_path.parent.glob("*.mp4"))


def test_motion_files_with_names_that_lead_out_of_the_folder(tmp_path: Path) -> None:
    from dyad.synthetic.motion.bvh import read_bvh

    path = tmp_path / "c.bvh"
    path.write_text(SMALL.replace("JOINT Arm", "JOINT ../../Arm"))
    assert read_bvh(path).names[1] == "../../Arm"
    assert [each.name for each in tmp_path.iterdir()] == ["c.bvh"]
