"""The interfaces: each is one method, and a plug-in is any object that has it."""

from collections.abc import Iterable
from typing import Protocol, Self

from dyad.core.detections import Detections
from dyad.core.flow import Flow
from dyad.core.tracks import Tracks
from dyad.core.video import Chunk, Video


class Detector(Protocol):
    """Finds everyone in every frame."""

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterable[Detections]: ...


class Tracker(Protocol):
    """Gives detections identities that last."""

    def __call__(self, detections: Iterable[Detections], video: Video) -> Tracks: ...


class Lifter(Protocol):
    """Gives tracked people their 3D joints in metres."""

    def __call__(self, tracks: Tracks) -> Tracks: ...


class Integrator(Protocol):
    """Makes one set of tracks from two of the same people: a top-down and a bottom-up estimate.

    The same person has the same id in both; rows that only one of them has are kept.
    """

    def __call__(self, top_down: Tracks, bottom_up: Tracks) -> Tracks: ...


class FlowEstimator(Protocol):
    """Says where every pixel of n images goes in n others.

    `first` and `second` hold n frames each, pair by pair (see `dyad.core.pairs.pairs`); the flow is (n, 2, H, W).
    Frames come with their indices, so that estimators that read files or know the truth need not recognise images.
    A network's flow carries gradients where torch records them.
    """

    def __call__(self, first: Chunk, second: Chunk) -> Flow: ...

    def copy(self) -> Self:
        """An estimator of its own, to be tuned without a trace in this one; itself where there is nothing to tune."""
        ...
