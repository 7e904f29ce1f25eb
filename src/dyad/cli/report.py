"""`dyad report`: the page of a run made anew, of two runs side by side, or of a folder of runs."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from dyad.cli.console import ERR, Json, dumps, print_line
from dyad.core.errors import BadUsage
from dyad.core.files import writing_to


def report_command(
    runs: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["-o", "--output"])] = None,
    names: str | None = None,
    json: Json = False,
) -> None:
    """Write a page: of one run, of two runs on one video side by side, or an index of a folder of runs.

    Parameters
    ----------
    runs
        A run's folder or tracks.npz; two of them to compare; or a folder with runs below it.
    output
        The page: RUN/report.html, B/compare.html or FOLDER/index.html if not given.
    names
        A,B: what the two runs are called; the names of their folders if not given.
    """
    if len(runs) > 2:
        raise BadUsage(f"dyad report takes one run, two runs to compare, or a folder of runs, got {len(runs)}")
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise BadUsage(f"-o takes the name of a page, such as compare.html, got {output}")
    if names is not None and len(runs) != 2:
        raise BadUsage(f"--names is for two runs that are compared, got {len(runs)}")
    if len(runs) == 2:
        page, facts, line = _two(runs[0], runs[1], output, names)
    elif runs[0].is_dir() and not (runs[0] / "tracks.npz").is_file():
        page, facts, line = _folder(runs[0], output)
    else:
        page, facts, line = _one(runs[0], output)
    ERR.print(line, soft_wrap=True, markup=False)
    print_line(dumps({"page": str(page), **facts}) if json else str(page))


Made = tuple[Path, dict[str, Any], str]


def _one(place: Path, output: Path | None) -> Made:
    from dyad.viewer.finished import finished
    from dyad.viewer.gallery import facts_of
    from dyad.viewer.report import write_report

    run = finished(place)
    page = output or (run.folder or place.parent) / "report.html"
    with run.clip() as clip, writing_to(page.parent):
        write_report(page, run.tracks, video=clip, run=run.account, notes=run.notes)
    facts = facts_of(run)
    people = facts["people"]
    return page, facts, f"{people} {'person' if people == 1 else 'people'} in {facts['frames']} frames"


def _two(first: Path, second: Path, output: Path | None, names: str | None) -> Made:
    from dyad.viewer.comparing import compare_runs

    called = None if names is None else tuple(part.strip() for part in names.split(","))
    if called is not None and (len(called) != 2 or not all(called)):
        raise BadUsage(f"--names takes two names with a comma between them, such as before,after, got {names!r}")
    page = output or (second if second.is_dir() else second.parent) / "compare.html"
    with writing_to(page.parent):
        comparison = compare_runs(first, second, page, names=called)
    facts = comparison.facts()
    mean = facts["distance_mm"]
    far = "nobody is in both" if mean is None else f"{mean} mm between the same people, mean of joints and frames"
    return page, facts, f"{facts['matched']} person-frames in both runs: {far}"


def _folder(folder: Path, output: Path | None) -> Made:
    from dyad.viewer.gallery import write_gallery

    with writing_to((output or folder / "index.html").parent):
        page, entries = write_gallery(folder, output)
    runs = [{"name": entry.name, **entry.facts, **({"fault": entry.fault} if entry.fault else {})} for entry in entries]
    lost = sum(bool(entry.fault) for entry in entries)
    return page, {"runs": runs}, f"{len(entries)} runs" + (f", {lost} of which cannot be read" if lost else "")
