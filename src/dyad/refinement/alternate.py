"""Flow and pose in turns: the flow is estimated, the pose moved to agree with it, the flow corrected by the pose."""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flows
from dyad.core.pairs import pairs, part
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.refinement.flow import FlowTuner, PaperTuning
from dyad.refinement.flow_fusion import LimbFusion
from dyad.refinement.flow_shelf import FlowShelf, grid_of, kept, tiles_of
from dyad.refinement.inputs import check_size
from dyad.refinement.moves import Moves
from dyad.refinement.pose import Dimensions, PoseRefiner
from dyad.refinement.released_pose import ReleasedPoses
from dyad.refinement.residuals import Reading
from dyad.refinement.stage_files import StageFiles

log = logging.getLogger(__name__)

Score = Callable[[Tracks, Flows], float]
"""How badly tracks and flow agree, without labels: lower is better, NaN where nothing tells."""
Told = Callable[[str, int, int | None], None]

RECIPES = ("fast", "paper", "released")
_AT_ONCE = 8


@dataclass(frozen=True)
class Refined:
    """What came of it.

    Attributes:
        tracks: the refined people.
        flows: the flow that agrees with them, a `Flows`; unknown (NaN) across hard cuts and, unless `Refiner.whole`,
            away from people.
        estimated: the flow before, of the estimator as it was given.
        estimator: the copy that was tuned, or None where the flow was corrected without one.
        cycles: of pose refinement that were kept; 0 where the first made the score worse.
        scores: before, and after each cycle that was tried; empty without a score.
        seconds: wall time by stage, that of stages done by an earlier run included.
    """

    tracks: Tracks
    flows: FlowShelf
    estimated: FlowShelf
    estimator: FlowEstimator | None
    cycles: int
    scores: tuple[float, ...]
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """Flow, pose, flow: one cycle moves the pose and then corrects the flow to it. What is passed in stays as it is.

    Many cycles drift: pose and flow agree ever better with each other and ever less with the images. So what stops them
    is how well the pose agrees with the flow that was estimated before any of it, which no cycle can talk round.

    Attributes:
        pose: refines the poses; its mode is the whole method's.
        tuner: corrects the flow.
        cycles: at most so many, 0 for flow alone.
        flow_first: correct the flow by the given poses before the first cycle, as in the paper.
        anchor: each cycle's poses stay close to the "initial" ones, or to the "last" ones as in the published code.
        score: label-free, of tracks and the estimated flow; None runs all cycles, as the paper does.
        gain: after a cycle that lowers the score by less than this share no other follows.
        whole: keep the flow of whole images; else only of the parts with people, and of no others estimate any.
    """

    pose: PoseRefiner
    tuner: FlowTuner
    cycles: int = 1
    flow_first: bool = False
    anchor: Literal["initial", "last"] = "initial"
    score: Score | None = None
    gain: float = 0.02
    whole: bool = True

    def __post_init__(self) -> None:
        if self.cycles < 0:
            raise BadUsage(f"flow and pose are refined in 0 cycles or more, got {self.cycles}")

    @classmethod
    def fast(cls, *, mode: Dimensions = "3d", cycles: int = 1, score: Score | None = None) -> "Refiner":
        """The default: closed-form poses, and flow corrected near limbs without tuning a network."""
        return cls(pose=PoseRefiner(mode=mode), tuner=LimbFusion(), cycles=cycles, score=score)

    @classmethod
    def paper(
        cls, *, mode: Dimensions = "3d", cycles: int = 1, score: Score | None = None, reading: Reading = "start"
    ) -> "Refiner":
        """As the paper describes it: the network is tuned to the poses, before and after they are refined.

        `reading` = "end" takes equation 3 as it is printed, see `PoseRefiner.paper`.
        """
        pose, tuner = PoseRefiner.paper(mode=mode, reading=reading), PaperTuning(mode=mode)
        return cls(pose=pose, tuner=tuner, cycles=cycles, flow_first=True, score=score)

    @classmethod
    def released(cls, *, mode: Dimensions = "3d", cycles: int = 1, score: Score | None = None) -> "Refiner":
        """As the published code has it. It has no poses in 2D: there they are the paper's, with the code's squares."""
        pose = ReleasedPoses.released() if mode == "3d" else PoseRefiner.paper(mode=mode, still=10)
        tuner = PaperTuning.released(mode=mode)
        return cls(pose=pose, tuner=tuner, cycles=cycles, flow_first=True, anchor="last", score=score)

    @classmethod
    def of(cls, recipe: str, *, mode: Dimensions = "3d", cycles: int = 1, score: Score | None = None) -> "Refiner":
        """One of `RECIPES` by name."""
        if recipe not in RECIPES:
            raise BadUsage(f"the recipe is one of {', '.join(RECIPES)}, got {recipe!r}")
        return getattr(cls, recipe)(mode=mode, cycles=cycles, score=score)

    def __call__(
        self,
        video: Video,
        tracks: Tracks,
        estimator: FlowEstimator,
        *,
        folder: Path | None = None,
        key: str = "",
        progress: Told | None = None,
    ) -> Refined:
        """Refine the tracks of a video and its flow.

        Args:
            video: the frames that the tracks are about.
            estimator: is not changed; what is tuned is its copy.
            folder: where finished stages are kept and looked for; nowhere if None.
            key: what the inputs are known by there; other inputs need another.
            progress: told how far each stage is.

        Raises BadInput where video and tracks are not about the same frames and size.
        """
        check_size(video, tracks)
        run = _Run(self, video, _Clock(progress))
        files = StageFiles(folder, key)
        files = files.then("estimate", self.whole)
        estimated = run.estimated(tracks, estimator, files)
        tracks = tracks.with_(cuts=tuple(sorted({*tracks.cuts, *estimated.cuts})))
        flows, tuned = estimated, None
        if self.flow_first:
            files = files.then("first", self.tuner, self.pose.mode)
            flows, tuned = run.corrected("flow-0", tracks, estimated, estimator, files)
        best, scores = tracks, run.scored([], tracks, estimated)
        cycles = 0
        while cycles < self.cycles and len(tracks):
            files = files.then("pose", self.pose, self.anchor)
            found = run.posed(f"pose-{cycles + 1}", best if self.anchor == "last" else tracks, flows, files)
            scores = run.scored(scores, found, estimated)
            if len(scores) > 1 and scores[-1] > scores[-2]:
                log.debug("cycle %d raised the score from %.4g to %.4g", cycles + 1, *scores[-2:])
                break
            best, cycles = found, cycles + 1
            files = files.then("flow", self.tuner, self.pose.mode)
            flows, tuned = run.corrected(f"flow-{cycles}", best, estimated, tuned or estimator, files)
            if len(scores) > 1 and scores[-1] > (1 - self.gain) * scores[-2]:
                break
        return Refined(best, flows, estimated, tuned, cycles, tuple(scores), run.clock.seconds)


