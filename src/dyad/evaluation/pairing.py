"""Who is whose partner, frame by frame: by looks in the image, because there is only one, or by name."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.evaluation import tracking
from dyad.evaluation.boxes import area_of
from dyad.evaluation.matching import match
from dyad.evaluation.oks import oks, sigmas
from dyad.geometry.boxes import box_of

MIN_OKS = 0.1
"""Least 2D similarity of partners. It is low: whoever is near counts as found, and 3D says how well."""


def rows_by_frame(position: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """For each of `count` frames the rows (n,), ascending, of those whose `position` (N,) it is."""
    order = np.argsort(position, kind="stable")
    starts = np.searchsorted(position[order], np.arange(count + 1))
    return [order[start:stop] for start, stop in pairwise(starts)]


class Partners(NamedTuple):
    """Rows of the prediction for each true person of T frames.

    row: (T,P), -1 for nobody. similarity: (T,P), NaN for nobody. frames: all similarities, for the tracking metrics.
    """

    row: NDArray[np.int64]
    similarity: NDArray[np.float64]
    frames: tuple[tracking.Frame, ...]


def partners(
    true_xy: NDArray[np.float64],
    counted: NDArray[np.bool_],
    xy: NDArray[np.float64],
    position: NDArray[np.int64],
    person: NDArray[np.int64],
    joints: Sequence[str],
    *,
    at_least: float = MIN_OKS,
) -> Partners:
    """One-to-one partners by OKS, frame by frame.

    Args:
        true_xy: (T,P,J,2) px; counted: (T,P) who is there.
        xy: (N,J,2) px; position: (N,) in which of the T frames; person: (N,) identity.
        joints: their J names, for the spread of each; area is 0.53 × the box of the true joints.
    """
    area, sigma = area_of(box_of(true_xy)), sigmas(joints)
    row = np.full(counted.shape, -1)
    alike = np.full(counted.shape, np.nan)
    frames = []
    for t, here in enumerate(rows_by_frame(position, len(counted))):
        people = np.nonzero(counted[t])[0]
        similarity = oks(true_xy[t, people], xy[here], area=area[t, people], sigma=sigma)
        pairs = match(similarity, at_least=at_least)
        row[t, people[pairs.truth]] = here[pairs.predicted]
        alike[t, people[pairs.truth]] = pairs.similarity
        frames.append(tracking.Frame(people, person[here], similarity))
    return Partners(row, alike, tuple(frames))


def alone(counted: NDArray[np.bool_], position: NDArray[np.int64], person: NDArray[np.int64]) -> Partners:
    """Partners where the truth is one person: of those predicted in a frame the one who has the most rows in all.

    counted: (T,1) whether the person is there; position: (N,) frame 0..T-1 and person: (N,) identity of each predicted
    row. No truth takes part in the choice, and no 2D is needed. Similarities are 1 for the one chosen. BadInput for a
    truth of several people.
    """
    if counted.shape[1] > 1:
        raise BadInput(f"a protocol for one person an image got a truth of {counted.shape[1]} people")
    names, rows = np.unique(person, return_counts=True)
    most = dict(zip(names.tolist(), rows.tolist(), strict=True))
    row, alike = np.full(counted.shape, -1), np.full(counted.shape, np.nan)
    frames = []
    for t, here in enumerate(rows_by_frame(position, len(counted))):
        people = np.nonzero(counted[t])[0]
        similarity = np.zeros((len(people), len(here)))
        if len(people) and len(here):
            best = int(np.argmax([most[int(p)] for p in person[here]]))
            similarity[0, best] = 1.0
            row[t, 0], alike[t, 0] = here[best], 1.0
        frames.append(tracking.Frame(people, person[here], similarity))
    return Partners(row, alike, tuple(frames))


def by_index(
    counted: NDArray[np.bool_],
    people: NDArray[np.int64],
    position: NDArray[np.int64],
    person: NDArray[np.int64],
) -> Partners:
    """Partners by identity: that of the prediction is that of the truth `people` (P,). The truth helps here."""
    row, alike = np.full(counted.shape, -1), np.full(counted.shape, np.nan)
    frames = []
    for t, here in enumerate(rows_by_frame(position, len(counted))):
        there = np.nonzero(counted[t])[0]
        similarity = (people[there][:, None] == person[here][None]).astype(np.float64)
        g, p = np.nonzero(similarity)
        row[t, there[g]], alike[t, there[g]] = here[p], 1.0
        frames.append(tracking.Frame(people[there], person[here], similarity))
    return Partners(row, alike, tuple(frames))
