"""An index page of a folder of runs: a picture, the facts and a link for each."""

import base64
import html
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dyad.core.errors import BadInput, DyadError
from dyad.core.files import whole_file
from dyad.viewer import payload, summary
from dyad.viewer.finished import Finished, finished
from dyad.viewer.report import asset, fill
from dyad.viewer.thumbnail import thumbnail

# How far below a folder runs are looked for.
DEPTH = 4
_WORST = {grade: rank for rank, grade in enumerate(summary.GRADES)}
_WORDS = {"good": "reliable", "fair": "use with care", "poor": "doubtful"}


@dataclass(frozen=True)
class Entry:
    """A run in an index, or the folder of one that cannot be read.

    Attributes:
        name: its folder, below the index. page: its report.html, None where there is none.
        facts: numbers on it, {} for what cannot be read. picture: JPEG. fault: why it cannot be read, "" where it can.
    """

    name: str
    page: Path | None
    facts: dict[str, Any]
    picture: bytes
    fault: str = ""


def runs_below(folder: Path) -> list[Path]:
    """Folders at most `DEPTH` below that hold a tracks.npz, in the order of their names; hidden ones are left out."""
    found: list[Path] = []
    for place, names, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        names[:] = sorted(name for name in names if not name.startswith(".") and depth < DEPTH)
        if depth and "tracks.npz" in files:
            found.append(Path(place))
    return sorted(found)


def write_gallery(folder: str | Path, path: str | Path | None = None) -> tuple[Path, list[Entry]]:
    """Write the index page of the runs below a folder, `folder/index.html` unless `path` names another.

    A run that cannot be read is listed with the reason. BadInput where there is no run.
    """
    folder = Path(folder)
    page = Path(path) if path is not None else folder / "index.html"
    places = runs_below(folder) if folder.is_dir() else []
    if not places:
        raise BadInput(f"there is no run in {folder}: neither it nor a folder below it holds a tracks.npz")
    entries = [_entry(place, folder) for place in places]
    name = folder.resolve().name or str(folder)
    slots = {
        "title": html.escape(f"{name} · Dyad"),
        "style": asset("gallery.css"),
        "name": html.escape(name),
        "count": html.escape(_count(entries)),
        "cards": "\n".join(_card(entry, page) for entry in entries),
    }
    with whole_file(page) as partial:
        partial.write_text(fill(asset("gallery.html"), slots), encoding="utf-8", newline="\n")
    return page, entries


def facts_of(run: Finished) -> dict[str, Any]:
    """What an index tells of a run, as numbers that JSON holds."""
    tracks = run.tracks
    told = summary.summarise(tracks, payload.ground(tracks)["up"], run.account)
    steps = tracks.times.diff()
    step = float(steps.median()) if len(steps) else 1 / tracks.fps
    grades = [entry["trust"] for entry in told]
    width, height = tracks.camera.size
    return {
        "video": tracks.video,
        "size": [int(width), int(height)],
        "frames": len(tracks.frames),
        "seconds": round(float(tracks.times[-1] - tracks.times[0]) + step, 3) if len(tracks.times) else 0.0,
        "people": len(tracks.people),
        "coverage": payload.coverage(tracks),
        "camera": tracks.camera.source,
        "trust": max(grades, key=_WORST.__getitem__) if grades else None,
        "grades": {grade: grades.count(grade) for grade in summary.GRADES},
        "refined": bool(run.account.get("refinement")),
        "notes": run.notes,
    }


def _entry(place: Path, folder: Path) -> Entry:
    name = place.relative_to(folder).as_posix()
    page = place / "report.html"
    try:
        run = finished(place)
        facts = facts_of(run) | {"made": (place / "tracks.npz").stat().st_mtime}
        return Entry(name, page if page.is_file() else None, facts, thumbnail(run.tracks, place / "overlay.mp4"))
    except DyadError as error:
        return Entry(name, None, {}, b"", " ".join(str(error).split()))


def _count(entries: list[Entry]) -> str:
    good = [entry for entry in entries if not entry.fault]
    people = sum(entry.facts["people"] for entry in good)
    seconds = sum(entry.facts["seconds"] for entry in good)
    lost = len(entries) - len(good)
    parts = [_plural(len(good), "run", "runs"), _plural(people, "person", "people"), f"{_duration(seconds)} of video"]
    return " · ".join(parts + ([f"{lost} cannot be read"] if lost else []))


def _card(entry: Entry, page: Path) -> str:
    name = html.escape(entry.name)
    if entry.fault:
        return f'<article class="card lost"><h2>{name}</h2><p class="fault">{html.escape(entry.fault)}</p></article>'
    facts = entry.facts
    # "./" first, so that a name with a colon is not read as an address of another kind.
    here = page.resolve().parent
    link = None if entry.page is None else quote("./" + Path(os.path.relpath(entry.page.resolve(), here)).as_posix())
    picture = f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(entry.picture).decode("ascii")}">'
    width, height = facts["size"]
    detected = f"{100 * facts['coverage']['detected']:.0f} % detected" if facts["people"] else "nobody"
    made = datetime.fromtimestamp(facts["made"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    badges = "".join(
        f'<span class="badge {cls}">{html.escape(text)}</span>'
        for cls, text in (
            (facts["trust"] or "none", _trust(facts)),
            ("fair", "focal length guessed" if facts["camera"] == "guess" else ""),
            ("plain", "refined" if facts["refined"] else ""),
        )
        if text
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in facts["notes"])
    notes = f"<details><summary>{_plural(len(facts['notes']), 'note', 'notes')}</summary><ul>{notes}</ul></details>"
    title, shown = name, f'<span class="picture">{picture}</span>'
    if link is not None:
        title = f'<a href="{html.escape(link)}">{name}</a>'
        shown = f'<a class="picture" href="{html.escape(link)}" tabindex="-1" aria-hidden="true">{picture}</a>'
    facts_line = f"{_plural(facts['people'], 'person', 'people')} · {_duration(facts['seconds'])} · {detected}"
    return (
        f'<article class="card">{shown}<h2>{title}</h2>'
        f"<p>{html.escape(facts_line)}</p>"
        f'<p class="soft">{html.escape(facts["video"] or "unnamed video")}, {width} × {height} px, {facts["frames"]:,} '
        f"frames, {made}</p>"
        f'<p class="badges">{badges}</p>{notes if facts["notes"] else ""}</article>'
    )


def _trust(facts: dict[str, Any]) -> str:
    if facts["trust"] is None:
        return ""
    count = facts["grades"][facts["trust"]]
    whom = "" if count == facts["people"] else f" ({count} of {facts['people']})"
    return _WORDS[facts["trust"]] + whom


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"
