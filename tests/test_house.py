"""The rules of the house: which room may import which, how long a file may be, and what no file may do."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
FILES = sorted((SOURCE / "dyad").rglob("*.py"))
LONGEST = 400

# What each room may import besides itself. The ranks of docs/design.md, written out.
_NOUNS = {"geometry", "core"}
_STAGES = _NOUNS | {"models", "stages", "refinement", "synthetic", "datasets", "evaluation", "export", "estimates"}
_TOP = {"pipeline", "training", "viewer", "bench"}
MAY_IMPORT = {
    "geometry": set(),
    "core": {"geometry"},
    "models": {"geometry"},
    "stages": _NOUNS | {"models"},
    "refinement": _NOUNS,
    "synthetic": _NOUNS,
    "datasets": _NOUNS,
    "estimates": _NOUNS,
    "evaluation": _NOUNS,
    "export": _NOUNS,
    **dict.fromkeys(_TOP, _STAGES),
    # The work folder writes what the pipeline computed and the viewer draws; the command line calls all of them.
    # Pieces of a video in other processes; many clips; a camera that goes on.
    "shards": _STAGES | {"pipeline"},
    "many": _STAGES | _TOP | {"workfolder"},
    "live": _STAGES,
    "result": _STAGES,
    "resuming": _STAGES,
    "workfolder": _STAGES | _TOP | {"evaluation", "result", "resuming"},
    "streaming": _STAGES | _TOP | {"workfolder"},
    "about": _STAGES | {"", "stages"},
    "demo": _STAGES | _TOP | {"workfolder"},
    "synth": _STAGES | _TOP | {"workfolder"},
    "cli": _STAGES | _TOP | {"workfolder", "demo", "synth", "about", "", "many", "live", "shards"},
    "__main__": {"cli"},
    # The package itself only forwards names, when they are first used; its version is free for all to read.
    "": _STAGES | _TOP | {"workfolder", "streaming"},
}
# Rooms inside synthetic/, each of which may import those before it; the scenes made of all lie beside them.
SYNTHETIC = ("bodies", "motion", "rendering", "places", "")
NETWORK = {"urllib", "requests", "socket", "http", "ftplib", "ssl", "aiohttp", "httpx", "urllib3", "huggingface_hub"}
MAY_CONNECT = {"dyad/models/weights.py"}


def room_of(file: Path) -> str:
    """First part of a file's place below the package: "core", "cli"; "" for the package's own file."""
    parts = file.relative_to(SOURCE / "dyad").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of all that a module imports, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{name}.{alias.name}") for alias in node.names)


def wrong_imports(source: str, file: str) -> list[str]:
    """Imports of a file (its place below src, such as dyad/core/camera.py) that its room may not have."""
    module = file.removesuffix(".py").replace("/", ".")
    parts = module.split(".")
    room = "" if parts[1:] == ["__init__"] else parts[1]
    found = []
    for line, name in imports(ast.parse(source), module):
        top, _, rest = name.partition(".")
        if top in NETWORK and file not in MAY_CONNECT and not name.startswith("urllib.parse"):
            found.append(f"line {line}: {file} reaches for the network through {name}")
        if top in {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}:
            found.append(f"line {line}: {file} imports {top}")
        if top == "dyad":
            target = rest.split(".")[0]
            target = "" if target.startswith("__") else target
            if target not in MAY_IMPORT[room] | {room} and name != "dyad.__version__":
                found.append(f"line {line}: {file} imports dyad.{target}, which its room {room!r} may not")
            if room == target == "synthetic" and _synthetic_rank(rest.split(".")) > _synthetic_rank(parts[1:]):
                found.append(f"line {line}: {file} imports {name}, which is made of what is in its own room")
    return found


def _synthetic_rank(parts: list[str]) -> int:
    inner = parts[1] if len(parts) > 1 else ""
    return SYNTHETIC.index(inner if inner in SYNTHETIC else "")


def misdeeds(source: str, file: str) -> list[str]:
    """What no file of the library does, each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        what = _misdeed(node, file)
        if what:
            found.append(f"{file}, line {getattr(node, 'lineno', 0)}: {what}")
    return found


def _misdeed(node: ast.AST, file: str) -> str | None:
    match node:
        case ast.Assert():
            return "assert; raise an error of dyad.core.errors"
        case ast.Global():
            return "global state"
        case ast.ExceptHandler(type=None):
            return "bare except"
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return "star import"
        case ast.Attribute(value=ast.Name(id="sys"), attr="path"):
            return "sys.path"
        case ast.Attribute(value=ast.Name(id="sys"), attr="stdout") if not file.startswith("dyad/cli"):
            return "writing to standard output outside the command line"
        case ast.ImportFrom(module="sys", names=names) if {a.name for a in names} & {"path", "stdout"}:
            return "sys.path or sys.stdout by another name"
        case ast.Call(func=ast.Name(id="print")):
            return "print"
        case ast.Call(func=ast.Attribute(attr="cuda")):
            return ".cuda(): take a device"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load"), keywords=keywords):
            return None if _says(keywords, "weights_only", True) else "torch.load without weights_only=True"
        case ast.Call(func=ast.Attribute(attr="load_state_dict"), keywords=keywords):
            return "load_state_dict(strict=False)" if _says(keywords, "strict", False) else None
        case ast.Call(keywords=keywords) if _says(keywords, "allow_pickle", True):
            return "allow_pickle=True"
    return None


def _says(keywords: list[ast.keyword], name: str, value: bool) -> bool:
    return any(k.arg == name and isinstance(k.value, ast.Constant) and k.value.value is value for k in keywords)


