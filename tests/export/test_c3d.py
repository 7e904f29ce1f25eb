import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.export.c3d import write_c3d
from dyad.export.clock import clock
from dyad.export.upright import TO_Z_UP, upright
from tests.export.walking import FPS, WITH_FEET, truth, walkers

ezc3d = pytest.importorskip("ezc3d", reason="ezc3d reads C3D files independently")

LINE = Skeleton("line", ("a", "b"), ("", "a"))


def written(path: Path, tracks: Tracks):
    space = upright(tracks)
    write_c3d(path, space, clock(space))
    return ezc3d.c3d(str(path))


def line(people: int, frames: int) -> Tracks:
    """Many people of two joints, each in a frame or more."""
    person, frame = (grid.ravel() for grid in np.meshgrid(np.arange(people), np.arange(frames), indexing="ij"))
    xyz = torch.from_numpy(np.stack([person, frame / 1000, np.full(len(person), 3)], -1))[:, None].repeat(1, 2, 1)
    return Tracks.of_rows(skeleton=LINE, camera=Camera.guess((64, 64)), person=person, frame=frame, xyz=xyz, fps=50)


def test_markers_are_where_the_joints_are(tmp_path: Path) -> None:
    tracks = walkers(skeleton=WITH_FEET)
    read = written(tmp_path / "a.c3d", tracks)
    point = read["parameters"]["POINT"]
    assert point["UNITS"]["value"] == ["mm"]
    assert point["RATE"]["value"][0] == pytest.approx(FPS)
    assert point["FRAMES"]["value"][0] == 50
    labels = point["LABELS"]["value"]
    assert len(labels) == 2 * len(WITH_FEET)
    assert {"P3:Hip", "P3:LKnee", "P8:RWrist", "P8:Head", "P3:LBigToe", "P3:RHeel"} <= set(labels)
    assert read["parameters"]["SUBJECTS"]["NAMES"]["value"] == ["P3", "P8"]
    points = read["data"]["points"][:3].transpose(2, 1, 0).reshape(50, 2, len(WITH_FEET), 3)
    missing = read["data"]["meta_points"]["residuals"][0].T.reshape(50, 2, -1) < 0
    for place, person in enumerate((3, 8)):
        frames = tracks.frame[tracks.rows(person)].numpy()
        known = truth(tracks, person) @ TO_Z_UP.T * 1000
        assert np.abs(points[frames, place] - known).max() < 1
        assert not missing[frames, place].any()
        others = np.setdiff1d(np.arange(50), frames)
        assert missing[others, place].all()
    # Upright along z: heads up, feet near the floor; who walks towards the camera comes from far y.
    z = points[:, 0, :, 2]
    assert (z[:, WITH_FEET.index("head_top")] > 1200).all()
    assert z.min() > 0
    assert (np.diff(points[:, 0, 0, 1]) < 0).all()
    assert points[0, 0, WITH_FEET.index("left_hip"), 0] > points[0, 0, WITH_FEET.index("right_hip"), 0]


def test_the_residual_is_sigma(tmp_path: Path) -> None:
    tracks = walkers(3)
    xyz = tracks.xyz.clone()
    xyz[1, 4] = torch.nan
    written(tmp_path / "a.c3d", tracks.with_(xyz=xyz))
    data = (tmp_path / "a.c3d").read_bytes()
    start, scale = struct.unpack("<H", data[16:18])[0], struct.unpack("<f", data[12:16])[0]
    values = np.frombuffer(data, "<f4", 3 * 17 * 4, (start - 1) * 512).reshape(3, 17, 4)
    sigma = 1000 * np.sqrt((0.01**2 + 0.02**2 + 0.05**2) / 3)
    expected = np.full((3, 17), np.ceil(sigma / -scale))
    expected[1, 4] = -1
    assert (values[..., 3] == expected).all()
    assert (values[1, 4, :3] == 0).all()


def test_more_labels_than_one_parameter_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = written(tmp_path / "a.c3d", line(300, 2))
    point = read["parameters"]["POINT"]
    labels = [label for name in ("LABELS", "LABELS2", "LABELS3") for label in point[name]["value"]]
    assert labels == [f"P{person}:{joint}" for person in range(300) for joint in "AB"]
    assert read["data"]["points"][0, ::2, 1] == pytest.approx(1000.0 * np.arange(300))
    monkeypatch.setattr("dyad.export.c3d._MOST_BLOCKS", 5)
    with pytest.raises(BadInput, match="fewer people"):
        written(tmp_path / "b.c3d", line(300, 2))
    assert not (tmp_path / "b.c3d").exists()


def test_more_frames_than_the_header_counts(tmp_path: Path) -> None:
    space = upright(line(1, 70_000))
    write_c3d(tmp_path / "a.c3d", space, clock(space))
    data = (tmp_path / "a.c3d").read_bytes()
    read = ezc3d.c3d(str(tmp_path / "a.c3d"))
    assert read["data"]["points"].shape[2] in (65535, 70_000)
    low, high = read["parameters"]["TRIAL"]["ACTUAL_END_FIELD"]["value"]
    assert int(low) % 65536 + 65536 * int(high) == 70_000
    start = struct.unpack("<H", data[16:18])[0]
    values = np.frombuffer(data, "<f4", 70_000 * 8, (start - 1) * 512).reshape(-1, 2, 4)
    assert -np.diff(values[:, 0, 2]) == pytest.approx(1.0, abs=0.01)


def test_a_single_frame(tmp_path: Path) -> None:
    read = written(tmp_path / "a.c3d", walkers(1)[torch.arange(1)])
    assert read["data"]["points"].shape == (4, 17, 1)
