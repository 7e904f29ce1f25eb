"""What `dyad run` does with its videos: one here, one in pieces elsewhere, many side by side, or one that is live."""

import json as json_module
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dyad.cli.console import ERR, dumps, print_line, progress, tell, use_threads
from dyad.core.errors import BadUsage
from dyad.core.files import whole_file, writing_to

if TYPE_CHECKING:
    from dyad.live import LiveSource
    from dyad.many import Clip, Outcome

Resume = Annotated[
    bool,
    Parameter(negative="", show_default=False, help="Go on where an earlier call with the same options was stopped."),
]
Workers = Annotated[int, Parameter(help="Processes: so many videos at a time, or pieces of one video.")]
Ray = Annotated[
    str | None,
    Parameter(name="--ray", help="Find people on a Ray cluster: auto, HOST:PORT, or local; needs the extra ray."),
]


def run_all(
    videos: tuple[str, ...],
    output: Path,
    options: dict[str, Any],
    *,
    workers: int,
    ray: str | None,
    seconds: float | None,
    threads: int | None,
    json: bool,
) -> None:
    """Run on all that is named, and say what came of it; leaves with the status of the first that failed."""
    from dyad.live import is_live
    from dyad.many import videos_in

    if not videos:
        raise BadUsage("name a video, several, or a folder of them: dyad run VIDEO -o OUT")
    if workers < 1:
        raise BadUsage(f"--workers takes a number of 1 or more, got {workers}")
    if ray is not None:
        from dyad.shards.cluster import Cluster

        options["elsewhere"] = Cluster(ray, threads=threads)
    live = [video for video in videos if is_live(video) and not os.path.exists(video)]
    if live and (len(videos) > 1 or ray is not None or workers > 1):
        raise BadUsage(f"a live stream such as {live[0]} runs alone: no other videos, --workers or --ray")
    if seconds is not None and not live:
        raise BadUsage("--seconds is for cameras and streams; --frames A:B takes a part of a file")
    if len(videos) > 1 or videos_in(videos[0]):
        _run_many(videos, output, options, workers=workers, threads=threads, json=json)
        return
    use_threads(threads)
    from dyad.workfolder import run

    if workers > 1 and ray is None:
        from dyad.shards.processes import Processes

        options["elsewhere"] = Processes(workers, threads)
    with progress() as told:
        if not live:
            result = run(videos[0], output, progress=told, **options)
        else:
            with _listening(live[0], output, seconds) as source:
                result = run(source, output, progress=told, **options)
    tell(result, json)


def _run_many(
    videos: tuple[str, ...], output: Path, options: dict[str, Any], *, workers: int, threads: int | None, json: bool
) -> None:
    from functools import partial

    from dyad.many import clips_of, run_clip, run_many, status_of

    clips = clips_of(videos, output)
    with writing_to(output):
        output.mkdir(parents=True, exist_ok=True)
    each = threads or max(1, (os.cpu_count() or 1) // workers)
    with _bars(len(clips)) as listener:
        outcomes = run_many(clips, partial(run_clip, threads=each, options=options), workers=workers, listener=listener)
    failed = [outcome for outcome in outcomes if outcome.status]
    for outcome in failed:
        ERR.print(f"failed: {outcome.clip.source}: {outcome.said}", soft_wrap=True, markup=False)
    ERR.print(
        f"{len(clips) - len(failed)} of {len(clips)} videos done, {len(failed)} failed; see {output}", markup=False
    )
    summary = {
        "schema": "dyad-runs/1",
        "done": len(clips) - len(failed),
        "failed": len(failed),
        "videos": [
            {
                "video": str(outcome.clip.source),
                "folder": str(outcome.clip.output),
                "status": outcome.status,
                **({"reason": outcome.said} if outcome.status else outcome.facts),
            }
            for outcome in outcomes
        ],
    }
    with writing_to(output), whole_file(output / "runs.json") as partial_file:
        partial_file.write_text(json_module.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if json:
        print_line(dumps({"folder": str(output), **summary}))
    if failed:
        sys.exit(status_of(outcomes))


@contextmanager
def _bars(total: int) -> Generator[Any]:
    """A bar for all videos and one for each that is under way; a line for each that ended where nobody sees bars."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from dyad.many import Listener

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=ERR, disable=not ERR.is_terminal, transient=True) as bars:
        whole = bars.add_task("videos", total=total)
        tasks: dict[str, Any] = {}

        class Told(Listener):
            def began(self, clip: "Clip") -> None:
                tasks[str(clip.output)] = bars.add_task(clip.output.name, total=None)

            def reached(self, clip: "Clip", stage: str, done: int, total: int | None) -> None:
                name = f"{clip.output.name}: {stage}"
                bars.update(tasks[str(clip.output)], description=name, completed=done, total=total)

            def ended(self, outcome: "Outcome") -> None:
                bars.remove_task(tasks.pop(str(outcome.clip.output)))
                bars.advance(whole)
                facts = outcome.facts
                if not outcome.status:
                    said = f"{facts['people']} people in {facts['frames']} frames, {facts['seconds']:.1f} s"
                    ERR.print(f"{outcome.clip.source}: {said}", soft_wrap=True, markup=False)

        yield Told()


@contextmanager
def _listening(name: str, output: Path, seconds: float | None) -> Generator["LiveSource"]:
    """A live source that the first Ctrl-C ends in good order, so that what was taken gets its results."""
    from dyad.live import LiveSource, arrivals
    from dyad.workfolder import ready_folder

    folder = ready_folder(output)
    source = LiveSource(arrivals(name), folder / "recording.mp4", name=name, seconds=seconds)

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        ERR.print("No more frames are taken; Ctrl-C again gives up the result.")
        source.stop()

    before = signal.signal(signal.SIGINT, stop)
    ERR.print(f"{name}: {source.size[0]}x{source.size[1]}; Ctrl-C ends it.", markup=False)
    try:
        yield source
    finally:
        source.stop()
        signal.signal(signal.SIGINT, before)
