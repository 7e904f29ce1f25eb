"""Grouping as Dyad does it by default: real distances, one person per newcomer, and no joint out of thin air."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from dyad.models.grouping import AssociativeGrouping, Floats, People
from dyad.models.peaks import Peaks

# What a pair beyond reach costs: more than any set of pairs within reach can save.
_NEVER = 1e6


class NearestTags:
    """Joint by joint, the assignment that lets the surest peaks join people with the nearest tags.

    A pair within reach is worth the peak's height times how near its tag is, so nothing hangs on rounding; who is left
    over is a new person, whatever their tag, while there is room, the surest first.

    Args:
        tag_threshold: a peak joins a person only below this distance from the mean of the person's tags.
        most_people: as many people there can be.
    """

    def __init__(self, *, tag_threshold: float = 1.0, most_people: int = 64) -> None:
        if tag_threshold <= 0 or most_people < 1:
            raise ValueError(f"tag_threshold and most_people must be positive, got {tag_threshold}, {most_people}")
        self.tag_threshold, self.most_people = tag_threshold, most_people

    def __call__(self, peaks: Peaks, tags: Floats, *, joints: int, order: Sequence[int]) -> People:
        shape = (self.most_people, joints)
        x, y = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        confidence = np.zeros(shape, np.float32)
        kept = np.zeros((*shape, tags.shape[1]), np.float32)
        total = np.zeros((self.most_people, tags.shape[1]))
        count = 0
        for joint in order:
            chosen = np.flatnonzero(peaks.joint == joint)
            found = (confidence[:count] > 0).sum(1, keepdims=True)
            rows, owners = self._pairs(tags[chosen], peaks.value[chosen], total[:count] / found)
            newcomers = np.setdiff1d(np.arange(len(chosen)), rows)[: self.most_people - count]
            rows = np.concatenate((rows, newcomers))
            owners = np.concatenate((owners, count + np.arange(len(newcomers))))
            count += len(newcomers)
            k = chosen[rows]
            x[owners, joint], y[owners, joint] = peaks.x[k], peaks.y[k]
            confidence[owners, joint], kept[owners, joint] = peaks.value[k], tags[k]
            total[owners] += tags[k]
        return People(x[:count], y[:count], confidence[:count], kept[:count])

    def _pairs(self, tags: Floats, values: Floats, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of peaks and the people they join, all within reach."""
        distance = np.sqrt(np.square(tags[:, None] - means).sum(-1))
        near = distance < self.tag_threshold
        worth = values[:, None] * (1 - distance / self.tag_threshold)
        rows, owners = linear_sum_assignment(np.where(near, -worth, _NEVER))
        ok = near[rows, owners]
        return rows[ok], owners[ok]


class TagCompletion:
    """A missing joint is the hottest pixel whose tag is the person's, if it is warm and nobody else's.

    Args:
        tag_threshold: how near the tag must be.
        floor: a pixel must be warmer.
        clearance: px, along either axis, from the same joint of others.
    """

    def __init__(self, *, tag_threshold: float = 1.0, floor: float = 0.05, clearance: int = 2) -> None:
        self.tag_threshold, self.floor, self.clearance = tag_threshold, np.float32(floor), clearance

    def __call__(self, people: People, heatmaps: Floats, tags: Floats) -> People:
        x, y, confidence = people.x.copy(), people.y.copy(), people.confidence.copy()
        known = people.confidence > 0
        means = people.tags.sum(1) / known.sum(1, keepdims=True)
        width = heatmaps.shape[2]
        for joint in np.flatnonzero(~known.all(0)):
            pixel = np.flatnonzero(heatmaps[joint] > self.floor)
            rows, columns = np.divmod(pixel, width)
            others = known[:, joint]
            taken = (np.abs(rows[:, None] - y[others, joint]) <= self.clearance) & (
                np.abs(columns[:, None] - x[others, joint]) <= self.clearance
            )
            free = ~taken.any(1)
            rows, columns = rows[free], columns[free]
            heat, tag = heatmaps[joint, rows, columns], tags[joint, rows, columns]
            if not len(heat):
                continue
            missing = np.flatnonzero(~others)
            distance = np.sqrt(np.square(tag - means[missing, None]).sum(-1))
            value = np.where(distance < self.tag_threshold, heat, -np.inf)
            # Who fits best chooses first; others must keep clear of what is then taken.
            for row in np.argsort(-value.max(1), kind="stable"):
                best = int(value[row].argmax())
                if not np.isfinite(value[row, best]):
                    break
                person = missing[row]
                x[person, joint], y[person, joint] = columns[best], rows[best]
                confidence[person, joint] = heat[best]
                near = np.maximum(np.abs(rows - rows[best]), np.abs(columns - columns[best])) <= self.clearance
                value[:, near] = -np.inf
        return People(x, y, confidence, people.tags)


def tag_grouping(
    joints: Sequence[str],
    order: Sequence[str],
    *,
    tag_threshold: float = 1.0,
    detection_threshold: float = 0.1,
    completion_floor: float = 0.05,
    most_people: int = 64,
) -> AssociativeGrouping:
    """Dyad's own decoder of heat maps and tags."""
    return AssociativeGrouping(
        joints,
        order,
        matching=NearestTags(tag_threshold=tag_threshold, most_people=most_people),
        completion=TagCompletion(tag_threshold=tag_threshold, floor=completion_floor),
        candidates=most_people,
        detection_threshold=detection_threshold,
    )
