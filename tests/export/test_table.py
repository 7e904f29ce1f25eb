import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.errors import MissingExtra
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.export.table import COLUMNS, write_csv, write_parquet
from dyad.export.upright import upright
from tests.export.walking import truth, walkers


def gaps(tracks: Tracks) -> Tracks:
    """Some things are missing."""
    xyz = tracks.xyz.clone()
    xyz[4, 7] = torch.nan
    agreement = tracks.agreement.clone()
    agreement[:3] = torch.nan
    filled = tracks.frame == 6
    return tracks.with_(xyz=xyz, agreement=agreement, filled=filled, flags=tracks.person % 4)


def test_a_row_for_each_joint(tmp_path: Path) -> None:
    tracks = gaps(walkers(14))
    write_csv(tmp_path / "a.csv", upright(tracks))
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert COLUMNS[:10] == ("time", "frame", "person", "joint", "x", "y", "z", "sigma", "confidence", "agreement")
    assert len(rows) == len(tracks) * 17
    wanted = [r for r in rows if r["person"] == "3" and r["joint"] == "left_wrist"]
    place = np.array([[float(r[axis]) for axis in "xyz"] for r in wanted])
    assert place == pytest.approx(truth(tracks, 3)[:, BODY17.index("left_wrist")], abs=1e-4)
    assert [float(r["time"]) for r in wanted] == pytest.approx(2 + np.arange(14) / 25)
    assert [int(r["frame"]) for r in wanted] == list(range(14))
    assert {r["agreement"] for r in wanted[:3]} == {""}
    assert float(wanted[3]["agreement"]) == 0.5
    assert [r["filled"] for r in wanted] == ["1" if f == 6 else "0" for f in range(14)]
    sigma = [float(wanted[0][f"sigma_{axis}"]) for axis in "xyz"]
    assert float(wanted[0]["sigma"]) == pytest.approx(np.sqrt(np.mean(np.square(sigma))), abs=1e-5)
    assert float(wanted[0]["sigma"]) == pytest.approx(np.sqrt((0.01**2 + 0.02**2 + 0.05**2) / 3), abs=1e-5)
    lost = next(r for r in rows if r["frame"] == "4" and r["joint"] == "spine")
    assert [lost[axis] for axis in "xyz"] == ["", "", ""]
    assert lost["u"]


def test_pandas_reads_csv_and_parquet_alike(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas reads tables independently")
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    tracks = gaps(walkers(30))
    space = upright(tracks)
    write_csv(tmp_path / "a.csv", space)
    write_parquet(tmp_path / "a.parquet", space)
    text, binary = pandas.read_csv(tmp_path / "a.csv"), pandas.read_parquet(tmp_path / "a.parquet")
    assert list(text.columns) == list(binary.columns) == list(COLUMNS)
    assert (text.joint == binary.joint.astype(str)).all()
    assert (text.filled.astype(bool) == binary.filled).all()
    for name in COLUMNS:
        if name not in ("joint", "filled"):
            assert text[name].to_numpy() == pytest.approx(binary[name].to_numpy(), abs=0.006, nan_ok=True)
    assert str(binary.joint.dtype) == "category"
    pivot = binary[binary.joint == "nose"].pivot(index="time", columns="person", values="y")
    assert pivot[3].to_numpy() == pytest.approx(truth(tracks, 3)[:, BODY17.index("nose"), 1], abs=1e-4)
    assert pivot[8].isna().sum() == 19


def test_parquet_says_what_was_assumed(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    write_parquet(tmp_path / "a.parquet", upright(walkers(3, world=None)))
    about = json.loads(parquet.read_schema(tmp_path / "a.parquet").metadata[b"dyad"])
    assert about["frame"] == "world"
    assert about["unit"] == "m"
    assert "level" in about["note"]


def test_in_the_camera_frame_the_numbers_are_those_of_the_tracks(tmp_path: Path) -> None:
    tracks = walkers(2)
    write_csv(tmp_path / "a.csv", upright(tracks, "camera"))
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    place = np.array([[float(r[axis]) for axis in "xyz"] for r in rows]).reshape(2, 17, 3)
    assert place == pytest.approx(tracks.xyz.numpy(), abs=1e-4)
    assert [float(rows[0][f"sigma_{axis}"]) for axis in "xyz"] == [0.01, 0.02, 0.05]


def test_nobody_makes_a_table_without_rows(tmp_path: Path) -> None:
    space = upright(walkers(2)[torch.zeros(2, dtype=torch.bool)])
    write_csv(tmp_path / "a.csv", space)
    assert (tmp_path / "a.csv").read_text() == ",".join(COLUMNS) + "\n"
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    write_parquet(tmp_path / "a.parquet", space)
    assert parquet.read_table(tmp_path / "a.parquet").num_rows == 0


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[parquet\]"):
        write_parquet(tmp_path / "a.parquet", upright(walkers(1)))
    assert list(tmp_path.iterdir()) == []


def test_a_long_clip_is_written_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    space = upright(gaps(walkers(40)))
    for name, chunk in (("whole", 10_000), ("pieces", 7)):
        monkeypatch.setattr("dyad.export.table._CHUNK", chunk)
        write_csv(tmp_path / f"{name}.csv", space)
        write_parquet(tmp_path / f"{name}.parquet", space)
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()
    parquet = pytest.importorskip("pyarrow.parquet")
    whole, pieces = (parquet.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "pieces"))
    assert whole.equals(pieces)
    assert parquet.ParquetFile(tmp_path / "pieces.parquet").num_row_groups > 5
