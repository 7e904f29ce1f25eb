"""The command line as a script meets it: exit statuses, one line for what is wrong, JSON for what was found."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from dyad.core.tracks import Tracks
from dyad.models.published import PUBLISHED
from tests.conftest import Ended
from tests.core.test_video import UNREADABLE, audio_only, encode, ramp

WRITTEN = ["overlay.mp4", "report.html", "run.json", "tracks.npz"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k) for k in range(12)])


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read and write everything: be somebody else for a while."""
    if os.name != "posix":
        pytest.skip("permissions are those of POSIX")
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everyone may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="dyad-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# --- bad input: 3 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_video_ends_with_3(tmp_path, dyad, name):
    (tmp_path / name).write_bytes(UNREADABLE[name])
    ended = dyad("run", tmp_path / name, "-o", tmp_path / "out")
    assert ended.status == 3
    assert name in ended.complaint
    assert not (tmp_path / "out").exists()


def test_missing_audio_only_and_headless_videos_end_with_3(tmp_path, dyad, clip):
    data = clip.read_bytes()
    (tmp_path / "headless.mp4").write_bytes(data[: data.index(b"moov") - 4])
    (tmp_path / "none").mkdir()
    for path, said in (
        (tmp_path / "nowhere.mp4", "there is no file"),
        (clip / "below.mp4", "there is no file"),
        (audio_only(tmp_path / "sound.m4a"), "audio"),
        (tmp_path / "headless.mp4", "whole"),
        (tmp_path / "none", "no images"),
        ("x" * 5000, "too long"),
    ):
        ended = dyad("run", path, "-o", tmp_path / "out")
        assert ended.status == 3
        assert said in ended.complaint


def test_a_range_past_the_end_ends_with_3(tmp_path, dyad, clip, blazepose_folder):
    ended = dyad("run", clip, "-o", tmp_path / "out", "--frames", "90:100")
    assert ended.status == 3
    assert "has 12 frames" in ended.complaint
    assert contents(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size = [64, 48", "TOML"),
        ("size = [64, 48]", "focal"),
        ("size = [64, 48]\nfocal = [0, 50]\ncentre = [32, 24]", "positive"),
        ("size = [64, 48]\nfocal = 50\ncentre = [32]", "centre"),
        ("size = [64, 48]\nfocal = 50\nfov = 40", "fov"),
        ("size = [48, 64]\nfocal = 50", "64x48"),
        (None, "No such file"),
    ],
)
def test_a_malformed_camera_file_ends_with_3(tmp_path, dyad, clip, text, said):
    file = tmp_path / "camera.toml"
    if text is not None:
        file.write_text(text)
    ended = dyad("run", clip, "-o", tmp_path / "out", "--camera", file)
    assert ended.status == 3
    assert said in ended.complaint


def test_files_closed_to_us_end_with_3(open_folder, dyad, clip):
    (open_folder / "shut.mp4").write_bytes(clip.read_bytes())
    (open_folder / "shut.mp4").chmod(0)
    (open_folder / "closed").mkdir(mode=0)
    for path in (open_folder / "shut.mp4", open_folder / "closed" / "clip.mp4", open_folder / "closed"):
        with as_nobody():
            ended = dyad("run", path, "-o", open_folder / "out")
        assert ended.status == 3
        assert "ermission denied" in ended.complaint


# --- an output folder that cannot be written: 3 ----------------------------------------------------------------------


