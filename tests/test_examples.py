"""The examples and the notebook run, and use public names only."""

import ast
import contextlib
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad
from dyad import cli
from dyad.core.skeleton import BODY17
from dyad.export.video import clip_writer
from dyad.stages import DETECTORS
from dyad.stages.oracle import OracleDetector
from dyad.synthetic.demo import demo_clip

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOK = EXAMPLES / "quickstart.ipynb"
# What an example may import of Dyad besides `dyad` itself: drawn clips, and the names of joints.
MORE = {"dyad.synthetic.demo", "dyad.core.skeleton"}
CLIP = demo_clip(1, size=(128, 96), seconds=1.2, fps=10, people=2)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place to write, a detector that needs no weights, and a clip of a second for whoever draws one."""
    detector = OracleDetector(CLIP.truth)
    monkeypatch.setitem(DETECTORS, "blazepose", lambda weights, device, **policy: detector)
    monkeypatch.setattr("dyad.synthetic.demo.demo_clip", lambda *args, **options: CLIP)
    monkeypatch.chdir(tmp_path)
    with clip_writer(tmp_path / "clip.mp4") as writer:
        for chunk in CLIP.video.chunks(4):
            for image, time in zip(chunk.images, chunk.times.tolist(), strict=True):
                writer.write(image, time)
    return tmp_path


def run(name: str, *words: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_joints_to_csv(small: Path) -> None:
    run("joints_to_csv.py", "clip.mp4", "table.csv", "nose")
    lines = (small / "table.csv").read_text().splitlines()
    assert lines[0].startswith("person,time,x")
    assert len(lines) == 1 + 24
    assert all(len(line.split(",")) == 7 for line in lines)


def test_watch_it_work(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("watch_it_work.py", "clip.mp4", "OUT")
    said = capsys.readouterr().out
    assert said.count(" s: 2 people\n") == 12
    assert "2 of them stayed" in said
    assert (small / "OUT" / "report.html").is_file()


def test_what_is_made_of_a_result(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = CLIP.truth
    (small / "OUT").mkdir()
    truth.save(small / "OUT" / "tracks.npz")
    run("angles_and_distances.py", "OUT")
    said = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in said] == ["person 0:", "person 1:", "people 0 "]
    root = truth.window().xyz[:, :, truth.skeleton.index("pelvis")]
    assert said[-1].endswith(f"{float((root[:, 0] - root[:, 1]).norm(dim=-1).min()):.2f} m")
    run("to_blender.py", "OUT")
    names = {path.name for path in (small / "OUT" / "export").iterdir()}
    assert names == {"people.glb", "people.bvh", "person_0.bvh", "person_1.bvh"}


def test_score_a_world(capsys: pytest.CaptureFixture[str]) -> None:
    run("score_a_world.py")
    assert "pck_abs" in capsys.readouterr().out


def test_own_parts_run_from_the_command_line(small: Path) -> None:
    place = EXAMPLES / "own_parts.py"
    words = [
        f"--{kind}={place}:{name}" for kind, name in (("detector", "Near"), ("tracker", "largest"), ("lifter", "flat"))
    ]
    with contextlib.suppress(SystemExit):
        cli.main(["run", "clip.mp4", "-o", "OUT", *words])
    tracks = dyad.load("OUT")
    told = json.loads((small / "OUT" / "run.json").read_text(encoding="utf-8"))
    assert told["options"]["lifter"] == f"{place}:flat"
    assert tracks.people == [0]
    assert tracks.skeleton == BODY17
    assert len(tracks) == 12
    assert torch.allclose(tracks.xyz[..., 2], torch.tensor(3.0))
    heights = CLIP.truth.box[:, 3] - CLIP.truth.box[:, 1]
    assert float((tracks.box[:, 3] - tracks.box[:, 1]).min()) > 24
    assert float(tracks.box[0, 3] - tracks.box[0, 1]) == float(heights[CLIP.truth.frame == 0].max())


def test_own_parts_stand_nobody() -> None:
    result = dyad.run(
        np.zeros((3, 400, 400, 3), np.uint8),
        detector=f"{EXAMPLES / 'own_parts.py'}:Near",
        tracker=f"{EXAMPLES / 'own_parts.py'}:largest",
        lifter=f"{EXAMPLES / 'own_parts.py'}:flat",
    )
    assert len(result.tracks) == 0
    assert len(result.tracks.frames) == 3


def test_the_page_on_plugins_shows_the_example() -> None:
    page = (EXAMPLES.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert (EXAMPLES / "own_parts.py").read_text(encoding="utf-8") in page


def cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_the_notebook_runs(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="the notebook draws with matplotlib")
    matplotlib.use("Agg")
    names: dict = {}
    for cell in cells():
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    said = capsys.readouterr().out
    assert said.startswith("2 people; Coverage(detected=24")
    assert "pck_abs" in said
    assert said.endswith("True\n")
    assert (small / "export" / "people.glb").is_file()


def test_the_notebook_is_clean_and_valid() -> None:
    for cell in cells():
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    nbformat = pytest.importorskip("nbformat", reason="nbformat checks the notebook's form")
    nbformat.validate(nbformat.read(NOTEBOOK, as_version=4))


def code_of(path: Path) -> str:
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in cells() if cell["cell_type"] == "code")


@pytest.mark.parametrize("path", sorted([*EXAMPLES.glob("*.py"), NOTEBOOK]), ids=lambda path: path.name)
def test_public_names_only(path: Path) -> None:
    tree = ast.parse(code_of(path))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in modules if name and name.startswith("dyad.")} <= MORE
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "dyad"}
    assert used <= set(dyad.__all__)
    assert len(code_of(path).splitlines()) <= 120
