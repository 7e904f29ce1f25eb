"""The page on formats says what the code does."""

import re
from pathlib import Path

import pytest

from dyad.export.motion import motions
from dyad.export.saving import FORMATS, export_tracks
from dyad.export.table import COLUMNS
from dyad.export.upright import upright
from tests.export.walking import WITH_FEET, walkers

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Cells of the table whose first heading is given."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_format_and_every_column_is_there() -> None:
    assert sorted(row[0].strip("`") for row in table("format")) == sorted(FORMATS)
    assert tuple(row[0].strip("`") for row in table("column")) == COLUMNS


def test_the_names_of_joints_are_those_of_the_rig() -> None:
    rig = motions(upright(walkers(2, skeleton=WITH_FEET)))[0].rig
    for column, style in ((1, "cmu"), (2, "mixamo")):
        shown = {row[column] for row in table("joint of the tracks")}
        assert {n.removeprefix("mixamorig:") for n in rig.names(style) if "Right" not in n and "RH" not in n} == shown


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas", reason="the page reads its table with pandas")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "OUT").mkdir()
    walkers(20).save("OUT/tracks.npz")
    export_tracks(walkers(20), "joints.csv", "csv")
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(code, "formats.md", "exec"), {})
    assert "people.glb" in capsys.readouterr().out