def test_an_output_that_cannot_be_written_is_known_at_once(open_folder, dyad, clip, blazepose_folder, monkeypatch):
    monkeypatch.setattr("dyad.pipeline.Pipeline.__call__", lambda *_: pytest.fail("hours were spent for nothing"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    video = open_folder / "clip.mp4"
    video.write_bytes(clip.read_bytes())
    (open_folder / "taken").write_text("a file")
    (open_folder / "full").mkdir(mode=0o555)
    for output in (open_folder / "taken", open_folder / "taken" / "out", open_folder / ("x" * 300)):
        ended = dyad("run", video, "-o", output)
        assert ended.status == 3
        assert f"cannot write to {output}" in ended.complaint
        assert dyad("demo", "-o", output, "--seconds", "0.1").status == 3
    monkeypatch.setenv("DYAD_CACHE", str(blazepose_folder.parent))
    monkeypatch.setattr("dyad.workfolder.Pipeline.default", lambda **_: pytest.fail)
    for output in (open_folder / "full", open_folder / "new"):
        with as_nobody():
            ended = dyad("run", video, "-o", output)
        assert ended.status == 3
        assert "ermission denied" in ended.complaint
    assert (open_folder / "taken").read_text() == "a file"


def test_the_video_itself_is_never_overwritten(tmp_path, dyad, clip, blazepose_folder):
    for name in ("video.mp4", "overlay.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        ended = dyad("run", tmp_path / name, "-o", tmp_path)
        assert ended.status == 2
        assert "overwrite" in ended.complaint
    assert contents(tmp_path) == ["overlay.mp4", "video.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="file size limits are those of POSIX")
@pytest.mark.parametrize(("room", "left"), [(500, []), (90_000, ["overlay.mp4", "tracks.npz"])])
def test_a_full_disk_leaves_whole_files_only(tmp_path, dyad, walkers, blazepose_folder, room, left):
    """No file may grow past `room` bytes: first the tracks fail, then the page."""
    import resource

    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))
    try:
        ended = dyad("run", walkers, "-o", tmp_path, "--every", "3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert ended.status == 3
    assert "cannot write to" in ended.complaint
    # What was found stays for --resume.
    assert contents(tmp_path) == [".dyad-stages", *left]


# --- bad usage: 2, missing weights: 4 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "Unknown option"),
        (["--focal", "1000", "--fov", "60"], "one of"),
        (["--focal", "-3"], "positive"),
        (["--focal", "wide"], "wide"),
        (["--fov", "180"], "180"),
        (["--frames", "7"], "A:B"),
        (["--frames", "9:3"], "A < B"),
        (["--frames", "a:b"], "A:B"),
        (["--every", "0"], "1 or more"),
        (["--detector", "nobody"], "choose one of blazepose"),
        (["--detector", "onnx"], "--weights"),
        (["--device", "nonsense"], "--device auto"),
        (["--device", "meta"], "--device auto"),
        (["--height", "17"], "metres"),
        (["--height", "nan"], "metres"),
        (["--key-interval", "nan"], "key interval"),
        (["--max-people", "0"], "at least 1"),
        (["--threads", "0"], "1 or more"),
    ],
)
def test_bad_usage_ends_with_2(tmp_path, dyad, clip, blazepose_folder, words, said):
    ended = dyad("run", clip, "-o", tmp_path / "out", *words)
    assert ended.status == 2
    assert said in ended.complaint
    assert not (tmp_path / "out").exists()


def test_bad_words_end_with_2_and_name_the_help(dyad, clip):
    for words, hint in ((["frobnicate"], "dyad --help"), (["run", clip], "dyad run --help"), (["run"], "run --help")):
        ended = dyad(*words)
        assert ended.status == 2
        assert ended.complaint.endswith(hint)


def test_missing_weights_end_with_4(tmp_path, dyad, clip, monkeypatch):
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    ended = dyad("run", clip, "-o", tmp_path / "out")
    assert ended.status == 4
    assert "dyad weights pull blazepose --from WHEEL" in ended.complaint
    assert dyad("weights", "pull", "--from", tmp_path / "no.whl").status == 4
    assert not (tmp_path / "out").exists()
    verify = dyad("weights", "verify")
    assert verify.status == 4
    assert verify.out.count("absent") == 2


# --- other verbs -----------------------------------------------------------------------------------------------------


def test_debug_shows_the_traceback_and_keeps_the_status(tmp_path, dyad):
    ended = dyad("run", tmp_path / "nowhere.mp4", "-o", tmp_path / "out", "--debug")
    assert ended.status == 3
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1].startswith("dyad: there is no file")


def test_a_fault_of_our_own_is_one_line_without_debug(dyad, monkeypatch):
    def broken() -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("dyad.about.about", broken)
    ended = dyad("info")
    assert ended.status == 1
    assert "RuntimeError: two lines" in ended.complaint
    with pytest.raises(RuntimeError):
        dyad("info", "--debug")