def _each_file(check) -> list[str]:
    return [line for file in FILES for line in check(file.read_text("utf-8"), file.relative_to(SOURCE).as_posix())]


def test_a_file_imports_only_from_lower_ranks() -> None:
    assert len(FILES) > 20
    assert {room_of(file) for file in FILES} <= set(MAY_IMPORT), "a room without a rank: add it to MAY_IMPORT"
    assert _each_file(wrong_imports) == []


def test_no_file_does_what_none_may() -> None:
    assert _each_file(misdeeds) == []


def test_no_file_is_long() -> None:
    lengths = {f.relative_to(SOURCE).as_posix(): len(f.read_text("utf-8").splitlines()) for f in FILES}
    assert {file: length for file, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("dyad/geometry/bones.py", "from dyad.core.camera import Camera"),
        ("dyad/models/hrnet.py", "import dyad.core.camera"),
        ("dyad/models/hrnet.py", "def f():\n    from dyad.core import camera"),
        ("dyad/core/tracks.py", "from dyad import pipeline"),
        ("dyad/core/tracks.py", "from ..stages import tracking"),
        ("dyad/stages/flow.py", "from dyad.evaluation.oks import oks"),
        ("dyad/export/bvh.py", "from dyad.models import gcn"),
        ("dyad/viewer/report.py", "from dyad.pipeline import run"),
        ("dyad/pipeline.py", "import dyad.cli"),
        ("dyad/bench/people.py", "from dyad.workfolder import run"),
        ("dyad/core/tracks.py", "import dyad.core, dyad.models.gcn"),
        ("dyad/stages/flow.py", "from urllib.request import urlopen"),
        ("dyad/core/files.py", "import pickle"),
        ("dyad/synthetic/motion/gait.py", "from dyad.synthetic.rendering.looks import Look"),
        ("dyad/synthetic/places/cameras.py", "from dyad.synthetic import scenes"),
    ],
)
def test_a_wrong_import_is_found(file: str, source: str) -> None:
    assert len(wrong_imports(source, file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("dyad/core/tracks.py", "from dyad.core.camera import Camera\nfrom dyad.geometry import bones\nimport torch"),
        ("dyad/core/tracks.py", "from .camera import Camera\nfrom ..geometry import bones"),
        ("dyad/stages/flow.py", "from dyad.models import raft\nfrom dyad.core import tracks"),
        ("dyad/cli.py", "from dyad import __version__\nfrom dyad.bench import people\nimport dyad.pipeline"),
        ("dyad/models/weights.py", "import urllib.request"),
        ("dyad/viewer/report.py", "from urllib.parse import quote"),
        ("dyad/pipeline.py", "from dyad import __version__"),
        ("dyad/workfolder.py", "from dyad.pipeline import Pipeline\nfrom dyad.viewer.report import write_report"),
        ("dyad/synthetic/motion/gait.py", "from dyad.synthetic.bodies.body import Body"),
        ("dyad/synthetic/scenes.py", "from dyad.synthetic.rendering.render import Renderer"),
    ],
)
def test_a_right_import_passes(file: str, source: str) -> None:
    assert wrong_imports(source, file) == []


@pytest.mark.parametrize(
    "source",
    [
        "print('hello')",
        "from torch import *",
        "x.to('cpu').cuda()",
        "import sys\nsys.path.append('.')",
        "import sys\nsys.stdout.write('.')",
        "from sys import path",
        "try:\n    f()\nexcept:\n    pass",
        "np.load(f, allow_pickle=True)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "net.load_state_dict(d, strict=False)",
        "assert x > 0",
        "def f():\n    global x",
    ],
)
def test_a_misdeed_is_found(source: str) -> None:
    assert len(misdeeds(source, "dyad/core/files.py")) == 1


def test_what_is_allowed_passes() -> None:
    source = (
        "import sys\ntry:\n    np.load(f, allow_pickle=False)\nexcept OSError:\n    sys.stderr.write('x')\n"
        "torch.load(f, weights_only=True)\nzip(a, b, strict=False)\nos.path.join(a, b)\nfingerprint(a)\n"
    )
    assert misdeeds(source, "dyad/core/files.py") == []
    assert misdeeds("import sys\nsys.stdout.write('x')", "dyad/cli.py") == []


_WATCH = """
import json, sys
opened, other = [], []
watching = True
def watch(event, args):
    if not watching:
        return
    if event == "open":
        opened.append(str(args[0]))
    elif event.split(".")[0] in ("socket", "subprocess", "urllib", "shutil", "tempfile"):
        other.append(event)
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.system"):
        other.append(event)
sys.addaudithook(watch)
import dyad
watching = False
loaded = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"opened": opened, "other": other, "loaded": loaded}))
"""


def _fresh_python(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_opens_nothing_and_loads_nothing_heavy() -> None:
    seen = json.loads(_fresh_python(_WATCH))
    modules = (".py", ".pyc", ".so", ".pyd", ".zip")
    assert [path for path in seen["opened"] if not path.endswith(modules)] == []
    assert seen["other"] == []
    assert "dyad" in seen["loaded"]
    assert {"torch", "numpy", "scipy", "av", "cyclopts", "rich"} & set(seen["loaded"]) == set()


def test_every_public_name_resolves() -> None:
    import dyad

    assert sorted(set(dyad.__all__)) == sorted(dyad.__all__)
    assert {"run", "load", "Camera", "Tracks", "Skeleton", "Detector", "Tracker", "Lifter"} <= set(dyad.__all__)
    assert [name for name in dyad.__all__ if getattr(dyad, name, None) is None] == []
    assert set(dyad.__all__) <= set(dir(dyad))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = dyad.no_such_name
