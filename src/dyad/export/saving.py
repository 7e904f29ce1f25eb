"""One call for all formats of people: what goes into which files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Tracks
from dyad.export.bvh import write_bvh
from dyad.export.c3d import write_c3d
from dyad.export.clock import clock
from dyad.export.coco import coco_of_tracks, write_coco
from dyad.export.glb import write_glb
from dyad.export.mot import write_mot
from dyad.export.motion import motions
from dyad.export.rig import Names
from dyad.export.rrd import write_rrd
from dyad.export.table import write_csv, write_parquet
from dyad.export.trc import write_trc
from dyad.export.upright import Frame, Upright, upright
from dyad.export.usd import write_usd

Format = Literal["bvh", "glb", "c3d", "trc", "coco", "mot", "parquet", "csv", "usd", "rrd"]
FORMATS: tuple[Format, ...] = get_args(Format)

_FILES = {"glb": "people.glb", "c3d": "people.c3d", "coco": "people.json", "mot": "people.txt", "csv": "joints.csv"}
_FILES |= {"parquet": "joints.parquet", "usd": "people.usd", "rrd": "people.rrd"}
_SUFFIXES = {"bvh": (".bvh",), "trc": (".trc",), "usd": (".usd", ".usda", ".usdc"), "mot": (".txt", ".mot")}
_STEADY = ("bvh", "c3d", "trc")


class Exported(NamedTuple):
    """The files that were written, and a sentence on what was assumed ("" where nothing was)."""

    files: list[Path]
    note: str


def export_tracks(
    tracks: Tracks,
    path: str | Path,
    to: Format,
    *,
    frame: Frame = "world",
    people: Sequence[int] | None = None,
    fps: float | None = None,
    names: Names = "cmu",
) -> Exported:
    """Write people in a format of others; docs/formats.md says what is in each.

    Args:
        tracks: of one video.
        path: a file, if it ends like one of the format, else a folder. `bvh` and `trc` put one file a person into a
            folder, and `bvh` one with all besides; into a file they put everyone.
        to: one of `FORMATS`.
        frame: "world" (upright, the floor at height 0) or "camera".
        people: identities to write; everyone if None.
        fps: frames a second, for `bvh`, `c3d` and `trc`, which have a steady rate; the video's if None.
        names: of joints in `bvh`, `glb` and `usd`: as in CMU's BVH files, or Mixamo's.

    Raises BadUsage for an option that the format does not know, BadInput for a person whom there is not, for people
    without 3D where the format needs it and for a place that cannot be written to, MissingExtra for parquet, usd, rrd.
    """
    if to not in FORMATS:
        raise BadUsage(f"people can be exported to {', '.join(FORMATS)}, got {to!r}")
    if fps is not None and to not in _STEADY:
        raise BadUsage(f"frames a second are chosen for {', '.join(_STEADY)}; {to} keeps the times of the video")
    chosen = tracks if people is None else _only(tracks, people)
    try:
        files, note = _write(chosen, Path(path), to, frame, fps, names)
    except OSError as error:
        raise BadInput(f"cannot write to {path}: {error.strerror or error}") from error
    return Exported(files, note)


def _only(tracks: Tracks, people: Sequence[int]) -> Tracks:
    strange = [person for person in people if person not in tracks.people]
    if strange:
        there = ", ".join(map(str, tracks.people)) or "nobody"
        raise BadInput(f"there is no person {strange[0]} in these tracks; there is {there}")
    return tracks[torch.isin(tracks.person, torch.tensor(list(people), dtype=torch.int64))]


def _write(
    tracks: Tracks, path: Path, to: Format, frame: Frame, fps: float | None, names: Names
) -> tuple[list[Path], str]:
    space = upright(tracks, frame)
    single = path.suffix.lower() in _SUFFIXES.get(to, (Path(_FILES.get(to, "")).suffix,))
    file = path if single else path / _FILES.get(to, "")
    match to:
        case "bvh":
            return _write_bvh(space, path, single, fps, names), space.note
        case "trc":
            return _write_trc(space, path, single, fps), space.note
        case "glb":
            write_glb(file, motions(space), space, names=names)
        case "usd":
            write_usd(file, motions(space), space, rate=clock(space).rate, names=names)
        case "c3d":
            write_c3d(file, space, clock(space, fps))
        case "mot":
            write_mot(file, space)
        case "rrd":
            write_rrd(file, space)
        case "csv":
            write_csv(file, space)
        case "parquet":
            write_parquet(file, space)
        case "coco":
            write_coco(file, coco_of_tracks(tracks))
            return [file], ""
    return [file], space.note


def _write_bvh(space: Upright, path: Path, single: bool, fps: float | None, names: Names) -> list[Path]:
    people, ticks = motions(space), clock(space, fps)
    parts = {path: people} if single else {path / f"person_{one.number}.bvh": [one] for one in people}
    if not single and len(people) > 1:
        parts[path / "people.bvh"] = people
    for file, some in parts.items():
        write_bvh(file, some, ticks, names=names)
    return list(parts)


def _write_trc(space: Upright, path: Path, single: bool, fps: float | None) -> list[Path]:
    people, ticks = space.people(), clock(space, fps)
    parts = {path: people} if single else {path / f"person_{one.number}.trc": [one] for one in people}
    for file, some in parts.items():
        write_trc(file, space, some, ticks)
    return list(parts)
