"""Images to an H.264 file in which every frame keeps its time."""

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.core.pixels import converted

# The clock of video since MPEG-1: whole for 24, 25, 30, 50, 60 frames a second, and 6 microseconds at worst for others.
_CLOCK = 90_000
# Codes of ITU-T H.273
_BT709 = 1
_LIMITED = 1


class ClipWriter:
    """Encodes frames one by one; made by `clip_writer`.

    The first frame is at 0 and frame k at its time less the first frame's, so that variable rates survive. Key frames
    are close and none refers to a later one: seeking is quick and exact. A side of odd length gains one pixel, since
    H.264's colour planes are half as large.
    """

    def __init__(self, container: av.container.OutputContainer, *, quality: int, longest: int | None) -> None:
        self._container = container
        self._quality = quality
        self._longest = longest
        self._stream: av.VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._first = 0.0
        self._last = -1

    def write(self, image: np.ndarray, time: float) -> None:
        """Append an image (H, W, 3) uint8 RGB that is shown from `time` (s) on.

        BadInput for an image of another shape or type than the first, and for times that do not ascend.
        """
        stream = self._stream or self._open(image, time)
        if image.shape != self._shape or image.dtype != np.uint8:
            raise BadInput(f"the frames of a clip should all be {self._shape} uint8, got {image.shape} {image.dtype}")
        stamp = round((time - self._first) * _CLOCK)
        if stamp <= self._last:
            raise BadInput(f"the frames of a clip should ascend in time, got {time:.6f} s after a later one")
        self._last = stamp
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = converted(
            frame,
            width=stream.width,
            height=stream.height,
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        frame.pts = stamp
        frame.time_base = Fraction(1, _CLOCK)
        self._container.mux(stream.encode(frame))

    def _open(self, image: np.ndarray, time: float) -> av.VideoStream:
        if image.ndim != 3 or image.shape[2] != 3:
            raise BadInput(f"a frame should be (H, W, 3), got {image.shape}")
        self._shape, self._first = image.shape, time
        height, width = image.shape[:2]
        scale = min(1.0, self._longest / max(width, height)) if self._longest else 1.0
        # 30 is the rate in the stream's header only: what counts is the stamp of each frame.
        stream = self._container.add_stream("libx264", rate=30)
        stream.width, stream.height = (max(2, 2 * round(side * scale / 2 + (side % 2) / 2)) for side in (width, height))
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = 0
        stream.options = {"preset": "veryfast", "crf": str(self._quality)}
        _say_colours(stream)
        self._stream = stream
        return stream

    def finish(self) -> None:
        """Write what the encoder still holds. BadInput where there is no frame."""
        if self._stream is None:
            raise BadInput("a clip needs at least one frame, got none")
        self._container.mux(self._stream.encode(None))


@contextmanager
def clip_writer(
    path: str | Path, *, quality: int = 23, longest: int | None = None
) -> Generator[ClipWriter, None, None]:
    """Open `path` (.mp4) for writing; it appears under its name only once it is whole.

    Args:
        quality: x264's constant rate factor; lower is better and larger.
        longest: scale the frames so that the longer side has at most this many px.
    """
    options = {"movflags": "+faststart"}
    with whole_file(path) as partial, av.open(str(partial), "w", format="mp4", container_options=options) as container:
        writer = ClipWriter(container, quality=quality, longest=longest)
        yield writer
        writer.finish()


def _say_colours(stream: av.VideoStream) -> None:
    """State BT.709 in limited range: players guess otherwise, by size, and skin turns green or red."""
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
