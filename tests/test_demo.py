import json
from pathlib import Path

import pytest

import dyad.demo
from dyad.core.errors import MissingWeights
from dyad.core.tracks import Tracks
from dyad.demo import ORACLE_NOTE, demo, score
from dyad.synthetic.demo import demo_clip


def test_without_weights_it_runs_on_the_drawn_truth_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_args, **_options) -> None:
        raise MissingWeights("no network")

    monkeypatch.setattr(dyad.demo, "make_detector", none)
    told: list[str] = []
    result, scores = demo(tmp_path, seconds=0.6, people=2, progress=lambda name, *_: told.append(name))
    assert ORACLE_NOTE in result.notes
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "NOT found in the images" in page
    assert ORACLE_NOTE in json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["notes"]
    assert scores["coverage"] > 0.8
    assert scores["pck"] > 60
    assert {"draw clip", "detect", "draw"} <= set(told)
    truth, found = Tracks.load(tmp_path / "truth.npz"), Tracks.load(tmp_path)
    assert len(truth.frames) == len(found.frames) == 15
    assert (tmp_path / "demo.mp4").stat().st_size > 1000
    assert (tmp_path / "overlay.mp4").stat().st_size > 1000


def test_with_weights_people_are_found_in_the_images(tmp_path: Path, blazepose_folder: Path) -> None:
    assert blazepose_folder.is_dir()
    result, scores = demo(tmp_path, seconds=0.6, people=1)
    assert ORACLE_NOTE not in result.notes
    assert "NOT found in the images" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not any("guess" in note for note in result.notes)
    assert scores["coverage"] > 0.9
    assert result.tracks.people == [0]


def test_the_truth_scores_full_marks() -> None:
    truth = demo_clip(1, seconds=0.4, people=2).truth
    scores = score(truth, truth)
    assert scores["pck"] == scores["pck_abs"] == 100
    assert scores["coverage"] == scores["idf1"] == 1
    assert score(truth, truth[truth.person > 9])["pck"] == 0