def test_info_and_weights_speak_json(dyad, blazepose_folder):
    facts = json.loads(dyad("info", "--json").out)
    assert {"dyad", "python", "torch", "weights", "detectors"} <= facts.keys()
    assert "blazepose" in dyad("info").out
    listed = dyad("weights", "list", "--json")
    assert [entry["state"] for entry in json.loads(listed.out)][:2] == ["present", "present"]
    assert listed.err.count("Apache-2.0") == 2 + listed.err.count("shipped")
    assert "shipped  raft-small-people" in listed.err
    assert "absent   raft-small-torchvision" in listed.err
    assert dyad("weights", "verify").status == 0
    assert dyad("weights", "pull", "alphapose").status == 2


def test_checkpoints_of_others_that_do_not_fit_end_with_3_and_one_sentence(tmp_path, dyad, monkeypatch):
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    torch.save({"some.weight": torch.ones(3)}, tmp_path / "w.pth")
    ended = dyad("weights", "import", tmp_path / "w.pth", "--as", "mine")
    assert ended.status == 3
    assert "of no network that Dyad knows" in ended.complaint
    assert dyad("weights", "import", tmp_path / "absent.pth").status == 3
    assert not (tmp_path / "cache" / "models").exists()


def test_published_weights_need_a_network_and_the_right_hash(tmp_path, dyad, monkeypatch):
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "file.pth"
    file.write_bytes(b"something else")
    for url, said in (("http://127.0.0.1:9/raft.pth", "Could not download"), (file.as_uri(), "was not kept")):
        it = dataclasses.replace(PUBLISHED["raft-small-torchvision"], url=url)
        monkeypatch.setitem(PUBLISHED, "raft-small-torchvision", it)
        ended = dyad("weights", "pull", "raft-small-torchvision")
        assert ended.status == 4
        assert said in ended.complaint
    assert not (tmp_path / "cache" / "models").exists()


