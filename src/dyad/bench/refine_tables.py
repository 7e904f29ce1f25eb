"""The tables of the flow-and-pose paper (Arko et al., BMVC 2022), one function each, over cases and a refiner."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, product
from typing import Any

import numpy as np

from dyad.bench.plain import plain
from dyad.bench.refine import Measure, Told
from dyad.bench.refine_cases import Case, Pass
from dyad.bench.refine_cycles import start_of
from dyad.bench.refine_scores import Scored, pose_scores
from dyad.bench.refine_statistics import change, interval
from dyad.core.errors import BadInput
from dyad.core.flow import Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.estimates.sheet import Advice
from dyad.refinement.pose import DEFAULT_FLAT, DEFAULT_LAMBDAS, PoseRefiner
from dyad.stages.flow import MeanFlow

Ensemble = Callable[[Sequence[Tracks]], Tracks]
_BOTH = ("mpjpe", "epe")
EVERYWHERE, JOINTS = "epe", "epe_joints"


@dataclass
class _Rows:
    """Values of a table: by row and column, one a case, and the worlds that the cases show."""

    values: dict[str, dict[str, list[float]]]
    worlds: dict[str, list[str]]

    @classmethod
    def empty(cls) -> "_Rows":
        return cls({}, {})

    def add(self, row: str, world: str, **columns: float) -> None:
        self.worlds.setdefault(row, []).append(world)
        for name, value in columns.items():
            self.values.setdefault(row, {}).setdefault(name, []).append(value)

    def table(self, order: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        """A row each: its method, and mean and interval of each column, None where the row has none."""
        return [
            {
                "method": row,
                **{
                    name: interval(self.values[row][name], self.worlds[row]) if name in self.values[row] else None
                    for name in columns
                },
                "cases": len(self.worlds[row]),
            }
            for row in order
            if row in self.values
        ]


def table_1(
    cases: Iterable[Case], measure: Measure, *, flow: str, epe: str = JOINTS, progress: Told | None = None
) -> dict[str, Any]:
    """Methods by MPJPE and EPE, as the paper's Table 1: each estimator alone, then refined together.

    flow: the estimator's name. epe: which end-point error counts, at joints (as on Human3.6M and 3DPW) or over all
    pixels (as on Sintel).
    """
    rows, levels = _Rows.empty(), []
    for number, case in enumerate(cases, 1):
        found = measure(case, 0.0)
        poses = _poses(case.level)
        if case.level not in levels:
            levels.append(case.level)
        rows.add(poses, case.world, mpjpe=found.before["mpjpe"])
        if case.world not in rows.worlds.get(flow, ()):
            rows.add(flow, case.world, epe=found.before[epe])
        rows.add(_ours(case.level, flow), case.world, mpjpe=found.after["mpjpe"], epe=found.after[epe])
        if progress is not None:
            progress("refined", number, None)
    order = [*map(_poses, levels), flow, *(_ours(level, flow) for level in levels)]
    return plain({"table": 1, "columns": _columns(epe), "rows": rows.table(order, _BOTH)})


def table_2(
    cases: Iterable[Case],
    flows: Mapping[str, FlowEstimator],
    measure: Measure,
    *,
    ensemble: Ensemble,
    epe: str = JOINTS,
    progress: Told | None = None,
) -> dict[str, Any]:
    """Two pose estimators, two of flow and the mean of each, alone and refined, as the paper's Table 2.

    Cases of one world follow each other, one a level; there are two, and worlds with one alone are `left_out`. Their
    own flow estimator is not used. Raises BadInput where no world has both.
    """
    rows = _Rows.empty()
    left_out: list[str] = []
    first, second = flows
    names: list[str] = []
    for number, (world, group) in enumerate(groupby(cases, key=lambda case: case.world), 1):
        two = list(group)
        if len(two) != 2:
            left_out.append(world)
            continue
        every = _flows(two[0], flows)
        mean = ensemble([case.tracks for case in two])
        names = [case.level for case in two]
        both = replace(two[0], tracks=mean, level=_mean(*names), advice=_shared(two))
        for case in (*two, both):
            rows.add(_poses(case.level), world, mpjpe=pose_scores(case.clip, case.tracks, measure.scored)["mpjpe"])
        # Both alone with both flows, and the mean with the mean.
        for case, flow in [*product(two, (first, second)), (both, _mean(first, second))]:
            found = measure(replace(case, flow=every[flow]), 0.0)
            if case is not two[1]:
                rows.add(flow, world, epe=found.before[epe])
            rows.add(_ours(case.level, flow), world, mpjpe=found.after["mpjpe"], epe=found.after[epe])
        if progress is not None:
            progress("refined", number, None)
    if not names:
        raise BadInput(f"no clip has poses of two estimators: {len(left_out)} have those of one")
    poses = [*names, _mean(*names)]
    pairs = [*product(names, (first, second)), (poses[-1], _mean(first, second))]
    order = [*map(_poses, poses), first, second, _mean(first, second), *(_ours(*pair) for pair in pairs)]
    return plain({"table": 2, "columns": _columns(epe), "rows": rows.table(order, _BOTH), "left_out": left_out})


def _shared(cases: Sequence[Case]) -> Advice | None:
    """How to refine the mean of their poses."""
    known = [case.advice for case in cases if case.advice is not None]
    return Advice.of_mean(known) if len(known) == len(cases) else None


def _flows(case: Case, flows: Mapping[str, FlowEstimator]) -> dict[str, FlowEstimator]:
    """Both, and their mean; each asked for once where the case keeps what it asked."""
    keep = isinstance(case.flow, Pass)
    made = {name: Pass(estimator, case.video) if keep else estimator for name, estimator in flows.items()}
    return {**made, _mean(*flows): MeanFlow(tuple(made.values()))}


ROWS_3 = (
    "initial poses",
    "3D",
    "3D + 2D",
    "3D + 2D + temp, without bone",
    "3D + 2D + temp",
    "3D + 2D + temp + opt",
)
"""In the order of the paper's Table 3, from the worst to the best."""
_UNCHANGED_MM = 0.005