@dataclass
class _Clock:
    progress: Told | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, kind: str, files: StageFiles, name: str) -> Generator[None]:
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.add(kind, took)
        files.keep_seconds(name, took)

    def add(self, kind: str, seconds: float) -> None:
        self.seconds[kind] = self.seconds.get(kind, 0.0) + seconds

    def tell(self, kind: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(kind, done, total)


@dataclass(frozen=True)
class _Run:
    """The stages, each of which is looked up before it is done."""

    refiner: Refiner
    video: Video
    clock: _Clock

    def estimated(self, tracks: Tracks, estimator: FlowEstimator, files: StageFiles) -> FlowShelf:
        """The flow of the untouched estimator, where anybody is, and the hard cuts seen on the way."""
        found = files.flows("estimate")
        if found is not None:
            self.clock.add("flow", files.seconds("estimate"))
            return found
        count, size = max(len(tracks.frames) - 1, 0), tracks.camera.size
        wanted = torch.ones(count, dtype=torch.bool) if self.refiner.whole else _moving(tracks)
        places = _Places.of(tracks, self.refiner)
        with (
            self.clock.stage("flow", files, "estimate"),
            kept(files.path("estimate", ".flows"), count, size) as shelf,
            torch.no_grad(),
        ):
            done = 0
            for first, second in _checked_pairs(self.video, tracks):
                shelf.cuts += second.indices[second.cut].tolist()
                chosen = wanted[done : done + len(first)].numpy() & ~second.cut
                here, there = (tracks.shot(torch.from_numpy(chunk.indices)) for chunk in (first, second))
                chosen &= (here == there).numpy()
                if chosen.any():
                    flows = estimator(part(first, chosen), part(second, chosen))
                    for k, position in enumerate((done + np.flatnonzero(chosen)).tolist()):
                        shelf.put(position, flows[k], places(position))
                done += len(first)
                self.clock.tell("flow", done, count)
        return shelf

    def corrected(
        self, name: str, tracks: Tracks, estimated: FlowShelf, estimator: FlowEstimator, files: StageFiles
    ) -> tuple[FlowShelf, FlowEstimator | None]:
        """The flow that agrees with the poses, and the estimator that was tuned to give it."""
        found = files.flows(name)
        if found is not None:
            self.clock.add("tune", files.seconds(name))
            return found, files.estimator(name, estimator)
        places = _Places.of(tracks, self.refiner)
        with self.clock.stage("tune", files, name):
            moves = Moves.of(tracks, flat=self.refiner.pose.mode == "2d")
            tuned = self.tuner(estimator, self.video, moves, estimated)
            # A stage counts as done only if all that later ones need is there.
            whole = tuned.estimator is None or files.keep_estimator(name, tuned.estimator)
            path = files.path(name, ".flows") if whole else None
            with kept(path, len(estimated), estimated.size) as shelf, torch.no_grad():
                for position, flow in zip(range(len(estimated)), tuned.flows, strict=True):
                    if position in estimated.places:
                        shelf.put(position, flow, places(position))
                    self.clock.tell(name, position + 1, len(estimated))
        return shelf, tuned.estimator

    @property
    def tuner(self) -> FlowTuner:
        """The refiner's, which tells whoever waits for hours how far it is."""
        tuner, told = self.refiner.tuner, self.clock.progress
        return tuner if told is None or not isinstance(tuner, PaperTuning) else replace(tuner, progress=told)

    def posed(self, name: str, tracks: Tracks, flows: FlowShelf, files: StageFiles) -> Tracks:
        found = files.tracks(name)
        if found is not None:
            self.clock.add("pose", files.seconds(name))
            return found
        with self.clock.stage("pose", files, name):
            found = self.refiner.pose(tracks, flows)
            files.keep_tracks(name, found)
        return found

    def scored(self, scores: list[float], tracks: Tracks, estimated: FlowShelf) -> list[float]:
        if self.refiner.score is None:
            return scores
        start = time.perf_counter()
        scores = [*scores, float(self.refiner.score(tracks, estimated))]
        self.clock.add("score", time.perf_counter() - start)
        return scores


@dataclass(frozen=True)
class _Places:
    """Which tiles of a flow lie near anybody in its frame or the next.

    Attributes:
        order: (N,) rows by frame. start: (T + 1,) where each frame's rows begin among them. boxes: (N, 4) px.
    """

    size: tuple[int, int]
    order: Tensor
    start: Tensor
    boxes: Tensor | None

    @classmethod
    def of(cls, tracks: Tracks, refiner: Refiner) -> "_Places":
        order = torch.argsort(tracks.frame, stable=True)
        ends = torch.cat((tracks.frames, tracks.frames[-1:] + 1))
        start = torch.searchsorted(tracks.frame[order].contiguous(), ends)
        boxes = None if refiner.whole else _reach(tracks, refiner.pose.reach)[order]
        return cls(tracks.camera.size, order, start, boxes)

    def __call__(self, position: int) -> NDArray[np.bool_]:
        if self.boxes is None:
            return np.ones(grid_of(self.size), bool)
        return tiles_of(self.boxes[self.start[position] : self.start[position + 2]], self.size)


def _reach(tracks: Tracks, reach: float) -> Tensor:
    """Boxes (N, 4) px around all that may be read or drawn of a person."""
    points = torch.cat((tracks.xy, tracks.reproject().to(tracks.xy), tracks.box.view(-1, 2, 2)), 1)
    low = points.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=torch.inf).amin(1)
    high = points.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf).amax(1)
    slack = 0.2 * (high - low).amax(-1, keepdim=True) + 2 * max(8.0, reach * max(tracks.camera.size))
    return torch.cat((low - slack, high + slack), -1)


