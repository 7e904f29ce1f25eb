"""Ways to bring a network's flow in line with poses, side by side: what each gains on fast limbs, and what it costs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.bench.plain import plain
from dyad.bench.refine_scores import brief_sums
from dyad.bench.tuning_variants import DrawnOver, EnlargedCrops
from dyad.core.clip import Clip
from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.pairs import pairs
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.evaluation.flow import FlowScores, FlowSums
from dyad.models.raft import RAFT
from dyad.refinement.flow import FlowTuner, PaperTuning
from dyad.refinement.flow_fusion import LimbFusion
from dyad.refinement.moves import Moves
from dyad.refinement.pose import PoseRefiner
from dyad.stages.flow import NetworkFlow
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_noise import Noise
from dyad.stages.oracle_tracks import OracleLifter, OracleTracker, PoseNoise
from dyad.synthetic.random_scenes import Recipe

FAST = 0.1
"""Clips count as fast where a tenth of the joints' steps are longer than this share of the person's height."""
SIZE, FPS = (256, 160), 10.0
FRAMES = 6
"""Of each clip: enough, since tuning takes seconds for a pair."""
_WHERE = ("epe_joints", "epe_people", "epe")
_TRIES = 20

WHOLE = "paper"
"""The eight epochs of the paper, which take four times as long as all the others together."""
VARIANTS: Mapping[str, Callable[[], FlowTuner]] = {
    "fusion": LimbFusion,
    "fusion, sketch not moved": lambda: LimbFusion(steps=0),
    "sketch drawn over": DrawnOver,
    "enlarged crops, 4 iterations": EnlargedCrops,
    "last layer": lambda: PaperTuning(epochs=2, iterations=6, batch=4, rate=1e-4, parts=("update.head.conv2.",)),
    "update block": lambda: PaperTuning(epochs=2, iterations=6, batch=4, rate=1e-4, parts=("update.",)),
    "paper, 1 epoch": lambda: PaperTuning(epochs=1),
    WHOLE: PaperTuning,
}
"""What is compared, by name."""


def bench_tuning(
    *,
    network: RAFT,
    name: str = "raft-small",
    clips: int = 12,
    first_seed: int = 2**31,
    frames: int = FRAMES,
    recipe: Recipe | None = None,
    fast: float = FAST,
    noise: Noise | None = None,
    variants: Sequence[str] | None = None,
    iterations: int = 20,
    progress: Callable[[str, int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Compare tuners on rendered clips with fast limbs, with poses refined from an estimator's noise.

    Returns JSON: of each of `variants`, `seconds` of processor time for a pair of frames, `cost` (that over the time of
    one plain pass), `after` and `gain` (share of the error that is gone, over all joints or pixels) of `epe_joints`,
    `epe_people` and `epe`, `interval` (95 % of the gain at joints, by clips), `worst` (the largest ratio of after to
    before of any clip, of each of the three). `before` has the plain flow's, `seconds` the plain pass's for a pair.
    `frames` are those of each clip, if no other recipe is given. Raises BadUsage for a variant that there is not.
    """
    chosen = list(VARIANTS) if variants is None else list(variants)
    if strange := [each for each in chosen if each not in VARIANTS]:
        raise BadUsage(f"there is no variant {strange[0]!r}; there are {', '.join(VARIANTS)}")
    make = recipe or Recipe(size=SIZE, seconds=frames / FPS, fps=FPS, people=(1, 3), near=1.5, far=12.0)
    estimator = NetworkFlow(network, iterations=iterations)
    before: list[FlowSums] = []
    after: dict[str, list[FlowSums]] = {each: [] for each in chosen}
    spent: dict[str, list[float]] = {each: [] for each in chosen}
    plain_spent: list[float] = []
    linked = 0
    rows: list[dict[str, Any]] = []
    for number, (seed, clip) in enumerate(_fast_clips(make, first_seed, clips, fast)):
        video, truth = clip.whole()
        plain_time, flows = 0.0, list[Flow]()
        for first, second in pairs(video, len(video), across_cuts=True):
            start = time.process_time()
            given = estimator(first, second)
            plain_time += time.process_time() - start
            flows += [given[k] for k in range(len(given))]
        plain_spent.append(plain_time)
        linked += len(flows)
        moves = Moves.of(PoseRefiner()(estimated(truth, noise or Noise.detector(), seed), flows))
        before.append(brief_sums(clip, flows))
        rows.append({"seed": seed, "before": _errors(before[-1])})
        for each in chosen:
            start = time.process_time()
            found = list(VARIANTS[each]()(estimator, video, moves, flows).flows)
            spent[each].append(time.process_time() - start)
            after[each].append(brief_sums(clip, found))
            rows[-1][each] = _errors(after[each][-1])
        progress("clips", number + 1, clips)
    total = _errors(sum(before, FlowSums()))
    base = sum(plain_spent) / max(linked, 1)
    table = [
        {"name": each, "seconds": sum(spent[each]) / max(linked, 1), "cost": sum(spent[each]) / sum(plain_spent)}
        | _row(before, after[each], total)
        for each in chosen
        if plain_spent
    ]
    facts = {"network": name, "iterations": iterations, "size": make.size, "pairs": linked, "seconds": base}
    return plain(facts | {"before": total, "variants": table, "clips": rows})


def estimated(truth: Tracks, noise: Noise, seed: int) -> Tracks:
    """What estimators with that noise would say of a clip."""
    tracks = OracleTracker(truth)(OracleDetector(truth, noise, seed=seed)(None), None)
    return OracleLifter(truth, PoseNoise(), seed=seed)(tracks)


def speed(truth: Tracks) -> float:
    """The length of joints' steps in the image that nine of ten stay below, in heights of the person."""
    window = truth.window()
    step = torch.linalg.vector_norm(window.xy[1:] - window.xy[:-1], dim=-1)
    height = (truth.box[:, 3] - truth.box[:, 1]).nanmedian()
    return float(torch.nanquantile(step / height, 0.9)) if torch.isfinite(step).any() else 0.0


def _fast_clips(recipe: Recipe, seed: int, count: int, fast: float) -> Iterator[tuple[int, Clip]]:
    found = 0
    for number in range(seed, seed + _TRIES * count):
        if found == count:
            return
        clip = recipe(number).clip(BODY17)
        if clip.truth is not None and speed(clip.truth) >= fast:
            found += 1
            yield number, clip


def _errors(sums: FlowSums) -> dict[str, float]:
    scores: FlowScores = sums.scores()
    return {name: getattr(scores, name) for name in _WHERE}


def _row(before: list[FlowSums], after: list[FlowSums], total: dict[str, float]) -> dict[str, Any]:
    now = _errors(sum(after, FlowSums()))
    each = [(_errors(a), _errors(b)) for a, b in zip(before, after, strict=True)]
    joints = np.array([1 - b["epe_joints"] / a["epe_joints"] for a, b in each])
    return {
        "after": now,
        "gain": {where: 1 - now[where] / total[where] for where in _WHERE},
        "interval": _interval(joints[np.isfinite(joints)]),
        "worst": {where: max((b[where] / a[where] for a, b in each), default=float("nan")) for where in _WHERE},
    }


def _interval(values: NDArray[np.float64], draws: int = 2000) -> list[float]:
    """Where the mean lies with 95 %, by drawing clips again and again."""
    if not len(values):
        return []
    means = np.random.default_rng(0).choice(values, (draws, len(values))).mean(1)
    return np.quantile(means, (0.025, 0.975)).tolist()
