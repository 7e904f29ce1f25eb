"""Clips whose truth is exact, estimators that err as told, and refiners that do what they are told, for the tests."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from dyad.bench.refine_cases import Case
from dyad.core.clip import Clip
from dyad.core.flow import Flow
from dyad.core.tracks import Tracks
from dyad.core.video import Chunk, Video
from dyad.estimates.sheet import Advice
from tests.refinement.scenes import noisy, scene


@dataclass(frozen=True)
class Shifted:
    """A flow estimator that is off by (3, 4) px times `by` everywhere."""

    flows: list[Flow]
    by: float = 1.0
    asked: list[int] = field(default_factory=list)

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        self.asked.extend(first.indices.tolist())
        return off(Flow.stack([self.flows[k] for k in first.indices.tolist()]), self.by)

    def copy(self) -> "Shifted":
        return self


def off(flow: Flow, by: float) -> Flow:
    return replace(flow, uv=flow.uv + by * torch.tensor((3.0, 4.0))[:, None, None])


def case(
    name: str = "one", *, kind: str = "calm", level: str = "good", seed: int = 0, frames: int = 8, metres: float = 0.05
) -> Case:
    """Two people who walk steadily before a camera; poses are off by `metres`, flow by 5 px."""
    made = scene(frames=frames, size=(96, 72))
    truth = made.truth.with_(video=name)
    images = np.zeros((frames, 72, 96, 3), np.uint8)
    video = Video(images, camera=truth.camera, fps=truth.fps)
    clip = Clip(video, truth, flow=made.flows)
    tracks = noisy(truth, metres=metres, px=0.3, seed=seed)
    return Case(f"{name} {level}", name, kind, level, clip, tracks, Shifted(made.flows))


@dataclass(frozen=True)
class Outcome:
    tracks: Tracks
    flows: list[Flow]
    estimated: list[Flow]
    seconds: dict[str, float]


@dataclass
class Towards:
    """A refiner that knows the truth: it goes a share of the way there, and away from it where that is negative."""

    truth: Tracks
    share: float = 0.5
    clock: "Clock | None" = None
    flat: bool = False
    advised: list[Advice | None] = field(default_factory=list)

    def __call__(self, video: Video, tracks: Tracks, estimator: Shifted, *, advice: Advice | None = None) -> Outcome:
        self.advised.append(advice)
        if self.clock is not None:
            self.clock.now += 7.0
        name = "xy" if self.flat else "xyz"
        moved = {name: torch.lerp(getattr(tracks, name), getattr(self.truth, name), self.share)}
        before = [off(flow, estimator.by) for flow in estimator.flows]
        after = [off(flow, estimator.by * (1 - self.share)) for flow in estimator.flows]
        return Outcome(tracks.with_(**moved), after, before, {"flow": 2.0, "pose": 5.0})


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now