def _moving(tracks: Tracks) -> Tensor:
    """(T - 1,) whether anybody is in a frame and in the next."""
    place = torch.searchsorted(tracks.frames, tracks.frame)
    following = (tracks.person[1:] == tracks.person[:-1]) & (place[1:] == place[:-1] + 1)
    found = torch.zeros(max(len(tracks.frames) - 1, 0), dtype=torch.bool)
    found[place[:-1][following]] = True
    return found


def _checked_pairs(video: Video, tracks: Tracks) -> Iterator:
    """All pairs of a video, across cuts too; BadInput as soon as a frame is not the one that the tracks are about."""
    frames, seen = tracks.frames, 0
    first_last = f"{int(frames[0])} to {int(frames[-1])}" if len(frames) else "none"
    said = f"the tracks are about {len(frames)} frames ({first_last})"

    def check(indices: NDArray[np.int64], at: int) -> None:
        known = frames[at : at + len(indices)].numpy()
        if len(known) < len(indices) or not np.array_equal(known, indices):
            wrong = next((k for k, (a, b) in enumerate(zip(known, indices, strict=False)) if a != b), len(known))
            raise BadInput(
                f"{said}, the video has frame {int(indices[wrong])} at place {at + wrong}: give the same frames"
            )

    for first, second in pairs(video, _AT_ONCE, across_cuts=True):
        if not seen:
            check(first.indices[:1], 0)
            seen = 1
        check(second.indices, seen)
        seen += len(second)
        yield first, second
    if seen < len(frames) and not (seen == 0 and len(frames) == 1):
        raise BadInput(f"{said}, the video ends after {max(seen, 1)}: give the video that they were made from")
