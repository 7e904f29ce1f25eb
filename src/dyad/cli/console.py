"""What every verb shares: options of one meaning, progress bars, and how results and failures are told."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from dyad.core.errors import BadUsage

if TYPE_CHECKING:
    from dyad.training.loop import Outcome

# Results go to standard output, everything else to standard error, so that a script can read the last line.
ERR = Console(stderr=True, highlight=False)

Json = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print one JSON object as the last line.")
]
Thorough = Annotated[
    bool,
    Parameter(negative="", show_default=False, help="Find smaller and crowded people; several times slower."),
]
Device = Annotated[str, Parameter(help="auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, Parameter(help="CPU threads for the networks.")]
Out = Annotated[Path, Parameter(name=["-o", "--output"], help="Folder for the results; made if need be.")]


def fail(message: str, status: int) -> int:
    """Say in one line what went wrong, and give the exit status back."""
    ERR.print("dyad: " + " ".join(message.split()), soft_wrap=True, markup=False)
    return status


def frame_range(text: str | None) -> slice | None:
    """A:B, A: or :B as a slice; BadUsage for anything else."""
    if text is None:
        return None
    first, colon, last = text.partition(":")
    if not colon or any(part and not part.isdecimal() for part in (first, last)):
        raise BadUsage(f"--frames takes A:B with whole numbers, such as 100:200, got {text!r}")
    return slice(int(first) if first else None, int(last) if last else None)


def use_threads(count: int | None) -> None:
    """Let networks take so many threads, as many as torch likes if None; BadUsage for fewer than one."""
    if count is not None:
        import torch

        if count < 1:
            raise BadUsage(f"--threads takes a number of 1 or more, got {count}")
        torch.set_num_threads(count)


@contextmanager
def progress() -> Generator[Any]:
    """A bar a stage, with the time left; nothing where standard error is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:>8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=ERR, disable=not ERR.is_terminal, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def told(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=max(total, done) if total else None)

        yield told


def tell(result: Any, as_json: bool, *, scores: dict[str, Any] | None = None) -> None:
    """Say what a run found and where the page is."""
    people, cover = len(result.tracks.people), result.coverage
    for note in result.notes:
        ERR.print(f"note: {note}", soft_wrap=True, markup=False)
    for name, value in (scores or {}).items():
        ERR.print(f"{name:>22}  {value}", markup=False)
    page = result.folder / "report.html"
    ERR.print(
        f"{people} {'person' if people == 1 else 'people'} in {len(result.tracks.frames)} frames; person-frames: "
        f"{cover.detected} detected, {cover.filled} filled, {cover.refused} refused; "
        f"{sum(result.seconds.values()):.1f} s"
    )
    ERR.print(f"the page: {page.resolve()}", soft_wrap=True, markup=False)
    if as_json:
        facts = json.loads((result.folder / "run.json").read_text(encoding="utf-8"))
        print_line(dumps({"folder": str(result.folder), **facts, **({"scores": scores} if scores else {})}))


def report(scores: dict[str, Any], as_json: bool) -> None:
    """Print scores: as one line for programs, or as JSON that people can read."""
    print_line(dumps(scores) if as_json else json.dumps(scores, indent=2, allow_nan=False))


def dumps(value: Any, indent: int | None = None) -> str:
    """As JSON in one line; what JSON does not know becomes text, and NaN is an error."""
    return json.dumps(value, allow_nan=False, default=str, indent=indent)


def print_line(text: str) -> None:
    """To standard output, at once: a program may be waiting for it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def tell_training(weights: Path, outcome: "Outcome", json: bool) -> None:
    """Say where a training left its weights, and how far it came."""
    facts = {"weights": str(weights), "step": outcome.step, "stopped": outcome.stopped}
    if json:
        print_line(dumps({**facts, "metrics": dict(outcome.metrics)}))
    else:
        print_line(f"{weights} after step {outcome.step}; see {weights.parent / 'log.jsonl'}")
