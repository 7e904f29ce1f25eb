"""Clips to refine, and the estimates that refinement begins with: worlds that no training sees, noise of two levels.

A case is a clip, somebody's poses of it, and one flow pass of a network over it. Everything that is measured about
refinement starts from the same cases.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
import torch

from dyad.core.clip import Clip
from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.pairs import pairs
from dyad.core.protocols import FlowEstimator
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Chunk, Video
from dyad.estimates.sheet import Advice
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_noise import Noise
from dyad.stages.oracle_tracks import OracleLifter, OracleTracker, PoseNoise
from dyad.synthetic.annotation import everyone
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.scenes import Scene

FIRST_SEED = 2**31 + 700_000
"""Of the held-out worlds that are measured on here; choices of parameters were made on others."""
SIZE = (384, 288)
_AT_ONCE = 8
_TRIES = 40
_IN_VIEW = 4
"""Joints in the image without which nobody is found."""
_LIMBS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
FAST = 2.5
"""m/s about the pelvis that a hand or foot of clips with fast limbs exceeds in a tenth of the time."""


class Poses(Protocol):
    """Estimates poses, or makes such as an estimator would; with them, how to refine them, None where nothing tells."""

    @property
    def name(self) -> str: ...

    def __call__(self, clip: Clip, seed: int) -> tuple[Tracks, Advice | None]: ...


@dataclass(frozen=True)
class Level:
    """The truth of a clip as an estimator would have it: how its 2D joints err, and how its 3D poses do; None: not."""

    name: str
    flat: Noise | None
    solid: PoseNoise | None

    def __call__(self, clip: Clip, seed: int) -> tuple[Tracks, Advice | None]:
        truth = clip.truth
        if truth is None:
            raise BadUsage(
                f"the clip {clip.name!r} has no true people to make estimates from; give predictions or a detector"
            )
        # Two estimators do not err alike.
        seed = seed + zlib.crc32(self.name.encode())
        found = OracleDetector(truth, self.flat, seed)(clip.video)
        tracks = OracleLifter(truth, self.solid, seed)(OracleTracker(truth)(found, clip.video))
        # Nobody finds whoever is outside the image.
        return tracks[(tracks.confidence > 0).sum(-1) >= _IN_VIEW], None


@dataclass(frozen=True)
class Real:
    """An estimator that looks at the images, such as a `Pipeline`, and how its poses should be refined."""

    name: str
    pipeline: Callable[[Video], Tracks]
    advice: Advice | None = None

    def __call__(self, clip: Clip, seed: int) -> tuple[Tracks, Advice | None]:
        if clip.video is None:
            raise BadUsage(f"the clip {clip.name!r} has no images to find people in")
        return self.pipeline(clip.video), self.advice


LEVELS = (
    Level("good", Noise.mild(), PoseNoise(stature=0.03, depth=0.01, joints=0.02)),
    Level("bad", Noise.confused(), PoseNoise(stature=0.06, depth=0.03, joints=0.045)),
)
TWINS = (
    Level("first", Noise.detector(), PoseNoise(joints=0.035)),
    Level("second", Noise.detector(), PoseNoise(joints=0.03)),
)
"""Two estimators of about the same quality, whose mean is worth something."""


@dataclass(frozen=True)
class Kind:
    """A kind of world; with `fast`, only scenes count in which a limb moves fast."""

    name: str
    recipe: Recipe
    fast: bool = False


def kinds(size: tuple[int, int] = SIZE, *, frames: int = 16) -> tuple[Kind, ...]:
    """Near people, pairs, crowds, moving cameras, and fast limbs at 10 frames a second."""

    def recipe(fps: float, **wanted) -> Recipe:
        return Recipe(size=size, fps=fps, seconds=frames / fps, **wanted)

    return (
        Kind("near", recipe(20, people=(1, 2), near=1.0, far=5.0, pairs=0.0)),
        Kind("pairs", recipe(20, people=(2, 2), near=2.0, far=8.0, pairs=1.0)),
        Kind("crowds", recipe(15, people=(5, 8), near=3.0, far=20.0, crossings=0.9)),
        Kind("moving cameras", recipe(20, people=(1, 3), far=10.0, cameras=("panning", "handheld", "walking"))),
        Kind("fast limbs", recipe(10, people=(1, 2), near=1.5, far=6.0), fast=True),
    )


class Pass:
    """One flow pass over a video, kept, and the seconds it took; a flow estimator that answers from what it kept.

    Its `copy` is a copy of the network. Pairs that it does not know are asked of the network.
    """

    def __init__(
        self, estimator: FlowEstimator, video: Video, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.estimator = estimator
        self.flows: list[Flow] = []
        self.seconds = 0.0
        self._of: dict[tuple[int, int], Flow] = {}
        for first, second in pairs(video, _AT_ONCE, across_cuts=True):
            start = clock()
            with torch.no_grad():
                found = estimator(first, second)
            self.seconds += clock() - start
            for k, (a, b) in enumerate(zip(first.indices.tolist(), second.indices.tolist(), strict=True)):
                self._of[a, b] = found[k]
                self.flows.append(found[k])

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        places = list(zip(first.indices.tolist(), second.indices.tolist(), strict=True))
        if all(place in self._of for place in places) and places:
            return Flow.stack([self._of[place] for place in places])
        return self.estimator(first, second)

    def copy(self) -> Any:
        return self.estimator.copy()


@dataclass(frozen=True)
class Case:
    """A clip and the estimates that refinement begins with.

    Attributes:
        name: unlike others'. world: what cases of one content share. kind, level: of the clip and of the estimates.
        clip: images and truth. tracks: estimated poses. flow: estimates flow, or has done so (`Pass`).
        advice: of whoever made the poses; None leaves the recipe as it is.
    """

    name: str
    world: str
    kind: str
    level: str
    clip: Clip
    tracks: Tracks
    flow: FlowEstimator
    advice: Advice | None = None

    @property
    def video(self) -> Video:
        if self.clip.video is None:
            raise BadUsage(f"{self.name} has no images")
        return self.clip.video

    def with_(self, **changes) -> Self:
        return replace(self, **changes)


@dataclass(frozen=True)
class HeldOut:
    """Cases of held-out worlds: `each` worlds of every kind, each seen by estimators of every level.

    Worlds of a kind have the seeds `first_seed`, + 1, …; kinds are a thousand seeds apart.
    """

    kinds: Sequence[Kind] = field(default_factory=kinds)
    each: int = 4
    levels: Sequence[Poses] = LEVELS
    first_seed: int = FIRST_SEED

    def __post_init__(self) -> None:
        if self.each < 1 or not self.kinds or not self.levels:
            raise BadUsage(f"a bench needs a world of a kind and a level at least, got {self.each} of {self.kinds}")

    def __call__(
        self, estimator: FlowEstimator, progress: Callable[[str, int, int | None], None] | None = None
    ) -> Iterator[Case]:
        done = 0
        for number, kind in enumerate(self.kinds):
            for seed, scene in self.scenes(kind, self.first_seed + 1000 * number):
                clip = kept(scene.clip(BODY17))
                flow = Pass(estimator, clip.whole()[0])
                for level in self.levels:
                    tracks, advice = level(clip, seed)
                    world = f"{kind.name} {seed}"
                    yield Case(f"{world} {level.name}", world, kind.name, level.name, clip, tracks, flow, advice)
                done += 1
                if progress is not None:
                    progress("clips", done, self.each * len(self.kinds))

    def scenes(self, kind: Kind, seed: int) -> Iterator[tuple[int, Scene]]:
        """Those that count, with their seeds, from `seed` on. BadUsage where too few of them have fast limbs."""
        found = 0
        for at in range(seed, seed + _TRIES * self.each):
            scene = kind.recipe(at)
            if kind.fast and limb_speed(scene) < FAST:
                continue
            yield at, scene
            found += 1
            if found == self.each:
                return
        raise BadUsage(f"of {_TRIES * self.each} scenes of the kind {kind.name!r} only {found} have fast limbs")


def limb_speed(scene: Scene) -> float:
    """m/s about the pelvis that the fastest hand or foot of anybody exceeds in a tenth of the time."""
    joints = everyone(scene, BODY17)
    limbs = joints[:, :, BODY17.indices(*_LIMBS)] - joints[:, :, [BODY17.index("pelvis")]]
    speed = np.linalg.norm(np.diff(limbs, axis=1), axis=-1) * scene.fps
    return float(np.quantile(speed, 0.9, axis=1).max(initial=0.0)) if speed.shape[1] else 0.0


def kept(clip: Clip) -> Clip:
    """The same clip with all its flow and masks in memory, where it computes them when they are asked for."""
    flow = None if clip.flow is None else [clip.flow[k] for k in range(len(clip.flow))]
    masks = None if clip.masks is None else [clip.masks[k] for k in range(len(clip.masks))]
    return replace(clip, flow=flow, masks=masks, backward=None)
