"""Frames of a video or image file, from first to last or from any index on, whatever state the file is in."""

import logging
import os
import stat
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.frame_index import Entry, FrameIndex
from dyad.core.pixels import resized, thumbnail, upright_rgb
from dyad.core.reports import DecodeReport, Stated
from dyad.core.sizes import MAX_PIXELS, check_size

log = logging.getLogger(__name__)

# What av may raise on bad files: its own errors derive from these, or from OSError.
DECODING_ERRORS = (av.FFmpegError, OSError, ValueError, EOFError, IndexError)

_DEFAULT_FPS = 30.0
_RATE_PACKETS = 1000
_MAX_THREADS = 4
_MAX_READ_ERRORS = 100
_READ_TIMEOUT = 60.0
_LONGEST_GAP = 3600.0
# libavformat's AVFMT_NOTIMESTAMPS: raw streams, whose times av invents
_NO_TIMESTAMPS = 0x80

# Playlists and text "formats" would open other files, wait for more of them, or render any text as video: none is here.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,mpegvideo,m4v,h261,h263,h264,hevc,vvc,av1,obu,"
    "ivf,ogg,gif,apng,mjpeg,mpjpeg,mxf,mxf_opatom,nut,dv,dirac,gxf,rm,wtv,vc1,vc1test,yuv4mpegpipe,avs2,avs3,cavsvideo,evc,"
    "nsv,nuv,swf,roq,smk,bink,flic,dhav,cine,r3d,ser,fits,ico,iff,jpegxl_anim,amv,fits,mlv,smjpeg,wav,mp3,aac,flac,"
    "bmp_pipe,cri_pipe,dds_pipe,dpx_pipe,exr_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,pam_pipe,"
    "pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,pgmyuv_pipe,phm_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,"
    "tiff_pipe,webp_pipe,xwd_pipe"
)


_Timed = tuple[av.VideoFrame, float | None]


class _Damage(Exception):
    """A packet did not decode although several threads were at work: what else they held is lost."""


class _Astray(Exception):
    """After a seek came another frame than the first pass saw there."""


@dataclass(frozen=True)
class FileFrame:
    """A decoded frame; its pixels are converted when asked for."""

    index: int
    time: float
    frame: av.VideoFrame
    size: tuple[int, int]

    def image(self) -> NDArray[np.uint8]:
        image = upright_rgb(self.frame)
        return image if image.shape[1::-1] == self.size else resized(image, *self.size)

    def thumbnail(self) -> NDArray[np.uint8]:
        return thumbnail(self.frame)


