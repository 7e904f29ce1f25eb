"""A camera or a stream: frames that come once, at their own pace, whether we are ready or not."""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

import av
import numpy as np
from numpy.typing import NDArray

from dyad.core.decoding import DECODING_ERRORS, FileSource
from dyad.core.errors import BadInput, BadUsage, one_line
from dyad.core.pixels import upright_rgb
from dyad.core.reports import DecodeReport
from dyad.core.sources import SourceFrame, StillFrame
from dyad.export.video import clip_writer

log = logging.getLogger(__name__)

# A frame as it comes: its time in s, and how to get its pixels (H, W, 3) uint8 RGB.
Arrival = tuple[float, Callable[[], NDArray[np.uint8]]]
Arrivals = Callable[[], Iterator[Arrival]]

SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "udp://", "srt://")
# Frames that may wait: more than a detector reads at once, few enough for memory.
_ROOM = 32
# s without any frame after which a stream counts as ended.
_PATIENCE = 15.0
_FASTEST = 120.0


def is_live(source: str) -> bool:
    """Whether somebody means a camera by its number, or a stream by its address."""
    return source.isdecimal() or source.lower().startswith(SCHEMES)


def arrivals(source: str) -> Arrivals:
    """Frames of a camera of this machine ("0") or of a stream ("rtsp://…"), as they come."""
    return lambda: _frames(source)


class LiveSource:
    """A `Source` whose frames come once; what was taken is recorded, and from then on read from there.

    Frames are taken evenly, as many a second as whoever asks for them can use; those between are dropped and counted.
    Their times are those at which they were filmed.

    Args:
        arrivals: gives the frames; it is called, and asked, in a thread of its own.
        recording: a file for what was taken.
        seconds: end after so long; None goes on until `stop` or the stream's end.

    Raises BadInput where no frame comes.
    """

    def __init__(
        self, arrivals: Arrivals, recording: Path, *, name: str = "live", seconds: float | None = None
    ) -> None:
        if seconds is not None and not seconds > 0:
            raise BadUsage(f"--seconds takes a number above 0, got {seconds}")
        self.name, self._recording, self._seconds = name, recording, seconds
        self._waiting: deque[tuple[float, NDArray[np.uint8]]] = deque()
        self._change = threading.Condition()
        self._ended, self._error = False, ""
        self._seen, self._taken = 0, list[float]()
        self._interval, self._last_taken = 0.0, -1.0
        self._file: FileSource | None = None
        threading.Thread(target=self._listen, args=(arrivals,), daemon=True).start()
        with self._change:
            self._change.wait_for(lambda: len(self._waiting) > 1 or self._ended, _PATIENCE)
            if not self._waiting:
                self._ended = True
                raise BadInput(
                    f"no frame comes from {name}{self._error and f' ({self._error})'}; is it there, and free?"
                )
            times = [time for time, _ in self._waiting]
            self.size = self._waiting[0][1].shape[1::-1]
        self.fps = 1 / max(times[1] - times[0], 1 / _FASTEST) if len(times) > 1 else 30.0
        self.expected = None

    @property
    def live(self) -> bool:
        return self._file is None

    @property
    def dropped(self) -> int:
        """Frames that came and were not taken."""
        return self._seen - len(self._taken)

    @property
    def told(self) -> str:
        """How many frames were taken and how many were not, in a sentence."""
        spent = self._taken[-1] - self._taken[0] if len(self._taken) > 1 else 0.0
        rate = f", {(len(self._taken) - 1) / spent:.1f} a second" if spent else ""
        return f"Live: {len(self._taken)} of {self._seen} frames were taken{rate}; {self.dropped} were dropped."

    @property
    def report(self) -> DecodeReport:
        return DecodeReport(frames=len(self._taken), complete=not self.live)

    def stop(self) -> None:
        """End the stream; what was taken so far remains."""
        with self._change:
            self._ended = True
            self._change.notify_all()

    def times(self) -> NDArray[np.float64]:
        if self.live:
            raise BadUsage("a live stream does not know its times before its end")
        return np.array(self._taken, np.float64)

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[SourceFrame]:
        if self._file is not None:
            yield from self._file.frames(start, stop, step)
            return
        with ExitStack() as files:
            writer = files.enter_context(clip_writer(self._recording, quality=18))
            for index, (time, image) in enumerate(self._arriving()):
                if stop is not None and index >= stop:
                    break
                self._taken.append(time)
                writer.write(image, time)
                if index >= start:
                    yield StillFrame(index, time, image)
        self.stop()
        self._file = FileSource(self._recording)

    def _arriving(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Frames in order; sees how long each keeps whoever asks, and has them taken at that pace."""
        busy: deque[float] = deque(maxlen=2 * _ROOM)
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._ended, _PATIENCE)
                if not self._waiting:
                    if not self._ended:
                        log.warning("No frame came from %s for %.0f s: it counts as ended.", self.name, _PATIENCE)
                    return
                found = self._waiting.popleft()
            given = monotonic()
            yield found
            busy.append(monotonic() - given)
            # Over several frames: a detector reads some at once, and then works on all of them.
            self._interval = sum(busy) / len(busy)

    def _listen(self, arrivals: Arrivals) -> None:
        first: float | None = None
        try:
            for time, image in arrivals():
                first = time if first is None else first
                time -= first
                with self._change:
                    if self._ended or (self._seconds is not None and time >= self._seconds):
                        break
                    self._seen += 1
                    # At an even pace, but nobody is kept waiting.
                    due = not self._waiting or time - self._last_taken >= self._interval
                    if due and len(self._waiting) < _ROOM and time > self._last_taken:
                        self._waiting.append((time, _even(image())))
                        self._last_taken = time
                        self._change.notify_all()
        except (*DECODING_ERRORS, BadInput) as error:
            self._error = one_line(error)
            log.debug("%s ended", self.name, exc_info=True)
        finally:
            self.stop()


def _even(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without a last row or column that a recording could not hold."""
    height, width = image.shape[:2]
    return image[: height - height % 2, : width - width % 2]


def _frames(source: str) -> Iterator[Arrival]:
    name, kind = _device(int(source)) if source.isdecimal() else (source, None)
    options = {"rtsp_transport": "tcp"} if source.lower().startswith("rtsp") else {}
    with av.open(name, format=kind, options=options, timeout=_PATIENCE) as container:
        began, clock = monotonic(), None
        for frame in container.decode(video=0):
            # The stream's own clock, if it has one, does not shake as the network does.
            clock = frame.time is not None if clock is None else clock
            time = float(frame.time) if clock and frame.time is not None else monotonic() - began
            yield time, lambda frame=frame: upright_rgb(frame)


def _device(number: int) -> tuple[str, str]:
    """A camera's name and the way to it, on this kind of machine."""
    if sys.platform == "darwin":
        return str(number), "avfoundation"
    if sys.platform == "win32":
        raise BadInput("on Windows a camera goes by no number; give the address of a stream instead")
    return f"/dev/video{number}", "v4l2"
