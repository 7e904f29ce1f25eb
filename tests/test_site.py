"""The site: pages are made from the code as it is, every link leads somewhere, and the build takes no warning."""

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

import dyad
from dyad import cli

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools" / "docs"


def tool(name: str) -> ModuleType:
    """A script of tools/docs as a module."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def tools():
    """Scripts import their neighbours, as when they are run; nothing of that stays."""
    before = set(sys.modules)
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))
    for name in {"svg", "reference", "build", "pictures"} - before:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pages(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert tool("build").main(["--sources", "-o", str(folder)]) == 0
    return folder / "pages"


def test_every_link_and_picture_is_there(pages: Path) -> None:
    lost = []
    for page in pages.rglob("*.md"):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            place = (page.parent / link.split("#")[0]).resolve()
            if not link.startswith(("http", "#")) and not place.is_file():
                lost.append(f"{page.name}: {link}")
    assert lost == []


def test_every_page_is_in_the_navigation(pages: Path) -> None:
    text = (pages.parent / "zensical.toml").read_text("utf-8")
    listed = set(re.findall(r'= "([\w/.-]+\.md)"', text))
    made = {page.relative_to(pages).as_posix() for page in pages.rglob("*.md")}
    # Pages of rooms are reached from the list of modules.
    assert {page for page in made - listed if not page.startswith("reference/modules-")} == set()


def test_the_command_line_is_there_in_full(pages: Path) -> None:
    text = (pages / "reference" / "cli.md").read_text("utf-8")
    said = dict(re.findall(r"^## (dyad [\w ]+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert {"dyad run", "dyad export", "dyad bench people", "dyad train flow"} <= set(said)
    for name in inspect.signature(cli.run_command).parameters:
        word = {"video": "VIDEO"}.get(name, "--" + name.replace("_", "-"))
        assert f"`{word}`" in said["dyad run"], name
    assert "One of `bvh`, `glb`" in said["dyad export"]
    silent = [line for line in text.splitlines() if re.match(r"\| `[^|]*\|\s+\|", line)]
    assert silent == ["| `OUTPUT` |  | *needed* |"], "an option without help"


def test_every_public_name_is_there(pages: Path) -> None:
    text = (pages / "reference" / "python.md").read_text("utf-8")
    headings = re.findall(r"^### (\w+) \{ #dyad\.(\w+) \}$", text, re.MULTILINE)
    assert sorted(name for name, _ in headings) == sorted(dyad.__all__)
    assert "on_frame: OnFrame | None=None" in text
    assert "`Tracks.window(start: int | None=None, stop: int | None=None) -> Window`" in text


def test_modules_are_listed_by_room(pages: Path) -> None:
    text = (pages / "reference" / "modules.md").read_text("utf-8")
    assert "[`dyad.core.tracks`](modules-core.md#dyad.core.tracks)" in text
    rooms = {path.name for path in (ROOT / "src" / "dyad").iterdir() if (path / "__init__.py").is_file()}
    told = {f"modules-{room}.md" for room in rooms}
    assert told <= {path.name for path in (pages / "reference").iterdir()}


def test_the_strict_build_takes_it(pages: Path, tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(pages.parent / "zensical.toml")]
    done = subprocess.run(command, cwd=pages.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    home = (pages.parent / "site" / "index.html").read_text("utf-8")
    assert "quickstart.html" in home
    # The site asks nobody else for anything.
    assert re.findall(r'(?:src|<link[^>]*href)="https?://', home) == []


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    pytest.importorskip("zensical", reason="the extra docs is not installed")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text("# A\n\n[lost](nowhere.md)\n", encoding="utf-8")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "A"\ndocs_dir = "pages"\n', encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", str(tmp_path / "zensical.toml")]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300).returncode != 0


@pytest.mark.parametrize("name", ["camera-frame", "height-and-depth", "root-or-camera"])
def test_pictures_are_those_that_the_script_draws(name: str, tmp_path: Path) -> None:
    tool("pictures").PICTURES[name]().save(tmp_path / "now.svg")
    now, kept = (ElementTree.parse(path).getroot() for path in (tmp_path / "now.svg", ROOT / f"docs/images/{name}.svg"))
    assert [one.tag for one in now.iter()] == [one.tag for one in kept.iter()]
    told = [[one.text for one in picture.iter()] for picture in (now, kept)]
    assert told[0] == told[1], "draw them anew: python tools/docs/pictures.py"


def test_pictures_are_small_and_none_is_forgotten() -> None:
    folder = ROOT / "docs" / "images"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1 << 20
    assert {f"{name}.svg" for name in tool("pictures").PICTURES} <= {path.name for path in folder.iterdir()}
    shown = "".join(page.read_text("utf-8") for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
    assert [path.name for path in folder.iterdir() if f"images/{path.name}" not in shown] == []


def test_the_public_surface_is_typed_and_told() -> None:
    lacking = []
    for name in dyad.__all__:
        thing = getattr(dyad, name)
        if not inspect.getdoc(thing):
            lacking.append(f"{name}: no docstring")
        members = vars(thing).items() if inspect.isclass(thing) else [(name, thing)]
        for member, value in members:
            function = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
            ours = inspect.isfunction(function) and function.__module__.startswith("dyad")
            if not ours or (member.startswith("_") and member not in ("__init__", "__call__")):
                continue
            signature = inspect.signature(function)
            bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
            lacking += [f"{name}.{member}: {p}" for p in bare if p not in ("self", "cls")]
            if signature.return_annotation is signature.empty:
                lacking.append(f"{name}.{member}: what it returns")
    assert lacking == []