class FileSource:
    """A video file, or one image as a video of one frame.

    Damaged packets are passed over and counted. A file in which one was met is from then on decoded with one thread
    from its start, so that every pass gives the same frames.

    Args:
        path: a regular file.
        fps: rate where the file states no times (raw streams, single images).
        index: what another source of the same file found in a complete pass; it saves one.

    Raises:
        BadInput: no such file, no video in it, nothing that decodes, or an absurd image size.
    """

    def __init__(self, path: str | Path, *, fps: float | None = None, index: FrameIndex | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self._damaged = False
        self._index = index
        with _opened(self.path) as (container, stream):
            self._stated = Stated.of(container, stream)
            self._declared = max(1, stream.width) * max(1, stream.height)
            untimed = bool(container.format.flags & _NO_TIMESTAMPS)
            self.fps = (fps if untimed else None) or _rate(container, stream) or fps or _DEFAULT_FPS
        self.report = DecodeReport.empty(self._stated, self.fps)
        self.size = (0, 0)
        first = next(self.frames(0, 1), None)
        if first is None:
            raise BadInput(f"{self.path} holds no frame that decodes; is it damaged, or encrypted?")
        image = upright_rgb(first.frame)
        self.size = (image.shape[1], image.shape[0])

    @property
    def index(self) -> FrameIndex | None:
        """Where frames lie, known after one complete pass; None before, and of files that cannot be read by it."""
        return None if self._damaged else self._index

    @property
    def expected(self) -> int | None:
        """About how many frames there should be, from the file's header."""
        return len(self._index) if self._index is not None else self._stated.count(self.fps)

    def times(self) -> NDArray[np.float64]:
        """(T,) s of every frame that decodes. Takes one decoding pass unless one was made before."""
        if self._index is None:
            for _ in self.frames(0, None):
                pass
        return np.zeros(0) if self._index is None else self._index.times

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[FileFrame]:
        """Frames start ≤ index < stop in order of time; `step` is left to the caller, who may want those between."""
        position = start
        if start and self._index is not None and not self._damaged and start < len(self._index):
            try:
                for found in self._after_seek(start, stop):
                    yield found
                    position = found.index + 1
                return
            except (_Astray, _Damage, *DECODING_ERRORS) as error:
                log.debug("%s cannot be read from frame %d on, so it is from its start: %r", self.name, position, error)
        try:
            for found in self._from_start(position, stop):
                yield found
                position = found.index + 1
        except _Damage:
            self._damaged = True
            yield from self._from_start(position, stop)

    def _from_start(self, start: int, stop: int | None) -> Iterator[FileFrame]:
        entries = FrameIndex()
        errors = sizes = 0
        clock = _Clock(1 / self.fps)
        with _opened(self.path) as (container, stream), closing(self._decoded(container, stream)) as decoded:
            for found in decoded:
                if found is None:
                    errors += 1
                    continue
                frame, stamp = found
                index = len(entries)
                if stop is not None and index >= stop:
                    return
                entry = _entry(frame, clock(stamp))
                entries.append(entry)
                sizes += bool(self.size[0]) and _upright_size(frame) != self.size
                if index >= start:
                    yield FileFrame(index, entry.time, frame, self.size)
        self._index = entries
        self.report = DecodeReport.of(entries.times.tolist(), errors, sizes, self._stated, self.fps)

    def _after_seek(self, start: int, stop: int | None) -> Iterator[FileFrame]:
        index = self._index or FrameIndex()
        key = index.key_before(start)
        wanted = index[start].pts
        if key is None or key.pts is None or wanted is None:
            raise _Astray("no times to seek by")
        with _opened(self.path) as (container, stream):
            container.seek(key.pts, stream=stream, backward=True)
            position = start
            with closing(self._decoded(container, stream)) as decoded:
                for passed, found in enumerate(decoded):
                    if found is None:
                        raise _Astray("a frame is missing")
                    frame, _ = found
                    if position == start and frame.pts != wanted:
                        if passed > start:
                            raise _Astray(f"frame {start} is not found")
                        continue
                    if stop is not None and position >= stop:
                        return
                    if position >= len(index):
                        raise _Astray("there are more frames")
                    known = index[position]
                    if _entry(frame, known.time) != known._replace(key=bool(frame.key_frame)):
                        raise _Astray(f"frame {position} differs")
                    yield FileFrame(position, known.time, frame, self.size)
                    position += 1
        if position < (len(index) if stop is None else min(stop, len(index))):
            raise _Astray("there are fewer frames")

    def _decoded(self, container: InputContainer, stream: av.VideoStream) -> Generator[_Timed | None]:
        """Frames in order of presentation with the times the file gives them; None for every packet that is lost."""
        context = stream.codec_context
        # A damaged header in mid-stream may declare any size: allow it some growth, not a machine's memory.
        context.options = {"max_pixels": str(min(MAX_PIXELS, max(16 * self._declared, 1 << 20)))}
        threads = 1 if self._damaged or self._declared > 1 << 24 else min(_MAX_THREADS, os.cpu_count() or 1)
        context.thread_count = threads
        context.thread_type = "AUTO" if threads > 1 else "NONE"
        # AVI knows no times of presentation: av hands its times of decoding to the wrong frames where B-frames exist.
        # In order, they are the frames' times.
        stamps: list[float] | None = [] if container.format.name == "avi" else None
        untimed = bool(container.format.flags & _NO_TIMESTAMPS)
        for packet in _packets(container, stream):
            if packet is None:
                yield None
                continue
            if stamps is not None and packet.dts is not None and packet.time_base and packet.size:
                heappush(stamps, float(packet.dts * packet.time_base))
            # An empty packet means "the same image again" in AVI, but the end to the decoder.
            if not packet.size and packet.dts is not None:
                continue
            try:
                frames = packet.decode()
            except DECODING_ERRORS as error:
                if threads > 1:
                    raise _Damage from error
                log.debug("%s: a packet does not decode: %s", self.name, error)
                if stamps:
                    heappop(stamps)
                yield None
                continue
            for frame in frames:
                yield frame, (heappop(stamps) if stamps else None if untimed else frame.time)


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """An image file, or the first frame of a video, as (H, W, 3) uint8 RGB, upright. Raises BadInput."""
    with _opened(Path(path)) as (container, stream):
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.codec_context.thread_count = 1
        for packet in _packets(container, stream):
            try:
                for frame in packet.decode() if packet is not None else ():
                    return upright_rgb(frame)
            except DECODING_ERRORS:
                continue
    raise BadInput(f"{path} holds no image that decodes")


class _Nameless:
    """An open file that av can read and seek in, and of which it learns nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


class _Clock:
    """Times of frames that always ascend: what the file says where it can be believed, else one step more."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._last: float | None = None

    def __call__(self, time: float | None) -> float:
        last = self._last
        if last is None:
            time = 0.0 if time is None else time
        elif time is None or time > last + _LONGEST_GAP:
            time = last + self._step
        elif time <= last:
            # A quarter step: the next frame's own time then lies ahead again.
            time = last + self._step / 4
        self._last = float(time)
        return self._last


@contextmanager
def _opened(path: Path) -> Generator[tuple[InputContainer, av.VideoStream]]:
    """Open a file and its first real video stream. Neither may be touched after the block: av could crash."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {_reason(error)}") from error
    # A pipe or a device could keep us waiting for ever.
    if not stat.S_ISREG(mode):
        raise BadInput(f"{path} is not a regular file; a video file, a folder of images or an array is needed")
    try:
        file = path.open("rb")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    with file:
        if not file.read(1):
            raise BadInput(f"{path} is empty; a video file was expected")
        file.seek(0)
        limits = {"max_pixels": str(MAX_PIXELS)}
        try:
            # An open file without its name: av reads names as addresses, patterns and lists of further files, and
            # takes a photo called x.jpg for one picture of a numbered series.
            container: InputContainer = av.open(
                _Nameless(file),
                mode="r",
                options=limits,
                container_options={"format_whitelist": _FORMATS, "protocol_whitelist": ""},
                metadata_errors="replace",
                buffer_size=1 << 18,
                timeout=_READ_TIMEOUT,
            )
        except DECODING_ERRORS as error:
            raise BadInput(f"{path} is not a video that can be read ({_reason(error)}); is it whole?") from error
        with container:
            # A cover picture in a music file is a video stream, too.
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise BadInput(f"{path} holds no video, {_kinds(container)}; a file with moving images is needed")
            stream = streams[0]
            if stream.codec_context is None:
                raise BadInput(f"{path} is coded in a way that this installation of av cannot decode")
            if stream.width and stream.height:
                check_size(stream.width, stream.height, str(path))
            yield container, stream


def _packets(container: InputContainer, stream: av.VideoStream) -> Iterator[av.Packet | None]:
    """Packets to the end of the file, the flushing one last; None for a stretch that cannot be read."""
    failures = 0
    while failures < _MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                failures = 0 if packet.size else failures
                yield packet
            return
        except EOFError:
            return
        except DECODING_ERRORS:
            failures += 1
            yield None


def _rate(container: InputContainer, stream: av.VideoStream) -> float | None:
    """Median rate over the first packets, else what the header says; None without either."""
    stamps: set[int] = set()
    for count, packet in enumerate(_packets(container, stream)):
        if count >= _RATE_PACKETS:
            break
        if packet is not None and (stamp := packet.pts if packet.pts is not None else packet.dts) is not None:
            stamps.add(stamp)
    rates = []
    if len(stamps) > 1 and stream.time_base:
        rates.append(1 / (float(np.median(np.diff(sorted(stamps)))) * float(stream.time_base)))
    # A still has no rate; the one av names for it is its own default.
    if len(stamps) != 1:
        rates += [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    return next((rate for rate in rates if 0.01 <= rate <= 2000), None)


def _entry(frame: av.VideoFrame, time: float) -> Entry:
    plane = frame.planes[0]
    width = max(1, frame.width // 8) if frame.format.name.startswith("mono") else frame.width
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * abs(plane.line_size)].reshape(plane.height, -1)
    sample = rows[:: max(1, plane.height // 16), :width]
    return Entry(time, frame.pts, bool(frame.key_frame), zlib.crc32(sample.tobytes()))


def _upright_size(frame: av.VideoFrame) -> tuple[int, int]:
    return (frame.height, frame.width) if round(frame.rotation / 90) % 2 else (frame.width, frame.height)


def _kinds(container: InputContainer) -> str:
    kinds = sorted({"a cover picture" if s.type == "video" else s.type for s in container.streams})
    return f"only {' and '.join(kinds)}" if kinds else "nor anything else"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
