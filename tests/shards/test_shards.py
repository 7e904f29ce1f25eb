"""Pieces found by other processes give the bytes of those found here, even when a process dies."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import dyad
from dyad.core.errors import BadInput, BadUsage, MissingExtra
from dyad.core.video import Video
from dyad.shards.cluster import Cluster
from dyad.shards.processes import Processes
from dyad.shards.work import Task
from dyad.stages.pieces import Pieces
from tests.core.test_video import encode, ramp
from tests.standin import StandIn

DETECTOR = f"{Path(__file__).resolve().parents[1] / 'standin.py'}:StandIn"
PIECE = 64


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k % 200) for k in range(150)])


@pytest.fixture(scope="module")
def here(clip, tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("here")
    dyad.run(clip, folder, detector=DETECTOR, piece=PIECE)
    return (folder / "tracks.npz").read_bytes()


def test_two_processes_of_which_one_dies_find_the_same(clip, here, tmp_path, monkeypatch, caplog) -> None:
    if os.name == "posix":
        monkeypatch.setenv("DYAD_STANDIN_DIE", str(tmp_path / "died"))
    dyad.run(clip, tmp_path / "out", detector=DETECTOR, piece=PIECE, elsewhere=Processes(2, threads=1))
    assert (tmp_path / "out/tracks.npz").read_bytes() == here
    if os.name == "posix":
        assert (tmp_path / "died").exists()
        assert "A process died" in caplog.text


def test_processes_that_die_every_time_are_given_up(clip, tmp_path, monkeypatch) -> None:
    if os.name != "posix":
        pytest.skip("signals are those of POSIX")
    monkeypatch.setenv("DYAD_STANDIN_DIE", str(tmp_path / "no folder" / "died"))
    with pytest.raises((BadInput, FileNotFoundError)):
        dyad.run(clip, tmp_path / "out", detector=DETECTOR, piece=PIECE, elsewhere=Processes(1, threads=1, retries=0))


def test_a_worker_finds_what_is_found_here_without_reading_the_file_first(clip) -> None:
    video = Video(clip, frames=slice(3, 140), every=2)
    finding = {"detector": DETECTOR, "weights": (), "piece": 32}
    task = Task.of(clip, video, finding, "key", threads=1)
    assert task.index is not None
    assert len(task.index) == 150
    pieces = Pieces(detector=StandIn(), length=32)
    assert [task(k) for k in (2, 0, 1)] == [pieces.packed(video, k, key="key") for k in (2, 0, 1)]


def test_what_other_processes_cannot_open_is_refused(tmp_path) -> None:
    images = np.zeros((3, 48, 64, 3), np.uint8)
    with pytest.raises(BadUsage, match="file or folder"):
        dyad.run(images, detector=StandIn(), elsewhere=Processes(2))


def test_without_ray_the_extra_is_named(clip, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[ray\]"):
        dyad.run(clip, detector=DETECTOR, elsewhere=Cluster("auto"))
