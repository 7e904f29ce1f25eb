"""What lies in the folder of a finished run, for pages that are made later: tracks, account, and the page's clip."""

import base64
import binascii
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks

# How the page marks the clip that lies in it; see web/src/report.html.
_OPEN, _CLOSE = b'<script type="text/plain" id="video-data">', b"</script>"
# No account of a run is longer than this.
_LONGEST = 16_000_000


@dataclass(frozen=True)
class Finished:
    """A run's folder, or a tracks file alone.

    Attributes:
        place: as it was named. folder: where its files lie, None for a tracks file alone.
        tracks: everyone. account: what run.json holds, empty without one. name: what to call the run.
    """

    place: Path
    folder: Path | None
    tracks: Tracks
    account: dict[str, Any]
    name: str

    @property
    def notes(self) -> list[str]:
        """What the run said that whoever reads its result must know."""
        notes = self.account.get("notes")
        return [str(note) for note in notes] if isinstance(notes, list) else []

    @contextmanager
    def clip(self) -> Generator[Path | None]:
        """The clip that the run's page shows, as a file that may be gone afterwards; None where there is none."""
        if self.folder is None:
            yield None
        elif (self.folder / "video.mp4").is_file():
            yield self.folder / "video.mp4"
        else:
            data = embedded_video(self.folder / "report.html")
            with TemporaryDirectory(prefix="dyad-clip-") as scratch:
                if data:
                    (Path(scratch) / "video.mp4").write_bytes(data)
                yield Path(scratch) / "video.mp4" if data else None


def finished(place: str | Path) -> Finished:
    """A run's folder or a tracks file. BadInput where there are no tracks, or an account that cannot be read."""
    place = Path(place)
    folder = place if place.is_dir() else place.parent if place.name == "tracks.npz" else None
    tracks = Tracks.load(place)
    account = {} if folder is None else account_of(folder)
    name = (place.resolve() if folder is None else folder.resolve()).name
    return Finished(place, folder, tracks, account, name or str(place))


def account_of(folder: Path) -> dict[str, Any]:
    """What `run.json` holds; {} where there is none. BadInput where it holds something else."""
    file = folder / "run.json"
    if not file.is_file():
        return {}
    try:
        if file.stat().st_size > _LONGEST:
            raise ValueError("it is too large")
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{file} is not the account of a run: {error}") from error
    if not isinstance(held, dict):
        raise BadInput(f"{file} is not the account of a run: it holds a JSON {type(held).__name__}, expected an object")
    return held


def embedded_video(page: Path) -> bytes:
    """The clip that lies in a page; b"" where there is no page or no clip in it."""
    if not page.is_file():
        return b""
    text = page.read_bytes()
    start = text.rfind(_OPEN)
    if start < 0:
        return b""
    start += len(_OPEN)
    try:
        return base64.b64decode(text[start : text.find(_CLOSE, start)], validate=True)
    except binascii.Error:
        return b""
