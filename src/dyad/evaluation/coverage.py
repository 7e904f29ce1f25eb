"""How much was found: shares of person-frames (one person in one frame), in all and by what makes them hard."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Bin:
    """The person-frames whose value is in [low, high): their number and the share of them that was found."""

    low: float
    high: float
    count: int
    share: float


def share(found: ArrayLike, counted: ArrayLike | None = None) -> float:
    """Share in 0..1 of the counted person-frames that were found; bool arrays of one shape. NaN if none counts."""
    hits = np.asarray(found, dtype=bool)
    mask = np.ones(hits.shape, dtype=bool) if counted is None else np.asarray(counted, dtype=bool)
    total = int(mask.sum())
    return float((hits & mask).sum() / total) if total else float("nan")


def clearly_visible(
    height: ArrayLike, occluded: ArrayLike, *, min_height: float = 50.0, max_occluded: float = 0.3
) -> NDArray[np.bool_]:
    """Person-frames that anyone can see: at least `min_height` px tall and at most `max_occluded` of the joints hidden.

    height: (…) px; occluded: (…) share of joints 0..1. A NaN height is never clear.
    """
    tall = np.nan_to_num(np.asarray(height, dtype=np.float64), nan=-np.inf) >= min_height
    # a share such as 3/10 must not fail by its rounding
    return tall & (np.asarray(occluded, dtype=np.float64) <= max_occluded + 1e-9)


def by_value(values: ArrayLike, found: ArrayLike, edges: Sequence[float]) -> tuple[Bin, ...]:
    """Coverage of the person-frames with `values` (N,) in each of the half-open bins between ascending `edges`.

    An empty bin has share NaN; values outside all bins, and NaN, are in none.
    """
    value, hits = np.asarray(values, dtype=np.float64), np.asarray(found, dtype=bool)
    bins = []
    for low, high in pairwise(edges):
        inside = (value >= low) & (value < high)
        bins.append(Bin(float(low), float(high), int(inside.sum()), share(hits, inside)))
    return tuple(bins)
