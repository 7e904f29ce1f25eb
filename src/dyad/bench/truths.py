"""The true clips that a protocol counts, from the folder of its data set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from dyad.bench.predictions import Found, find_tracks
from dyad.bench.stored import find_stored, read_samples
from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.datasets.reading import natural
from dyad.evaluation.protocols import Protocol


def true_clips(protocol: Protocol, folder: str | Path) -> Iterator[Clip]:
    """Every clip, thinned to the frames that count. A file is taken for the `tracks.npz` of a truth.

    Raises BadInput where the folder does not hold the data set.
    """
    folder = Path(folder)
    if not folder.exists():
        raise BadInput(f"there is no truth at {folder}")
    for clip in _clips(protocol, folder):
        yield thinned(clip, protocol) if protocol.measures == "poses" else clip


def _clips(protocol: Protocol, folder: Path) -> Iterator[Clip]:
    match protocol.dataset if folder.is_dir() else "":
        case "mupots":
            from dyad.datasets.mupots_official import read_mupots_official

            yield from read_samples(folder) if find_stored(folder) else read_mupots_official(folder)
        case "muco":
            from dyad.datasets.muco import read_muco

            yield from read_muco(folder, split=protocol.split)
        case "jta":
            from dyad.datasets.jta import read_jta

            yield from read_jta(folder, split=protocol.split)
        case "human36m":
            from dyad.datasets.human36m import CAMERAS, read_human36m

            yield from read_human36m(folder, split=protocol.split, cameras=protocol.cameras or CAMERAS)
        case "3dpw":
            from dyad.datasets.threedpw import read_3dpw

            yield from read_3dpw(folder, split=protocol.split)
        case "sintel":
            from dyad.datasets.sintel import read_sintel

            yield from read_sintel(folder, split=protocol.split, rendering="final", scenes=_scenes(protocol, folder))
        case _:
            for found in true_tracks(folder):
                truth = Tracks.load(found.path)
                yield Clip(None, truth.with_(video=found.name))


def _scenes(protocol: Protocol, folder: Path) -> list[str]:
    """Those of the protocol's scenes that are there."""
    root = folder / (protocol.split or "") / "final"
    scenes = [scene for scene in protocol.scenes if (root / scene).is_dir()]
    if not scenes:
        raise BadInput(f"{root} holds none of the scenes {', '.join(protocol.scenes)}")
    return scenes


def true_tracks(path: Path) -> list[Found]:
    """Files of truth: the file itself; `truth.npz` in a folder, or in folders below; else as predictions are."""
    if path.is_dir():
        if (path / "truth.npz").is_file():
            return [Found(path.name, path / "truth.npz")]
        if below := sorted(path.rglob("truth.npz"), key=natural):
            return [Found(file.parent.relative_to(path).as_posix(), file) for file in below]
    return find_tracks(path)


def thinned(clip: Clip, protocol: Protocol) -> Clip:
    """The frames that count: from `protocol.first` on, at `protocol.fps`. The clip keeps no images then."""
    truth = clip.truth
    if truth is None or protocol.fps is None:
        return clip
    step = max(1, round(truth.fps / protocol.fps))
    frames = truth.frames[protocol.first :: step]
    rows = torch.isin(truth.frame, frames)
    times = truth.times[protocol.first :: step]
    return Clip(None, replace(truth[rows], frames=frames, times=times, fps=truth.fps / step))
