import json
from pathlib import Path

import pytest
import torch
from cyclopts import App

from dyad.cli.bench_integration import bench_integration_command
from dyad.cli.integrate import integrate_command
from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.tracks import Tracks
from dyad.models.checkpoints import Checkpoint
from dyad.models.fusion import FusionNetwork
from tests.stages.crowd import passing, tracks_of


@pytest.fixture
def app() -> App:
    app = App(name="dyad", result_action="return_value")
    app.command(integrate_command, name="integrate")
    app.command(bench_integration_command, name="integration")
    return app


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    poses = passing(6)
    tracks_of(poses, [3, 8]).save(tmp_path / "a.npz")
    (tmp_path / "b").mkdir()
    tracks_of(poses.flip(1) * 1.1, [0, 1]).save(tmp_path / "b" / "tracks.npz")
    return str(tmp_path / "a.npz"), str(tmp_path / "b")


def test_two_files_become_one(app: App, two: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    app(["integrate", *two, "-o", str(tmp_path / "out"), "--how", "linear", "--json"])
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["people"] == 2
    tracks = Tracks.load(tmp_path / "out")
    assert tracks.people == [3, 8]
    assert torch.allclose(tracks.xyz, 1.05 * Tracks.load(two[0]).xyz, atol=0.01)


def test_learned_with_weights_of_ones_own(app: App, two: tuple[str, str], tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "own.safetensors"
    network = FusionNetwork(width=8, dilations=(1,))
    Checkpoint.of(network, "fusion", arguments={"width": 8, "dilations": [1]}).save(path)
    for roles in ("any", "top-down, bottom-up"):
        app(["integrate", *two, two[0], "-o", str(tmp_path / "out"), "--weights", str(path), "--roles", roles])
        assert Tracks.load(tmp_path / "out").people == [3, 8]


def test_what_cannot_be_is_said(app: App, two: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="two estimates"):
        app(["integrate", two[0], "-o", str(tmp_path / "out"), "--how", "linear"])
    with pytest.raises(MissingWeights):
        app(["integrate", *two, "-o", str(tmp_path / "out"), "--weights", "nothing-of-this-name"])
