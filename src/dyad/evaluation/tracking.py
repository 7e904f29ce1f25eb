"""Do identities last: CLEAR (MOTA, switches), IDF1 and HOTA from similarities, for anything that has similarities.

Input everywhere: one `Frame` per frame, also the empty ones. Definitions: Bernardin & Stiefelhagen 2008 (CLEAR),
Ristani et al. 2016 (identity), Luiten et al. 2021 (HOTA). The tests compare with TrackEval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dyad.evaluation.matching import match

HOTA_THRESHOLDS = tuple(np.arange(1, 20) * 0.05)


@dataclass(frozen=True)
class Frame:
    """One frame: identities `truth` (G,) and `predicted` (P,) int, each unique, and `similarity` (G,P) in 0..1."""

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    similarity: NDArray[np.float64]

    def __post_init__(self) -> None:
        expected = (len(self.truth), len(self.predicted))
        if self.similarity.shape != expected:
            raise ValueError(f"similarity must have shape {expected} (truth, predicted), got {self.similarity.shape}")
        if len(set(self.truth.tolist())) < expected[0] or len(set(self.predicted.tolist())) < expected[1]:
            raise ValueError("an identity appears twice in one frame")


class Clear(NamedTuple):
    """MOTA (1 is perfect, below 0 is possible, NaN without truth) and the counts that it is made of."""

    mota: float
    switches: int
    misses: int
    false_positives: int
    truth: int


class Identity(NamedTuple):
    """IDF1, IDP and IDR in 0..1 under the best one-to-one map of whole tracks (NaN where nothing is to be found)."""

    idf1: float
    precision: float
    recall: float


class Hota(NamedTuple):
    """HOTA and its halves, detection and association accuracy, in 0..1; means over the 19 thresholds 0.05 … 0.95."""

    hota: float
    detection: float
    association: float


def clear_mot(frames: Sequence[Frame], *, at_least: float = 0.5) -> Clear:
    """CLEAR with a pair counting as one from similarity `at_least`; whoever may keep his partner does.

    The partner to keep is that of the last frame in which both sides had anyone.
    A switch is a true person matched to another identity than the last one he was matched to, however long ago.
    """
    last: dict[int, int] = {}
    before: dict[int, int] = {}
    switches = misses = false_positives = total = 0
    for frame in frames:
        misses += len(frame.truth)
        false_positives += len(frame.predicted)
        total += len(frame.truth)
        if not frame.similarity.size:
            continue
        similarity = np.where(frame.similarity >= at_least, frame.similarity, np.nan)
        kept = np.array([[before.get(t) == p for p in frame.predicted.tolist()] for t in frame.truth.tolist()])
        # a pair that lasts outweighs every similarity, which is at most 1
        favoured = similarity + 1000.0 * kept.reshape(similarity.shape)
        pairs = match(favoured, at_least=at_least)
        before = {int(frame.truth[g]): int(frame.predicted[p]) for g, p in zip(*pairs[:2], strict=True)}
        switches += sum(last.get(person, found) != found for person, found in before.items())
        last.update(before)
        misses -= len(before)
        false_positives -= len(before)
    mota = 1 - (switches + misses + false_positives) / total if total else float("nan")
    return Clear(mota, switches, misses, false_positives, total)


def identity(frames: Sequence[Frame], *, at_least: float = 0.5) -> Identity:
    """IDF1 with similarity `at_least` for a pair: how long each person has the one identity that suits him best."""
    truth, predicted = _identities(frames)
    together = np.zeros((len(truth), len(predicted)))
    for frame in frames:
        rows, columns = np.nonzero(frame.similarity >= at_least)
        together[[truth[t] for t in frame.truth[rows].tolist()],
                 [predicted[p] for p in frame.predicted[columns].tolist()]] += 1  # fmt: skip
    true_positives = together[linear_sum_assignment(together, maximize=True)].sum()
    true_rows = sum(len(frame.truth) for frame in frames)
    predicted_rows = sum(len(frame.predicted) for frame in frames)
    return Identity(
        _ratio(2 * true_positives, true_rows + predicted_rows),
        _ratio(true_positives, predicted_rows),
        _ratio(true_positives, true_rows),
    )


def hota(frames: Sequence[Frame], *, thresholds: Sequence[float] = HOTA_THRESHOLDS) -> Hota:
    """HOTA: at each threshold the geometric mean of detection and association accuracy, then the mean of them."""
    truth, predicted = _identities(frames)
    potential = np.zeros((len(truth), len(predicted)))
    true_count, predicted_count = np.zeros(len(truth)), np.zeros(len(predicted))
    numbered = []
    for frame in frames:
        rows = np.array([truth[t] for t in frame.truth.tolist()], dtype=np.int64)
        columns = np.array([predicted[p] for p in frame.predicted.tolist()], dtype=np.int64)
        numbered.append((rows, columns, frame.similarity))
        true_count[rows] += 1
        predicted_count[columns] += 1
        both = frame.similarity.sum(0)[None] + frame.similarity.sum(1)[:, None] - frame.similarity
        potential[np.ix_(rows, columns)] += np.divide(
            frame.similarity, both, out=np.zeros_like(frame.similarity), where=both > np.finfo(float).eps
        )
    either = true_count[:, None] + predicted_count[None]
    alignment = potential / np.maximum(either - potential, 1e-12)

    matched = [np.zeros_like(potential) for _ in thresholds]
    for rows, columns, similarity in numbered:
        # one matching, of the pairs that would be long-lived, serves every threshold
        g, p = linear_sum_assignment(alignment[np.ix_(rows, columns)] * similarity, maximize=True)
        for count, threshold in zip(matched, thresholds, strict=True):
            good = similarity[g, p] >= threshold - np.finfo(float).eps
            count[rows[g[good]], columns[p[good]]] += 1

    values = []
    for count in matched:
        hits = count.sum()
        detection = _ratio(hits, true_count.sum() + predicted_count.sum() - hits)
        lived = count / np.maximum(either - count, 1)
        association = float((count * lived).sum() / max(hits, 1))
        values.append((np.sqrt(detection * association), detection, association))
    mean = np.mean(values, axis=0) if values else np.full(3, np.nan)
    return Hota(*(float(value) for value in mean))


def _identities(frames: Sequence[Frame]) -> tuple[dict[int, int], dict[int, int]]:
    """Row numbers of all true and all predicted identities of a clip."""
    truth = sorted({t for frame in frames for t in frame.truth.tolist()})
    predicted = sorted({p for frame in frames for p in frame.predicted.tolist()})
    return {t: i for i, t in enumerate(truth)}, {p: i for i, p in enumerate(predicted)}


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
