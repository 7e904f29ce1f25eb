"""From frame to frame: detections joined to those whose motion predicts them, one pass over the stream.

A person is a pose that moves on with a constant velocity of its own (a Kalman filter in units of the person's height,
driven by frame times, so that dropped frames and uneven rates need nothing special). Confident detections go first and
may start a person; doubtful ones may only carry one on (as in ByteTrack, Zhang et al. 2022).
"""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dyad.stages.pose_similarity import Array, Joints, similarity
from dyad.stages.sightings import Rows, Sightings


@dataclass(frozen=True)
class Following:
    """When a detection carries a person on.

    Attributes:
        start: least score to start a person. carry: least score to carry one on.
        gate: least similarity to the predicted pose; gate_doubtful: the same for scores below `start`.
        coast: how long, in s, someone unseen is predicted before this pass gives up; coast_frames: the same in frames,
            which counts where they are sparse.
        agility: spectral density of acceleration, heights² / s³.
        jitter: standard deviation of a detection's position, heights.
        first_speed: standard deviation of an unknown velocity, heights / s.
        twin: similarity to a detection in use from which another one starts nobody.
    """

    start: float = 0.4
    carry: float = 0.1
    gate: float = 0.4
    gate_doubtful: float = 0.45
    coast: float = 0.4
    coast_frames: float = 4.5
    agility: float = 1.0
    jitter: float = 0.02
    first_speed: float = 0.8
    twin: float = 0.75


