"""`dyad eval`: predictions against truth, under a protocol that has a name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dyad.cli.console import ERR, Json, dumps, print_line

if TYPE_CHECKING:
    from dyad.evaluation.report import Numbers, Report

_WIDEST = 8


def evaluation_command(
    predictions: Path,
    /,
    *,
    truth: Path,
    protocol: str,
    array: str | None = None,
    detections: Path | None = None,
    plot: Path | None = None,
    json: Json = False,
) -> None:
    """Score PREDICTIONS against the truth of a data set; prints a table.

    Protocols: mupots-released, mupots-strict, muco, jta, h36m-p1, h36m-p2, h36m-14, 3dpw, 3dpw-occluded, sintel-human,
    coco, crowdpose, dyad-synth. The page docs/evaluation.md says what each measures.

    Parameters
    ----------
    predictions
        tracks.npz, the folder of a run, a folder of either by clip name, a COCO results file (coco, crowdpose), a
        folder with a folder of .flo files for each clip (sintel-human, h36m-14, 3dpw), or TSxx.npz with stored poses.
    truth
        The folder of the data set as docs/datasets.md has it; for dyad-synth a truth's tracks.npz or a folder of them.
    protocol
        Name of the rules.
    array
        Which stored poses of TSxx.npz, such as topdown_rel_m.
    detections
        Everyone whom a detector found, as tracks by clip name, for 3dpw-occluded.
    plot
        Write a picture of the scores to this SVG file.
    """
    from dyad.bench.evaluate import evaluate
    from dyad.bench.plot import plot as drawn
    from dyad.bench.svg import check_svg, write_svg

    if plot is not None:
        check_svg(plot)
    report = evaluate(predictions, truth, protocol, array=array, detections=detections)
    if plot is not None:
        write_svg(drawn(report), plot)
    # With --json only the object goes to standard output.
    show(report, ERR if json else Console(highlight=False))
    if json:
        print_line(dumps(report.to_json()))


def show(report: "Report", console: Console) -> None:
    """The report as a table and what one must know to read it."""
    rules = report.protocol
    console.print(f"{rules.name}: {rules.sentence}", soft_wrap=True, markup=False)
    for title, words in (("alignment", rules.alignment), ("matching", report.matched_by)):
        console.print(f"{title}: {words}", soft_wrap=True, markup=False)
    helps = rules.helped_by or ("nothing",)
    for words in helps:
        console.print(f"helped by the truth: {words}", soft_wrap=True, markup=False)
    rows = dict(report.parts) if report.parts else {**report.clips, report.pooling: report.total}
    for table in _tables(rows, console.width):
        console.print(table)
    for name, value in report.facts.items():
        console.print(f"{name}: {_number(value)}", markup=False)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)


def _tables(rows: "dict[str, Numbers]", width: int) -> Iterator[Table]:
    """Clips down and metrics across, or the other way round where metrics are many and clips few.

    As many columns as have room make a table, the rest another one: nothing is cut.
    """
    metrics = list(dict.fromkeys(name for row in rows.values() for name in row))
    turned = len(metrics) > _WIDEST >= len(rows)
    down, across = (metrics, list(rows)) if turned else (list(rows), metrics)
    cells = {
        (row, column): _number(rows[column if turned else row].get(row if turned else column))
        for row in down
        for column in across
    }
    first = max((len(name) for name in down), default=0)
    left = list(across)
    while left:
        room, some = width - first, []
        while left and (not some or room >= 2 + _breadth(left[0], down, cells)):
            room -= 2 + _breadth(left[0], down, cells)
            some.append(left.pop(0))
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("", no_wrap=True)
        for name in some:
            table.add_column(escape(name), justify="right", no_wrap=True)
        for name in down:
            table.add_row(escape(name), *(cells[name, column] for column in some))
        yield table


def _breadth(column: str, down: list[str], cells: dict[tuple[str, str], str]) -> int:
    return max(len(column), *(len(cells[row, column]) for row in down))


def _number(value: float | int | None) -> str:
    """Whole numbers whole; a dash for one that is not defined, nothing for one that there is not."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if value != value:
        return "-"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
