"""Poses tied to the frames of a video: which frames, counted from where, at what times."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import COCO17
from dyad.core.video import Video
from dyad.estimates.reading import read_people
from tests.estimates.making import read_tracks, spots, truth, write

VIDEO = np.zeros((6, 480, 640, 3), np.uint8)


def results(tmp_path: Path, frames: list[int]) -> Path:
    points = spots(COCO17)[0].ravel().tolist()
    people = [{"image_id": f"img_{f:05d}.png", "keypoints": points, "score": 1.0, "idx": 1} for f in frames]
    return write(tmp_path / "people.json", people)


def test_frames_and_times_are_those_of_the_video(tmp_path: Path) -> None:
    video = Video(VIDEO, frames=slice(1, 6), every=2, fps=10)
    tracks = read_tracks(results(tmp_path, [0, 1, 2, 3]), video=video)
    assert tracks.frames.tolist() == [1, 3, 5]
    assert tracks.frame.tolist() == [1, 3]
    assert tracks.time.tolist() == pytest.approx([0.1, 0.3])
    assert tracks.fps == 5
    assert tracks.camera.guessed


def test_counting_from_one_is_seen_at_the_end_of_the_video(tmp_path: Path) -> None:
    video = Video(VIDEO, fps=10)
    assert read_tracks(results(tmp_path, [1, 3, 6]), video=video).frame.tolist() == [0, 2, 5]
    assert read_tracks(results(tmp_path, [1, 3, 5]), video=video).frame.tolist() == [1, 3, 5]
    assert read_tracks(results(tmp_path, [1, 3, 5]), video=video, first=1).frame.tolist() == [0, 2, 4]
    with pytest.raises(BadInput, match="counting from 2"):
        read_tracks(results(tmp_path, [1, 3]), video=video, first=2)


def test_frames_beyond_the_video(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    video = Video(VIDEO, fps=10)
    assert read_tracks(results(tmp_path, [4, 9]), video=video).frame.tolist() == [4]
    assert "beyond the last frame" in caplog.text
    with pytest.raises(BadInput, match="none of which"):
        read_tracks(results(tmp_path, [50, 90]), video=video)
    with pytest.raises(BadInput, match="beyond any video"):
        read_tracks(results(tmp_path, [5, 9_000_000]), camera=Camera.guess((640, 480)))


def test_own_tracks_take_the_frames_of_the_video(tmp_path: Path) -> None:
    truth().save(tmp_path / "tracks.npz")
    tracks = read_tracks(tmp_path, video=Video(VIDEO, frames=slice(2, 6), fps=20))
    assert tracks.frames.tolist() == [2, 3, 4, 5]
    assert tracks.frame.tolist() == [2, 3, 4]
    assert tracks.time.tolist() == pytest.approx([0.1, 0.15, 0.2])


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    path = results(tmp_path, [0])
    with pytest.raises(BadUsage, match="without a video"):
        read_people(path, video=Video(VIDEO), fps=10)
    with pytest.raises(BadUsage, match="ascending"):
        read_people(path, camera=Camera.guess((640, 480)), frames=[3, 1])
    with pytest.raises(BadInput, match="camera is of"):
        read_people(path, video=Video(VIDEO), camera=Camera.guess((64, 48)))


def test_images_without_numbers_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    points = spots(COCO17)[0].ravel().tolist()
    people = [{"image_id": name, "keypoints": points, "idx": 0} for name in ("b.jpg", "a.jpg")]
    tracks = read_tracks(write(tmp_path / "x.json", people), camera=Camera.guess((640, 480)))
    assert tracks.frame.tolist() == [0, 1]
    assert torch.equal(tracks.person, torch.zeros(2, dtype=torch.int64))
    people[0]["image_id"], people[1]["image_id"] = "x/1.jpg", "y/1.png"
    with pytest.raises(BadInput, match="share a number"):
        read_tracks(write(tmp_path / "x.json", people), camera=Camera.guess((640, 480)))
