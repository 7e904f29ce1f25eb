"""The pipeline: a video goes in, tracks come out. Every part is passed in and may be replaced."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from dyad.core.detections import Detections
from dyad.core.errors import BadUsage
from dyad.core.protocols import Detector, Lifter, Tracker
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.stages import make_detector
from dyad.stages.lifting import GeometricLifter
from dyad.stages.tracking import PoseTracker

T = TypeVar("T")

# Told now and then how far a stage has come: its name, frames done, frames in all or None where unknown.
Progress = Callable[[str, int, int | None], None]


@dataclass
class Watch:
    """What a run did: seconds of each stage, and how many people were found in all frames."""

    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    detections: int = 0

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Count the time inside as the stage's, less what stages inside it counted as theirs."""
        start, others = time.perf_counter(), sum(self.seconds.values())
        try:
            yield
        finally:
            own = time.perf_counter() - start - (sum(self.seconds.values()) - others)
            self.seconds[name] = self.seconds.get(name, 0.0) + own

    def follow(
        self, name: str, items: Iterable[T], total: int | None, size: Callable[[T], int] = lambda _: 1
    ) -> Iterator[T]:
        """Pass items on; count the time that making them takes, and tell how far it is."""
        source, done = iter(items), 0
        while True:
            with self.stage(name):
                item = next(source, None)
            if item is None:
                return
            done += size(item)
            if self.progress is not None:
                self.progress(name, done, total)
            yield item

    def note(self, detections: Iterable[Detections]) -> Iterator[Detections]:
        """Pass detections on and remember how many there were."""
        for found in detections:
            self.detections += len(found)
            yield found


@dataclass(frozen=True)
class Pipeline:
    """Everyone in a video: `lifter(tracker(detector(video), video))`."""

    detector: Detector
    tracker: Tracker
    lifter: Lifter

    def __call__(self, video: Video, watch: Watch | None = None) -> Tracks:
        """Tracks in metres, in the frame of the video's camera."""
        watch = watch or Watch()
        detections = watch.follow("detect", watch.note(self.detector(video)), video.expected)
        with watch.stage("track"):
            tracks = self.tracker(detections, video)
        with watch.stage("lift"):
            return self.lifter(tracks)

    @classmethod
    def default(
        cls,
        *,
        detector: str | Detector = "blazepose",
        weights: tuple[str, ...] = (),
        device: str = "auto",
        thorough: bool = False,
        max_people: int | None = None,
        height: float | None = None,
        key_interval: float | None = None,
    ) -> "Pipeline":
        """The parts that `dyad run` uses.

        Args:
            detector: a name of `dyad.stages.DETECTORS`, or a detector.
            weights: the files or folders that a named detector other than the default reads.
            device: "auto", "cpu", "cuda", "mps" or any other that torch knows.
            thorough: spend more time to find small and crowded people.
            max_people: keep the most evident ones.
            height: stature of everyone in m; without it a prior on human height acts.
            key_interval: s between the frames in which new people are looked for.
        """
        if height is not None and not 0.4 < height < 2.6:
            raise BadUsage(f"the height is a person's stature in metres, 0.4 to 2.6, got {height}")
        if key_interval is not None and not 0 <= key_interval < math.inf:
            raise BadUsage(f"the key interval is a number of seconds, 0 for every frame, got {key_interval}")
        if isinstance(detector, str):
            policy = {"thorough": thorough, "max_people": max_people, "key_interval": key_interval}
            detector = make_detector(detector, weights, pick_device(device), **policy)
        return cls(detector, PoseTracker(max_people=max_people), GeometricLifter(height=height))


def pick_device(name: str) -> torch.device:
    """The device that a name means; "auto" takes CUDA, else Apple's MPS, else the CPU. BadUsage if it is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadUsage(f"the device {name!r} cannot be used ({reason}); try --device auto") from error
    return device
