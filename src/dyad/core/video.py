"""A video as a sequence of frames with exact times, read piece by piece: its length costs no memory."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.cuts import CutDetector
from dyad.core.decoding import FileSource
from dyad.core.errors import BadInput, BadUsage
from dyad.core.reports import DecodeReport
from dyad.core.sources import ArraySource, FolderSource, Source

# A chunk of many 8K frames would be gigabytes: it is cut short here.
_CHUNK_BYTES = 512 << 20


@dataclass(frozen=True)
class Chunk:
    """Consecutive selected frames.

    Attributes:
        indices: (n,) int64 indices in the source.
        times: (n,) float64 s.
        images: (n, H, W, 3) uint8 RGB.
        cut: (n,) bool, whether a hard cut lies between the previous selected frame and this one.
    """

    indices: NDArray[np.int64]
    times: NDArray[np.float64]
    images: NDArray[np.uint8]
    cut: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.indices)


class Video:
    """Frames of a file, a folder of images, an array or another `Source`.

    Every value is about the selected frames; `indices` says where they lie in the source. Rotation stated by the file
    is applied, grey becomes RGB, transparency lies over black; pixels that are not square stay as they are stored.

    Args:
        source: path of a video, an image or a folder of images; array (T, H, W, 3) uint8 RGB or (T, H, W) grey; or an
            object with the methods of `dyad.core.sources.Source`.
        camera: of the whole image; of another size with the same proportions it is resized; a guess if None.
        frames: half-open range of source indices, `slice(first, last)`; all if None.
        every: take only each N-th frame of them.
        fps: rate of a folder, an array, one image, or a file that states no times (30 if None); else not used.

    Raises:
        BadInput: the source cannot be read, or holds no frame in the range (raised when that is known).
        BadUsage: `frames` or `every` make no sense.
    """

    def __init__(
        self,
        source: "str | PathLike[str] | NDArray[np.uint8] | Source",
        *,
        camera: Camera | None = None,
        frames: slice | None = None,
        every: int = 1,
        fps: float | None = None,
    ) -> None:
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise BadUsage(f"the frame rate is a positive number of frames a second, got {fps}")
        self._start, self._stop = _bounds(frames)
        if every < 1:
            raise BadUsage(f"every N-th frame is taken, N being 1 or more, got {every}")
        self._every = every
        self._source = _source(source, fps)
        self.camera: Camera = _fitting(camera, self._source.size, self._source.name)
        self._timeline: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None

    @property
    def source(self) -> Source:
        """Where the frames come from; shared by all selections of them."""
        return self._source

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        return self._source.size

    @property
    def source_fps(self) -> float:
        """Frames a second in the source, nominal: the median (of a long file's first thousand packets)."""
        return self._source.fps

    @property
    def fps(self) -> float:
        """Selected frames a second, nominal: `source_fps` over `every`."""
        return self._source.fps / self._every

    @property
    def report(self) -> DecodeReport:
        """What the last complete pass over the source gave; `complete` is False before there was one."""
        return self._source.report

    @property
    def expected(self) -> int | None:
        """About how many frames are selected, without decoding: good for a progress bar. None if nothing tells."""
        total = self._source.expected
        if total is None:
            return None if self._stop is None else len(range(self._start, self._stop, self._every))
        return len(range(self._start, total if self._stop is None else min(total, self._stop), self._every))

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,) float64 s, ascending. Decodes a file once unless it was iterated to its end before."""
        return self._known()[1]

    @property
    def indices(self) -> NDArray[np.int64]:
        """(T,) int64 indices in the source. Costs what `times` costs."""
        return self._known()[0]

    def __len__(self) -> int:
        return len(self.indices)

    def selected(self, *, frames: slice | None = None, every: int = 1) -> "Video":
        """Other frames of the same source, seen by the same camera."""
        return Video(self._source, camera=self.camera, frames=frames, every=every)

    @property
    def selection(self) -> tuple[int, int | None, int]:
        """First and last (exclusive) index of the frames that are asked for, None for the end; and the step."""
        return self._start, self._stop, self._every

    @property
    def live(self) -> bool:
        """Whether frames come once, as time goes by, and cannot be asked for again before the end."""
        return bool(getattr(self._source, "live", False))

    def index_at(self, position: int) -> int:
        """Index in the source of the selected frame at a position, be there such a frame or not."""
        return self._start + position * self._every

    def part(self, first: int, last: int) -> "Video":
        """The selected frames at positions first ≤ p < last, as far as there are such."""
        stop = self.index_at(last)
        frames = slice(self.index_at(first), stop if self._stop is None else min(stop, self._stop))
        return self.selected(frames=frames, every=self._every)

    def chunks(self, n: int) -> Iterator[Chunk]:
        """Yield chunks of n frames (fewer of very large images, and at the end)."""
        if n < 1:
            raise BadUsage(f"a chunk holds at least one frame, got {n}")
        width, height = self.size
        limit = max(1, min(n, _CHUNK_BYTES // (3 * width * height)))
        facts: list[tuple[int, float, bool]] = []
        none = images = np.empty((0, height, width, 3), np.uint8)
        empty = True
        for index, time, image, cut in self._with_cuts():
            if not facts:
                # New memory for each chunk: the last one is its consumer's. Pages never written to cost nothing.
                images = np.empty((limit, height, width, 3), np.uint8)
            images[len(facts)] = image
            facts.append((index, time, cut))
            empty = False
            if len(facts) == limit:
                yield _chunk(facts, images)
                facts, images = [], none
        if facts:
            yield _chunk(facts, images[: len(facts)])
        if empty:
            raise self._nothing()

    @overload
    def __getitem__(self, where: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, where: slice) -> NDArray[np.uint8]: ...
    def __getitem__(self, where: int | slice) -> NDArray[np.uint8]:
        """Images by position among the selected frames: (H, W, 3) for an int, (n, H, W, 3) for a slice."""
        if isinstance(where, slice):
            positions = range(*where.indices(len(self)))
            width, height = self.size
            images = np.empty((len(positions), height, width, 3), np.uint8)
            if not positions:
                return images
            place = {int(self.indices[p]): k for k, p in enumerate(positions)}
            for frame in self._source.frames(min(place), max(place) + 1, self._every * abs(positions.step)):
                if (k := place.pop(frame.index, None)) is not None:
                    images[k] = frame.image()
            if place:
                raise BadInput(f"frame {min(place)} of {self.name} decoded before and not now; did the file change?")
            return images
        position = range(len(self))[where]
        return self[position : position + 1][0]

    def _known(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if self._timeline is None:
            times = self._source.times()
            indices = np.arange(len(times))[self._start : self._stop : self._every]
            if not len(indices):
                raise self._nothing()
            self._timeline = indices, times[indices]
        return self._timeline

    def _with_cuts(self) -> Iterator[tuple[int, float, NDArray[np.uint8], bool]]:
        """Selected frames with their cuts, which also the frames between them help to find."""
        detector = CutDetector()
        waiting: list[tuple[int, float, NDArray[np.uint8] | None]] = []
        first, cut = True, False
        frames = self._source.frames(self._start, self._stop, self._every)
        while True:
            frame = next(frames, None)
            if frame is not None:
                wanted = (frame.index - self._start) % self._every == 0
                waiting.append((frame.index, frame.time, frame.image() if wanted else None))
            due = detector.flush() if frame is None else detector.push(frame.thumbnail())
            for is_cut in due:
                index, time, image = waiting.pop(0)
                cut |= is_cut
                if image is not None:
                    yield index, time, image, cut and not first
                    first, cut = False, False
            if frame is None:
                return

    def _nothing(self) -> BadInput:
        stop = "" if self._stop is None else self._stop
        total = "fewer" if self._source.expected is None else self._source.expected
        return BadInput(f"frames {self._start}:{stop} hold nothing of {self.name}, which has {total} frames")


def _source(source: "str | PathLike[str] | NDArray[np.uint8] | Source", fps: float | None) -> Source:
    if isinstance(source, str | PathLike):
        path = Path(source)
        # os.path's answers "no" where pathlib's may raise: for names too long and folders closed to us.
        return FolderSource(path, fps=fps) if os.path.isdir(path) else FileSource(path, fps=fps)
    if isinstance(source, Source):
        return source
    return ArraySource(source, fps=fps)


def _bounds(frames: slice | None) -> tuple[int, int | None]:
    if frames is None:
        return 0, None
    start, stop = frames.start or 0, frames.stop
    if frames.step not in (None, 1) or start < 0 or (stop is not None and stop <= start):
        raise BadUsage(f"frames are A:B with 0 <= A < B, got {frames.start}:{frames.stop}; steps are given by every=N")
    return start, stop


def _fitting(camera: Camera | None, size: tuple[int, int], name: str) -> Camera:
    if camera is None:
        return Camera.guess(size)
    if camera.size == size:
        return camera
    (width, height), (w, h) = camera.size, size
    # Rounding a scaled side to whole pixels changes the proportions by less than a pixel.
    if abs(width * h - height * w) > max(width, height, w, h):
        raise BadInput(
            f"the camera is of {width}x{height} px but {name} is {w}x{h}; give a camera of that size or proportion"
        )
    return camera.resize(w, h)


def _chunk(facts: list[tuple[int, float, bool]], images: NDArray[np.uint8]) -> Chunk:
    indices, times, cut = zip(*facts, strict=True)
    return Chunk(np.array(indices, np.int64), np.array(times, np.float64), images, np.array(cut, np.bool_))
