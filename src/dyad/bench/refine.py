"""What refinement gains and costs: poses and flow before and after, on clips whose truth is known."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from dyad.bench.machine import machine
from dyad.bench.plain import plain
from dyad.bench.refine_cases import Case, Pass
from dyad.bench.refine_cost import PlainRun
from dyad.bench.refine_scores import METRICS, NAMES, Scored, means, scores
from dyad.bench.refine_statistics import Change, Interval, change, ratio
from dyad.core.flow import Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.estimates.sheet import Advice

Told = Callable[[str, int, int | None], None]


class Refined(Protocol):
    """Refined poses and flow, the flow they began with, and wall seconds by stage, of which "flow" is the flow pass."""

    @property
    def tracks(self) -> Tracks: ...
    @property
    def flows(self) -> Flows: ...
    @property
    def estimated(self) -> Flows: ...
    @property
    def seconds(self) -> dict[str, float]: ...


class Refines(Protocol):
    """Makes flow and poses agree, as the advice of whoever made the poses has it; None: as it does by itself."""

    def __call__(
        self, video: Video, tracks: Tracks, estimator: FlowEstimator, *, advice: Advice | None = None
    ) -> Refined: ...


@dataclass(frozen=True)
class Measured:
    """One case before and after.

    Attributes:
        before, after: by `METRICS`.
        refining: wall seconds of refinement without the flow pass; plain: of decoding, poses and the flow pass, None
        where that was not measured; flow: of the flow pass alone.
    """

    case: Case
    before: dict[str, float]
    after: dict[str, float]
    refining: float
    flow: float
    plain: float | None = None

    @property
    def cost_ratio(self) -> float | None:
        return None if self.plain is None else 1 + self.refining / self.plain


@dataclass(frozen=True)
class Measure:
    """Refines a case and compares.

    Attributes:
        refine: what is measured. plain: wall seconds of decoding a video and finding its people; None measures no cost.
        scored: what counts of a pose. clock: s.
    """

    refine: Refines
    plain: Callable[[Video], float] | None = None
    scored: Scored | None = None
    clock: Callable[[], float] = time.perf_counter

    def __call__(self, case: Case, plain_seconds: float | None = None) -> Measured:
        """`plain_seconds` of decoding and finding people are taken for granted where they are known."""
        start = self.clock()
        found = self.refine(case.video, case.tracks, case.flow, advice=case.advice)
        wall = self.clock() - start
        # A pass that was kept is read again in no time: then the refiner's own figure is not that of a flow pass.
        inside = found.seconds.get("flow", 0.0)
        flow = case.flow.seconds if isinstance(case.flow, Pass) else inside
        if plain_seconds is None and self.plain is not None:
            plain_seconds = self.plain(case.video)
        with torch.no_grad():
            before = scores(case.clip, case.tracks, _each(found.estimated), self.scored)
            after = scores(case.clip, found.tracks, _each(found.flows), self.scored)
        return Measured(
            case,
            before,
            after,
            refining=wall - inside,
            flow=flow,
            plain=None if plain_seconds is None else plain_seconds + flow,
        )


def bench_refine(
    cases: Iterable[Case], measure: Measure, *, facts: dict[str, Any] | None = None, progress: Told | None = None
) -> dict[str, Any]:
    """Refine every case: `{"before": {"mpjpe", "pck_abs", "accel", "epe", "epe_joints", …}, "after": …, "cost_ratio"}`.

    `before` and `after` are plain means over cases, units as in `METRICS`. `cost_ratio` is 1 + the wall time of
    refinement over that of decoding, the default detector and one flow pass on the same clips, None where the latter
    was not measured. `changes` has each metric's means, their difference and ratio, all with bootstrap intervals over
    worlds, the share of cases that improved and that got worse, and the worst relative change; `kinds` and `levels` the
    same for parts of the cases, `clips` every case. Whatever is not defined is None.
    """
    done: list[Measured] = []
    seconds: dict[str, float | None] = {}
    for case in cases:
        if not done and isinstance(measure.plain, PlainRun):
            measure.plain.warm_up(case.video)
        found = measure(case, seconds.get(case.world))
        # Finding people takes as long whatever the noise that is put in its place.
        seconds[case.world] = None if found.plain is None else found.plain - found.flow
        done.append(found)
        if progress is not None:
            progress("refined", len(done), None)
    return plain(
        {
            "before": means([one.before for one in done]),
            "after": means([one.after for one in done]),
            "cost_ratio": _cost(done).value,
            "cost_ratio_interval": _cost(done),
            "changes": changes(done),
            "kinds": _parts(done, lambda one: one.case.kind),
            "levels": _parts(done, lambda one: one.case.level),
            "clips": [_row(one) for one in done],
            "units": {metric.name: metric.unit for metric in METRICS},
            "machine": machine(torch.device("cpu")),
            **(facts or {}),
        }
    )


def changes(done: Sequence[Measured]) -> dict[str, Change]:
    """Each metric before and after."""
    return {
        metric.name: change(
            [one.before[metric.name] for one in done],
            [one.after[metric.name] for one in done],
            lower_is_better=metric.lower_is_better,
            names=[one.case.name for one in done],
            groups=[one.case.world for one in done],
        )
        for metric in METRICS
    }


def _parts(done: Sequence[Measured], part: Callable[[Measured], str]) -> dict[str, dict[str, Any]]:
    """The changes, and the cost, of the cases of each name."""
    names = list(dict.fromkeys(map(part, done)))
    chosen = {name: [one for one in done if part(one) == name] for name in names}
    return {name: {**changes(some), "cost_ratio": _cost(some)} for name, some in chosen.items()}


def _cost(done: Sequence[Measured]) -> Interval:
    timed = [one for one in done if one.plain is not None]
    found = ratio(
        [one.refining for one in timed], [one.plain or 0.0 for one in timed], groups=[one.case.world for one in timed]
    )
    return Interval(1 + found.value, 1 + found.low, 1 + found.high)


def _row(one: Measured) -> dict[str, Any]:
    case = one.case
    return {
        "name": case.name,
        "kind": case.kind,
        "level": case.level,
        "before": {name: one.before[name] for name in NAMES},
        "after": {name: one.after[name] for name in NAMES},
        "cost_ratio": one.cost_ratio,
        "seconds": {"refinement": one.refining, "flow": one.flow, "decode and pose": _less(one.plain, one.flow)},
    }


def _less(whole: float | None, part: float) -> float | None:
    return None if whole is None else whole - part


def _each(flows: Flows):
    return (flows[position] for position in range(len(flows)))
