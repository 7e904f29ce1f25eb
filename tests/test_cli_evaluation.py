"""`dyad eval` and what `dyad bench mupots` takes besides, as a script meets them."""

import json
import re
from pathlib import Path

import pytest

from dyad.evaluation.protocols import PROTOCOLS, protocol_of
from tests.bench.test_stored import store
from tests.evaluation.people import walkers


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    walkers().save(tmp_path / "tracks.npz")
    return tmp_path / "tracks.npz"


def test_a_table_says_the_rules_and_the_scores(dyad, clip: Path) -> None:
    status, out, _ = dyad("eval", clip, "--truth", clip, "--protocol", "mupots-strict")
    assert status == 0
    assert "mupots-strict: MuPoTS-3D" in out
    assert "helped by the truth: nothing" in out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert rows["pck"][-1] == "100.00"
    assert rows["person_frames"][-1] == "12"


def test_the_last_line_is_one_object(dyad, clip: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plot.svg"
    status, out, err = dyad("eval", clip, "--truth", clip, "--protocol", "dyad-synth", "--json", "--plot", picture)
    assert status == 0
    (line,) = out.splitlines()
    scores = json.loads(line)
    assert (scores["protocol"], scores["total"]["pck_abs"], scores["total"]["sigma_90"]) == ("dyad-synth", 100, None)
    assert scores["helped_by"] == [
        "PA metrics turn, scale and move each predicted pose (or pair of poses) onto its true one"
    ]
    assert "pck_abs" in err
    assert picture.read_text().startswith("<svg")


def test_many_clips_go_down_the_table(dyad, tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / "truth" / f"{n:06d}").mkdir(parents=True)
        walkers(2, seed=n).save(tmp_path / "truth" / f"{n:06d}" / "tracks.npz")
    status, out, _ = dyad("eval", tmp_path / "truth", "--truth", tmp_path / "truth", "--protocol", "dyad-synth")
    assert status == 0
    # More metrics than have room beside each other: they go on below, and none is lost.
    lines = [line for line in out.splitlines() if line.startswith("0000")]
    assert len(lines) % 12 == 0
    headers = " ".join(line for line in out.splitlines() if line.startswith("     "))
    assert set(protocol_of("dyad-synth").metrics) <= set(headers.split())
    assert sum(len(line.split()) - 1 for line in lines) == 12 * len(protocol_of("dyad-synth").metrics)
    assert "…" not in "".join(lines)
    assert "all together" in out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--protocol", "best"), 2, "there is no protocol 'best'; there are mupots-released, mupots-strict"),
        (("--protocol", "jta"), 3, "holds no annotations/test/seq_"),
        (("--protocol", "dyad-synth", "--array", "x"), 2, "--array names stored poses"),
        (("--protocol", "dyad-synth", "--plot", "a.png"), 2, "name a file that ends in .svg"),
        ((), 2, "--protocol"),
    ],
)
def test_what_is_wrong_takes_one_line(dyad, clip: Path, words: tuple[str, ...], status: int, said: str) -> None:
    got, out, err = dyad("eval", clip.parent, "--truth", clip.parent, *words)
    assert got == status
    assert said in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("dyad: ")
    assert "Traceback" not in err
    assert out == "" or "--plot" in words


def test_the_bench_can_leave_the_pipeline_out(dyad, tmp_path: Path) -> None:
    store(tmp_path)
    status, out, _ = dyad("bench", "mupots", "--data", tmp_path, "--stored-only", "--json")
    assert status == 0
    scores = json.loads(out.splitlines()[-1])
    assert set(scores) == {"released", "strict"}
    assert set(scores["strict"]) == {"topdown", "dyad-lift", "dyad-lift-detector-like"}


def test_the_page_names_every_protocol_metric_and_table() -> None:
    page = (Path(__file__).parents[1] / "docs/evaluation.md").read_text(encoding="utf-8")
    names = {protocol.name for protocol in PROTOCOLS}
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    assert names == {row[0].strip(" `") for row in rows if row[0].strip(" `") in names}
    assert set(re.findall(r"--protocol ([a-z0-9-]+)", page)) <= names
    tables = " ".join(row[0] for row in rows if row[0].strip().startswith("["))
    assert {int(n) for n in re.findall(r"\d", tables)} >= set(range(1, 10))
    metrics = {m for p in PROTOCOLS if p.measures == "poses" for m in p.metrics} - {"person_frames"}
    assert {m for m in metrics if f"`{m}`" not in page} == set()
    assert {m for p in PROTOCOLS for m in p.flow_metrics if f"`{m}`" not in page} == set()
