"""No file of the library can run what a file holds: neither by its source nor while it reads."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "dyad"
RUNS = {"eval", "exec", "compile", "__import__"}
LOADS = {"load", "loads", "Unpickler", "read_pickle", "unsafe_load", "full_load"}
PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def faults(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [f"{node.lineno}: imports {name}" for name in names if name.split(".")[0] in PICKLES]
        if isinstance(node, ast.Call):
            what = _call(node)
            found += [f"{node.lineno}: {what}"] if what else []
    return found


def _call(node: ast.Call) -> str | None:
    says = {k.arg: k.value.value if isinstance(k.value, ast.Constant) else ... for k in node.keywords}
    match node.func:
        case ast.Name(id=name) if name in RUNS:
            return f"calls {name}"
        case ast.Attribute(value=ast.Name(id="torch"), attr="load") if says.get("weights_only") is not True:
            return "torch.load without weights_only=True"
        case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="load") if says.get("allow_pickle") is not False:
            return "np.load without allow_pickle=False"
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in PICKLES | {"yaml"} and name in LOADS:
            return f"calls {module}.{name}"
        case ast.Attribute(value=ast.Name(id="pd" | "pandas"), attr="read_pickle"):
            return "reads a pickle"
        case ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen"):
            return "runs a shell"
        case ast.Attribute(attr="extractall"):
            return "unpacks an archive to where the archive says"
    if "shell" in says and says["shell"] is not False:
        return "runs a shell"
    if says.get("allow_pickle") not in (None, False):
        return "allow_pickle"
    if says.get("trust_remote_code") not in (None, False):
        return "trusts remote code"
    return None


def test_no_source_runs_what_it_reads() -> None:
    found = {path.name: faults(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
    assert {name: lines for name, lines in found.items() if lines} == {}
    assert len(found) > 200


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "np.load(f)",
        "np.load(f, allow_pickle=yes)",
        "scipy.io.loadmat(f, allow_pickle=True)",
        "torch.load(f)",
        "torch.load(f, weights_only=some)",
        "eval(x)",
        "exec(x)",
        "yaml.load(f)",
        "subprocess.run(c, shell=True)",
        "os.system(c)",
        "archive.extractall(p)",
        "pd.read_pickle(f)",
        "AutoModel.from_pretrained(n, trust_remote_code=True)",
    ],
)
def test_what_would_run_something_is_found(line: str) -> None:
    assert len(faults(line)) == 1


def test_what_runs_nothing_passes() -> None:
    assert faults("np.load(f, allow_pickle=False)\ntorch.load(f, weights_only=True)\nnet.eval()\nre.compile(x)\n") == []


_WATCHED = """
import json, sys
seen = []
def watch(event, args):
    if event in ("pickle.find_class", "os.system", "subprocess.Popen", "socket.connect"):
        # A library asks what machine this is.
        if "uname" not in str(args):
            seen.append([event, str(args)[:200]])
import tempfile, warnings
from pathlib import Path
import tests.fuzz.table as table
warnings.simplefilter("ignore")
names = [n for n in table.READERS if not n.startswith(("video", "tflite"))]
for name in names:
    reader = table.READERS[name]
    with tempfile.TemporaryDirectory() as place:
        reader.make(Path(place))
        if name == names[0]:
            reader.read(Path(place))
            sys.addaudithook(watch)
        seen_before = len(seen)
        reader.read(Path(place))
        seen[seen_before:] = [[name, *entry] for entry in seen[seen_before:]]
print("\\n" + json.dumps(seen))
"""


def test_no_sound_file_makes_a_reader_unpickle_connect_or_start_anything() -> None:
    root = SOURCE.parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED],
        env={**os.environ, "PYTHONPATH": f"{SOURCE.parent}{os.pathsep}{root}"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
