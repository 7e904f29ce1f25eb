from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.clip import Clip
from dyad.core.detections import Detections
from dyad.core.video import Video
from dyad.models.blazepose import BlazePoseDetector, BlazePoseLandmarks
from dyad.models.weights import BLAZEPOSE_DETECTOR, BLAZEPOSE_LANDMARKS
from dyad.stages.detection import BlazePose
from dyad.synthetic.demo import demo_clip


@dataclass(frozen=True)
class Networks:
    detector: BlazePoseDetector
    landmarks: BlazePoseLandmarks

    def __call__(self, **policy) -> BlazePose:
        return BlazePose(self.detector, self.landmarks, **policy)


@pytest.fixture(scope="session")
def networks(blazepose_folder: Path) -> Networks:
    return Networks(
        BlazePoseDetector.from_file(blazepose_folder / BLAZEPOSE_DETECTOR.file),
        BlazePoseLandmarks.from_file(blazepose_folder / BLAZEPOSE_LANDMARKS.file),
    )


@pytest.fixture(scope="session")
def drawn() -> Clip:
    """A third of a second of two people who walk towards each other, about 200 px tall, both whole in the image."""
    clip, start, count = demo_clip(size=(640, 360), seconds=0.6, fps=25, people=2), 6, 9
    truth = clip.truth[(clip.truth.frame >= start) & (clip.truth.frame < start + count)]
    times = torch.arange(count, dtype=torch.float64) / 25
    moved = {"frame": truth.frame - start, "time": truth.time - start / 25, "frames": torch.arange(count)}
    video = Video(clip.video[start : start + count], camera=clip.video.camera, fps=25)
    return Clip(video, truth.with_(**moved, times=times))


@pytest.fixture(scope="session")
def images(drawn: Clip) -> np.ndarray:
    return drawn.video[0 : len(drawn.video)]


@pytest.fixture(scope="session")
def found(networks: Networks, drawn: Clip) -> list[Detections]:
    """What BlazePose sees in all of `drawn`."""
    return list(networks(key_interval=0.2)(drawn.video))


@pytest.fixture(scope="session")
def short(images: np.ndarray) -> Video:
    return Video(images[:2], fps=25)
