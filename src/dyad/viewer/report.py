"""One self-contained HTML page about a run, or about two: the video with skeletons, the people in space, a timeline."""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.core.tracks import Tracks
from dyad.viewer import payload
from dyad.viewer.comparison import Comparison

# Larger videos stay beside the page, which then opens quickly and does not fill the browser's memory.
EMBED_LIMIT = 40_000_000

# Bytes of the video that are encoded at a time: a multiple of three, so that the parts join without a seam.
_ENCODED = 3 << 20
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}


def write_report(
    path: str | Path,
    tracks: Tracks,
    *,
    video: Path | None,
    run: dict[str, Any],
    notes: list[str] | None = None,
    embed_limit: int = EMBED_LIMIT,
) -> Path:
    """Write the page to `path`; it appears under that name only once it is whole.

    Args:
        video: a clip that browsers show, without overlay, one frame for each of `tracks.frames`, frame k at
            `tracks.times[k] - tracks.times[0]` seconds (`clip_writer` makes such a clip). It goes into the page up to
            `embed_limit` bytes; above, the page names the file relative to itself. None shows the skeletons alone.
        run: what `run.json` holds, shown as a table.
        notes: sentences that a reader must see: a moving camera, a guessed focal length, a demonstration.

    Raises:
        BadInput: the video is not there.
    """
    path = Path(path)
    about, data = _place_video(video, path, embed_limit)
    page, people = payload.build_parts(tracks, video=about, run=run, notes=list(notes or []))
    return _write(path, f"{tracks.video or 'Untitled video'} · Dyad", _json_parts(page, people), data)


def write_comparison(
    path: str | Path,
    comparison: Comparison,
    *,
    names: tuple[str, str],
    video: Path | None,
    runs: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
    notes: list[str] | None = None,
    embed_limit: int = EMBED_LIMIT,
) -> Path:
    """Write the page of two runs on one video; see `write_report`.

    Args:
        names: what the runs are called. video: the clip of the first run. runs: what each `run.json` holds.

    Raises:
        BadInput: the video is not there.
    """
    path = Path(path)
    about, data = _place_video(video, path, embed_limit)
    content = payload.build_comparison(comparison, names=names, video=about, runs=runs, notes=list(notes or []))
    return _write(path, f"{names[0]} and {names[1]} · Dyad", [_json(content)], data)


def _write(path: Path, title: str, content: Iterable[str], data: Iterable[str]) -> Path:
    script = asset("report.js")
    slots: dict[str, str | Iterable[str]] = {
        "policy": _policy(script),
        "title": html.escape(title),
        "style": asset("report.css"),
        "script": script,
        "data": content,
        "video": data,
    }
    # Part by part: the page of an hour is a hundred megabytes.
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_filled(asset("report.html"), slots))
    return path


def fill(template: str, slots: dict[str, str]) -> str:
    """A template with its slots filled, in one pass, so that nothing that is put in can be taken for a slot."""
    return "".join(_filled(template, slots))


def _filled(template: str, slots: Mapping[str, str | Iterable[str]]) -> Iterator[str]:
    # What is between slots, and the names of slots, in turn.
    for k, part in enumerate(_SLOT.split(template)):
        content = slots[part] if k % 2 else part
        yield from [content] if isinstance(content, str) else content


def _place_video(video: Path | None, page: Path, limit: int) -> tuple[dict[str, Any], Iterable[str]]:
    """What the page says of its video, and the video's bytes as base64 where they go into the page."""
    if video is None:
        return {"embedded": False, "file": None, "type": None}, ()
    video = Path(video)
    if not video.is_file():
        raise BadInput(f"the report's video should be a file, got {video}, which is not there")
    kind = _TYPES.get(video.suffix.lower(), "video/mp4")
    if video.stat().st_size <= limit:
        return {"embedded": True, "file": None, "type": kind}, _encoded(video)
    # "./" first, so that a name with a colon is not read as an address of another kind.
    beside = "./" + Path(os.path.relpath(video.resolve(), page.resolve().parent)).as_posix()
    return {"embedded": False, "file": quote(beside), "type": kind}, ()


def _encoded(video: Path) -> Iterator[str]:
    with video.open("rb") as file:
        while block := file.read(_ENCODED):
            yield base64.b64encode(block).decode("ascii")


def _json_parts(page: dict[str, Any], people: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The JSON of a page with its people, one after the other."""
    yield _json(page)[:-1] + ',"people":['
    for k, person in enumerate(people):
        yield ("," if k else "") + _json(person)
    yield "]}"


def _json(content: dict[str, Any]) -> str:
    """JSON that no HTML parser can mistake for markup."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(script: str) -> str:
    """A content policy that lets only the page's own script run and nothing be fetched but a video beside the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )


def asset(name: str) -> str:
    """The text of a file of the built page."""
    return resources.files("dyad.viewer").joinpath("assets", name).read_text(encoding="utf-8")
