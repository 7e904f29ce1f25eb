"""How much of a source was read, beside what it claims to hold."""

from dataclasses import dataclass
from typing import Self

import av


@dataclass(frozen=True)
class Stated:
    """What a file's header says of its length: number of frames, seconds from the first frame to the last's end."""

    frames: int | None = None
    seconds: float | None = None
    precise: bool = True

    @classmethod
    def of(cls, container: av.container.InputContainer, stream: av.VideoStream) -> Self:
        frames = stream.frames if stream.frames > 0 else None
        if stream.duration and stream.time_base:
            return cls(frames, float(stream.duration * stream.time_base))
        if (tag := _seconds(stream.metadata.get("DURATION", ""))) is not None:
            # Matroska's tag counts from 0, not from the first frame.
            return cls(frames, tag)
        if container.duration and container.duration > 0:
            # The longest stream's duration, which may be the sound's.
            return cls(frames, container.duration / 1e6, precise=len(container.streams) == 1)
        return cls(frames)

    def count(self, fps: float) -> int | None:
        """Number of frames, from the seconds if need be."""
        if self.frames is None and self.seconds is not None:
            return max(1, round(min(self.seconds * fps, 1e12)))
        return self.frames


@dataclass(frozen=True)
class DecodeReport:
    """What the last complete pass over a source gave.

    Attributes:
        frames: frames that decoded.
        errors: packets that were lost to damage.
        resized: frames of another size than the first, brought to it.
        expected: frames that the header promises, by its count or by its duration; None if it says neither.
        kept: share of the promise that was held, 0..1; 1 where nothing is promised.
        truncated: whether the source ends clearly before its stated end.
        complete: whether a pass reached the end at all; the rest says nothing before.
    """

    frames: int = 0
    errors: int = 0
    resized: int = 0
    expected: int | None = None
    kept: float = 1.0
    truncated: bool = False
    complete: bool = False

    @property
    def damaged(self) -> bool:
        return self.errors > 0 or self.truncated

    @classmethod
    def empty(cls, stated: Stated, fps: float) -> Self:
        return cls(expected=stated.count(fps))

    @classmethod
    def of(cls, times: list[float], errors: int, resized: int, stated: Stated, fps: float) -> Self:
        shares, short = [], []
        if stated.frames:
            shares.append(len(times) / stated.frames)
            short.append(stated.frames - len(times) > max(2.0, 0.02 * stated.frames))
        if stated.seconds and times:
            # Some containers count the duration from 0, some from the first frame: the kinder reading counts.
            seconds = max(times[-1], times[-1] - times[0]) + 1 / fps
            shares.append(seconds / stated.seconds)
            slack = max(2.5 / fps, 0.02 * stated.seconds) if stated.precise else 0.5 + 0.05 * stated.seconds
            short.append(stated.seconds - seconds > slack)
        # A clip trimmed without recoding holds fewer frames than its count, but fills its duration.
        truncated = bool(short) and all(short)
        # The count is exact where there is one; durations of cut files are often av's own guess.
        kept = min(1.0, shares[0]) if shares and (truncated or errors) else 1.0
        return cls(len(times), errors, resized, stated.count(fps), kept, truncated, complete=True)

    def __str__(self) -> str:
        said = f"{self.frames} frames decoded"
        if self.truncated:
            said += f" of about {self.expected} ({self.kept:.0%}): the file ends early"
        if self.errors:
            said += f"; {self.errors} damaged packets were passed over"
        if self.resized:
            said += f"; {self.resized} frames of another size were brought to the first one's"
        return said


def _seconds(clock: str) -> float | None:
    """Seconds of a Matroska DURATION tag such as 00:00:02.400000000."""
    try:
        hours, minutes, seconds = clock.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) or None
    except ValueError:
        return None
