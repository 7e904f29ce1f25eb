"""A detector that knows the truth and errs as told: for tests, for the demo without a network, for ablations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.detections import Detections
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.stages.oracle_noise import Bursts, Drift, Noise
from dyad.stages.pose_similarity import crowding, heights, joints_of, weights

# How alike two poses are from which the farther person counts as hidden.
_BEHIND = 0.25
_FALSE_LIFE = 0.1

_LEGS = ("hip", "knee", "ankle", "heel", "foot", "toe")
_ARMS = ("shoulder", "elbow", "wrist", "hand", "pinky", "thumb", "index", "finger")


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
        self._drift = Drift(self._random, noise.memory)
        self._missing = Bursts(self._random, noise.missed, noise.burst)
        # Each further kind of error has its own chance, so that adding one leaves the others as they were.
        more = [np.random.default_rng((seed, kind)) for kind in (1, 2, 3)]
        self._blur = Drift(more[0], noise.memory)
        self._swaps = Bursts(more[1], noise.swapped, noise.burst)
        self._mixes = Bursts(more[2], noise.mixed, noise.burst)
        self._sides = more[1].spawn(1)[0]
        self._swapping: dict[int, NDArray] = {}
        self._mirrors = _mirrors(truth.skeleton)
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
        drift = np.zeros((n, j + 1, 3))
        for row, person in enumerate(people.tolist()):
            drift[row] = self._drift(person, (j + 1, 3), step)
        error = noise.jitter * height[:, None, None] * self._size[:, None] * drift[:, :-1, :2]
        if noise.pixels:
            for row, person in enumerate(people.tolist()):
                error[row] += noise.pixels * self._blur(person, (j, 2), step)
        error *= np.where(confidence < 1, noise.guess, 1.0)[..., None]
        keep = np.array([not self._missing(person, step) for person in people.tolist()], dtype=bool)
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
            xy=torch.from_numpy(xy + error).float(),
            confidence=torch.from_numpy(told).float(),
            skeleton=exact.skeleton,
            xyz=xyz,
            appearance=None if looks is None else torch.from_numpy(looks).float(),
            cut=exact.cut,
        )
        seen = self._mixed(self._swapped(seen, people, step), people, keep, step)
        return self._with_false(seen[torch.from_numpy(keep)], exact)

    def _swapped(self, seen: Detections, people: NDArray, step: float) -> Detections:
        """Left for right, in whole bodies, legs or arms."""
        if not self._noise.swapped:
            return seen
        place = np.tile(np.arange(len(seen.skeleton)), (len(seen), 1))
        for row, person in enumerate(people.tolist()):
            if not self._swaps(person, step):
                self._swapping.pop(person, None)
                continue
            if person not in self._swapping:
                self._swapping[person] = self._mirrors[int(self._sides.integers(len(self._mirrors)))]
            place[row] = self._swapping[person]
        at = torch.from_numpy(place)

        def moved(values: torch.Tensor) -> torch.Tensor:
            return values.gather(1, at[..., None].expand(-1, -1, values.shape[-1]))

        return replace(
            seen,
            xy=moved(seen.xy),
            confidence=seen.confidence.gather(1, at),
            xyz=None if seen.xyz is None else moved(seen.xyz),
        )

    def _mixed(self, seen: Detections, people: NDArray, keep: NDArray, step: float) -> Detections:
        """Two people with each other's joints, where their boxes overlap."""
        if not self._noise.mixed or len(seen) < 2:
            return seen
        box = seen.boxes.numpy()
        low, high = np.maximum(box[:, None, :2], box[None, :, :2]), np.minimum(box[:, None, 2:], box[None, :, 2:])
        order = np.arange(len(seen))
        for a, b in np.argwhere(np.triu((high > low).all(-1), 1)):
            if keep[a] and keep[b] and self._mixes(frozenset((int(people[a]), int(people[b]))), step):
                # Where three meet, joints may go round.
                order[[a, b]] = order[[b, a]]
        at = torch.from_numpy(order)
        xyz = None if seen.xyz is None else seen.xyz[at]
        return replace(seen, xy=seen.xy[at], confidence=seen.confidence[at], xyz=xyz)

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


def _mirrors(skeleton: Skeleton) -> list[NDArray[np.int64]]:
    """For the whole body, legs, arms: which joint each one's place goes to when left and right are exchanged."""
    whole = np.array(skeleton.mirror, dtype=np.int64)
    feet = np.array([any(part in name for part in _LEGS) for name in skeleton.names], dtype=bool)
    hands = np.array([any(part in name for part in _ARMS) for name in skeleton.names], dtype=bool) & ~feet
    return [whole, *(np.where(part, whole, np.arange(len(whole))) for part in (feet, hands))]
