"""A detector that knows the truth and errs as told: for tests, for the demo without a network, for ablations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.detections import Detections
from dyad.core.errors import BadUsage
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.stages.pose_similarity import crowding, heights, joints_of, weights


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How an oracle errs. Lengths are shares of the person's apparent height where not said otherwise.

    Attributes:
        jitter: standard deviation of trunk joints; faces have as much, elbows and knees 1.3, hands and feet 2 times it.
        memory: time constant, s, over which errors of position and of depth stay alike.
        depth: standard deviation of the distance, as a share of it. limbs: that of single 3D joints, m.
        missed: share of person-frames without a detection; they come in bursts of mean length `burst`, s.
        hidden: chance that the farther of two people in one place goes unseen, frame by frame in the same bursts.
        false_people: number of false small people per frame, each of which lasts about 0.1 s.
        looks: standard deviation of the noise on each person's description of looks; None describes no looks.
    """

    jitter: float = 0.012
    memory: float = 0.15
    depth: float = 0.08
    limbs: float = 0.03
    missed: float = 0.05
    burst: float = 0.15
    hidden: float = 0.5
    false_people: float = 0.05
    looks: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.missed < 1 or not 0 <= self.hidden <= 1:
            raise BadUsage(f"missed and hidden are shares below 1, got {self.missed} and {self.hidden}")
        if min(self.jitter, self.depth, self.limbs, self.false_people) < 0 or min(self.memory, self.burst) <= 0:
            raise BadUsage(f"noise is not negative, and memory and burst are positive, got {self}")

    @classmethod
    def mild(cls) -> "Noise":
        """A good detector on a clear view: 0.6 % jitter, 2 % missed, nobody invented."""
        return cls(jitter=0.006, depth=0.04, limbs=0.02, missed=0.02, hidden=0.2, false_people=0.0)

    @classmethod
    def detector(cls) -> "Noise":
        """What BlazePose does on a clear view: 1.2 % jitter, distances 8 % off, some missed, some invented."""
        return cls()

    @classmethod
    def harsh(cls) -> "Noise":
        """A dark and crowded view: 2 % jitter, a fifth missed for 0.3 s at a time, whoever is behind always missed."""
        return cls(jitter=0.02, depth=0.12, limbs=0.05, missed=0.2, burst=0.3, hidden=1.0, false_people=0.3)


# How alike two poses are from which the farther person counts as hidden.
_BEHIND = 0.25
_FALSE_LIFE = 0.1


@dataclass(frozen=True)
class OracleDetector:
    """Detections from `truth`, in its skeleton; `noise=None` gives exactly the truth, with scores of 1.

    Every call repeats the same errors. Rows that the truth marks as filled are nobody's. `cuts` are the frames that a
    hard cut precedes. Without a video (None) the frames are those of the truth.
    """

    truth: Tracks
    noise: Noise | None = None
    seed: int = 0
    cuts: Sequence[int] = ()

    def __call__(self, video: Video | None, prior: Tracks | None = None) -> Iterator[Detections]:
        truth = self.truth
        frames = np.asarray(truth.frames if video is None else video.indices).astype(np.int64)
        times = np.asarray(truth.times if video is None else video.times).astype(np.float64)
        rows = np.flatnonzero(~truth.filled.numpy())
        rows = rows[np.argsort(truth.frame.numpy()[rows], kind="stable")]
        starts, stops = (np.searchsorted(truth.frame.numpy()[rows], frames, side=s) for s in ("left", "right"))
        state = None if self.noise is None else _Errors(truth, self.noise, self.seed)
        previous = None
        for frame, time, start, stop in zip(frames.tolist(), times.tolist(), starts, stops, strict=True):
            cut = any((previous is None or c > previous) and c <= frame for c in self.cuts) and previous is not None
            previous = frame
            exact = self._exact(rows[start:stop], frame, time, cut)
            yield exact if state is None else state.disturb(exact, truth.person.numpy()[rows[start:stop]])

    def _exact(self, rows: NDArray, frame: int, time: float, cut: bool) -> Detections:
        truth, at = self.truth, torch.from_numpy(rows)
        return Detections(
            frame=frame,
            time=time,
            boxes=truth.box[at],
            scores=torch.ones(len(rows)),
            xy=truth.xy[at],
            confidence=truth.confidence[at],
            skeleton=truth.skeleton,
            xyz=truth.xyz[at],
            cut=cut,
        )


