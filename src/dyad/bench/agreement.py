"""How well the agreement score tells which joints are off, on rendered clips that it has not seen."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dyad.bench.agreement_cases import HELD_OUT, Case, cases, material
from dyad.bench.agreement_fit import Fit, hidden, judged
from dyad.bench.agreement_plot import calibration_plot
from dyad.bench.plain import plain
from dyad.bench.svg import check_svg, write_svg
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.refinement.agreement import OFF
from dyad.refinement.agreement_model import Model

OFF_M = 0.05
_BINS = 10
_DRAWS = 300
Progress = Callable[[str, int, int | None], None]


def rendered(
    clips: int,
    *,
    first_seed: int,
    flow: FlowEstimator | None,
    estimator: Callable[[Video], Tracks] | None,
    progress: Progress | None = None,
) -> Iterator[Case]:
    """What estimators make of so many rendered clips, judged by that flow; without one by the true flow with noise."""
    for number in range(clips):
        yield from cases(material(first_seed + number, number=number, flow=flow, estimator=estimator))
        if progress is not None:
            progress("rendered clips", number + 1, clips)


def make_table(
    path: str | Path,
    *,
    clips: int = 72,
    flow: FlowEstimator | None,
    estimator: Callable[[Video], Tracks] | None,
    progress: Progress | None = None,
) -> Model:
    """Fit the table of the agreement score to clips of the seeds 0 to `clips` - 1 and write it to `path`."""
    found = list(rendered(clips, first_seed=0, flow=flow, estimator=estimator, progress=progress))
    made = {"clips": clips, "seeds": f"0 to {clips - 1}", "flow": type(flow).__name__ if flow else "true with noise"}
    model = Fit()(found, made | {"estimator": type(estimator).__name__ if estimator else "none"})
    model.save(Path(path))
    return model


def bench_agreement(
    given: Sequence[Case] | None = None,
    *,
    clips: int = 12,
    first_seed: int = HELD_OUT,
    flow: FlowEstimator | None = None,
    estimator: Callable[[Video], Tracks] | None = None,
    model: Model | None = None,
    plot: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`{"noise": …, "real": …, "all": …, "made up": …}`: of the noise model, of a detector that looks at pictures, of
    both, and of faults put in on purpose (exchanged sides and people, joints that are stuck).

    Each: `joints`, `clips`, `positive_rate` (share off by more than 5 % of the height), `auroc` with `auroc_interval`
    (95 %, clips drawn anew), `auroc_confidence` of the confidence alone, `auroc_alone` without the distance of 2D and
    3D joints, `positive_rate_3d` and `auroc_3d` of joints more than 5 cm off about the root, `calibration` (mean
    distance of said from observed, and bins), `swaps`, and `kinds`. NaN becomes None.

    Args:
        given: cases made before; else `clips` are rendered, from `first_seed` on.
        plot: an .svg of what was said against what was observed.
    """
    if plot is not None:
        check_svg(plot)
    if given is None:
        given = list(rendered(clips, first_seed=first_seed, flow=flow, estimator=estimator, progress=progress))
    table = model or Model.load()
    groups = {name: [case for case in given if case.estimator == name] for name in ("noise", "real")}
    groups |= {"all": groups["noise"] + groups["real"], "made up": [c for c in given if c.estimator == "made up"]}
    groups = {name: found for name, found in groups.items() if found}
    out: dict[str, Any] = {}
    for name, found in groups.items():
        kinds = sorted({case.kind for case in found})
        out[name] = _scores(found, table)
        if name != "all":
            out[name]["kinds"] = {kind: _brief([c for c in found if c.kind == kind], table) for kind in kinds}
    if plot is not None:
        write_svg(calibration_plot(out), plot)
    return plain(out)


