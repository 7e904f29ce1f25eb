"""What files of other tools do not say: which frames there are, when, and through which camera they were seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.video import Video


@dataclass(frozen=True)
class Recording:
    """The frames that poses are about.

    Attributes:
        camera: of the whole image. fps: nominal frames a second. video: name of the source.
        frames: (T,) int64 ascending source indices, or None where only the file tells.
        times: (T,) float64 s, or None: frames / fps.
    """

    camera: Camera
    fps: float = 30.0
    video: str = ""
    frames: NDArray[np.int64] | None = None
    times: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        video: Video | None = None,
        *,
        camera: Camera | None = None,
        fps: float | None = None,
        frames: Sequence[int] | None = None,
    ) -> "Recording":
        """The selected frames of a video, or what is said of one that is not at hand; then `camera` is needed.

        Raises BadUsage where neither a video nor a camera is given, or both a video and what it says itself.
        """
        if video is None:
            if camera is None:
                raise BadUsage("poses of other tools need the video they are of, or its camera with the image's size")
            if fps is not None and not 0 < fps < 1e6:
                raise BadUsage(f"the frame rate is a positive number of frames a second, got {fps}")
            known = None if frames is None else np.asarray(frames, np.int64)
            if known is not None and (known.ndim != 1 or (np.diff(known) <= 0).any() or (known < 0).any()):
                raise BadUsage("the frames of a recording are ascending indices from 0 on")
            return cls(camera, fps or 30.0, "", known)
        if fps is not None or frames is not None:
            raise BadUsage("the video says its own frames and frame rate: give those only without a video")
        camera = camera or video.camera
        if camera.size != video.size:
            raise BadInput(f"the camera is of {camera.size} px, the video of {video.size} px")
        return cls(camera, video.fps, video.name, np.array(video.indices, np.int64), np.array(video.times))

    def first(self, numbers: NDArray[np.int64]) -> int:
        """Of a file's numbers (N,) the one that stands for frame 0 where nobody says: 1 where counting from 0 would
        miss the end by one, else 0.
        """
        whole = self.frames is not None and np.array_equal(self.frames, np.arange(len(self.frames)))
        if self.frames is None or not whole or not len(numbers):
            return 0
        return int(numbers.max() == len(self.frames) and numbers.min() >= 1)
