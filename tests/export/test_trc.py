from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.skeleton import COCO17
from dyad.export.clock import clock
from dyad.export.markers import marker_names
from dyad.export.trc import write_trc
from dyad.export.upright import upright
from tests.export.walking import FPS, WITH_FEET, truth, walkers

TRACKS = walkers(skeleton=WITH_FEET)
SPACE = upright(TRACKS)


def read(path: Path) -> tuple[dict[str, str], list[str], np.ndarray, np.ndarray, np.ndarray]:
    """A TRC file by the letter of its description: header, markers, frame numbers, times, places (T, M, 3)."""
    lines = [line.split("\t") for line in path.read_text().split("\n")]
    assert lines[0][:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert lines[0][3] == path.name
    header = dict(zip(lines[1], lines[2], strict=True))
    count = int(header["NumMarkers"])
    assert lines[3][:2] == ["Frame#", "Time"]
    markers = lines[3][2::3]
    assert len(lines[3]) == 2 + 3 * count
    assert {*lines[3][3::3], *lines[3][4::3]} == {""}
    assert lines[4] == ["", "", *(f"{axis}{n}" for n in range(1, count + 1) for axis in "XYZ")]
    assert lines[5] == [""]
    assert lines[-1] == [""]
    rows = lines[6:-1]
    assert len(rows) == int(header["NumFrames"])
    assert {len(row) for row in rows} == {2 + 3 * count}
    values = np.array([[float(cell) for cell in row] for row in rows])
    return header, markers, values[:, 0], values[:, 1], values[:, 2:].reshape(len(rows), count, 3)


def test_one_person(tmp_path: Path) -> None:
    path = tmp_path / "person_8.trc"
    write_trc(path, SPACE, [SPACE.people()[1]], clock(SPACE))
    header, markers, numbers, times, places = read(path)
    assert (header["Units"], float(header["DataRate"]), header["OrigDataStartFrame"]) == ("mm", FPS, "11")
    assert markers == marker_names(WITH_FEET)
    assert {"Hip", "LKnee", "RAnkle", "Neck", "Nose", "Head", "LBigToe", "RHeel", "RShoulder"} <= set(markers)
    assert numbers.tolist() == list(range(11, 46))
    assert times == pytest.approx((numbers - 1) / FPS, abs=1e-6)
    rows = TRACKS.frame[TRACKS.rows(8)].numpy() - 10
    assert np.abs(places[rows] - truth(TRACKS, 8) * 1000).max() < 1
    assert np.isnan(places[10:14]).all()
    assert places[0, markers.index("Head"), 1] > 1000 > 100 > places[0, markers.index("LAnkle"), 1]


def test_opensim_reads_the_same(tmp_path: Path) -> None:
    opensim = pytest.importorskip("opensim", reason="opensim reads TRC files independently")
    path = tmp_path / "people.trc"
    write_trc(path, SPACE, SPACE.people(), clock(SPACE))
    table = opensim.TimeSeriesTableVec3(str(path))
    assert table.getTableMetaDataString("Units") == "mm"
    labels = list(table.getColumnLabels())
    assert labels == [f"P{person}_{name}" for person in (3, 8) for name in marker_names(WITH_FEET)]
    assert list(table.getIndependentColumn()) == pytest.approx(np.arange(50) / FPS)
    for person in (3, 8):
        frames = TRACKS.frame[TRACKS.rows(person)].tolist()
        column = table.getDependentColumn(f"P{person}_LWrist")
        column = np.array([column[row].to_numpy() for row in range(50)])
        known = truth(TRACKS, person)[:, WITH_FEET.index("left_wrist")]
        assert np.abs(column[frames] - known * 1000).max() < 1
        assert np.isnan(column).any(-1).sum() == 50 - len(frames)


def test_a_joint_that_is_missing_is_nan(tmp_path: Path) -> None:
    tracks = walkers(1)[torch.arange(1)]
    xyz = tracks.xyz.clone()
    xyz[0, 3] = torch.nan
    space = upright(tracks.with_(xyz=xyz))
    write_trc(tmp_path / "a.trc", space, space.people(), clock(space))
    places = read(tmp_path / "a.trc")[-1]
    assert places.shape == (1, 17, 3)
    assert np.isnan(places[0]).all(-1).tolist() == [k == 3 for k in range(17)]


def test_names_of_markers() -> None:
    assert marker_names(COCO17)[:7] == ["Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder"]
