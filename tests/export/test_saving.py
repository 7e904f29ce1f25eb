import json
from pathlib import Path

import pytest
import torch
from cyclopts import App

from dyad.cli.export import export_command
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Flag, Tracks
from dyad.export.saving import FORMATS, export_tracks
from tests.export.reading import read_bvh
from tests.export.walking import walkers

OPTIONAL = {"parquet": "pyarrow", "usd": "pxr", "rrd": "rerun"}
SOLID = ("bvh", "glb", "c3d", "trc", "usd", "rrd")


def needs(to: str) -> None:
    if to in OPTIONAL:
        pytest.importorskip(OPTIONAL[to], reason=f"the extra {to} is not installed")


@pytest.mark.parametrize("to", FORMATS)
def test_into_a_folder_and_into_a_file(to, tmp_path: Path) -> None:
    needs(to)
    tracks = walkers(20)
    done = export_tracks(tracks, tmp_path / "out", to)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert sorted(path.name for path in done.files) == names
    expected = {"bvh": ["people.bvh", "person_3.bvh", "person_8.bvh"], "trc": ["person_3.trc", "person_8.trc"]}
    expected |= {"coco": ["people.json"], "mot": ["people.txt"], "parquet": ["joints.parquet"], "csv": ["joints.csv"]}
    assert names == expected.get(to, [f"people.{to}"])
    suffix = done.files[0].suffix
    single = export_tracks(tracks, tmp_path / "deep" / f"mine{suffix}", to)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"mine{suffix}"]
    assert single.files == [tmp_path / "deep" / f"mine{suffix}"]
    assert done.note == ""
    level = export_tracks(tracks.with_(world=None), tmp_path / "out", to)
    assert ("level" in level.note) == (to != "coco")


def test_all_formats_share_a_folder(tmp_path: Path) -> None:
    files = [path for to in FORMATS if to not in OPTIONAL for path in export_tracks(walkers(4), tmp_path, to).files]
    assert len(set(files)) == len(files) == len(list(tmp_path.iterdir()))


def test_only_some_people(tmp_path: Path) -> None:
    done = export_tracks(walkers(20), tmp_path, "bvh", people=[8])
    assert [path.name for path in done.files] == ["person_8.bvh"]
    # The frames are still those of the whole clip, so that files of several people agree.
    assert len(read_bvh(done.files[0]).places) == 20
    with pytest.raises(BadInput, match="no person 5 in these tracks; there is 3, 8"):
        export_tracks(walkers(20), tmp_path, "glb", people=[3, 5])


def test_the_camera_frame(tmp_path: Path) -> None:
    tracks = walkers(4)
    done = export_tracks(tracks, tmp_path / "a.bvh", "bvh", frame="camera", people=[3])
    root = tracks.xyz[0, 0].numpy() * (1, -1, -1) * 100
    assert read_bvh(done.files[0]).places[0, 0] == pytest.approx(root, abs=1e-2)


@pytest.mark.parametrize("to", SOLID)
def test_people_without_3d_and_nobody(to, tmp_path: Path) -> None:
    needs(to)
    tracks = walkers(3)
    flat = tracks.with_(flags=torch.full_like(tracks.flags, int(Flag.FLAT)))
    with pytest.raises(BadInput, match="export them as coco, mot or csv"):
        export_tracks(flat, tmp_path, to)
    with pytest.raises(BadInput, match="nobody in 3D"):
        export_tracks(tracks[torch.zeros(3, dtype=torch.bool)], tmp_path, to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", [to for to in FORMATS if to not in SOLID])
def test_flat_people_and_nobody_fit_the_other_formats(to, tmp_path: Path) -> None:
    needs(to)
    tracks = walkers(3)
    export_tracks(tracks.with_(flags=torch.full_like(tracks.flags, int(Flag.FLAT))), tmp_path, to)
    export_tracks(tracks[torch.zeros(3, dtype=torch.bool)], tmp_path, to)


@pytest.mark.parametrize("to", FORMATS)
def test_a_place_that_cannot_be_written_to(to, tmp_path: Path) -> None:
    needs(to)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write to"):
        export_tracks(walkers(3), tmp_path / "file" / "out", to)
    assert (tmp_path / "file").read_text() == ""


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dyad.export.bvh.euler_zxy", stop)
    monkeypatch.setattr("dyad.export.table._texts", stop)
    for to in ("bvh", "csv"):
        with pytest.raises(BadInput, match="No space left"):
            export_tracks(walkers(3), tmp_path, to)
    assert list(tmp_path.iterdir()) == []


def test_options_that_a_format_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="csv keeps the times"):
        export_tracks(walkers(2), tmp_path, "csv", fps=30)
    with pytest.raises(BadUsage, match="got 'fbx'"):
        export_tracks(walkers(2), tmp_path, "fbx")  # ty: ignore[invalid-argument-type]


@pytest.fixture
def app() -> App:
    made = App(result_action="return_value")
    made.command(export_command, name="export")
    return made


def test_the_command(tmp_path: Path, app: App, capsys: pytest.CaptureFixture[str]) -> None:
    walkers(6, world=None).save(tmp_path / "tracks.npz")
    app(["export", str(tmp_path), "--to", "bvh", "--names", "mixamo", "--fps", "50", "--person", "3"])
    said = capsys.readouterr()
    path = tmp_path / "export" / "person_3.bvh"
    assert said.out.splitlines() == [str(path)]
    assert "level" in said.err
    assert read_bvh(path).seconds == pytest.approx(0.02)
    app(["export", str(tmp_path / "tracks.npz"), "--to", "csv", "--frame", "camera", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told == {"files": [str(tmp_path / "export" / "joints.csv")], "note": ""}
    app(["export", str(tmp_path), "--to", "glb", "-o", str(tmp_path / "x.glb")])
    assert (tmp_path / "x.glb").read_bytes()[:4] == b"glTF"
    assert Tracks.load(tmp_path).people == [3]