def _scores(given: Sequence[Case], table: Model) -> dict[str, Any]:
    told = [judged(case) for case in given]
    said = [table(case.evidence.values[known]) for case, known in zip(given, told, strict=True)]
    wrong = [case.off[known] > OFF for case, known in zip(given, told, strict=True)]
    alone = [table(v[known]) for v, known in zip(hidden(given, "apart"), told, strict=True)]
    sure = [np.nan_to_num(case.confidence[known]) for case, known in zip(given, told, strict=True)]
    off_m = np.concatenate([case.off_m[known] for case, known in zip(given, told, strict=True)])
    solid, seeds = np.isfinite(off_m), np.array([case.seed for case in given])
    every, truth = np.concatenate(said), np.concatenate(wrong)
    return {
        "clips": len(set(seeds.tolist())),
        "joints": len(truth),
        "known": float(np.concatenate([known.ravel() for known in told]).mean()),
        "positive_rate": float(truth.mean()),
        "auroc": auroc(every, truth),
        "auroc_interval": _interval(said, wrong, seeds),
        "auroc_confidence": auroc(-np.concatenate(sure), truth),
        "auroc_alone": auroc(np.concatenate(alone), truth),
        "positive_rate_3d": float((off_m[solid] > OFF_M).mean()) if solid.any() else float("nan"),
        "auroc_3d": auroc(every[solid], off_m[solid] > OFF_M),
        "calibration": calibration(every, truth),
        "swaps": {name: _swaps(given, name) for name in ("sides", "people")},
    }


def _brief(given: Sequence[Case], table: Model) -> dict[str, float]:
    told = [judged(case) for case in given]
    said = np.concatenate([table(case.evidence.values[known]) for case, known in zip(given, told, strict=True)])
    wrong = np.concatenate([case.off[known] > OFF for case, known in zip(given, told, strict=True)])
    return {"positive_rate": float(wrong.mean()), "said": float(said.mean()), "auroc": auroc(said, wrong)}


def auroc(score: NDArray, positive: NDArray[np.bool_]) -> float:
    """Chance that a positive one has the higher score than a negative one; NaN without both."""
    many, few = int(positive.sum()), int((~positive).sum())
    if not many or not few:
        return float("nan")
    return float((rankdata(score)[positive].sum() - many * (many + 1) / 2) / (many * few))


def calibration(said: NDArray, positive: NDArray[np.bool_]) -> dict[str, Any]:
    """Bins of what was said with what was observed, and their mean distance, by the number of joints."""
    place = np.minimum((said * _BINS).astype(int), _BINS - 1)
    bins = []
    for k in range(_BINS):
        here = place == k
        if here.any():
            mean, share = float(said[here].mean()), float(positive[here].mean())
            bins.append({"said": mean, "observed": share, "joints": int(here.sum())})
    error = sum(one["joints"] * abs(one["said"] - one["observed"]) for one in bins) / max(len(said), 1)
    return {"error": error, "said": float(said.mean()), "observed": float(positive.mean()), "bins": bins}


def _interval(said: list[NDArray], wrong: list[NDArray], seeds: NDArray) -> list[float]:
    chance, names = np.random.default_rng(0), np.unique(seeds)
    of = {name: np.flatnonzero(seeds == name) for name in names.tolist()}
    found = []
    for _ in range(_DRAWS):
        drawn = np.concatenate([of[name] for name in chance.choice(names, len(names)).tolist()])
        found.append(auroc(np.concatenate([said[k] for k in drawn]), np.concatenate([wrong[k] for k in drawn])))
    known = np.array(found)[np.isfinite(found)]
    return [float(np.quantile(known, q)) if len(known) else float("nan") for q in (0.025, 0.975)]


def _swaps(given: Sequence[Case], name: str) -> dict[str, int]:
    true = np.concatenate([getattr(case, name) for case in given])
    flagged = np.concatenate([getattr(case.evidence, name) for case in given])
    return {
        "rows": len(true),
        "true": int(true.sum()),
        "flagged": int(flagged.sum()),
        "both": int((true & flagged).sum()),
    }