def table_3(
    cases: Iterable[Case],
    refiner: Callable[[Case], PoseRefiner],
    *,
    scored: Scored | None = None,
    progress: Told | None = None,
) -> dict[str, Any]:
    """MPJPE as the terms of the pose's energy are added, as the paper's Table 3.

    `steps` has what each row changes against the one before it, on the same cases; `unchanged`: the 3D term alone moves
    nothing; `ordered`: no mean is above that of the row before.

    refiner: with all terms, for the poses of a case.
    """
    rows, names = _Rows.empty(), []
    for number, case in enumerate(cases, 1):
        start = start_of(case)
        names.append(case.name)
        for row, tracks in _ablation(start.tracks, refiner(case), start.flows):
            rows.add(row, case.world, mpjpe=pose_scores(case.clip, tracks, scored)["mpjpe"])
        if progress is not None:
            progress("refined", number, None)
    values = {row: np.array(rows.values[row]["mpjpe"]) for row in ROWS_3 if row in rows.values}
    steps = [
        {
            "to": later,
            **plain(change(values[row], values[later], lower_is_better=True, names=names, groups=rows.worlds[row])),
        }
        for row, later in pairwise(values)
    ]
    average = [float(np.nanmean(value)) for value in values.values()]
    still = bool(values) and bool(np.nanmax(np.abs(values[ROWS_3[1]] - values[ROWS_3[0]])) < _UNCHANGED_MM)
    return plain(
        {
            "table": 3,
            "columns": {"mpjpe": "MPJPE, mm"},
            "rows": rows.table(ROWS_3, ("mpjpe",)),
            "steps": steps,
            "unchanged": still,
            "ordered": still and all(b <= a + _UNCHANGED_MM for a, b in pairwise(average)),
        }
    )


def _ablation(tracks: Tracks, refiner: PoseRefiner, flows: Flows) -> Iterator[tuple[str, Tracks]]:
    """Every row's name and poses."""
    whole = refiner.lambdas or (DEFAULT_FLAT if refiner.mode == "2d" else DEFAULT_LAMBDAS)
    none = replace(whole, opt=0.0, two_d=0.0, motion=0.0, camera=0.0, bone=0.0)
    terms = (
        none,
        replace(none, two_d=whole.two_d),
        replace(whole, opt=0.0, bone=0.0),
        replace(whole, opt=0.0),
        whole,
    )
    yield ROWS_3[0], tracks
    for row, lambdas in zip(ROWS_3[1:], terms, strict=True):
        yield row, replace(refiner, lambdas=lambdas)(tracks, flows)


def _columns(epe: str) -> dict[str, str]:
    return {"mpjpe": "MPJPE, mm", "epe": "EPE at joints, px" if epe == JOINTS else "EPE, px"}


def _poses(level: str) -> str:
    return f"poses: {level}"


def _ours(level: str, flow: str) -> str:
    return f"refined: {level} / {flow}"


def _mean(first: str, second: str) -> str:
    return f"mean({first}, {second})"
