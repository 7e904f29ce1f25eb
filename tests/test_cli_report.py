"""`dyad report` as a script meets it."""

import json
from pathlib import Path

import pytest

from tests.viewer.walkers import walkers


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        walkers(6).save(tmp_path / "runs" / name / "tracks.npz")
    return tmp_path / "runs"


def test_one_run(dyad, runs: Path) -> None:
    status, out, err = dyad("report", runs / "a")
    assert (status, out.strip()) == (0, str(runs / "a" / "report.html"))
    assert "2 people in 6 frames" in err
    assert (runs / "a" / "report.html").is_file()


def test_two_runs(dyad, runs: Path) -> None:
    status, out, err = dyad("report", runs / "a", runs / "b" / "tracks.npz", "--json", "--names", "x, y")
    assert status == 0
    told = json.loads(out.splitlines()[-1])
    assert told["page"] == str(runs / "b" / "compare.html")
    assert told["distance_mm"] == 0
    assert "0.0 mm between the same people" in err
    assert '"name":"y"' in Path(told["page"]).read_text(encoding="utf-8")


def test_a_folder_of_runs(dyad, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, _ = dyad("report", runs, "--json")
    told = json.loads(out.splitlines()[-1])
    assert status == 0
    assert [run["name"] for run in told["runs"]] == ["a", "b"]
    assert told["runs"][0]["people"] == 2
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert dyad("view", runs)[0] == 0
    assert opened == [(runs / "index.html").resolve().as_uri()]


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["{}/a", "{}/b", "{}"], 2, "got 3"),
        (["{}/a", "-o", "{}/x.pdf"], 2, "name of a page"),
        (["{}/a", "--names", "x,y"], 2, "two runs that are compared"),
        (["{}/a", "{}/b", "--names", "x"], 2, "two names with a comma"),
        (["{}/none"], 3, "none"),
        (["{}/a", "{}/none"], 3, "none"),
        (["{}/empty"], 3, "no run in"),
        ([], 2, "--help"),
    ],
)
def test_what_makes_no_sense_is_one_line(dyad, runs: Path, words: list[str], status: int, why: str) -> None:
    (runs / "empty").mkdir()
    ended, out, err = dyad("report", *(word.format(runs) for word in words))
    assert (ended, out) == (status, "")
    assert err.startswith("dyad: ")
    assert len(err.splitlines()) == 1
    assert why in err
