"""3DPW's person-frames with the most overlap, scored beside all."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.bench.predictions import find_tracks, pick
from dyad.core.errors import BadInput
from dyad.core.tracks import Tracks
from dyad.datasets.threedpw import read_3dpw_detections
from dyad.evaluation.comparison import Comparison
from dyad.evaluation.occlusion import most_overlapped, overlap_with_others
from dyad.evaluation.protocols import Protocol
from dyad.evaluation.scores import plain_values, pooled, score
from dyad.geometry.boxes import box_of

Boxes = Callable[[int], NDArray[np.float64]]
"""Boxes (n,4) px of everyone detected at a position among a clip's frames."""
Numbers = dict[str, float | int]

_OWN_DETECTIONS = (
    "overlap is with the people whom the data set's own detections show, which leave strangers out: give --detections "
    "for everyone"
)


def hardest_parts(
    rules: Protocol,
    names: Sequence[str],
    comparisons: Sequence[Comparison],
    folder: Path,
    detections: str | PathLike[str] | None,
) -> tuple[dict[str, Numbers], Numbers, list[str]]:
    """Scores of `all`, of the `occluded` and their difference, `drop`; the threshold of overlap; notes."""
    overlaps = []
    for name, compared in zip(names, comparisons, strict=True):
        boxes = _detected(name, folder) if detections is None else _tracked(name, Path(detections), len(compared.times))
        true = np.where(compared.counted[..., None], box_of(compared.xy), np.nan)
        each = np.stack([overlap_with_others(true[t], boxes(t)) for t in range(len(true))])
        overlaps.append(np.where(compared.counted, each, np.nan))
    chosen, threshold = most_overlapped(overlaps, rules.hardest)
    hard = [compared.only(mask) for compared, mask in zip(comparisons, chosen, strict=True)]
    parts = {
        name: plain_values(pooled([score(each, rules) for each in group]))
        for name, group in (("all", comparisons), ("occluded", hard))
    }
    parts["drop"] = {
        name: parts["occluded"][name] - value for name, value in parts["all"].items() if isinstance(value, float)
    }
    facts: Numbers = {"occluded": int(sum(mask.sum() for mask in chosen)), "threshold": threshold}
    return parts, facts, [_OWN_DETECTIONS] if detections is None else []


def _detected(name: str, folder: Path) -> Boxes:
    """The data set's own detections."""
    found = sorted(folder.rglob(f"{name}.pkl"))
    if not found:
        raise BadInput(f"{folder} holds no {name}.pkl of 3DPW")
    boxes = box_of(read_3dpw_detections(found[0])[..., :2])
    return lambda t: _present(boxes[:, t])


def _tracked(name: str, path: Path, frames: int) -> Boxes:
    found = pick(name, find_tracks(path))
    if found is None:
        raise BadInput(f"{path} holds no detections of {name}: expected {name}.npz or {name}/tracks.npz")
    tracks = Tracks.load(found.path)
    around = torch.from_numpy(box_of(tracks.xy.double().numpy()))
    box = torch.where(torch.isfinite(tracks.box).all(-1, keepdim=True), tracks.box.double(), around).numpy()
    frame = tracks.frame.numpy()
    return lambda t: _present(box[frame == t])


def _present(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return boxes[np.isfinite(boxes).all(-1)]
