"""A detector whose detections lie in files: of every frame of an hour what costs nothing to find, and all to follow."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from dyad.core.camera import Camera
from dyad.core.detection_files import load_detections, save_detections
from dyad.core.detections import Detections
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from tests.standin import StandIn

A_FILE = 1800
"""Frames of a file."""


class Stored:
    """Made without arguments; DYAD_SOAK_DETECTIONS names the folder."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["DYAD_SOAK_DETECTIONS"])

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterator[Detections]:
        for frame in video.indices.tolist():
            yield _of(self.folder / f"{frame // A_FILE:04}.npz")[frame % A_FILE]


@lru_cache(maxsize=1)
def _of(path: Path) -> list[Detections]:
    return load_detections(path)[0]


def store(folder: Path, *, frames: int, fps: float, size: tuple[int, int]) -> Path:
    """Files of two people who walk to and fro and go away now and then."""
    folder.mkdir()
    blank = np.zeros((1, size[1], size[0], 3), np.uint8)
    person, video = StandIn(), Video(blank, camera=Camera.guess(size))
    for first in range(0, frames, A_FILE):
        some = range(first, min(first + A_FILE, frames))
        found = [person.people(video, frame, frame / fps, 0.0, False) for frame in some]
        save_detections(folder / f"{first // A_FILE:04}.npz", found)
    return folder