class _Errors:
    """Errors that last from frame to frame."""

    def __init__(self, truth: Tracks, noise: Noise, seed: int) -> None:
        self._noise, self._truth = noise, truth
        self._random = np.random.default_rng(seed)
        self._joints = joints_of(truth.skeleton.names)
        self._size = self._joints.spread / self._joints.spread.min()
        self._drift: dict[int, NDArray] = {}
        self._missing: dict[int, bool] = {}
        # Square roots of histograms, as a detector describes clothes.
        self._looks = {p: np.sqrt(self._random.dirichlet(np.full(24, 0.3))) for p in truth.people}
        self._false: list[tuple[float, float, NDArray]] = []
        self._time: float | None = None

    def disturb(self, exact: Detections, people: NDArray) -> Detections:
        """What the detector says where `exact` is true of `people` (N,)."""
        noise, random = self._noise, self._random
        step = exact.time - self._time if self._time is not None else 1 / 30
        self._time = exact.time
        xy = exact.xy.numpy().astype(np.float64)
        n, j = xy.shape[:2]
        confidence = exact.confidence.numpy().astype(np.float64)
        weight = weights(xy, confidence, self._joints.say)
        height = heights(np.nan_to_num(xy), weight, exact.boxes.numpy(), self._joints.stance).astype(np.float64)
        # Three numbers a joint for x, y and depth, and one for the whole person's distance.
        drift = np.stack([self._drifted(int(p), j, step) for p in people]) if n else np.zeros((0, j + 1, 3))
        error = noise.jitter * self._size[:, None] * drift[:, :-1, :2]
        keep = np.array([not self._is_missing(int(p), step) for p in people], dtype=bool)
        keep &= ~self._hidden(exact, xy, weight, height, keep)
        doubt = np.linalg.norm(drift[:, :-1, :2], axis=-1)
        told = confidence * np.exp(-0.05 * doubt) * (1 - np.minimum(noise.jitter * 5, 0.3))
        score = np.clip(told.mean(-1) + 0.05 * random.standard_normal(n), 0.05, 1.0) if j else np.ones(n)
        xyz = self._shifted(exact, drift)
        looks = None
        if noise.looks is not None:
            looks = np.stack([self._looks[int(p)] for p in people]) if n else np.zeros((0, 24))
            looks = np.abs(looks + noise.looks * random.standard_normal(looks.shape))
        seen = Detections(
            frame=exact.frame,
            time=exact.time,
            boxes=(exact.boxes + torch.from_numpy(noise.jitter * height[:, None] * drift[:, 0, [0, 1, 0, 1]])).float(),
            scores=torch.from_numpy(score).float(),
            xy=torch.from_numpy(xy + height[:, None, None] * error).float(),
            confidence=torch.from_numpy(told).float(),
            skeleton=exact.skeleton,
            xyz=xyz,
            appearance=None if looks is None else torch.from_numpy(looks).float(),
            cut=exact.cut,
        )
        return self._with_false(seen[torch.from_numpy(keep)], exact)

    def _drifted(self, person: int, joints: int, step: float) -> NDArray:
        """Unit normal numbers (J + 1, 3) that resemble those of `step` seconds ago."""
        fresh = self._random.standard_normal((joints + 1, 3))
        if person in self._drift:
            alike = float(np.exp(-step / self._noise.memory))
            fresh = alike * self._drift[person] + np.sqrt(1 - alike**2) * fresh
        self._drift[person] = fresh
        return fresh

    def _is_missing(self, person: int, step: float) -> bool:
        """A two-state chain that spends `missed` of the time away, `burst` s at a time."""
        missed, luck = self._noise.missed, float(self._random.random())
        change = float(1 - np.exp(-step / self._noise.burst))
        now = self._missing.get(person)
        if now is None:
            away = luck < missed
        elif now:
            away = luck >= change
        else:
            away = luck < change * missed / (1 - missed)
        self._missing[person] = away
        return away

    def _hidden(self, exact: Detections, xy: NDArray, weight: NDArray, height: NDArray, keep: NDArray) -> NDArray:
        n = len(xy)
        hidden = np.zeros(n, dtype=bool)
        luck = self._random.random(n)
        if n < 2 or not self._noise.hidden:
            return hidden
        crowd = crowding(np.nan_to_num(xy), weight, height, self._joints.spread)
        # Without 3D the smaller person counts as the farther.
        distance = -height
        if exact.xyz is not None and bool(torch.isfinite(exact.xyz[..., 2]).any(-1).all()):
            distance = exact.xyz[..., 2].nanmean(-1).numpy()
        for a, b in np.argwhere(np.triu(crowd > _BEHIND)):
            if keep[a] and keep[b]:
                back = a if distance[a] > distance[b] else b
                hidden[back] |= luck[back] < self._noise.hidden
        return hidden

    def _shifted(self, exact: Detections, drift: NDArray) -> torch.Tensor | None:
        if exact.xyz is None:
            return None
        noise = self._noise
        scale = 1 + noise.depth * drift[:, -1, :1]
        xyz = exact.xyz.numpy() * np.maximum(scale, 0.3)[:, None] + noise.limbs * drift[:, :-1]
        return torch.from_numpy(xyz).float()

    def _with_false(self, seen: Detections, exact: Detections) -> Detections:
        """Small people on somebody's limbs or anywhere, for a moment."""
        noise, random, truth = self._noise, self._random, self._truth
        width, height = truth.camera.size
        self._false = [entry for entry in self._false if entry[0] > exact.time]
        for _ in range(int(random.poisson(noise.false_people))):
            model = truth.xy[int(random.integers(len(truth)))].numpy().astype(np.float64) if len(truth) else None
            if model is None or not np.isfinite(model).any():
                continue
            at = random.uniform((0, 0), (width, height))
            if len(exact) and random.random() < 0.7:
                at = np.nan_to_num(
                    exact.xy[int(random.integers(len(exact))), int(random.integers(len(truth.skeleton)))].numpy()
                )
            pose = at + random.uniform(0.15, 0.5) * (model - np.nanmean(model, 0))
            life = float(random.exponential(_FALSE_LIFE))
            self._false.append((exact.time + life, float(random.uniform(0.2, 0.7)), pose))
        if not self._false:
            return seen
        pose = np.stack([entry[2] for entry in self._false])
        pose = pose + 3 * noise.jitter * random.standard_normal(pose.shape) * np.ptp(
            np.nan_to_num(pose), 1, keepdims=True
        )
        score = torch.tensor([entry[1] for entry in self._false])
        m = len(pose)
        box = torch.from_numpy(np.concatenate((np.nanmin(pose, 1), np.nanmax(pose, 1)), -1)).float()
        xyz = None
        if seen.xyz is not None:
            xyz = torch.cat((seen.xyz, torch.full((m, *seen.xyz.shape[1:]), torch.nan)))
        looks = None
        if seen.appearance is not None:
            looks = torch.cat((seen.appearance, torch.from_numpy(random.dirichlet(np.ones(24), m)).sqrt().float()))
        return Detections(
            frame=seen.frame,
            time=seen.time,
            boxes=torch.cat((seen.boxes, box)),
            scores=torch.cat((seen.scores, score)),
            xy=torch.cat((seen.xy, torch.from_numpy(pose).float())),
            confidence=torch.cat((seen.confidence, score[:, None].expand(m, pose.shape[1]))),
            skeleton=seen.skeleton,
            xyz=xyz,
            appearance=looks,
            cut=seen.cut,
        )
