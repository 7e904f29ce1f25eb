"""A tracker, a lifter and an integrator that know the truth and err as told."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadUsage
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.stages.oracle_noise import Drift
from dyad.stages.pose_similarity import joints_of

# Joints farther off on average, in heights of the true person, are not this person's. Left and right exchanged make
# 0.15 at most; somebody small on this person's limbs makes more.
WITHIN = 0.2

# Arrays of tracks with an entry a row, but for those that say who and when.
_PER_ROW = ("time", "xy", "confidence", "xyz", "sigma", "box", "filled", "agreement", "flags")


@dataclass(frozen=True, kw_only=True)
class TrackNoise:
    """How an oracle confuses people over time.

    Attributes:
        exchanged: how often a minute two people, the nearest to each other in the image, exchange identities for good.
        broken: how often a minute each person becomes somebody new.
    """

    exchanged: float = 1.0
    broken: float = 1.0

    def __post_init__(self) -> None:
        if min(self.exchanged, self.broken) < 0:
            raise BadUsage(f"noise is not negative, got {self}")


@dataclass(frozen=True, kw_only=True)
class PoseNoise:
    """How an oracle's 3D poses err.

    Attributes:
        stature: standard deviation of a person's size and thus distance, as a share of it, for the whole video.
        depth: the same for errors that change with `memory`, s.
        joints: standard deviation of trunk joints, m; faces have as much, elbows and knees 1.3, hands and feet 2 times
            it; alike over `memory` too.
    """

    stature: float = 0.05
    depth: float = 0.02
    joints: float = 0.03
    memory: float = 0.3

    def __post_init__(self) -> None:
        if min(self.stature, self.depth, self.joints) < 0 or self.memory <= 0:
            raise BadUsage(f"noise is not negative, and memory is positive, got {self}")


@dataclass(frozen=True)
class OracleTracker:
    """True identities onto given detections; whoever is nobody of the truth is left out.

    Detections and true people are matched one to one by their 2D joints, frame by frame; ids are those of the truth
    but where `noise` confuses them (new ids follow the truth's largest). Without a video (None) camera, rate and name
    are the truth's.
    """

    truth: Tracks
    noise: TrackNoise | None = None
    seed: int = 0

    def __call__(self, detections: Iterable[Detections], video: Video | None) -> Tracks:
        truth = self.truth
        matcher = _Matcher(truth)
        names = None if self.noise is None else _Names(self.noise, truth.people, self.seed)
        skeleton, cuts = truth.skeleton, []
        frames, times, parts = [], [], []
        for found in detections:
            skeleton = found.skeleton
            frames.append(found.frame)
            times.append(found.time)
            if found.cut:
                cuts.append(found.frame)
            row = matcher(found.frame, found.xy, skeleton)
            found, row = found[row >= 0], row[row >= 0]
            person = truth.person[row]
            if names is not None:
                person = names(person, truth.xy[row], found.time)
            lost = torch.full((*found.xy.shape[:-1], 3), torch.nan)
            parts.append(
                {
                    "frame": torch.full((len(found),), found.frame),
                    "person": person,
                    "time": torch.full((len(found),), found.time, dtype=torch.float64),
                    "box": found.boxes,
                    "xy": found.xy,
                    "confidence": found.confidence,
                    "xyz": lost if found.xyz is None else found.xyz,
                }
            )
        none: dict[str, Tensor] = {"frame": torch.zeros(0, dtype=torch.int64), "person": torch.zeros(0)}
        return Tracks.of_rows(
            skeleton=skeleton,
            camera=truth.camera if video is None else video.camera,
            fps=truth.fps if video is None else video.fps,
            video=truth.video if video is None else video.name,
            frames=torch.tensor(frames, dtype=torch.int64),
            times=torch.tensor(times, dtype=torch.float64),
            cuts=tuple(cuts),
            **({name: torch.cat([part[name] for part in parts]) for name in parts[0]} if parts else none),
        )


@dataclass(frozen=True)
class OracleLifter:
    """True 3D joints onto the rows of tracks, matched to the true people by their 2D joints, frame by frame.

    Rows that are nobody of the truth have no 3D (NaN). `sigma` is what `noise` says, 0 without.
    """

    truth: Tracks
    noise: PoseNoise | None = None
    seed: int = 0

    def __call__(self, tracks: Tracks) -> Tracks:
        truth, skeleton = self.truth, tracks.skeleton
        true_xyz = truth.skeleton.convert(truth.xyz, skeleton)
        xyz, sigma = torch.full_like(tracks.xyz, torch.nan), torch.full_like(tracks.sigma, torch.nan)
        matcher = _Matcher(truth)
        errors = None if self.noise is None else _PoseErrors(self.noise, skeleton, truth.people, self.seed)
        for frame, time in zip(tracks.frames.tolist(), tracks.times.tolist(), strict=True):
            rows = torch.nonzero(tracks.frame == frame)[:, 0]
            partner = matcher(frame, tracks.xy[rows], skeleton)
            rows, partner = rows[partner >= 0], partner[partner >= 0]
            exact = true_xyz[partner]
            xyz[rows], sigma[rows] = exact, torch.where(torch.isnan(exact), torch.nan, 0.0)
            if errors is not None:
                xyz[rows], sigma[rows] = errors(exact, truth.person[partner], time)
        return tracks.with_(xyz=xyz, sigma=sigma)


@dataclass(frozen=True)
class OracleIntegrator:
    """True 3D joints onto all rows that either of two tracks has; where both have one, 2D is the top-down one's.

    The same person has the same id in both. Noise as in `OracleLifter`.
    """

    truth: Tracks
    noise: PoseNoise | None = None
    seed: int = 0
    lifter: OracleLifter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lifter", OracleLifter(self.truth, self.noise, self.seed))

    def __call__(self, top_down: Tracks, bottom_up: Tracks) -> Tracks:
        return self.lifter(merged(top_down, bottom_up))


def merged(first: Tracks, second: Tracks) -> Tracks:
    """The rows of `first`, and those of `second` for person-frames that `first` lacks, in the skeleton of `first`."""
    second = second.convert(first.skeleton)
    mine = set(zip(first.person.tolist(), first.frame.tolist(), strict=True))
    theirs = zip(second.person.tolist(), second.frame.tolist(), strict=True)
    more = second[torch.tensor([who not in mine for who in theirs], dtype=torch.bool)]
    frames = torch.unique(torch.cat((first.frames, second.frames)))
    times = torch.empty(len(frames), dtype=torch.float64)
    for tracks in (second, first):
        times[torch.searchsorted(frames, tracks.frames)] = tracks.times
    rows = {name: torch.cat((getattr(first, name), getattr(more, name))) for name in ("frame", "person", *_PER_ROW)}
    return Tracks.of_rows(
        skeleton=first.skeleton,
        camera=first.camera,
        fps=first.fps,
        video=first.video,
        world=first.world,
        cuts=tuple(sorted({*first.cuts, *second.cuts})),
        frames=frames,
        times=times,
        **rows,
    )


class _Matcher:
    """Finds the true row of each pose of a frame, one to one."""

    def __init__(self, truth: Tracks) -> None:
        self._truth = truth
        self._seen = torch.where(torch.isfinite(truth.xy), truth.xy, truth.reproject().to(truth.xy))
        order = torch.argsort(truth.frame, stable=True)
        self._order = order[~truth.filled[order]]
        self._frame = truth.frame[self._order].contiguous()
        self._skeleton: Skeleton | None = None
        self._xy = self._seen.numpy()

    def __call__(self, frame: int, xy: Tensor, skeleton: Skeleton) -> Tensor:
        """Rows (N,) of the truth for poses (N, J, 2) px, -1 for nobody's."""
        if self._skeleton != skeleton:
            self._skeleton = skeleton
            self._xy = self._truth.skeleton.convert(self._seen, skeleton).numpy().astype(np.float64)
        low, high = (int(torch.searchsorted(self._frame, frame, right=right)) for right in (False, True))
        rows = self._order[low:high]
        out = torch.full((len(xy),), -1, dtype=torch.int64)
        true, found = self._xy[rows.numpy()], xy.detach().cpu().numpy().astype(np.float64)
        cost = _distance(true, found)
        near = cost <= WITHIN
        for a, b in zip(*linear_sum_assignment(np.where(near, cost, 1e6)), strict=True):
            if near[a, b]:
                out[b] = rows[a]
        return out


def _distance(true: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean distance (P, N) of the joints that both have, in heights of the true person; infinite without any."""
    apart = np.linalg.norm(true[:, None] - found[None], axis=-1)
    both = np.isfinite(apart)
    mean = np.where(both, apart, 0.0).sum(-1) / np.maximum(both.sum(-1), 1)
    there = np.isfinite(true)
    low, high = (f(np.where(there, true, -s * np.inf), axis=1) for f, s in ((np.min, -1), (np.max, 1)))
    with np.errstate(invalid="ignore"):
        height = np.maximum(np.nan_to_num((high - low).max(-1), neginf=0.0), 2.0)
    return np.where(both.any(-1), mean / height[:, None], np.inf)


class _Names:
    """What the tracker calls the true people as time goes by."""

    def __init__(self, noise: TrackNoise, people: list[int], seed: int) -> None:
        self._noise, self._random = noise, np.random.default_rng(seed)
        self._called = {person: person for person in people}
        self._new = max(people, default=-1) + 1
        self._time: float | None = None

    def __call__(self, people: Tensor, xy: Tensor, time: float) -> Tensor:
        minutes = 0.0 if self._time is None else (time - self._time) / 60
        self._time = time
        present = people.tolist()
        for person in present:
            if self._random.random() < 1 - np.exp(-minutes * self._noise.broken):
                self._called[person] = self._new
                self._new += 1
        if len(present) > 1 and self._random.random() < 1 - np.exp(-minutes * self._noise.exchanged):
            middle = np.nanmedian(xy.numpy().astype(np.float64), axis=1)
            apart = np.nan_to_num(np.linalg.norm(middle[:, None] - middle[None], axis=-1), nan=np.inf)
            np.fill_diagonal(apart, np.inf)
            a, b = (present[k] for k in np.unravel_index(int(apart.argmin()), apart.shape))
            self._called[a], self._called[b] = self._called[b], self._called[a]
        return torch.tensor([self._called[person] for person in present], dtype=torch.int64)


class _PoseErrors:
    """Errors of 3D poses that last from frame to frame."""

    def __init__(self, noise: PoseNoise, skeleton: Skeleton, people: list[int], seed: int) -> None:
        self._noise = noise
        random = np.random.default_rng(seed)
        self._stature = {person: noise.stature * float(random.standard_normal()) for person in people}
        self._drift = Drift(random, noise.memory)
        spread = joints_of(skeleton.names).spread.astype(np.float64)
        self._joints = noise.joints * (spread / spread.min())[:, None]
        self._time: float | None = None

    def __call__(self, xyz: Tensor, people: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """3D joints (N, J, 3) as the oracle says them, and their standard deviations."""
        step = 0.0 if self._time is None else time - self._time
        self._time = time
        out, exact = np.empty(xyz.shape), xyz.numpy().astype(np.float64)
        for row, person in enumerate(people.tolist()):
            drift = self._drift(person, (xyz.shape[1] + 1, 3), step)
            scale = max(1 + self._stature[person] + self._noise.depth * drift[-1, 0], 0.2)
            out[row] = exact[row] * scale + self._joints * drift[:-1]
        along = np.hypot(self._noise.stature, self._noise.depth) * np.abs(exact)
        return torch.from_numpy(out).float(), torch.from_numpy(np.hypot(along, self._joints)).float()
