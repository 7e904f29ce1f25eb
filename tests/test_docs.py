"""What the documents show works: their Python runs, their links lead somewhere, their options exist."""

import inspect
import os
import re
from pathlib import Path
from typing import Any

import pytest

import dyad
from dyad import cli
from dyad.core.clip import Clip
from dyad.core.skeleton import BODY17
from dyad.export.video import clip_writer
from dyad.stages import DETECTORS
from dyad.stages.oracle import OracleDetector
from dyad.synthetic.demo import demo_clip

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *(page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md"))),
)
# Pages that the site makes from the code, see tests/test_site.py.
MADE = re.compile(r"docs/reference/\w+\.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)


def run_blocks(page: str) -> dict[str, Any]:
    """Run a page's Python from top to bottom as one program."""
    code = blocks(page, "python")
    assert code
    names: dict[str, Any] = {}
    for block in code:
        exec(compile(block, page, "exec"), names)
    return names


def named(place: Path) -> str:
    return Path(os.path.normpath(place)).relative_to(ROOT).as_posix()


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clip:
    """A drawn clip.mp4 of two people in the working directory, and a detector that needs no weights."""
    clip = demo_clip(1, size=(128, 96), seconds=1.2, fps=10, people=2)
    monkeypatch.chdir(tmp_path)
    with clip_writer(tmp_path / "clip.mp4") as writer:
        for chunk in clip.video.chunks(4):
            for image, time in zip(chunk.images, chunk.times.tolist(), strict=True):
                writer.write(image, time)
    monkeypatch.setitem(DETECTORS, "blazepose", lambda weights, device, **policy: OracleDetector(clip.truth))
    return clip


def finished_run(clip: Clip, page: str) -> None:
    """OUT as a run leaves it, and the exports that a page shows carried out on it."""
    matplotlib = pytest.importorskip("matplotlib", reason="the page plots with matplotlib")
    pytest.importorskip("pandas", reason="the page reads its table with pandas")
    matplotlib.use("Agg")
    Path("OUT").mkdir()
    clip.truth.save(Path("OUT") / "tracks.npz")
    shown = [line.partition("#")[0] for block in blocks(page, "") for line in block.splitlines()]
    for line in shown:
        if line.startswith("dyad export"):
            cli.app(line.split()[1:], exit_on_error=False, result_action="return_value")
    assert Path("OUT/export/people.glb").is_file()


def test_the_readme_runs(clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    finished_run(clip, "README.md")
    names = run_blocks("README.md")
    said = capsys.readouterr().out
    assert "prior on human height" in said
    assert "a guess" not in said
    people = names["tracks"].people
    assert len(people) == 2
    assert said.count("was followed for 12 frames") == len(people)
    assert Path("wrists.png").stat().st_size > 5000
    assert list(names["table"].columns) == ["person", "time", "z"]
    assert len(names["table"]) == len(names["tracks"])


def test_the_page_on_python_runs(clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    names = run_blocks("docs/python.md")
    said = capsys.readouterr().out
    assert said.startswith("2 people; Coverage(detected=24")
    assert said.count(" 2\n") >= 12
    assert "track 2\nlift 2\n" in said
    assert names["everyone_at_first"].shape == (2, 17, 3)


def test_the_quick_start_draws_its_plot(clip: Clip, tmp_path: Path) -> None:
    finished_run(clip, "docs/quickstart.md")
    run_blocks("docs/quickstart.md")
    assert (tmp_path / "wrists.png").stat().st_size > 5000


def test_the_page_on_training_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run_blocks("docs/training.md")
    assert "'flow'" in capsys.readouterr().out


def test_the_example_of_a_detector_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names = run_blocks("CONTRIBUTING.md")
    tracks = names["result"].tracks
    assert tracks.people == [0]
    assert not tracks.filled.any()
    pelvis, wrist = BODY17.indices("pelvis", "left_wrist")
    distance = float(re.findall(r"about ([\d.]+) m away", text_of("CONTRIBUTING.md"))[0])
    assert tracks.xyz[:, pelvis, 2].tolist() == pytest.approx([distance] * 30, abs=0.1)
    assert (tracks.xyz[:, wrist, 0] > tracks.xyz[:, pelvis, 0]).all()
    assert capsys.readouterr().out.startswith("tensor([")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)) if not link.startswith(("http", "#"))]
    places = {link: (ROOT / page).parent / link.split("#")[0] for link in links}
    lost = [link for link, place in places.items() if not place.exists() and not MADE.fullmatch(named(place))]
    assert lost == []


def test_pictures_are_small() -> None:
    assert [p.name for p in (ROOT / "docs").rglob("*.png") if p.stat().st_size > 250_000] == []


def options(command: Any) -> set[str]:
    """The long options of a command, as its signature and annotations give them."""
    found = set()
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        named = [n for extra in getattr(parameter.annotation, "__metadata__", ()) for n in (extra.name or ())]
        found |= {n for n in named if n.startswith("--")} or {"--" + name.replace("_", "-")}
    return found


def test_the_table_of_options_is_complete_and_true() -> None:
    table = [line.split("|")[1] for line in text_of("README.md").splitlines() if line.startswith("| `--")]
    shown = {option for cell in table for option in re.findall(r"--[a-z-]+", cell)}
    assert shown == options(cli.run_command) - {"--output"} | {"--debug"}


def test_every_command_that_is_shown_exists() -> None:
    shown = {words for page in PAGES for words in re.findall(r"`dyad ([^`]+)`", text_of(page))}
    shown |= {line[5:] for block in blocks("README.md", "") for line in block.splitlines() if line.startswith("dyad ")}
    assert {"demo", "bench run"} <= shown
    assert [words for words in shown if not is_command(words.split())] == []


def is_command(words: list[str]) -> bool:
    """Whether the words begin with the name of a command that does something."""
    app = cli.app
    for word in words:
        if word not in app:
            break
        app = app[word]
    return app is not cli.app and app.default_command is not None


def test_every_public_name_that_is_shown_exists() -> None:
    modules = {path.stem for path in (ROOT / "src" / "dyad").iterdir()}
    shown = {name for page in PAGES for name in re.findall(r"\bdyad\.([A-Za-z_]\w*)", text_of(page))}
    # Of installed packages, see docs/plugins.md.
    entry_points = {"detectors", "trackers", "lifters"}
    assert shown - set(dyad.__all__) - modules - entry_points - {"__all__"} == set()
