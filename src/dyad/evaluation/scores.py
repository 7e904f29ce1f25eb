"""Metrics of compared people by name. Each is a mean that knows how many it is of, or a count, so that clips add up.

Shares of joints and of roots (`pck…`, `auc`, `roots…`, `root_ap25`, `f1…`) are 0..100 as papers print them, shares of
people and of intervals 0..1, lengths mm, speeds as the name says. Shares count whom the prediction lacks as wrong.
Errors in mm are of those found, since a missed person has none: read them beside `coverage`. A mean of nothing is NaN.
Figures that do not split into sums (`hota`, `mota`, `idf1`, `root_ap25`, `auc`) weigh a clip by its people.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dyad.evaluation import tracking
from dyad.evaluation.aligned import n_errors
from dyad.evaluation.comparison import Comparison
from dyad.evaluation.means import Mean
from dyad.evaluation.points import joints_found
from dyad.evaluation.pose3d import auc, pck
from dyad.evaluation.protocols import Protocol
from dyad.evaluation.roots import RootFrame, average_precision_of_roots
from dyad.evaluation.scene_scores import SCENE_METRICS

Value = Mean | int
"""A mean, or a count."""

CURVE_M = tuple(millimetres / 1000 for millimetres in range(0, 305, 5))
"""m, distances of the curves in reports."""


def score(comparison: Comparison, protocol: Protocol) -> dict[str, Value]:
    """The protocol's metrics, in its order."""
    values: dict[str, Value] = {}
    for name in protocol.metrics:
        if name == "auc":
            values[name] = _auc(comparison.relative, protocol.auc_m)
        else:
            values[name] = POSE_METRICS[name](comparison)
    return values


def pooled(rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Means over everything that the rows are means of, and sums of counts."""
    totals: dict[str, Value] = {}
    for row in rows:
        for name, value in row.items():
            totals[name] = _sum(totals[name], value) if name in totals else value
    return totals


def averaged(rows: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Plain means over the rows in which a metric is defined, and sums of counts."""
    return pooled([{name: _one(value) for name, value in row.items()} for row in rows])


def plain_values(row: Mapping[str, Value]) -> dict[str, float | int]:
    """Numbers, NaN where there is nothing to average."""
    return {name: value.value if isinstance(value, Mean) else value for name, value in row.items()}


def curve(comparison: Comparison, *, absolute: bool = False) -> tuple[Mean, ...]:
    """PCK 0..100 at each distance of `CURVE_M`."""
    errors = comparison.absolute if absolute else comparison.relative
    return tuple(_pck(errors, within) for within in CURVE_M)


def _one(value: Value) -> Value:
    """The same mean as if it were of one thing, or of nothing."""
    if not isinstance(value, Mean):
        return value
    return Mean(value.value, 1) if value.count else Mean()


def _sum(first: Value, second: Value) -> Value:
    if isinstance(first, Mean) and isinstance(second, Mean):
        return first + second
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    raise ValueError(f"{first} and {second} are no values of one metric")


def _share(right: NDArray[np.bool_], scale: float = 1.0) -> Mean:
    return Mean(scale * float(right.sum()), right.size)


def _weighted(value: float, weight: int) -> Mean:
    return Mean(value * weight, weight) if weight and np.isfinite(value) else Mean()


def _known(errors: NDArray[np.float64]) -> int:
    """How many people have a joint whose truth is known."""
    return int((~np.isnan(errors)).any(-1).sum())


def _pck(errors: NDArray[np.float64], within: float = 0.15) -> Mean:
    return _weighted(100 * pck(errors, within=within), _known(errors))


def _auc(errors: NDArray[np.float64], thresholds: Sequence[float]) -> Mean:
    return _weighted(100 * auc(errors, thresholds=thresholds), _known(errors))


def _scaled(c: Comparison) -> NDArray[np.float64]:
    """Errors of root-relative poses after each was scaled."""
    true = c.truth[c.counted] - c.truth_root[c.counted][:, None]
    return n_errors(true, c.predicted[c.counted] - c.predicted_root[c.counted][:, None])


def _precision(c: Comparison) -> Mean:
    found = int((c.matched & c.counted).sum())
    return Mean(float(found), found + sum(len(roots) for roots in c.other_roots))


def _root_ap(c: Comparison) -> Mean:
    frames = []
    for t, (others, trust) in enumerate(zip(c.other_roots, c.other_trust, strict=True)):
        here = c.matched[t] & c.counted[t]
        roots, scores = np.concatenate([c.predicted_root[t, here], others]), np.concatenate([c.trust[t, here], trust])
        frames.append(RootFrame(c.truth_root[t, c.counted[t]], roots, scores))
    return _weighted(100 * average_precision_of_roots(frames, within=0.25), _people(c))


def _f1(c: Comparison, within: float) -> Mean:
    """Mean over frames; a frame of nothing at all does not count."""
    total, frames = 0.0, 0
    for t, others in enumerate(c.others):
        predicted = np.concatenate([c.predicted[t, c.matched[t]], others])
        found = joints_found(c.truth[t, c.counted[t]], predicted, within=within)
        if sum(found):
            total, frames = total + 100 * found.f1, frames + 1
    return Mean(total, frames)


def _people(c: Comparison) -> int:
    return int(c.counted.sum())


POSE_METRICS: dict[str, Callable[[Comparison], Value]] = {
    "pck": lambda c: _pck(c.relative),
    "pck_abs": lambda c: _pck(c.absolute),
    "mpjpe_mm": lambda c: Mean.of_array(c.relative, 1000),
    "pa_mpjpe_mm": lambda c: Mean.of_array(c.fitted, 1000),
    "n_mpjpe_mm": lambda c: Mean.of_array(_scaled(c), 1000),
    "mrpe_mm": lambda c: Mean.of_array(c.roots, 1000),
    "roots_25cm": lambda c: _share(c.roots[~np.isnan(c.roots)] < 0.25, 100),
    "root_ap25": _root_ap,
    "f1_40cm": lambda c: _f1(c, 0.4),
    "f1_80cm": lambda c: _f1(c, 0.8),
    "f1_120cm": lambda c: _f1(c, 1.2),
    "coverage": lambda c: _share(c.matched[c.counted]),
    "precision": _precision,
    "person_frames": _people,
    "hota": lambda c: _weighted(tracking.hota(c.frames).hota, _people(c)),
    "mota": lambda c: _weighted(tracking.clear_mot(c.frames).mota, _people(c)),
    "idf1": lambda c: _weighted(tracking.identity(c.frames).idf1, _people(c)),
    "id_switches": lambda c: tracking.clear_mot(c.frames).switches,
    **SCENE_METRICS,
}
"""All metrics of 3D poses but `auc`, for which a protocol names the distances."""
