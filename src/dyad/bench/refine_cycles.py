"""Errors of pose and flow over the number of cycles, as the paper's Figure 6 has them: where they drift or do not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch

from dyad.bench.plain import plain
from dyad.bench.refine import Told
from dyad.bench.refine_cases import Case, Pass
from dyad.bench.refine_scores import Scored, flow_scores, pose_scores
from dyad.bench.refine_statistics import Interval, interval
from dyad.core.flow import Flow, Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.refinement.alternate import Refiner
from dyad.refinement.flow_shelf import FlowShelf, grid_of, kept
from dyad.refinement.moves import Moves

Anchor = Literal["initial", "last"]
PANELS = {
    "a": "MPJPE, estimated pose and flow",
    "b": "EPE at joints, estimated pose and flow",
    "c": "MPJPE, flow replaced by the true one",
    "d": "EPE at joints, pose replaced by the true one",
}


class Tuned(Protocol):
    @property
    def flows(self) -> Iterable[Flow]: ...
    @property
    def estimator(self) -> FlowEstimator | None: ...


class Tuner(Protocol):
    """Corrects flow by the motion of people; `refinement.flow.FlowTuner`."""

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned: ...


class Poser(Protocol):
    """Moves poses to agree with flow; `refinement.pose.PoseRefiner`."""

    def __call__(self, tracks: Tracks, flows: Flows) -> Tracks: ...


class Start(NamedTuple):
    """What a case begins with: its tracks, which know of hard cuts, and the estimated flow."""

    tracks: Tracks
    flows: Flows


@dataclass(frozen=True)
class Cycles:
    """Flow and pose in turns without any stop, and what the errors are in between.

    Attributes:
        pose, tuner: the two halves of a cycle. count: cycles.
        anchor: each cycle's poses stay close to the initial ones, or to the last ones as in the published code.
        flat: the poses are 2D.
    """

    pose: Poser
    tuner: Tuner
    count: int = 5
    anchor: Anchor = "initial"
    flat: bool = False
    scored: Scored | None = None

    def __call__(
        self, case: Case, start: Start, *, true_flow: Flows | None = None, true_pose: Tracks | None = None
    ) -> "Trace":
        """MPJPE and EPE at joints before and after each cycle: flow first, then pose, as in the paper.

        With a true flow poses are refined by that and nothing else; with true poses the flow is corrected by them.
        """
        tracks, flows = first, estimated = start
        mpjpe, epe = [self._mpjpe(case, tracks)], [self._epe(case, flows)]
        tuned: FlowEstimator | None = None
        for _ in range(self.count):
            if true_flow is None:
                moves = Moves.of(true_pose or tracks, flat=self.flat)
                found = self.tuner(tuned or case.flow, case.video, moves, estimated)
                with torch.no_grad():
                    flows = _kept(found.flows, estimated)
                tuned = found.estimator
                epe.append(self._epe(case, flows))
            if true_pose is None:
                close = tracks if self.anchor == "last" else first
                tracks = self.pose(close, flows if true_flow is None else true_flow)
                mpjpe.append(self._mpjpe(case, tracks))
        return Trace(mpjpe if true_pose is None else [], epe if true_flow is None else [])

    def _mpjpe(self, case: Case, tracks: Tracks) -> float:
        return pose_scores(case.clip, tracks, self.scored)["mpjpe"]

    def _epe(self, case: Case, flows: Flows) -> float:
        return flow_scores(case.clip, (flows[k] for k in range(len(flows))))["epe_joints"]


@dataclass(frozen=True)
class Trace:
    """Errors after 0, 1, 2 … cycles; empty where they were not asked for."""

    mpjpe: list[float]
    epe: list[float]


def figure_6(
    cases: Iterable[Case],
    cycles: Callable[[Case], Cycles],
    *,
    anchors: Sequence[Anchor] = ("initial", "last"),
    progress: Told | None = None,
) -> dict[str, Any]:
    """`panels` a to d: for each anchor the mean error with its interval over the number of cycles.

    a, b: MPJPE and EPE at joints with estimated pose and flow; c: MPJPE where the flow that poses are refined by is
    the true one; d: EPE where the flow is corrected by true poses. `best` is the number of cycles with the least error,
    `drift` how much larger the error is after the last cycle than there, as a share.
    """
    values: dict[tuple[str, str], list[list[float]]] = {}
    worlds: list[str] = []
    for number, case in enumerate(cases, 1):
        worlds.append(case.world)
        whole, start = cycles(case), start_of(case)
        for anchor in anchors:
            chosen = replace(whole, anchor=anchor)
            both = chosen(case, start)
            found = {"a": both.mpjpe, "b": both.epe}
            if case.clip.flow is not None:
                found["c"] = chosen(case, start, true_flow=case.clip.flow).mpjpe
            if case.clip.truth is not None:
                found["d"] = chosen(case, start, true_pose=case.clip.truth).epe
            for panel, errors in found.items():
                values.setdefault((panel, anchor), []).append(errors)
        if progress is not None:
            progress("refined", number, None)
    panels = {
        panel: {anchor: _line(values[panel, anchor], worlds) for anchor in anchors if (panel, anchor) in values}
        for panel in PANELS
    }
    count = max((len(errors[0]) for errors in values.values()), default=1)
    return plain({"table": "figure6", "cycles": list(range(count)), "panels": panels, "titles": PANELS})


def _line(errors: list[list[float]], worlds: list[str]) -> dict[str, Any]:
    points: list[Interval] = [interval(column, worlds) for column in zip(*errors, strict=True)]
    means = np.array([point.value for point in points])
    if not np.isfinite(means).all():
        return {"points": points, "best": None, "drift": None}
    best = int(means.argmin())
    return {"points": points, "best": best, "drift": float(means[-1] / means[best] - 1) if means[best] else 0.0}


def start_of(case: Case) -> Start:
    """A flow pass as `Refiner` makes it, kept on disk in 16 bits; one that was made of a short clip, as it is."""
    if isinstance(case.flow, Pass):
        return Start(case.tracks, case.flow.flows)
    begun = Refiner.fast(cycles=0)(case.video, case.tracks, case.flow)
    return Start(begun.tracks, begun.estimated)


def _kept(flows: Iterable[Flow], estimated: Flows) -> Flows:
    """Flows that are made while iterated, kept as those that were estimated are."""
    if not isinstance(estimated, FlowShelf):
        return list(flows)
    every = np.ones(grid_of(estimated.size), bool)
    with kept(None, len(estimated), estimated.size) as shelf:
        for position, flow in zip(range(len(estimated)), flows, strict=True):
            if position in estimated.places:
                shelf.put(position, flow, every)
    return shelf
