"""Pieces of track joined over gaps, and identities put right after people crossed, with the whole clip in view."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dyad.stages.evidence import Witness
from dyad.stages.sightings import Rows


@dataclass(frozen=True)
class Linking:
    """When pieces are one person.

    Attributes:
        gap: longest absence, in s, after which someone is found again; gap_hidden: the same for those who went and came
            beside somebody who was there all along, and who may have hidden them.
        strange: nats of strangeness from which a link is refused. per_second: nats that every second of a gap costs.
        short: nats that a piece of one row costs; longer ones cost less, by the root of their length.
        near: distance, in heights, within which two people may be confused.
        reluctance: nats of evidence that an exchange of identities needs beyond what frame-to-frame motion says.
    """

    gap: float = 2.0
    gap_hidden: float = 5.0
    strange: float = 4.5
    per_second: float = 0.7
    short: float = 1.5
    near: float = 0.35
    reluctance: float = 0.75


def link(pieces: list[Rows], witness: Witness, policy: Linking) -> list[Rows]:
    """Join pieces that follow one another within the gap, by the least total strangeness."""
    seen = witness.seen
    first = np.array([seen.time[rows[0]] for rows in pieces])
    order = np.argsort(first, kind="stable")
    ends = [witness.glimpse(rows, end=True) for rows in pieces]
    starts = [witness.glimpse(rows, end=False) for rows in pieces]
    frail = [policy.short / np.sqrt(len(rows)) for rows in pieces]
    company = _Company(pieces, witness, 1.5 * policy.near)
    pairs: list[tuple[int, int, float]] = []
    for i, rows in enumerate(pieces):
        over, shot = seen.time[rows[-1]], seen.shot[rows[-1]]
        low, high = np.searchsorted(
            first[order], (over, over + max(policy.gap, policy.gap_hidden) + 1e-6), side="right"
        )
        for k in order[low:high].tolist():
            before, after, pause = ends[i], starts[k], float(first[k] - over)
            if seen.shot[pieces[k][0]] != shot or before is None or after is None:
                continue
            if pause > policy.gap + 1e-6 and not company.hid(i, k):
                continue
            cost = witness.strangeness(before, after) + policy.per_second * min(pause, policy.gap) + frail[i] + frail[k]
            if cost < policy.strange:
                pairs.append((i, k, cost))
    following = dict(_cheapest(pairs, len(pieces), policy.strange))
    led = set(following.values())
    joined = []
    for i in range(len(pieces)):
        if i not in led:
            chain = [i]
            while chain[-1] in following:
                chain.append(following[chain[-1]])
            joined.append(np.concatenate([pieces[c] for c in chain]))
    return joined


def _cheapest(pairs: list[tuple[int, int, float]], n: int, strange: float) -> list[tuple[int, int]]:
    """The one-to-one links that save most against not linking; solved per connected group, so long clips stay cheap."""
    if not pairs:
        return []
    i, k, cost = (np.array(column) for column in zip(*pairs, strict=True))
    graph = coo_array((np.ones(len(i)), (i, k + n)), shape=(2 * n, 2 * n))
    group = connected_components(graph, directed=False)[1]
    chosen = []
    by_group = np.argsort(group[i], kind="stable")
    for members in np.split(by_group, np.flatnonzero(np.diff(group[i][by_group])) + 1):
        rows, row_of = np.unique(i[members], return_inverse=True)
        columns, column_of = np.unique(k[members], return_inverse=True)
        saved = np.zeros((len(rows), len(columns)))
        saved[row_of, column_of] = strange - cost[members]
        for r, c in zip(*linear_sum_assignment(saved, maximize=True), strict=True):
            if saved[r, c] > 0:
                chosen.append((int(rows[r]), int(columns[c])))
    return chosen


def untangle(tracks: list[Rows], witness: Witness, policy: Linking) -> list[Rows]:
    """Exchange what two people did after they met where looks, build and motion say that it was the other way round."""
    tracks = list(tracks)
    for _ in range(3):
        changed = False
        for a, b, start, stop in _meetings(tracks, witness, policy):
            at = _exchange_at(tracks[a], tracks[b], start, stop, witness, policy)
            if at is not None:
                tracks[a], tracks[b] = _exchanged(tracks[a], tracks[b], at, witness)
                changed = True
        tracks = [rows for rows in tracks if len(rows)]
        if not changed:
            break
    return tracks


def _exchanged(a: Rows, b: Rows, at: float, witness: Witness) -> tuple[Rows, Rows]:
    late_a, late_b = witness.seen.time[a] > at, witness.seen.time[b] > at
    return np.concatenate((a[~late_a], b[late_b])), np.concatenate((b[~late_b], a[late_a]))


def _meetings(tracks: list[Rows], witness: Witness, policy: Linking) -> list[tuple[int, int, float, float]]:
    """(a, b, from, to) for every time span in which two people came near one another, by time."""
    seen = witness.seen
    paths = [_Path.of(rows, witness) for rows in tracks]
    span = np.array([(p.time[0] - _REACH, p.time[-1] + _REACH) for p in paths]).reshape(-1, 2)
    found = []
    for a in range(len(tracks)):
        partners = np.nonzero((span[:, 0] <= span[a, 1]) & (span[:, 1] >= span[a, 0]))[0]
        for b in partners[partners > a].tolist():
            if seen.shot[tracks[a][0]] != seen.shot[tracks[b][0]]:
                continue
            times = np.union1d(paths[a].time, paths[b].time)
            low, high = max(span[a, 0], span[b, 0]), min(span[a, 1], span[b, 1])
            times = times[(times >= low) & (times <= high)]
            near = times[_nearness(paths[a], paths[b], times) < policy.near]
            if len(near):
                breaks = np.flatnonzero(np.diff(near) > 0.5)
                begins, stops = near[np.r_[0, breaks + 1]], near[np.r_[breaks, len(near) - 1]]
                found += [(a, b, float(s), float(e)) for s, e in zip(begins, stops, strict=True)]
    return sorted(found, key=lambda m: (m[2], m[3], m[0], m[1]))


# Someone stays where he was last seen for this long, s, when it is asked whom he met.
_REACH = 0.3


@dataclass(frozen=True)
class _Path:
    time: NDArray
    middle: NDArray
    height: NDArray

    @classmethod
    def of(cls, rows: Rows, witness: Witness) -> "_Path":
        seen = witness.seen
        weight = seen.weight[rows] / witness.joints.spread**2
        total = np.maximum(weight.sum(-1), 1e-9)
        middle = (weight[..., None] * seen.xy[rows]).sum(1) / total[:, None]
        return cls(seen.time[rows], middle, seen.height[rows])


class _Company:
    """Who was beside whom at the ends of pieces."""

    def __init__(self, pieces: list[Rows], witness: Witness, near: float) -> None:
        self._paths = [_Path.of(rows, witness) for rows in pieces]
        self._from = np.array([path.time[0] for path in self._paths])
        self._to = np.array([path.time[-1] for path in self._paths])
        self._near = near

    def hid(self, gone: int, back: int) -> bool:
        """Whether somebody was there from the end of one piece to the start of another, and near both times."""
        times = np.array([self._to[gone], self._from[back]])
        there = np.nonzero((self._from <= times[0]) & (self._to >= times[1]))[0]
        ends = ((gone, times[:1]), (back, times[1:]))
        return any(all(_nearness(self._paths[j], self._paths[p], t)[0] < self._near for p, t in ends) for j in there)


def _nearness(a: _Path, b: _Path, times: NDArray) -> NDArray:
    """Distance in heights of two people at times, interpolated where one was not seen."""

    def at(path: _Path, values: NDArray) -> NDArray:
        return np.interp(times, path.time, values)

    dx = at(a, a.middle[:, 0]) - at(b, b.middle[:, 0])
    dy = at(a, a.middle[:, 1]) - at(b, b.middle[:, 1])
    return np.hypot(dx, dy) / np.sqrt(at(a, a.height) * at(b, b.height))


def _exchange_at(a: Rows, b: Rows, start: float, stop: float, witness: Witness, policy: Linking) -> float | None:
    """The time after which a and b should change names, or None where they should not."""
    seen = witness.seen
    sides = [(rows[seen.time[rows] < start], rows[seen.time[rows] > stop]) for rows in (a, b)]
    before = [witness.glimpse(rows, end=True) for rows, _ in sides]
    after = [witness.glimpse(rows, end=False) for _, rows in sides]
    if not any(before) or not any(after):
        return None

    def total(partner: tuple[int, int]) -> float:
        pairs = [(before[i], after[k]) for i, k in enumerate(partner)]
        return sum(witness.strangeness(x, y) for x, y in pairs if x is not None and y is not None)

    gain = total((0, 1)) - total((1, 0))
    if gain < policy.reluctance:
        return None
    at, price = _weakest_step(a, b, start, stop, witness)
    return at if gain > price + policy.reluctance else None


def _weakest_step(a: Rows, b: Rows, start: float, stop: float, witness: Witness) -> tuple[float, float]:
    """When exchanging costs the frame-to-frame motion least, and how many nats (-3..8) it costs then."""
    time = witness.seen.time
    moments = np.union1d(time[a], time[b])
    moments = moments[max(np.searchsorted(moments, start) - 1, 0) : np.searchsorted(moments, stop, side="right")]
    lead_a, lead_b = (np.searchsorted(time[rows], moments, side="right") for rows in (a, b))

    def cost(x: Rows, lead_x: NDArray, y: Rows, lead_y: NDArray) -> NDArray:
        out = np.zeros(len(moments))
        both = (lead_x > 0) & (lead_y < len(y))
        out[both] = witness.steps(x[lead_x[both] - 1], y[lead_y[both]])
        return out

    own = cost(a, lead_a, a, lead_a) + cost(b, lead_b, b, lead_b)
    crossed = cost(a, lead_a, b, lead_b) + cost(b, lead_b, a, lead_a)
    best = int(np.argmin(crossed - own))
    return float(moments[best]), float(np.clip((crossed - own)[best], -3.0, 8.0))


def overlap(tracks: list[Rows], pairs: NDArray, rows: int) -> dict[tuple[int, int], int]:
    """In how many frames two tracks share the pairs (M, 2) of row numbers."""
    owner = np.full(rows, -1)
    for number, track in enumerate(tracks):
        owner[track] = number
    whose = np.sort(owner[pairs.reshape(-1, 2)], axis=1)
    whose = whose[(whose[:, 0] >= 0)]
    both, count = np.unique(whose, axis=0, return_counts=True)
    return {(int(a), int(b)): int(n) for (a, b), n in zip(both, count, strict=True)}


def gaps(times: NDArray) -> float:
    """The usual step, s, between frames; 0 of fewer than two."""
    return float(np.median([y - x for x, y in pairwise(times.tolist())])) if len(times) > 1 else 0.0
