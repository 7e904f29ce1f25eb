"""The interfaces: each is one method, and a plug-in is any object that has it."""

from collections.abc import Iterable
from typing import Protocol

from dyad.core.detections import Detections
from dyad.core.tracks import Tracks
from dyad.core.video import Video


class Detector(Protocol):
    """Finds everyone in every frame."""

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterable[Detections]: ...


class Tracker(Protocol):
    """Gives detections identities that last."""

    def __call__(self, detections: Iterable[Detections], video: Video) -> Tracks: ...


class Lifter(Protocol):
    """Gives tracked people their 3D joints in metres."""

    def __call__(self, tracks: Tracks) -> Tracks: ...
