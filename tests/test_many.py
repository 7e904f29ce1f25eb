"""Many clips: each in a process of its own; a bad one fails alone, and says why in one line."""

import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from dyad.cli import main
from dyad.core.errors import BadInput, BadUsage
from dyad.many import Clip, Listener, Outcome, clips_of, run_many, status_of, videos_in
from tests.core.test_video import encode, ramp

DETECTOR = f"{Path(__file__).with_name('standin.py')}:StandIn"


def work(clip: Clip, told, *, seconds: float = 0.0) -> dict:
    """By the name of the clip: what a worker may meet."""
    told("detect", 1, 2)
    time.sleep(seconds)
    match clip.source.stem:
        case "bad":
            raise BadInput("it is\nno video")
        case "fault":
            raise RuntimeError("ouch")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    told("detect", 2, 2)
    return {"process": os.getpid(), "began": time.time() - seconds, "ended": time.time()}


def clips(*names: str) -> list[Clip]:
    return [Clip(Path(f"{name}.mp4"), Path("out") / name) for name in names]


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_what_fails_fails_alone_and_says_why() -> None:
    heard: list[tuple] = []

    class Told(Listener):
        def reached(self, clip: Clip, stage: str, done: int, total: int | None) -> None:
            heard.append((clip.source.stem, stage, done, total))

        def ended(self, outcome: Outcome) -> None:
            heard.append((outcome.clip.source.stem, outcome.status))

    outcomes = run_many(clips("good", "bad", "killed", "fault", "other"), work, workers=2, listener=Told())
    assert [outcome.status for outcome in outcomes] == [0, 3, 1, 1, 0]
    assert outcomes[1].said == "it is no video"
    assert "SIGKILL" in outcomes[2].said
    assert "RuntimeError: ouch" in outcomes[3].said
    assert len({outcome.facts["process"] for outcome in outcomes if not outcome.status} | {os.getpid()}) == 3
    assert {("good", "detect", 2, 2), ("good", 0), ("bad", 3), ("killed", 1)} <= set(heard)
    assert status_of(outcomes) == 3
    assert status_of([outcomes[0], outcomes[4]]) == 0


def test_so_many_at_a_time() -> None:
    outcomes = run_many(clips("a", "b", "c"), partial(work, seconds=0.6), workers=2)
    spans = sorted((outcome.facts["began"], outcome.facts["ended"]) for outcome in outcomes)
    # The third begins only after one of the others ended.
    assert spans[2][0] >= min(spans[0][1], spans[1][1])
    with pytest.raises(BadUsage, match="--workers"):
        run_many([], work, workers=0)


def test_a_folder_of_videos_is_many_and_one_of_images_is_one(tmp_path, caplog) -> None:
    for name in ("b.MP4", "a.mov", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    assert [path.name for path in videos_in(tmp_path)] == ["a.mov", "b.MP4"]
    assert videos_in(tmp_path / "a.mov") == []
    (tmp_path / "0001.png").touch()
    assert videos_in(tmp_path) == []
    assert "holds images and videos" in caplog.text


def test_each_clip_has_a_folder_of_its_own(tmp_path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.mp4").touch()
    names = [clip.output.name for clip in clips_of(["x.avi", "y.mp4", "x.mp4", tmp_path / "more"], "out")]
    assert names == ["x.avi", "y", "x.mp4-1", "x.mp4-2"]


def test_a_folder_of_videos_from_the_command_line(tmp_path, capfd) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("one", "two"):
        encode(folder / f"{name}.mp4", [ramp(k) for k in range(12)])
    (folder / "broken.mp4").write_bytes(b"nothing that is a video")
    words = ["run", str(folder), "-o", str(tmp_path / "out"), "--workers", "2", "--detector", DETECTOR, "--json"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 3
    out, err = capfd.readouterr()
    summary = json.loads(out.splitlines()[-1])
    assert (summary["done"], summary["failed"]) == (2, 1)
    assert {Path(video["video"]).name: video["status"] for video in summary["videos"]} == {
        "broken.mp4": 3,
        "one.mp4": 0,
        "two.mp4": 0,
    }
    assert "failed: " in err
    assert "2 of 3 videos done" in err
    for name in ("one", "two"):
        assert (tmp_path / "out" / name / "tracks.npz").is_file()
    assert json.loads((tmp_path / "out" / "runs.json").read_text())["failed"] == 1
    (folder / "broken.mp4").unlink()
    with pytest.raises(SystemExit) as ended:
        main([*words, "--resume"])
    assert ended.value.code == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["failed"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a video"),
        (["a.mp4", "--workers", "0"], "--workers"),
        (["a.mp4", "--seconds", "3"], "--seconds"),
        (["0", "a.mp4"], "runs alone"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path, capfd, words, said) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", *words, "-o", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert said in capfd.readouterr().err
