"""Grouping as two published decoders do it, faults and all: HigherHRNet's and the one of [TB].

Known faults, which the parity tests hold: rounded tag distances make ties that only the order of an implementation
decides; people whose first joints have the same tag become one; a joint that is not there is filled in with whatever
pixel scores highest, be it noise or another person's joint.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dyad.models.grouping import AssociativeGrouping, Floats, People
from dyad.models.joints import COCO17, COCO17_TRUNK_OUT, TB14, TB14_TRUNK_OUT
from dyad.models.munkres import munkres
from dyad.models.peaks import Peaks

_WARM = np.float32(0.1)


class ReleasedMatching:
    """Assignment by 100 times the rounded tag distance minus the score, and a new person for who is left over.

    Args:
        tag_threshold: a peak joins a person only below this distance.
        newcomer_cost: cost of the columns added where peaks outnumber people.
        most_people: as many of the people found first are offered to later joints; None: all.
        precision: of distances and costs. It decides between assignments that cost the same but for rounding.
    """

    def __init__(
        self,
        *,
        tag_threshold: float = 1.0,
        newcomer_cost: float = 1e10,
        most_people: int | None = 30,
        precision: Literal["float32", "float64"] = "float64",
    ) -> None:
        self.tag_threshold, self.newcomer_cost, self.most_people = tag_threshold, newcomer_cost, most_people
        self.precision = np.dtype(precision)

    def __call__(self, peaks: Peaks, tags: Floats, *, joints: int, order: Sequence[int]) -> People:
        book = _Book(joints, tags.shape[1])
        for joint in order:
            chosen = np.flatnonzero(peaks.joint == joint)
            if not len(chosen):
                continue
            owners = self._owners(tags[chosen], peaks.value[chosen], book)
            for k, owner in zip(chosen.tolist(), owners, strict=True):
                book.note(owner, joint, peaks, tags[k], k)
        return book.people()

    def _owners(self, tags: Floats, values: Floats, book: "_Book") -> list[int | None]:
        """For each peak the row of its person, or None for a new one."""
        people = list(range(len(book.keys)))[: self.most_people]
        if not people:
            return [None] * len(tags)
        distance = np.linalg.norm(tags[:, None].astype(self.precision) - book.mean_tags(people)[None], axis=2)
        cost = np.round(distance) * 100 - values[:, None].astype(self.precision)
        extra = max(0, len(tags) - len(people))
        cost = np.concatenate((cost.astype(np.float64), np.full((len(tags), extra), self.newcomer_cost)), 1)
        columns = munkres(cost)
        near = [c < len(people) and distance[k, c] < self.tag_threshold for k, c in enumerate(columns.tolist())]
        return [people[c] if ok else None for c, ok in zip(columns.tolist(), near, strict=True)]


class _Book:
    """People in the order in which they were found, each under the first tag of its first joint."""

    def __init__(self, joints: int, tag_size: int) -> None:
        self.joints, self.tag_size = joints, tag_size
        self.keys: dict[float, int] = {}
        self.tag_sum: list[Floats] = []
        self.tag_count: list[int] = []
        self.notes: list[dict[int, tuple[int, int, np.float32, Floats]]] = []

    def mean_tags(self, people: list[int]) -> Floats:
        return np.stack([self.tag_sum[p] / np.float32(self.tag_count[p]) for p in people]).astype(np.float32)

    def note(self, owner: int | None, joint: int, peaks: Peaks, tag: Floats, k: int) -> None:
        entry = (int(peaks.x[k]), int(peaks.y[k]), peaks.value[k], tag)
        if owner is None:
            owner = self.keys.setdefault(float(tag[0]), len(self.keys))
            if owner == len(self.notes):
                self.notes.append({})
                self.tag_sum.append(tag)
                self.tag_count.append(1)
            else:  # somebody has this very tag already: the joint is theirs, and their tags are forgotten
                self.tag_sum[owner], self.tag_count[owner] = tag, 1
        else:
            self.tag_sum[owner] = self.tag_sum[owner] + tag
            self.tag_count[owner] += 1
        self.notes[owner][joint] = entry

    def people(self) -> People:
        shape = (len(self.notes), self.joints)
        people = People(
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.float32),
            np.zeros((*shape, self.tag_size), np.float32),
        )
        for person, notes in enumerate(self.notes):
            for joint, entry in notes.items():
                for array, value in zip(people, entry, strict=True):
                    array[person, joint] = value
        return people


class ReleasedCompletion:
    """A missing joint goes to the pixel with the highest heat minus rounded tag distance, wherever that is.

    Args:
        tag_scale: the distance is divided by this before it is rounded.
    """

    def __init__(self, *, tag_scale: float = 1.0) -> None:
        self.tag_scale = np.float32(tag_scale)

    def __call__(self, people: People, heatmaps: Floats, tags: Floats) -> People:
        x, y, confidence = people.x.copy(), people.y.copy(), people.confidence.copy()
        means = np.stack([_mean_at(tags, people, p) for p in range(len(x))])
        for joint in np.flatnonzero((confidence <= 0).any(0)):
            missing = np.flatnonzero(people.confidence[:, joint] <= 0)
            heat, tag = heatmaps[joint], tags[joint]
            pixel = self._best(heat.reshape(-1), tag.reshape(heat.size, -1), means[missing])
            rows, columns = np.divmod(pixel, heat.shape[1])
            positive = heat[rows, columns] > 0
            missing, rows, columns = missing[positive], rows[positive], columns[positive]
            x[missing, joint], y[missing, joint] = columns, rows
            confidence[missing, joint] = heat[rows, columns]
        return People(x, y, confidence, people.tags)

    def _best(self, heat: Floats, tag: Floats, means: Floats) -> NDArray[np.int64]:
        """For each of the mean tags (M, T) the first pixel with the highest value.

        The value never exceeds the heat, so a pixel that beats the best of the warm ones is warm itself, or that best
        is too low to tell; only then all pixels that could do better are looked at.
        """
        warm = np.flatnonzero(heat > _WARM)
        best, pixel = self._highest(heat, tag, warm, means)
        unsure = np.flatnonzero(best <= _WARM)
        if len(unsure):
            pool = np.flatnonzero(heat >= best[unsure].min())
            pixel[unsure] = self._highest(heat, tag, pool, means[unsure])[1]
        return pixel

    def _highest(
        self, heat: Floats, tag: Floats, pool: NDArray[np.int64], means: Floats
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Highest value (M,) among the pixels of a pool, and the first pixel that has it; -inf in an empty pool."""
        if not len(pool):
            return np.full(len(means), -np.inf, np.float32), np.zeros(len(means), np.int64)
        pooled = tag[pool]
        value = np.square(pooled[:, 0] - means[:, :1])
        for t in range(1, tag.shape[1]):
            value += np.square(pooled[:, t] - means[:, t, None])
        np.sqrt(value, out=value)
        if self.tag_scale != 1:
            value /= self.tag_scale
        np.rint(value, out=value)
        np.subtract(heat[pool], value, out=value)
        first = value.argmax(1)
        return value[np.arange(len(means)), first], pool[first]


def _mean_at(tags: Floats, people: People, person: int) -> Floats:
    """Mean tag (T,) of a person's found joints."""
    joint = np.flatnonzero(people.confidence[person] > 0)
    return np.mean(tags[joint, people.y[person, joint], people.x[person, joint]], axis=0)


def higherhrnet_grouping(
    joints: Sequence[str] = COCO17, order: Sequence[str] = COCO17_TRUNK_OUT, *, most_people: int = 30
) -> AssociativeGrouping:
    """The decoder of HigherHRNet as released."""
    matching = ReleasedMatching(most_people=most_people)
    return AssociativeGrouping(
        joints, order, matching=matching, completion=ReleasedCompletion(), candidates=most_people, offset=0.5
    )


def bottom_up_grouping(
    joints: Sequence[str] = TB14, order: Sequence[str] = TB14_TRUNK_OUT, *, candidates: int = 30
) -> AssociativeGrouping:
    """The decoder of [TB]'s bottom-up network as released."""
    matching = ReleasedMatching(newcomer_cost=0.0, most_people=None, precision="float32")
    completion = ReleasedCompletion(tag_scale=1.5)
    return AssociativeGrouping(
        joints, order, matching=matching, completion=completion, candidates=candidates, offset=0.5
    )
