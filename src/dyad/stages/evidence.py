"""Whether what was seen before a moment and what was seen after it is the same person, in units of log-likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.columns import mapped
from dyad.core.skeleton import Skeleton
from dyad.stages.pose_similarity import Joints
from dyad.stages.sightings import Rows, Sightings

# Seconds next to the moment from which motion is read, and those from which lasting traits are.
_MOTION, _TRAITS = 0.5, 2.0


@dataclass(frozen=True)
class Glimpse:
    """A person at one end of a piece of track.

    Attributes:
        time: s. pose (J, 2) px at that time, weight (J,). velocity (2,) px/s; velocity_sigma in heights/s.
        height: px. depth: log m or NaN. bones (B,): log m, NaN where unknown; looks (D,): NaN where unknown; both
        are means over `rows_of_traits` rows.
    """

    time: float
    pose: NDArray
    weight: NDArray
    velocity: NDArray
    velocity_sigma: float
    height: float
    depth: float
    bones: NDArray
    looks: NDArray
    rows_of_traits: int


class Witness:
    """Knows all sightings of a clip, and compares pieces of track.

    Args:
        bones: (N, B) logarithms of the lengths of every row's bones, or None without 3D.
        looks: (N, D) unit descriptors, or None.
        clean: (N,) rows in which nobody else claims the same joints; only they show lasting traits.
    """

    def __init__(
        self,
        seen: Sightings,
        joints: Joints,
        *,
        bones: NDArray | None = None,
        looks: NDArray | None = None,
        clean: NDArray[np.bool_] | None = None,
    ) -> None:
        n = len(seen)
        self.seen, self.joints = seen, joints
        self._bones = np.full((n, 0), np.nan) if bones is None else bones
        self._looks = np.full((n, 0), np.nan) if looks is None else looks
        self._clean = np.ones(n, dtype=bool) if clean is None else clean
        # Standard deviation of what a person's means differ by over time, and of one row from the mean.
        self._looks_sigma, self._bones_sigma = (0.1, 0.1), (0.1, 0.2)

    def learn_traits(self, pieces: Sequence[Rows]) -> None:
        """Take how much a person's looks and bones vary over time from the pieces at hand."""
        looks, bones = [], []
        for rows in pieces:
            rows = rows[self._clean[rows]]
            if len(rows) >= 6:
                early, late = rows[: len(rows) // 2], rows[len(rows) // 2 :]
                first, second = self._mean_looks(early), self._mean_looks(late)
                looks.append((_apart(first, second), _apart(second, self._looks[rows[0]])))
                first, second = _median(self._bones[early]), _median(self._bones[late])
                bones.append((_unlike(first, second), _unlike(second, self._bones[rows[0]])))
        self._looks_sigma = _learned(looks, self._looks_sigma)
        self._bones_sigma = _learned(bones, self._bones_sigma)

    def glimpse(self, rows: Rows, *, end: bool) -> Glimpse | None:
        """What is known at the end, or at the start, of a piece of track; None of an empty one."""
        if not len(rows):
            return None
        seen = self.seen
        time = seen.time[rows]
        moment = float(time[-1] if end else time[0])
        lag = np.abs(time - moment)
        near = rows[lag <= _MOTION]
        if len(near) < 3:
            near = rows[-3:] if end else rows[:3]
            near = near[np.abs(seen.time[near] - moment) <= _TRAITS]
        dt = (seen.time[near] - moment)[:, None]
        weight, xy = seen.weight[near].astype(np.float64), seen.xy[near].astype(np.float64)
        total = np.maximum(weight.sum(0), 1e-9)
        mid_t, mid = (weight * dt).sum(0) / total, (weight[..., None] * xy).sum(0) / total[:, None]
        swing = weight * (dt - mid_t)
        moved = float((swing * (dt - mid_t)).sum())
        height = float(np.median(seen.height[near]))
        # A prior of rest keeps two noisy rows from claiming a wild velocity.
        prior = 1e-3 * float(weight.sum())
        velocity = (swing[..., None] * (xy - mid)).sum((0, 1)) / (moved + prior) if moved > 0 else np.zeros(2)
        span = float(np.ptp(seen.time[near]))
        traits = rows[(lag <= _TRAITS) & self._clean[rows]]
        traits = traits if len(traits) >= 3 else rows[lag <= _TRAITS]
        depth = seen.depth[near]
        return Glimpse(
            time=moment,
            pose=mid - mid_t[:, None] * velocity,
            weight=weight.mean(0),
            velocity=velocity,
            velocity_sigma=min(0.05 / span, 2.0) if span > 0 else 2.0,
            height=height,
            depth=float(np.median(depth[np.isfinite(depth)])) if np.isfinite(depth).any() else np.nan,
            bones=_median(self._bones[traits]),
            looks=self._mean_looks(traits),
            rows_of_traits=len(traits),
        )

    def strangeness(self, before: Glimpse, after: Glimpse) -> float:
        """How unlikely it is, ≥ 0 in nats, that two glimpses in this order are of one person."""
        # What two seconds may change, more seconds hardly change more.
        dt = min(max(after.time - before.time, 1e-3), 2.0)
        height = np.sqrt(before.height * after.height)
        way = 1 - np.exp(-dt)
        weight = before.weight * after.weight / self.joints.spread**2
        shift = after.pose - before.pose
        whole = (weight[:, None] * shift).sum(0) / max(weight.sum(), 1e-9)
        ahead, back = whole - before.velocity * way, whole - after.velocity * way
        unsure = before.velocity_sigma + after.velocity_sigma
        place = 0.08 + (0.5 + 0.5 * min(unsure, 1.0)) * dt
        cost = ((ahead @ ahead) + (back @ back)) / 2 / (2 * (place * height) ** 2)
        turn = (after.velocity - before.velocity) / height
        cost += min((turn @ turn) / (2 * ((0.3 + min(0.8 * dt, 0.7)) ** 2 + unsure**2)), 4.0)
        own = ((shift - whole) ** 2).sum(-1) / (height * (2 * self.joints.spread + self.joints.speed * dt)) ** 2
        cost += 2 * np.exp(-dt / 0.4) * min(float((weight * own).sum() / max(weight.sum(), 1e-9)) / 2, 2.0)
        cost += _spent(np.log(after.height / before.height), 0.15 + 0.15 * dt, most=4.0)
        cost += _spent(after.depth - before.depth, 0.12 + 0.15 * dt, most=4.0)
        return float(cost) + self._traits(before, after)

    def _traits(self, before: Glimpse, after: Glimpse) -> float:
        # Means of few rows are noisy themselves.
        few = 1 / before.rows_of_traits + 1 / after.rows_of_traits
        looks, bones = (float(np.hypot(s, noise * np.sqrt(few))) for s, noise in (self._looks_sigma, self._bones_sigma))
        cost = _spent(_apart(before.looks, after.looks), looks, most=5.0)
        return cost + _spent(_unlike(before.bones, after.bones), bones, most=2.0)

    def steps(self, before: Rows, after: Rows) -> NDArray:
        """Strangeness (M,), 0..10, of single rows that follow one another directly: position and pose alone."""
        seen = self.seen
        dt = np.maximum(seen.time[after] - seen.time[before], 0.0)[:, None]
        height = np.sqrt(seen.height[before] * seen.height[after])[:, None]
        spread = self.joints.spread**2 + ((self.joints.speed + 0.5) * dt) ** 2
        square = ((seen.xy[after] - seen.xy[before]) ** 2).sum(-1) / height**2
        weight = seen.weight[before] * seen.weight[after]
        cost = (weight * np.minimum(square / (2 * spread), 10)).sum(-1) / np.maximum(weight.sum(-1), 1e-6)
        depth = np.nan_to_num(seen.depth[after] - seen.depth[before])
        size = np.log(seen.height[after] / seen.height[before])
        cost += np.minimum((depth / 0.2) ** 2 / 2, 2.0) + np.minimum((size / 0.2) ** 2 / 2, 2.0)
        return np.minimum(cost, 10.0)

    def _mean_looks(self, rows: Rows) -> NDArray:
        looks = self._looks[rows]
        looks = looks[np.isfinite(looks).all(-1)]
        if not len(looks):
            return np.full(self._looks.shape[1], np.nan)
        mean = looks.mean(0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)


# Bones shorter than this, m, such as those of a face, are mostly noise.
_LONG = 0.15


def log_bones(xyz: Tensor, skeleton: Skeleton) -> NDArray | None:
    """Log lengths (N, B) of the long bones of people (N, J, 3) m, both sides of a body averaged; None without any."""
    if not skeleton.bones or not len(xyz):
        return None
    sides = {tuple(sorted((bone, tuple(skeleton.mirror[end] for end in bone)))) for bone in skeleton.bones}
    pairs = np.array(sorted(sides))

    def lengths_of(some: Tensor) -> Tensor:
        joints = some.numpy()
        apart = np.linalg.norm(joints[:, pairs[..., 0]] - joints[:, pairs[..., 1]], axis=-1)
        return torch.from_numpy(apart.mean(-1))

    lengths = mapped(lengths_of, xyz).numpy()
    long = np.nan_to_num(_median(lengths)) >= _LONG
    return np.log(np.maximum(lengths[:, long], 1e-3)) if long.any() else None


def _unlike(first: NDArray, second: NDArray) -> float:
    """Root-mean-square difference of what both know; NaN where they share nothing."""
    change = first - second
    known = np.isfinite(change)
    return float(np.sqrt((change[known] ** 2).mean())) if known.any() else np.nan


def _learned(pairs: Sequence[tuple[float, float]], default: tuple[float, float]) -> tuple[float, float]:
    values = np.array(pairs).reshape(-1, 2)
    values = values[np.isfinite(values).all(-1)]
    if not len(values):
        return default
    lasting, single = np.median(values, axis=0).tolist()
    return max(0.05, 1.2 * lasting), single


def _apart(first: NDArray, second: NDArray) -> float:
    """Hellinger-like distance of unit descriptors in 0..1; NaN where one is unknown."""
    product = float(first @ second) if len(first) else np.nan
    return float(np.sqrt(max(1.0 - product, 0.0))) if np.isfinite(product) else np.nan


def _spent(error: float, sigma: float, *, most: float) -> float:
    """Nats of a normal error, at most `most`; 0 where it is unknown."""
    return min((error / sigma) ** 2 / 2, most) if np.isfinite(error) else 0.0


def _median(values: NDArray) -> NDArray:
    """Median over the first axis of what is known; NaN where nothing is. (NumPy's own takes ten times as long.)"""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)
    known = np.isfinite(ordered).sum(0)
    low, high = (np.maximum(known + odd, 0)[None] // 2 for odd in (-1, 0))
    middle = np.take_along_axis(ordered, np.minimum(low, len(ordered) - 1), 0)
    return ((middle + np.take_along_axis(ordered, np.minimum(high, len(ordered) - 1), 0)) / 2)[0]
