"""A part of one's own: named by module, by file, or by an installed package."""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import dyad
from dyad.core.errors import BadUsage
from dyad.pipeline import Pipeline
from dyad.stages.lifting import GeometricLifter
from dyad.stages.plugins import load_plugin
from dyad.stages.tracking import PoseTracker

CODE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Marked:
    mark: float = 0.5
    def __call__(self, tracks):
        return tracks.with_(video="marked")

def flat(tracks):
    return tracks

number = 3

class Broken:
    def __init__(self):
        raise OSError("no such\\nmodel")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my lifter.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def test_a_class_of_a_module_is_made() -> None:
    part = load_plugin("lifter", "dyad.stages.lifting:GeometricLifter")
    assert isinstance(part, GeometricLifter)


def test_a_file_gives_classes_and_functions(file: Path) -> None:
    assert load_plugin("lifter", f"{file}:Marked").mark == 0.5
    assert load_plugin("lifter", f"{file}:flat")("x") == "x"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "no lifter 'nobody'"),
        ("no.such.module:Thing", "ModuleNotFoundError"),
        ("dyad.stages.lifting:Nothing", "AttributeError"),
        ("{file}:number", "of the type int"),
        ("{file}:Broken", r"OSError: no such model"),
        ("{folder}/none.py:Thing", "FileNotFoundError"),
        (":Thing", "ValueError"),
        ("C:\\mine\\part.py:Thing", r"there is no file C:\\mine\\part\.py"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(file: Path, name: str, said: str) -> None:
    with pytest.raises(BadUsage, match=said) as caught:
        load_plugin("lifter", name.format(file=file, folder=file.parent))
    assert "\n" not in str(caught.value)


def test_an_installed_package_offers_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "offered_part.py").write_text(CODE, encoding="utf-8")
    facts = tmp_path / "offered-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n", encoding="utf-8")
    (facts / "entry_points.txt").write_text("[dyad.lifters]\nmarked = offered_part:Marked\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "marked" in metadata.entry_points(group="dyad.lifters").names
    assert type(load_plugin("lifter", "marked")).__name__ == "Marked"
    assert "offered_part" in sys.modules
    with pytest.raises(BadUsage, match="installed plug-ins: marked"):
        load_plugin("lifter", "other")


def test_a_run_takes_them_by_name(file: Path) -> None:
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    nobody = "tests.stages.test_plugins:nobody"
    result = dyad.run(frames, detector=nobody, lifter=f"{file}:Marked")
    assert result.tracks.video == "marked"


def nobody(video: dyad.Video, prior: dyad.Tracks | None = None):
    for frame, time in zip(video.indices.tolist(), video.times.tolist(), strict=True):
        yield dyad.Detections.none(frame, time, dyad.Skeleton.of_names(("pelvis", "neck")))


@pytest.mark.parametrize(
    "options",
    [
        {"tracker": PoseTracker(), "max_people": 2},
        {"lifter": GeometricLifter(), "height": 1.8},
        {"detector": "tests.stages.test_plugins:nobody", "thorough": True},
        {"detector": "tests.stages.test_plugins:nobody", "weights": ("a",)},
    ],
)
def test_wishes_that_would_not_be_heard_are_refused(options: dict) -> None:
    with pytest.raises(BadUsage):
        Pipeline.default(**{"detector": nobody, **options})