class Follower:
    """The state of one pass: `step` with every frame, then `finish`."""

    def __init__(self, policy: Following, joints: Joints) -> None:
        self._policy, self._joints = policy, joints
        self._done: list[array[int]] = []
        self._clear()
        self._now: float | None = None

    def _clear(self) -> None:
        j = len(self._joints.spread)
        self._rows: list[array[int]] = []
        self._pose = np.zeros((0, j, 2), np.float32)
        self._weight = np.zeros((0, j), np.float32)
        self._velocity = np.zeros((0, 2), np.float32)
        # Variance of position, covariance, variance of velocity, in heights.
        self._doubt = np.zeros((0, 3), np.float32)
        self._height = np.zeros(0, np.float32)
        self._depth = np.zeros(0, np.float32)
        self._seen = np.zeros(0)

    def cut(self) -> None:
        """End everyone: what follows was filmed elsewhere."""
        self._done += self._rows
        self._clear()

    def finish(self) -> list[Rows]:
        """Row numbers of every tracklet, by time, in the order of their ends."""
        self.cut()
        return [np.array(rows, dtype=np.int64) for rows in self._done]

    def step(self, seen: Sightings, *, time: float, first_row: int, crowd: Array) -> None:
        """Join the detections of one frame, which are rows `first_row`… of the clip, to the people so far.

        `crowd`: (N, N) similarity of the frame's detections with one another.
        """
        policy = self._policy
        pause = max(time - self._now, 1e-3) if self._now is not None else 0.0
        self._now = time
        self._retire(time - max(policy.coast, policy.coast_frames * pause))
        people, n = len(self._rows), len(seen)
        if n == 0:
            return
        free = np.ones(n, dtype=bool)
        sure = seen.score >= policy.start
        if people:
            pose, doubt = self._predict(time)
            alike = self._alike(seen, pose, doubt, time)
            who, what = _assign(np.where(sure[None], alike, 0.0), policy.gate)
            doubtful = ~sure & (seen.score >= policy.carry)
            if doubtful.any() and len(who) < people:
                rest = np.where(doubtful[None], alike, 0.0)
                rest[who] = 0.0
                more_who, more_what = _assign(rest, policy.gate_doubtful)
                who, what = np.concatenate((who, more_who)), np.concatenate((what, more_what))
            self._update(seen, who, what, pose, doubt, time)
            for person, found in zip(who.tolist(), what.tolist(), strict=True):
                self._rows[person].append(first_row + found)
            free[what] = False
        born = []
        for found in sorted(np.nonzero(free & sure)[0].tolist(), key=lambda i: (-seen.score[i], i)):
            if not (crowd[found][~free] >= policy.twin).any():
                born.append(found)
                free[found] = False
        if born:
            self._begin(seen, np.array(sorted(born)), time, first_row)

    def _retire(self, before: float) -> None:
        late = self._seen < before
        if not late.any():
            return
        self._done += [rows for rows, gone in zip(self._rows, late, strict=True) if gone]
        self._rows = [rows for rows, gone in zip(self._rows, late, strict=True) if not gone]
        keep = ~late
        for name in ("_pose", "_weight", "_velocity", "_doubt", "_height", "_depth", "_seen"):
            setattr(self, name, getattr(self, name)[keep])

    def _predict(self, time: float) -> tuple[Array, Array]:
        """Pose (K, J, 2) px and doubt (K, 3) of everyone at a time."""
        dt = (time - self._seen).astype(np.float32)
        p, c, v = self._doubt.T
        q = self._policy.agility
        doubt = np.stack((p + 2 * dt * c + dt**2 * v + q * dt**3 / 3, c + dt * v + q * dt**2 / 2, v + q * dt), -1)
        # Nobody keeps a velocity for ever: what it carries ends after a second.
        way = self._velocity * (1 - np.exp(-dt))[:, None]
        return self._pose + way[:, None], doubt

    def _alike(self, seen: Sightings, pose: Array, doubt: Array, time: float) -> Array:
        """Similarity (K, N) of everyone's predicted pose with every detection."""
        joints = self._joints
        lag = (time - self._seen).astype(np.float32)
        variance = joints.spread**2 + (joints.speed * lag[:, None]) ** 2 + doubt[:, :1]
        alike = similarity(
            pose[:, None],
            seen.xy[None],
            first_weight=self._weight[:, None],
            second_weight=seen.weight[None],
            height=np.sqrt(self._height[:, None] * seen.height[None]),
            variance=variance[:, None],
        )
        growth = np.log(self._height[:, None] / seen.height[None])
        alike *= np.exp(-0.5 * (growth / (0.25 + 0.3 * lag[:, None])) ** 2)
        depth = np.nan_to_num(self._depth[:, None] - seen.depth[None])
        # Depth is coarse: it may halve a similarity, not veto.
        alike *= 0.5 + 0.5 * np.exp(-0.5 * (depth / (0.2 + 0.3 * lag[:, None])) ** 2)
        # A wide prediction covers more detections; that is not evidence.
        return alike * np.exp(-lag[:, None])

    def _update(self, seen: Sightings, who: Rows, what: Rows, pose: Array, doubt: Array, time: float) -> None:
        joints, jitter = self._joints, self._policy.jitter**2
        before, weight = pose[who], seen.weight[what]
        trust = weight * (self._weight[who] + 0.02) / (joints.spread**2)
        step = seen.xy[what] - before
        whole = (trust[..., None] * step).sum(1) / np.maximum(trust.sum(-1), 1e-9)[:, None]
        p, c, v = doubt[who].T
        gain, gain_speed = p / (p + jitter), c / (p + jitter)
        own = np.where(weight[..., None] > 0, step - whole[:, None], 0.0)
        sure = (weight / np.maximum(joints.say, 1e-6))[..., None]
        self._pose[who] = before + gain[:, None, None] * whole[:, None] + (0.3 + 0.5 * sure) * own
        elapsed = time - self._seen[who]
        kept = self._velocity[who] * np.exp(-elapsed)[:, None].astype(np.float32)
        self._velocity[who] = kept + gain_speed[:, None] * whole
        self._doubt[who] = np.stack((p * (1 - gain), c * (1 - gain), v - gain_speed * c), -1)
        self._weight[who] += 0.5 * (weight - self._weight[who])
        self._height[who] *= (seen.height[what] / self._height[who]) ** 0.3
        old, new = self._depth[who], seen.depth[what]
        self._depth[who] = np.where(np.isfinite(old), old + 0.3 * np.nan_to_num(new - old), new)
        self._seen[who] = time

    def _begin(self, seen: Sightings, born: Rows, time: float, first_row: int) -> None:
        policy, n = self._policy, len(born)
        doubt = np.tile(np.array([policy.jitter**2, 0.0, policy.first_speed**2], np.float32), (n, 1))
        self._rows += [array("q", [first_row + found]) for found in born.tolist()]
        self._pose = np.concatenate((self._pose, seen.xy[born]))
        self._weight = np.concatenate((self._weight, seen.weight[born]))
        self._velocity = np.concatenate((self._velocity, np.zeros((n, 2), np.float32)))
        self._doubt = np.concatenate((self._doubt, doubt))
        self._height = np.concatenate((self._height, seen.height[born]))
        self._depth = np.concatenate((self._depth, seen.depth[born]))
        self._seen = np.concatenate((self._seen, np.full(n, time)))


def _assign(alike: NDArray, gate: float) -> tuple[Rows, Rows]:
    """One-to-one pairs with the largest total similarity, each at least `gate`."""
    rows, columns = linear_sum_assignment(np.where(alike >= gate, alike, 0.0), maximize=True)
    good = alike[rows, columns] >= gate
    return rows[good], columns[good]
