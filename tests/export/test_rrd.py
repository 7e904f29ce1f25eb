"""The recording is read back with the viewer's own reader."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dyad.core.errors import MissingExtra
from dyad.core.tracks import Tracks
from dyad.export.rrd import write_rrd
from dyad.export.upright import upright
from tests.export.walking import FPS, WITH_FEET, truth, walkers


@pytest.fixture
def reading() -> ModuleType:
    return pytest.importorskip("rerun.chunk", reason="the extra rerun is not installed, or too old to read recordings")


def columns(reading: Any, path: Path, entity: str) -> dict[str, list[Any]]:
    """Each column of an entity, a value a row, by time."""
    found: dict[str, list[Any]] = {}
    for chunk in reading.RrdReader(str(path)).stream():
        if chunk.entity_path == entity:
            batch = chunk.to_record_batch()
            for name in batch.schema.names:
                found.setdefault(name.rpartition(":")[2], []).extend(batch.column(name).to_pylist())
    order = np.argsort(found["frame"]) if "frame" in found else range(1)
    return {name: [values[k] for k in order] for name, values in found.items()}


def test_joints_are_where_and_when_they_were(reading, tmp_path: Path) -> None:
    tracks = walkers(skeleton=WITH_FEET)
    write_rrd(tmp_path / "a.rrd", upright(tracks))
    for person in tracks.people:
        rows = tracks.rows(person)
        held = columns(reading, tmp_path / "a.rrd", f"/space/person_{person}")
        full = [k for k, points in enumerate(held["positions"]) if points]
        assert [held["frame"][k] for k in full] == tracks.frame[rows].tolist()
        seconds = np.array([held["time"][k].total_seconds() for k in full])
        assert seconds == pytest.approx((tracks.frame[rows] - tracks.frames[0]).numpy() / FPS, abs=1e-6)
        assert np.array([held["positions"][k] for k in full]) == pytest.approx(truth(tracks, person), abs=1e-3)
        assert held["keypoint_ids"][full[0]] == list(range(len(WITH_FEET)))
        seen = columns(reading, tmp_path / "a.rrd", f"/space/camera/person_{person}")
        assert np.array([p for p in seen["positions"] if p]) == pytest.approx(tracks.xy[rows].numpy(), abs=1e-3)


def test_who_leaves_is_cleared_and_what_is_missing_left_out(reading, tmp_path: Path) -> None:
    tracks = walkers(30)
    one = int(tracks.people[0])
    keep = (tracks.person != one) | (tracks.frame < 10) | (tracks.frame > 15)
    xyz = tracks.xyz.clone()
    xyz[int(tracks.rows(one)[2]), 4] = float("nan")
    write_rrd(tmp_path / "a.rrd", upright(tracks.with_(xyz=xyz)[keep]))
    held = columns(reading, tmp_path / "a.rrd", f"/space/person_{one}")
    lengths = dict(zip(held["frame"], map(len, held["positions"]), strict=True))
    joints = len(tracks.skeleton)
    assert [lengths[k] for k in (0, 2, 9, 10)] == [joints, joints - 1, joints, 0]
    assert 11 not in lengths
    assert lengths[16] == joints
    assert 4 not in held["keypoint_ids"][2]


def test_the_camera_projects_people_onto_their_pixels(reading, tmp_path: Path) -> None:
    tracks = walkers(6)
    space = upright(tracks)
    write_rrd(tmp_path / "a.rrd", space)
    held = columns(reading, tmp_path / "a.rrd", "/space/camera")
    matrix = np.array(held["mat3x3"][0][0]).reshape(3, 3).T  # columns first
    place = np.array(held["translation"][0][0])
    inner = np.array(held["image_from_camera"][0][0]).reshape(3, 3).T
    seen = (space.xyz - place) @ matrix  # the transpose of a rotation is its inverse
    pixels = seen @ inner.T
    assert pixels[..., :2] / pixels[..., 2:] == pytest.approx(tracks.reproject().numpy(), abs=0.05)


def test_an_odd_name_and_cuts(reading, tmp_path: Path) -> None:
    tracks: Tracks = walkers(6).with_(video="a/b\x00 'é\n.mp4", world=None, cuts=(3,))
    write_rrd(tmp_path / "a.rrd", upright(tracks))
    assert columns(reading, tmp_path / "a.rrd", "/note")["text"]
    assert not columns(reading, tmp_path / "a.rrd", "/space/camera")


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rerun", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[rerun\]"):
        write_rrd(tmp_path / "a.rrd", upright(walkers(2)))
    assert list(tmp_path.iterdir()) == []
