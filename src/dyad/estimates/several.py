"""Several estimates of one video, named with commas between them, and the one that is their mean."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Tracks
from dyad.estimates.ensemble import ensemble
from dyad.estimates.sheet import Advice


class Estimate(NamedTuple):
    """Whom one file tells of, as tracks; the file's name, and how to refine its people."""

    name: str
    tracks: Tracks
    advice: Advice


def paths_of(given: str | PathLike[str]) -> list[Path]:
    """One path, or several with commas between them; what exists by the whole name is one. BadUsage for a gap."""
    if Path(given).exists() or "," not in str(given):
        return [Path(given)]
    parts = [part.strip() for part in str(given).split(",")]
    if not all(parts):
        raise BadUsage(f"several files are named with one comma between two of them, got {str(given)!r}")
    return [Path(part) for part in parts]


def averaged(every: Sequence[Estimate]) -> tuple[Tracks, Advice]:
    """The mean of estimates of one video, see `mean_of`, and how to refine it."""
    names, tracks, advice = zip(*every, strict=True)
    return mean_of(names, tracks), Advice.of_mean(advice)


def mean_of(names: Sequence[str], tracks: Sequence[Tracks], *, confident: bool = True) -> Tracks:
    """The mean by `ensemble` of tracks that have people in common.

    names: what the tracks are called in messages. confident: see `ensemble`. Raises BadInput for tracks that stand in
    different cameras, and where nobody of one is anybody of an earlier one: they are of other frames, or of another
    video.
    """
    for name, each in zip(names, tracks, strict=True):
        if not _alike(tracks[0].camera, each.camera):
            raise BadInput(
                f"{names[0]} and {name} stand in two cameras, {_said(tracks[0].camera)} and {_said(each.camera)}: a "
                "mean needs poses in one, so make both with the same --focal, --fov or --camera"
            )
    mean = tracks[0]
    for count, other in enumerate(tracks[1:], 1):
        people = len(mean.people) + len(other.people)
        mean = ensemble(tracks[: count + 1], confident=confident)
        if len(other) and any(map(len, tracks[:count])) and len(mean.people) == people:
            raise BadInput(_strangers(" and ".join(names[:count]), tracks[:count], names[count], other))
    return mean


def _alike(one: Camera, two: Camera) -> bool:
    lens = [(camera.focal, camera.centre, camera.distortion) for camera in (one, two)]
    return one.size == two.size and all(torch.allclose(a, b) for a, b in zip(*lens, strict=True))


def _said(camera: Camera) -> str:
    return f"{camera.size[0]}x{camera.size[1]} px of focal length {float(camera.focal.mean()):.4g} px"


def _strangers(names: str, tracks: Sequence[Tracks], name: str, other: Tracks) -> str:
    known, here = torch.cat([each.frame for each in tracks]), other.frame
    if not torch.isin(here, known).any():
        return (
            f"{names} and {name} have nobody in the same frame ({int(known.min())} to {int(known.max())}, and "
            f"{int(here.min())} to {int(here.max())}): a mean needs estimates of the same frames of one video"
        )
    return (
        f"nobody of {name} is where anybody of {names} is in the image: a mean needs estimates of the same people in "
        "one video"
    )
