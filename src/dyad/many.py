"""Many clips: each in a process of its own, so many at a time, and a bad one fails alone."""

import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any

from dyad.core.children import end_with_parent
from dyad.core.errors import BadInput, BadUsage, DyadError, one_line
from dyad.core.sources import IMAGE_SUFFIXES

log = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    (
        *(
            ".mp4",
            ".m4v",
            ".mov",
            ".mkv",
            ".webm",
            ".avi",
            ".wmv",
            ".asf",
            ".flv",
            ".mpg",
            ".mpeg",
            ".m2v",
            ".ts",
            ".mts",
        ),
        *(".m2ts", ".3gp", ".3g2", ".ogv", ".mxf", ".vob", ".divx", ".dv", ".y4m", ".mjpeg", ".h264", ".h265", ".hevc"),
    )
)
_FAULT, _INTERRUPTED = 1, 130
# s between two words about how far a clip is.
_OFTEN = 0.2


@dataclass(frozen=True)
class Clip:
    """A video and the folder for its results."""

    source: Path
    output: Path


@dataclass(frozen=True)
class Outcome:
    """How a clip ended.

    Attributes:
        status: 0, or the exit status that `dyad run` would have ended with.
        said: the one-line reason where it failed.
        facts: what the work returned, where it did not.
    """

    clip: Clip
    status: int
    said: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


# What is done with a clip, in a process of its own: it must be possible to send it there.
Work = Callable[[Clip, Callable[[str, int, int | None], None]], dict[str, Any]]


@dataclass
class Listener:
    """Whom `run_many` tells how far it is; every method may be left as it is."""

    def began(self, clip: Clip) -> None: ...

    def reached(self, clip: Clip, stage: str, done: int, total: int | None) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...


def videos_in(source: str | PathLike[str]) -> list[Path]:
    """The videos of a folder, by name; none where it is no folder, or one of images, which is itself a video."""
    folder = Path(source)
    if not os.path.isdir(folder):
        return []
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError as error:
        raise BadInput(f"cannot read the folder {folder}: {error.strerror}") from error
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if videos and any(path.suffix.lower() in IMAGE_SUFFIXES for path in files):
        log.warning("%s holds images and videos: it is taken as one video of its images; else name the videos.", folder)
        return []
    return videos


def clips_of(sources: Sequence[str | PathLike[str]], output: str | PathLike[str]) -> list[Clip]:
    """All videos that are meant, each with a folder of its own in `output`, named after the file."""
    files = [path for source in sources for path in (videos_in(source) or [Path(source)])]
    stems = [path.stem for path in files]
    names = [path.stem if stems.count(path.stem) == 1 else path.name for path in files]
    numbered = [
        name if names.count(name) == 1 else f"{name}-{names[:k].count(name) + 1}" for k, name in enumerate(names)
    ]
    if len(set(numbered)) < len(numbered) or not all(numbered):
        raise BadUsage("two videos would share one folder of results; rename one of them")
    return [Clip(path, Path(output) / name) for path, name in zip(files, numbered, strict=True)]


def run_many(clips: Sequence[Clip], work: Work, *, workers: int = 1, listener: Listener | None = None) -> list[Outcome]:
    """Do the work for every clip and return how each ended, in the order of the clips."""
    if workers < 1:
        raise BadUsage(f"--workers takes a number of 1 or more, got {workers}")
    listener = listener or Listener()
    context = multiprocessing.get_context("spawn")
    waiting, outcomes = deque(range(len(clips))), dict[int, Outcome]()
    running: dict[Connection, tuple[int, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.popleft()
                ours, theirs = context.Pipe()
                process = context.Process(target=_child, args=(work, clips[number], theirs))
                process.start()
                theirs.close()
                running[ours] = number, process
                listener.began(clips[number])
            ready = wait(list(running))
            for connection in [each for each in running if each in ready]:
                number, process = running[connection]
                told = _heard(connection)
                if isinstance(told, tuple):
                    listener.reached(clips[number], *told)
                    continue
                process.join()
                outcomes[number] = told or Outcome(clips[number], _FAULT, _death(process.exitcode))
                del running[connection]
                connection.close()
                listener.ended(outcomes[number])
    finally:
        for connection, (_, process) in running.items():
            process.terminate()
            process.join()
            connection.close()
    return [outcomes[number] for number in range(len(clips))]


def run_clip(
    clip: Clip, told: Callable[[str, int, int | None], None], *, threads: int, options: dict[str, Any]
) -> dict:
    """`dyad.run` for one clip; what it found, in numbers."""
    import torch

    from dyad.workfolder import run

    torch.set_num_threads(threads)
    result = run(clip.source, clip.output, progress=told, **options)
    return {
        "people": len(result.tracks.people),
        "frames": len(result.tracks.frames),
        "coverage": vars(result.coverage),
        "seconds": round(sum(result.seconds.values()), 3),
        "notes": result.notes,
    }


def status_of(outcomes: Sequence[Outcome]) -> int:
    """What a process that ran them ends with: 0, or the status of the first that failed."""
    return next((outcome.status for outcome in outcomes if outcome.status), 0)


def _heard(connection: Connection) -> Outcome | tuple[str, int, int | None] | None:
    """What a process says; None where it went without a word."""
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else str(-code)
        return f"its process was ended by {name}; is there enough memory? fewer --workers need less"
    return f"its process ended with {code} and said nothing"


def _child(work: Work, clip: Clip, connection: Connection) -> None:
    """What the process of a clip does."""
    end_with_parent()
    last: dict[str, float] = {}

    def told(stage: str, done: int, total: int | None) -> None:
        now = monotonic()
        if now - last.get(stage, -_OFTEN) >= _OFTEN or done == total:
            last[stage] = now
            connection.send((stage, done, total))

    try:
        outcome = Outcome(clip, 0, facts=work(clip, told))
    except DyadError as error:
        outcome = Outcome(clip, error.exit_status, one_line(error))
    except KeyboardInterrupt:
        outcome = Outcome(clip, _INTERRUPTED, "interrupted")
    except Exception as error:
        log.debug("%s", clip.source, exc_info=True)
        outcome = Outcome(clip, _FAULT, f"a fault in Dyad itself ({type(error).__name__}: {one_line(error)})")
    connection.send(outcome)
