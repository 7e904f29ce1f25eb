"""A video together with its truth: what data-set readers and scene generators yield and what evaluation consumes."""

from dataclasses import dataclass

from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.core.video import Video


@dataclass(frozen=True)
class Clip:
    """A video and who is where in it.

    Attributes:
        video: the images.
        truth: everyone in every frame, also while hidden. `confidence` says what can be seen of a joint: 1 visible,
            between 0 and 1 hidden by something, 0 outside the image.
    """

    video: Video
    truth: Tracks

    def __post_init__(self) -> None:
        if tuple(self.video.size) != self.truth.camera.size:
            raise BadInput(
                f"a clip's video and truth are of one image size, got {self.video.size} and {self.truth.camera.size}"
            )

    @property
    def name(self) -> str:
        return self.truth.video
