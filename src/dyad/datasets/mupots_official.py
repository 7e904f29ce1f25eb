"""MuPoTS-3D as MPI Informatics distributes it: `TS1` … `TS20`, each with `annot.mat`, `occlusion.mat` and images.

(Mehta et al., Single-Shot Multi-Person 3D Pose Estimation From Monocular RGB, 3DV 2018. The small npz samples have a
reader of their own, `dyad.datasets.mupots`.)
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17
from dyad.datasets.reading import FARTHEST, chosen, numbers, read_mat, subfolders, video_at
from dyad.datasets.truth import fitted_camera, truth_tracks

_LOG = logging.getLogger(__name__)
FPS = 30.0
_SQUARE = frozenset(f"TS{number}" for number in range(1, 6))
"""Sequences of 2048 x 2048 px, indoors; the others are of 1920 x 1080."""


def read_mupots_official(folder: str | Path, *, split: str | None = None, universal: bool = False) -> Iterator[Clip]:
    """A clip of each sequence, people in the file's order, the 17 joints of MuPoTS-3D.

    A person has no row in a frame that the data set declares not valid for them. The files hold no camera: it is
    fitted to their 2D and 3D joints. `universal` takes the 3D that is scaled to one height for all, which the published
    protocol compares; the metric one is the default. Images are `img_000000.jpg` … beside `annot.mat`.

    Raises BadInput for files that are missing, damaged, or contradict themselves.
    """
    chosen(split, ("test",), "MuPoTS-3D")
    folder = Path(folder)
    nested = folder / "MultiPersonTestSet"
    for path in subfolders(nested if nested.is_dir() else folder, r"TS\d+", "MuPoTS-3D sequences TS1, TS2, …"):
        yield _sequence(path, universal)


def _sequence(path: Path, universal: bool) -> Clip:
    source = path / "annot.mat"
    cells = read_mat(source, "annotations")["annotations"]
    if cells.ndim != 2 or cells.dtype != object or not cells.size:
        raise BadInput(f"{source}: annotations should be cells, frames x people, got {cells.shape} of {cells.dtype}")
    frames, people = cells.shape
    xy, metric, scaled = (np.full((frames, people, 17, axes), np.nan) for axes in (2, 3, 3))
    valid = np.zeros((frames, people), dtype=bool)
    for at in np.ndindex(frames, people):
        what = f"{source}, frame {at[0]}, person {at[1]}"
        valid[at] = bool(_field(cells[at], "isValidFrame", (1, 1), what)[0, 0])
        if valid[at]:
            xy[at] = _field(cells[at], "annot2", (2, 17), what).T
            metric[at] = _field(cells[at], "annot3", (3, 17), what, FARTHEST * 1000).T / 1000
            scaled[at] = _field(cells[at], "univ_annot3", (3, 17), what, FARTHEST * 1000).T / 1000
    occluded = _occlusion(path / "occlusion.mat", (frames, people))
    video = video_at(path, fps=FPS, frames=frames)
    size = video.size if video else ((2048, 2048) if path.name in _SQUARE else (1920, 1080))
    camera = fitted_camera(metric, xy, size, str(source))
    frame, person = np.nonzero(valid)
    truth = truth_tracks(
        skeleton=MUPOTS17,
        camera=camera,
        frame=frame,
        person=person,
        xyz=(scaled if universal else metric)[valid],
        xy=xy[valid],
        hidden=occluded[valid],
        frames=np.arange(frames),
        fps=FPS,
        video=path.name,
    )
    return Clip(video_at(path, camera=camera, fps=FPS, frames=frames) if video else None, truth)


def _field(cell: Any, name: str, shape: tuple[int, int], what: str, limit: float = np.inf) -> NDArray[np.float64]:
    """A field of MATLAB's struct of one person in one frame."""
    names = getattr(getattr(cell, "dtype", None), "names", None) or ()
    if name not in names or cell.shape != (1, 1):
        raise BadInput(f"{what} lacks {name}")
    return numbers(cell[name][0, 0], f"{what}, {name}", shape, limit=limit)


def _occlusion(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    occluded = np.zeros((*shape, 17), dtype=bool)
    if not path.exists():
        _LOG.warning("%s is not there: every joint counts as visible", path)
        return occluded
    cells = read_mat(path, "occlusion_labels")["occlusion_labels"]
    if cells.shape != shape or cells.dtype != object:
        raise BadInput(f"{path}: occlusion_labels should be {shape[0]} x {shape[1]} cells, got {cells.shape}")
    for at in np.ndindex(shape):
        occluded[at] = numbers(cells[at], f"{path}, frame {at[0]}, person {at[1]}", (1, 17))[0] > 0
    return occluded
