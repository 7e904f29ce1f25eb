"""Sides and people that take each other's joints for a while, where the flow says that they do not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.skeleton import Skeleton

Array = NDArray[np.float32]

_ARMS = ("shoulder", "elbow", "wrist", "hand", "pinky", "thumb", "index", "finger")
_LEGS = ("hip", "knee", "ankle", "heel", "foot", "toe")


@dataclass(frozen=True, kw_only=True)
class Swaps:
    """How sure one must be of an exchange.

    Attributes:
        slack: a joint that the flow misses by this share of the height is doubtful.
        most: the most, in doubts squared, that one joint may say against a link of two frames.
        sides, people: evidence against a change of state, of sides and of people; in the units of `most`.
        weaker_side, weaker_person: how much less the two count together than on average, 0..1: 1 believes the one that
            says least. Who is hidden has trails that go with what hides it, and speaks for an exchange that was none;
            after a true one both do.
        lasting: s; of people who keep each other's names for longer only the frame of the change is marked.
        near: people are compared who come this near, in heights.
        memory: links of so many frames are looked at; the work doubles with each.
    """

    slack: float = 0.03
    most: float = 4.0
    # Chosen on six rendered clips with what `dyad run` made of them, see docs/refinement.md.
    sides: float = 1.0
    people: float = 8.0
    weaker_side: float = 1.0
    weaker_person: float = 0.5
    lasting: float = 1.0
    near: float = 1.5
    memory: int = 6

    def of_people(
        self, xy: Array, ends: Array, height: Array, times: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(T, P), people to mark as having another's joints, and (T, P), whether they have them: also later on.

        Of joints xy (T, P, J, 2) px, trails (K, T, P, J, 2) px and heights (T, P) px.
        """
        frames, people = xy.shape[:2]
        marks, state = np.zeros((2, frames, people), bool)
        a, b = _pairs(xy, height, self.near)
        if not len(a):
            return marks, state
        # Rows of pairs: the first of each, then the second, against themselves and against each other.
        own, other = xy[:, np.concatenate((a, b))], xy[:, np.concatenate((b, a))]
        trails, tall = ends[:, :, np.concatenate((a, b))], height[:, np.concatenate((a, b))]
        same, crossed = (self._miss(points, trails, tall) for points in (own, other))
        one, two = np.split(crossed - same, 2, axis=-1)
        swapped = chain(_together(one, two, self.weaker_person), self.people, self.memory)
        present = np.asarray(np.isfinite(xy[..., 0]).any(-1))
        for column in range(len(a)):
            for start, stop in _runs(swapped[:, column]):
                first, last = start, stop
                if times[stop - 1] - times[start] > self.lasting or stop == frames:
                    # Which of the two names is right nobody knows, only where they change: not at the first frame.
                    first = start or min(stop, frames - 1)
                    last = first + 1
                for person in (a[column], b[column]):
                    marks[first:last, person] |= present[first:last, person]
                    state[start:stop, person] = True
        return marks, state

    def of_sides(
        self, xy: Array, ends: Array, height: Array, skeleton: Skeleton, other: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """(T, P, J), joints that lie on the other side; `other` (T, P) says who has another's joints."""
        frames, people, joints = xy.shape[:3]
        out = np.zeros((frames, people, joints), bool)
        mirror = np.array(skeleton.mirror)
        for parts in (_ARMS, _LEGS):
            group = [j for j, name in enumerate(skeleton.names) if _is(name, parts) and mirror[j] != j]
            if len(group) < 4:
                continue
            told = []
            for side in ([j for j in group if j < mirror[j]], [j for j in group if j > mirror[j]]):
                crossed, same = (
                    self._miss(xy[:, :, who], ends[:, :, :, side], height) for who in (mirror[side], np.array(side))
                )
                told.append(crossed - same)
            evidence = _together(*told, self.weaker_side)
            for k in range(1, min(len(ends), self.memory, frames - 1) + 1):
                # Two people's joints say nothing about one's sides.
                evidence[k - 1, :-k][other[k:] != other[:-k]] = 0
            out[:, :, group] |= chain(evidence, self.sides, self.memory)[..., None]
        return out

    def _miss(self, points: Array, ends: Array, height: Array) -> Array:
        """(K, T, P), mean of capped squares by which trails miss points (T, P, J, 2) px; NaN without any."""
        count, frames = ends.shape[:2]
        count = min(count, self.memory)
        out = np.full((count, *height.shape), np.nan, np.float32)
        for k in range(1, min(count, frames - 1) + 1):
            off = np.square(points[k:] - ends[k - 1, :-k]).sum(-1) / np.square(self.slack * height[:-k, :, None])
            known = np.isfinite(off)
            total = np.where(known, np.minimum(off, self.most), 0).sum(-1)
            out[k - 1, :-k] = np.where(known.any(-1), total / np.maximum(known.sum(-1), 1), np.nan)
        return out


def chain(evidence: Array, price: float, memory: int) -> NDArray[np.bool_]:
    """(T, N), the state of N chains in T frames that fits links best, the rarer state being True.

    evidence (K, T, N): what it costs that frames t and t + k are of different states (where negative: of the same).
    A change from one frame to the next costs `price` besides. Exact for links of up to `memory` frames.
    """
    links, frames, count = evidence.shape
    links = min(links, memory)
    states = np.arange(1 << links)
    bits = (states[:, None] >> np.arange(links)) & 1  # of the frame k + 1 before
    cost = np.where(states == 0, 0.0, np.inf)[None].repeat(count, 0)
    cost[:, -1] = 0.0  # Before the first frame nothing was, in either state.
    kept = np.zeros((frames, count, 1 << links), bool)
    half = 1 << (links - 1)
    for t in range(frames):
        link = np.stack([evidence[k - 1, t - k] if t >= k else np.zeros(count) for k in range(1, links + 1)], -1)
        ways = []
        for new in (0, 1):
            differs = (bits != new).astype(np.float64)
            ways.append(cost + link @ differs.T + (price * differs[:, 0] if t else 0.0) + 1e-4 * new)
        # A state's oldest bit is forgotten: of the two that become alike the cheaper one lives on.
        fresh = np.empty_like(cost)
        for new, way in enumerate(ways):
            pair = np.stack((way[:, :half], way[:, half:]))
            best = pair[1] < pair[0]
            fresh[:, new::2] = np.where(best, pair[1], pair[0])
            kept[t, :, new::2] = best
        cost = fresh
    out = np.zeros((frames, count), bool)
    state, row = cost.argmin(-1), np.arange(count)
    for t in range(frames - 1, -1, -1):
        out[t] = state & 1
        state = (state >> 1) + half * kept[t, row, state]
    return out


def _together(one: Array, two: Array, weaker: float) -> Array:
    """What two say about a change, which speaks for it where it is negative; whoever knows nothing (NaN) says 0."""
    one, two = np.nan_to_num(one), np.nan_to_num(two)
    return weaker * np.maximum(one, two) + (1 - weaker) * (one + two) / 2


def _pairs(xy: Array, height: Array, near: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The people (n,), (n,) of every pair that comes near each other."""
    people = xy.shape[1]
    known = np.asarray(np.isfinite(xy).all(-1))
    middle = np.where(known[..., None], xy, 0).sum(2) / np.maximum(known.sum(-1), 1)[..., None]
    middle = np.where(known.any(-1, keepdims=True), middle, np.nan)
    middle = _held(middle)
    a, b = np.triu_indices(people, 1)
    apart = np.linalg.norm(middle[:, a] - middle[:, b], axis=-1)
    tall = np.nanmax(np.where(np.isfinite(height), height, 0), 0, initial=0)
    with np.errstate(invalid="ignore"):
        close = (apart < near * np.maximum(tall[a], tall[b])).any(0)
    return a[close], b[close]


def _held(middle: Array) -> Array:
    """Where people were last, while they are absent."""
    out = middle.copy()
    for t in range(1, len(out)):
        out[t] = np.where(np.isfinite(out[t]), out[t], out[t - 1])
    return out


def _runs(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open spans (start, stop) where values (T,) are True."""
    edge = np.flatnonzero(np.diff(np.concatenate(([False], values, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edge[::2], edge[1::2], strict=True)]


def _is(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)
