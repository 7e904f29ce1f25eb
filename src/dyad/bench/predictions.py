"""Predictions as people store them: tracks, folders of them by clip name, COCO results, folders of flow."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows, Lazy
from dyad.core.flow_files import read_flow
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.datasets.coco import MALFORMED, fault
from dyad.datasets.reading import natural, read_json

_FLOWS = (".flo", ".pfm")


def key_of(name: str) -> str:
    """A clip's name without what file systems and authors change: `TS01` is `TS1`, `S9/Walking 1` is `s9_walking_1`."""
    plain = re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


@dataclass(frozen=True)
class Found:
    """A file or folder of predictions and the name of the clip it is of."""

    name: str
    path: Path


def pick(name: str, found: Sequence[Found]) -> Found | None:
    """The predictions of a clip: by its whole name, by the last part of it, or by the only one that begins so."""
    whole, last = key_of(name), key_of(name.rpartition("/")[2])
    keys = [(key_of(each.name), key_of(each.name.rpartition("/")[2])) for each in found]
    for fits in (
        [key == whole for key, _ in keys],
        [last in pair for pair in keys],
        [tail.startswith(f"{last}_") for _, tail in keys],
    ):
        if sum(fits) == 1:
            return found[fits.index(True)]
    return None


def find_tracks(path: str | Path) -> list[Found]:
    """Every tracks file: the file itself, `FOLDER/tracks.npz`, or below a folder `NAME.npz` and `NAME/tracks.npz`."""
    path = Path(path)
    if not path.exists():
        raise BadInput(f"there are no predictions at {path}")
    if path.is_file():
        return [Found(path.parent.name if path.stem == "tracks" else path.stem, path)]
    if (path / "tracks.npz").is_file():
        return [Found(path.name, path / "tracks.npz")]
    found = []
    for file in sorted(path.rglob("*.npz"), key=natural):
        if file.name == "truth.npz":
            continue
        place = file.relative_to(path).with_suffix("")
        found.append(Found((place.parent if place.name == "tracks" else place).as_posix(), file))
    return found


class Album:
    """Tracks of many single images in one file: frame i is the i-th image."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        order = torch.argsort(tracks.frame, stable=True)
        frames, counts = torch.unique_consecutive(tracks.frame[order], return_counts=True)
        self._rows = dict(zip(frames.tolist(), torch.split(order, counts.tolist()), strict=True))

    def __getitem__(self, position: int) -> Tracks:
        """The people of one image, as frame 0."""
        rows = self._tracks[self._rows.get(position, torch.empty(0, dtype=torch.int64))]
        zero = torch.zeros(1, dtype=torch.int64)
        return rows.with_(frame=torch.zeros_like(rows.frame), frames=zero, times=zero.double(), cuts=())


def find_flows(path: str | Path) -> list[Found]:
    """Every folder with files of flow, `.flo` or `.pfm`, at or below a folder."""
    path = Path(path)
    if not path.is_dir():
        raise BadInput(f"there is no folder of flow at {path}")
    folders = {file.parent for suffix in _FLOWS for file in path.rglob(f"*{suffix}")}
    return [
        Found(path.name if folder == path else folder.relative_to(path).as_posix(), folder)
        for folder in sorted(folders, key=natural)
    ]


def has_flows(path: str | Path) -> bool:
    """Whether a folder holds files of flow."""
    return Path(path).is_dir() and any(next(Path(path).rglob(f"*{suffix}"), None) for suffix in _FLOWS)


def read_flows(folder: Path, pairs: int, size: tuple[int, int]) -> Flows:
    """The flows of a clip with so many pairs of frames, one file each in natural order. Raises BadInput."""
    files = sorted((f for f in folder.iterdir() if f.suffix in _FLOWS), key=natural)
    if len(files) != pairs:
        raise BadInput(f"{folder} should hold {pairs} files of flow, one for each pair of frames, got {len(files)}")

    def one(position: int) -> Flow:
        flow = read_flow(files[position])
        if flow.size != size:
            raise BadInput(f"{files[position]} is a flow of {flow.size} px, the truth is of {size} px")
        return flow

    return Lazy(pairs, one)


def read_results(path: str | Path, skeleton: Skeleton) -> dict[Any, Detections]:
    """A COCO results file: the people found in each image, by the image's id. Raises BadInput.

    skeleton: the joints of the annotation file, which results have in its order.
    """
    path = Path(path)
    content = read_json(path)
    if isinstance(content, dict):
        content = content.get("annotations")
    if not isinstance(content, list):
        raise BadInput(f"{path} should hold a list of results with image_id, keypoints and score")
    people: dict[Any, list[tuple[np.ndarray, float]]] = {}
    try:
        for entry in content:
            if int(entry.get("category_id", 1)) != 1:
                continue
            points = np.array(entry["keypoints"], dtype=np.float64)
            if points.size != 3 * len(skeleton) or not np.isfinite(points).all():
                raise ValueError(f"a result has {points.size} keypoint values, expected {3 * len(skeleton)} numbers")
            people.setdefault(entry["image_id"], []).append((points.reshape(-1, 3), float(entry["score"])))
    except MALFORMED as error:
        raise BadInput(f"{path} is no COCO results file: {fault(error)}") from error
    return {image: _detections(found, skeleton) for image, found in people.items()}


def _detections(found: Iterable[tuple[np.ndarray, float]], skeleton: Skeleton) -> Detections:
    points = torch.from_numpy(np.stack([each for each, _ in found])).float()
    scores = torch.tensor([score for _, score in found])
    xy = points[..., :2]
    boxes = torch.cat((xy.amin(1), xy.amax(1)), -1)
    return Detections(0, 0.0, boxes, scores, xy, points[..., 2], skeleton)
