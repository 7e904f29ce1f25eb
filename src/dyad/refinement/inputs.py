"""A video and tracks that belong together: the frames of one that the other is about, and digests of both."""

import json
import math
import zipfile
from dataclasses import fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.core.archives import is_archive
from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.refinement.stage_files import digest


def is_tracks(path: str | PathLike[str]) -> bool:
    """Whether somebody means tracks of our own by that path, be they whole or not."""
    path = Path(path)
    if path.is_dir():
        return (path / "tracks.npz").is_file()
    if path.name == "tracks.npz" or not path.exists():
        return True
    if path.suffix != ".npz" or not is_archive(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return {"header.npy", "xyz.npy"} <= {*archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def video_of(source: Any, tracks: Tracks) -> Video:
    """The frames of a source that tracks are about, with the tracks' camera; a `Video` stays as it is.

    Raises BadInput for images of another size than the tracks are about.
    """
    if isinstance(source, Video):
        return source
    frames, every = frames_of(tracks)
    # With its own camera first: that of the tracks may not fit, and of that there is more to say.
    video = Video(source, frames=frames, every=every)
    check_size(video, tracks)
    return Video(source, camera=tracks.camera, frames=frames, every=every)


def check_size(video: Video, tracks: Tracks) -> None:
    """BadInput for a video of another size than the tracks are about."""
    if tuple(video.size) != tuple(tracks.camera.size):
        (w, h), (width, height) = tracks.camera.size, video.size
        raise BadInput(
            f"the tracks are about images of {w}x{h} px and {video.name or 'the video'} is {width}x{height}; give the "
            "video that they were made from, not a scaled copy"
        )


def tracks_on(tracks: Tracks, video: Video) -> Tracks:
    """Tracks whose processed frames are all of a video's; those without anybody are added. BadInput for others."""
    indices, times = (torch.from_numpy(np.asarray(v)) for v in (video.indices, video.times))
    if torch.equal(tracks.frames, indices):
        return tracks
    strange = tracks.frames[~torch.isin(tracks.frames, indices)]
    if len(strange):
        raise BadInput(
            f"the tracks are about frame {int(strange[0])}, and {video.name or 'the video'} has frames "
            f"{int(indices[0])} to {int(indices[-1])}; give the video that they were made from"
        )
    return replace(tracks, frames=indices, times=times, time=times[torch.searchsorted(indices, tracks.frame)])


def frames_of(tracks: Tracks) -> tuple[slice | None, int]:
    """The range of a source's frames and the step that together give all frames of tracks."""
    if not len(tracks.frames):
        return None, 1
    first, last = int(tracks.frames[0]), int(tracks.frames[-1])
    step = math.gcd(*(tracks.frames[1:] - tracks.frames[:-1]).tolist()) or 1
    return slice(first, last + 1), step


def digest_of(thing: Any) -> str:
    """What the content of tracks or of a video's source is known by: a path, an array or a `Video`."""
    if isinstance(thing, Tracks):
        return digest(*(_said(getattr(thing, each.name)) for each in fields(thing)))
    if isinstance(thing, Video):
        return digest(*(part.tobytes() for chunk in thing.chunks(8) for part in (chunk.indices, chunk.images)))
    if isinstance(thing, str | PathLike):
        path = Path(thing)
        return digest(*([file for file in sorted(path.iterdir()) if file.is_file()] if path.is_dir() else [path]))
    return digest(np.ascontiguousarray(thing).tobytes())


def _said(part: Any) -> Tensor | str:
    if isinstance(part, Tensor):
        return part
    return json.dumps(part.to_json()) if hasattr(part, "to_json") else repr(part)
