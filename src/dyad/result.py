"""What a run found, and what it says of itself."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from dyad import __version__
from dyad.core.errors import BadInput
from dyad.core.tracks import Flag, Tracks
from dyad.core.video import Video
from dyad.stages.weights_used import hashes

# What every run writes.
_ALWAYS = ("tracks.npz", "overlay.mp4", "report.html")


@dataclass(frozen=True)
class Coverage:
    """Person-frames: with a detection, filled between detections, and detected but refused as no lasting person."""

    detected: int
    filled: int
    refused: int


@dataclass(frozen=True)
class Result:
    """What a run found and how.

    Attributes:
        tracks: everyone over time.
        coverage: person-frames by kind.
        seconds: wall time of each stage.
        notes: sentences that whoever reads the result must know.
        folder: where the files are, or None if none were written.
        refinement: what `run.json` says of flow and pose correcting each other, or None where they did not.
    """

    tracks: Tracks
    coverage: Coverage
    seconds: dict[str, float]
    notes: list[str] = field(default_factory=list)
    folder: Path | None = None
    refinement: dict[str, Any] | None = None


def notes_of(video: Video, tracks: Tracks, height: float | None) -> list[str]:
    """Sentences that whoever reads the result must know."""
    notes = []
    if video.camera.guessed:
        focal = float(video.camera.focal[0])
        notes.append(
            f"The focal length is a guess ({focal:.0f} px, as of a 35 mm lens on full frame): distances from the "
            "camera may be off by a third. Give --focal, --fov or --camera if you know it."
        )
    if height is None and len(tracks):
        notes.append("People's sizes follow from a prior on human height. Give --height if you know it.")
    if (tracks.flags & int(Flag.FLAT)).any():
        notes.append(
            "The detector gives no 3D: poses are flat, on planes that face the camera, at the distance that average "
            "bone lengths give."
        )
    if tracks.cuts:
        where = ", ".join(str(frame) for frame in tracks.cuts[:10])
        notes.append(
            f"The video is cut before frame {where}{' …' if len(tracks.cuts) > 10 else ''}; nobody is followed across."
        )
    if video.report.damaged or video.report.resized:
        notes.append(f"{video.report}.")
    if told := getattr(video.source, "told", ""):
        notes.append(told)
    if not len(tracks):
        notes.append("Nobody was found. --thorough looks harder; people under about 50 px of height are hard to find.")
    return notes


def account_of(
    result: Result, video: Video, asked: dict[str, Any], *, weights: Mapping[str, Path], moving: bool, key: str
) -> dict[str, Any]:
    """What run.json holds; `weights` are the files that were read, by name."""
    tracks = result.tracks
    return {
        "schema": "dyad-run/1",
        "key": key,
        "dyad": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "video": {
            "name": video.name,
            "size": list(video.size),
            "fps": round(video.fps, 6),
            "frames": len(tracks.frames),
            "decoded": asdict(video.report),
        },
        "camera": tracks.camera.to_json(),
        "camera_moves": moving,
        "options": asked,
        "weights": hashes(weights),
        "people": len(tracks.people),
        "coverage": asdict(result.coverage),
        **({} if result.refinement is None else {"refinement": result.refinement}),
        "seconds": {name: round(value, 3) for name, value in result.seconds.items()},
        "notes": result.notes,
    }


def finished(folder: Path, key: str, *, names: tuple[str, ...] = ()) -> Result | None:
    """What lies in a folder, if an earlier call of that key finished it; `names` are files that it wrote besides."""
    try:
        account = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if account["key"] != key or any(not (folder / name).is_file() for name in (*_ALWAYS, *names)):
            return None
        coverage, told = Coverage(**account["coverage"]), account.get("refinement")
        tracks = Tracks.load(folder)
        return Result(tracks, coverage, account["seconds"], account["notes"], folder, told)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadInput):
        return None
