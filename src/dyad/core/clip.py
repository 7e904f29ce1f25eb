"""A video together with its truth: what data-set readers and scene generators yield and what evaluation consumes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from dyad.core.errors import BadInput
from dyad.core.flow import Flows, Series
from dyad.core.tracks import Tracks

if TYPE_CHECKING:
    # Only named here: truth without a video can be judged where no video can be read.
    from dyad.core.video import Video


@dataclass(frozen=True)
class Clip:
    """A video, who is where in it, and how its pixels move. Every part but one may be unknown (None).

    Series go by position among the video's selected frames, T in number, and may be computed when asked for.

    Attributes:
        video: the images; None where only the annotations of a data set are at hand.
        truth: everyone in every frame, also while hidden. `confidence` says what can be seen of a joint: 1 visible,
            between 0 and 1 hidden by something, 0 outside the image. None where nobody knows of people, which is not
            the same as nobody being there.
        flow: T - 1 flows; flow[i] leads from frame i to frame i + 1.
        backward: T - 1 flows; backward[i] leads from frame i + 1 back to frame i.
        masks: T images (H, W) of whole numbers: p + 1 where person p of the truth is seen, 0 elsewhere.
    """

    video: "Video | None"
    truth: Tracks | None
    flow: Flows | None = None
    backward: Flows | None = None
    masks: Series[Tensor] | None = None

    def __post_init__(self) -> None:
        if self.video is None and self.truth is None:
            raise BadInput("a clip has a video or a truth, got neither")
        if self.video is not None and self.truth is not None and tuple(self.video.size) != self.truth.camera.size:
            raise BadInput(
                f"a clip's video and truth are of one image size, got {self.video.size} and {self.truth.camera.size}"
            )
        # A video's own length may cost a pass over its file: it is not asked.
        frames = {
            "the truth": None if self.truth is None or self.flow is None else len(self.truth.frames),
            "the flow": None if self.flow is None else len(self.flow) + 1,
            "the backward flow": None if self.backward is None else len(self.backward) + 1,
            "the masks": None if self.masks is None else len(self.masks),
        }
        told = {what: count for what, count in frames.items() if count is not None}
        if len({*told.values()}) > 1:
            said = ", ".join(f"{what} of {count}" for what, count in told.items())
            raise BadInput(f"a clip's parts are about the same frames (a flow lies between two), got {said}")

    def whole(self) -> "tuple[Video, Tracks]":
        """Video and truth, for those who need both. BadInput where one is unknown."""
        if self.video is None or self.truth is None:
            raise BadInput(f"the clip {self.name!r} has no {'video' if self.video is None else 'truth of people'}")
        return self.video, self.truth

    @property
    def name(self) -> str:
        if self.truth is not None and (self.truth.video or self.video is None):
            return self.truth.video
        return "" if self.video is None else self.video.name

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        if self.video is not None:
            return self.video.size
        if self.truth is not None:
            return self.truth.camera.size
        raise BadInput("a clip has a video or a truth")
