"""Scores of poses in crowds by how much of a person is hidden, with bootstrap intervals over scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.tracks import Tracks
from dyad.evaluation.pairing import MIN_OKS, partners
from dyad.evaluation.pose3d import AUC_3DHP_M, absolute_errors, root_errors
from dyad.evaluation.strict import TruePoses

LEVELS = {"all": (0.0, 1.01), "open": (0.0, 0.1), "partly": (0.1, 0.4), "mostly": (0.4, 1.01)}
"""Shares of hidden joints, from and below."""
METRICS = ("pck", "pck_abs", "auc_rel", "roots_25cm")
_WITHIN, _ROOT_WITHIN = 0.15, 0.25


@dataclass(frozen=True)
class PersonFrames:
    """What N person-frames of one scene score, 0..100 each by metric (N,), and how much of each is hidden (N,)."""

    values: Mapping[str, NDArray[np.float64]]
    hidden: NDArray[np.float64]

    def sums(self, level: str) -> NDArray[np.float64]:
        """Sum over the person-frames of a level for each of `METRICS`, and their number last."""
        low, high = LEVELS[level]
        chosen = (self.hidden >= low) & (self.hidden < high)
        return np.array([*(self.values[name][chosen].sum() for name in METRICS), chosen.sum()], dtype=np.float64)


def person_frames(truth: TruePoses, tracks: Tracks) -> PersonFrames:
    """Partners are found in the image, as `StrictProtocol` does; whoever has none scores 0."""
    rows = tracks.convert(truth.skeleton)
    frame, person = rows.frame.numpy(), rows.person.numpy()
    names = truth.skeleton.names
    root = truth.skeleton.index(truth.skeleton.root)
    judged = [joint for joint in range(len(names)) if joint != root]
    xy, xyz = rows.xy.double().numpy(), rows.xyz.double().numpy()
    chosen = [names[joint] for joint in judged]
    row = partners(truth.xy[:, :, judged], truth.counted, xy[:, judged], frame, person, chosen, at_least=MIN_OKS).row
    there = truth.counted
    partner, true = row[there], truth.xyz[there]
    found = np.where((partner >= 0)[:, None, None], xyz[np.maximum(partner, 0)], np.nan) if len(xyz) else true * np.nan
    relative = root_errors(true[:, judged], found[:, judged], true[:, root], found[:, root])
    absolute = absolute_errors(true[:, judged], found[:, judged])
    values: dict[str, NDArray[Any]] = {
        "pck": 100 * (relative < _WITHIN).mean(-1, dtype=np.float64),
        "pck_abs": 100 * (absolute < _WITHIN).mean(-1, dtype=np.float64),
        "auc_rel": 100 * np.stack([(relative < within).mean(-1, dtype=np.float64) for within in AUC_3DHP_M]).mean(0),
        "roots_25cm": 100.0 * (absolute_errors(true[:, [root]], found[:, [root]])[:, 0] < _ROOT_WITHIN),
    }
    return PersonFrames(values, truth.occluded[there].mean(-1))


def table(rows: Mapping[str, Sequence[PersonFrames]], *, rounds: int = 1000, seed: int = 0) -> dict[str, Any]:
    """`{row: {level: {metric: {"value", "low", "high"}, "person_frames": n}}}`; low and high hold 95 %."""
    return {
        name: {level: _level(_means(scenes, level, rounds, seed), scenes, level) for level in LEVELS}
        for name, scenes in rows.items()
    }


def orderings(
    rows: Mapping[str, Sequence[PersonFrames]],
    claims: Sequence[tuple[str, str]],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """For each claim that a row is better than another the difference with its interval, scenes drawn alike for both.

    `holds`: the whole interval is above 0; `sign`: the difference itself is.
    """
    out: dict[str, Any] = {}
    for better, worse in claims:
        if better not in rows or worse not in rows:
            continue
        entry: dict[str, Any] = {}
        for level in LEVELS:
            ours, theirs = (_means(rows[name], level, rounds, seed) for name in (better, worse))
            entry[level] = {
                metric: {**cell, "sign": cell["value"] > 0, "holds": cell["low"] > 0}
                for metric, cell in _cells(ours - theirs).items()
            }
        out[f"{better} > {worse}"] = entry
    return out


def _means(scenes: Sequence[PersonFrames], level: str, rounds: int, seed: int) -> NDArray[np.float64]:
    """Mean of each metric over person-frames (1 + rounds, M): first of all scenes, then of scenes drawn again."""
    sums = np.stack([scene.sums(level) for scene in scenes])
    draw = np.random.default_rng(seed).integers(len(scenes), size=(rounds, len(scenes)))
    total = np.concatenate((sums.sum(0, keepdims=True), sums[draw].sum(1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return total[:, :-1] / total[:, -1:]


def _cells(means: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    low, high = np.nanpercentile(means[1:], (2.5, 97.5), axis=0) if np.isfinite(means[1:]).any() else (means[0],) * 2
    return {
        name: {"value": round(float(v), 2), "low": round(float(a), 2), "high": round(float(b), 2)}
        for name, v, a, b in zip(METRICS, means[0], low, high, strict=True)
    }


def _level(means: NDArray[np.float64], scenes: Sequence[PersonFrames], level: str) -> dict[str, Any]:
    return {**_cells(means), "person_frames": int(sum(scene.sums(level)[-1] for scene in scenes))}
