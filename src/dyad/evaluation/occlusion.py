"""Who is hidden by others, as far as boxes tell: the overlap of a person's box with those of other detected people."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.evaluation.boxes import iou
from dyad.evaluation.matching import match

OWN = 0.3
"""Least IoU of a person's own detection with the box round their true joints."""


def overlap_with_others(true: ArrayLike, detected: ArrayLike) -> NDArray[np.float64]:
    """Largest IoU (P,) of each true person with a detection of anybody else in one frame; 0 where there is none.

    true: (P,4) boxes round the true joints, NaN for who is not there; detected: (n,4). Detections are first given to
    true people one-to-one by IoU; a person's own detection is their box where they have one, and is no other person.
    """
    targets, found = np.asarray(true, dtype=np.float64), np.asarray(detected, dtype=np.float64).reshape(-1, 4)
    pairs = match(iou(targets, found), at_least=OWN)
    boxes = targets.copy()
    boxes[pairs.truth] = found[pairs.predicted]
    overlap = iou(boxes, found)
    overlap[pairs.truth, pairs.predicted] = 0.0
    return overlap.max(-1, initial=0.0)


class Hardest(NamedTuple):
    """Which person-frames are chosen, one mask a clip, and the least overlap among them (NaN if nobody overlaps)."""

    chosen: tuple[NDArray[np.bool_], ...]
    threshold: float


def most_overlapped(overlaps: Sequence[NDArray[np.float64]], count: int) -> Hardest:
    """The `count` person-frames of all clips with the largest overlap, or all that overlap at all if these are fewer.

    overlaps: for each clip an array of any shape, NaN for who does not count. Of equals the earlier one is taken.
    """
    flat = np.concatenate([np.empty(0), *(each.ravel() for each in overlaps)])
    rank = np.argsort(-np.nan_to_num(flat, nan=-1.0), kind="stable")[:count]
    rank = rank[np.nan_to_num(flat[rank]) > 0]
    mask = np.zeros(len(flat), dtype=bool)
    mask[rank] = True
    parts = np.split(mask, np.cumsum([each.size for each in overlaps])[:-1]) if overlaps else []
    chosen = tuple(part.reshape(each.shape) for part, each in zip(parts, overlaps, strict=True))
    return Hardest(chosen, float(flat[rank].min()) if len(rank) else float("nan"))