def test_view_opens_the_page_or_says_that_there_is_none(tmp_path, dyad, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    ended = dyad("view", tmp_path / "nowhere")
    assert ended.status == 3
    assert "report.html" in ended.complaint
    (tmp_path / "report.html").write_text("<!doctype html>")
    assert dyad("view", tmp_path).status == 0
    assert opened == [(tmp_path / "report.html").resolve().as_uri()]


def test_a_reader_that_has_heard_enough_is_no_error(blazepose_folder):
    code = "import sys; from dyad.cli import main; sys.stdin.read(); main(['weights', 'verify'])"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


# --- runs that end well ----------------------------------------------------------------------------------------------


def test_a_run_writes_its_files_and_one_json_line(tmp_path, dyad, walkers, blazepose_folder):
    ended = dyad("run", walkers, "-o", tmp_path / "out", "--json", "--frames", "2:9", "--every", "2")
    assert ended.status == 0
    assert contents(tmp_path / "out") == WRITTEN
    facts = json.loads(ended.out.splitlines()[-1])
    assert facts["folder"] == str(tmp_path / "out")
    assert {key: facts[key] for key in facts if key != "folder"} == json.loads((tmp_path / "out/run.json").read_text())
    assert facts["people"] == 2
    assert facts["options"]["frames"] == [2, 9]
    assert "guess" in ended.err
    tracks = Tracks.load(tmp_path / "out")
    assert tracks.frames.tolist() == [2, 4, 6, 8]
    assert set(tracks.frame.tolist()) <= {2, 4, 6, 8}
    np.testing.assert_allclose(tracks.times, np.arange(2, 9, 2) / 25, atol=1e-4)


def test_at_most_so_many_people(tmp_path, dyad, walkers, blazepose_folder):
    ended = dyad("run", walkers, "-o", tmp_path, "--max-people", "1", "--fov", "60", "--height", "1.7")
    assert ended.status == 0
    assert len(Tracks.load(tmp_path).people) == 1
    assert "guess" not in ended.err


def test_of_a_truncated_video_what_decodes_is_kept(tmp_path, dyad, blazepose_folder):
    noise = np.random.default_rng(0).integers(0, 90, (48, 64, 3), np.uint8)
    whole = encode(tmp_path / "whole.avi", [ramp(k) // 2 + noise for k in range(40)], codec="mjpeg", fmt="yuvj420p")
    data = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    ended = dyad("run", tmp_path / "cut.avi", "-o", tmp_path / "out", "--json")
    assert ended.status == 0
    decoded = json.loads(ended.out)["video"]["decoded"]
    assert decoded["truncated"]
    assert 10 < decoded["frames"] < 30
    assert decoded["expected"] == pytest.approx(40, abs=1)
    assert f"{decoded['frames']} frames decoded of about {decoded['expected']}" in ended.err
    assert len(Tracks.load(tmp_path / "out").frames) == decoded["frames"]


def test_of_a_video_corrupt_in_the_middle_the_rest_is_kept(tmp_path, dyad, blazepose_folder):
    data = bytearray(encode(tmp_path / "c.mp4", [ramp(k) for k in range(40)], g="6").read_bytes())
    middle = len(data) // 2
    data[middle - 150 : middle + 150] = np.random.default_rng(1).bytes(300)
    (tmp_path / "c.mp4").write_bytes(data)
    ended = dyad("run", tmp_path / "c.mp4", "-o", tmp_path / "out", "--json")
    assert ended.status == 0
    decoded = json.loads(ended.out)["video"]["decoded"]
    assert decoded["errors"] > 0
    assert 20 < decoded["frames"] < 40
    assert "damaged packets were passed over" in ended.err


def one_frame(folder: Path) -> Path:
    return encode(folder / "one.mp4", [ramp(3)])


def two_pixels(folder: Path) -> Path:
    return encode(folder / "tiny.mkv", [ramp(9, (2, 2))] * 3, codec="ffv1", fmt="bgr0")


def photo(folder: Path) -> Path:
    return save(ramp(3), folder / "photo.jpg")


def large_photo(folder: Path) -> Path:
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[100:200, 7000:7100] = (10, 200, 30)
    return save(image, folder / "8k.png")


def grey(folder: Path) -> Path:
    images = [ramp(k)[..., 0] for k in range(3)]
    return encode(folder / "grey.mkv", images, codec="ffv1", fmt="gray", source="gray")


def transparent(folder: Path) -> Path:
    rgba = np.dstack((ramp(20), np.full((48, 64), 128, np.uint8)))
    return encode(folder / "alpha.mov", [rgba] * 3, codec="qtrle", fmt="argb", source="rgba")


def images(folder: Path) -> Path:
    (folder / "frames").mkdir()
    for k in range(3):
        save(ramp(k), folder / "frames" / f"{k}.png")
    return folder / "frames"


def save(image: np.ndarray, path: Path) -> Path:
    av.VideoFrame.from_ndarray(image, format="rgb24").save(str(path))
    return path


@pytest.mark.parametrize(
    ("make", "frames", "size"),
    [
        (one_frame, 1, [64, 48]),
        (two_pixels, 3, [2, 2]),
        (photo, 1, [64, 48]),
        (large_photo, 1, [7680, 4320]),
        (grey, 3, [64, 48]),
        (transparent, 3, [64, 48]),
        (images, 3, [64, 48]),
    ],
)
def test_videos_of_every_sort_run(tmp_path, dyad, blazepose_folder, make, frames, size):
    ended = dyad("run", make(tmp_path), "-o", tmp_path / "out", "--json")
    assert ended.status == 0
    facts = json.loads(ended.out)
    assert facts["video"]["frames"] == frames
    assert facts["video"]["size"] == size
    assert contents(tmp_path / "out") == WRITTEN
    assert "Nobody was found" in ended.err


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize(
    ("moment", "left"), [("*", []), (".overlay-*", [".dyad-stages", "tracks.npz"])], ids=["detect", "draw"]
)
def test_an_interrupted_run_leaves_nothing_half_written(tmp_path, blazepose_folder, moment, left):
    """Interrupted as soon as a file matches `moment` in the output folder, or the folder is there."""
    path = encode(tmp_path / "long.mp4", [ramp(k, (960, 720)) for k in range(60)], preset="ultrafast")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", "from dyad.cli import main; main()", "run", path, "-o", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore interrupts, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if out.is_dir() and (moment == "*" or any(out.glob(moment))):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    ended = Ended(0, *process.communicate(timeout=60))
    assert process.returncode == 130
    assert "interrupted" in ended.complaint
    assert contents(out) == left
