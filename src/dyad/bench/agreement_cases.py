"""Rendered clips, what estimators make of them, and how far each joint is off: what the agreement score learns from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.flow import Flow
from dyad.core.pairs import pairs
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.evaluation.matching import match
from dyad.refinement.agreement import Agreement, Evidence
from dyad.refinement.agreement_features import Scene
from dyad.refinement.pose import PoseRefiner
from dyad.stages.lifting import GeometricLifter
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_flow import FlowNoise, OracleFlow
from dyad.stages.oracle_noise import Noise
from dyad.stages.oracle_tracks import OracleLifter, OracleTracker, PoseNoise
from dyad.synthetic.random_scenes import Recipe

Estimator = Literal["noise", "real", "made up"]
HELD_OUT = 2**31
"""Scenes of seeds from here on are for judging only."""
_APART = 1_000_003
_RATES = (25.0, 12.5, 25.0, 50.0)
_STRANGERS = 0.4
"""Poses farther off on average, in heights, are nobody's."""
_MUDDLE = 1.0

NOISES = {
    "none": None,
    "mild": Noise.mild(),
    "detector": Noise.detector(),
    "harsh": Noise.harsh(),
    "confused": Noise.confused(),
}


@dataclass(frozen=True)
class Material:
    """A clip's truth, its flows by name, and the tracks of a real estimator (None: not asked)."""

    truth: Tracks
    flows: dict[str, Sequence[Flow]]
    found: Tracks | None
    seed: int


@dataclass(frozen=True)
class Case:
    """What one estimator made of a clip, judged by one flow.

    Attributes:
        estimator: "noise" for the noise model, "real" for a detector that looks at the pictures, "made up" for faults
            that were put in on purpose.
        kind: what it is in detail. flow: name of the flow.
        evidence: of all rows. off: (N, J) error in the image, shares of the height; NaN where nobody knows.
        off_m: (N, J) error in 3D about the root, which has none (NaN), m. confidence: (N, J).
        sides, people: (N,) whose sides, and who, are truly exchanged. strangers: share of rows that are nobody's.
        seed: of the clip.
    """

    estimator: Estimator
    kind: str
    flow: str
    evidence: Evidence
    off: NDArray[np.float32]
    off_m: NDArray[np.float32]
    confidence: NDArray[np.float32]
    sides: NDArray[np.bool_]
    people: NDArray[np.bool_]
    strangers: float
    seed: int


def material(
    seed: int, *, number: int, flow: FlowEstimator | None, estimator: Callable[[Video], Tracks] | None, frames: int = 22
) -> Material:
    """Render the scene of a seed; clip `number` has one of four frame rates. `flow` and `estimator` look at it."""
    fps = _RATES[number % len(_RATES)]
    recipe = Recipe(size=(320, 240), fps=fps, seconds=frames / fps, people=(1, 3), far=12.0, samples=1)
    clip = recipe(seed).clip()
    video, truth = clip.whole()
    flows: dict[str, Sequence[Flow]] = {}
    chunks = list(pairs(video, 4))
    for name, noise in (("good", FlowNoise.network()), ("poor", FlowNoise.poor())):
        oracle = OracleFlow.of(clip, noise, _draws(seed))
        flows[name] = [each for first, second in chunks for each in _each(oracle(first, second))]
    if clip.flow is not None:
        flows["true"] = [clip.flow[k] for k in range(len(clip.flow))]
    if flow is not None:
        flows["network"] = [each for first, second in chunks for each in _each(flow(first, second))]
    return Material(truth, flows, None if estimator is None else estimator(video), seed)


def cases(given: Material) -> Iterator[Case]:
    """Every estimate of a clip, judged by the flow of a network where there is one and by others."""
    best = "network" if "network" in given.flows else "good"
    other = "good" if best == "network" and given.seed % 2 else "poor"
    random = np.random.default_rng((given.seed, 7))
    for number, (kind, noise) in enumerate(NOISES.items()):
        tracks = _noisy(given, noise, number)
        for joints in ("xy", "xyz"):
            flow = "true" if kind == "none" else str(random.choice([best, best, other]))
            yield _case(given, tracks, "noise", f"{kind} {joints}", flow, Agreement(joints=joints))
        if kind in ("detector", "confused"):
            lifted = GeometricLifter()(_noisy(given, noise, number + 10))
            yield _case(given, lifted, "noise", f"{kind} lifted", best, Agreement())
            refined = PoseRefiner()(tracks, given.flows[best])
            yield _case(given, refined, "noise", f"{kind} refined", best, Agreement())
    yield from made_up(given)
    if given.found is not None and len(given.found):
        yield _case(given, given.found, "real", "xyz", best, Agreement())
        yield _case(given, given.found, "real", "xy", other, Agreement(joints="xy"))
        # As `dyad run --refine` has it.
        refined = PoseRefiner(lifted=True)(given.found, given.flows[best])
        yield _case(given, refined, "real", "refined", best, Agreement())


def made_up(given: Material) -> Iterator[Case]:
    """Faults put into a clip's estimates on purpose: sides and people exchanged, and joints stuck to the background."""
    best = "network" if "network" in given.flows else "good"
    random = np.random.default_rng((given.seed, 8))
    for number, fault in enumerate((_exchanged, _stuck)):
        tracks = fault(_noisy(given, NOISES["detector"], 20 + number), random)
        yield _case(given, tracks, "made up", fault.__name__.strip("_"), best, Agreement(joints="xy"))


def _noisy(given: Material, noise: Noise | None, number: int) -> Tracks:
    seed = _draws(given.seed) * 31 + number
    tracks = OracleTracker(given.truth)(OracleDetector(given.truth, noise, seed)(None), None)
    if noise is not None:
        # The oracle's confidence follows its error all too well: real detectors know far less.
        random = np.random.default_rng((seed, 3))
        sure = torch.logit(tracks.confidence.clamp(0.01, 0.99))
        chance = torch.from_numpy(random.normal(0, _MUDDLE, tuple(sure.shape))).float()
        tracks = tracks.with_(confidence=torch.sigmoid(sure + chance))
    return OracleLifter(given.truth, None if noise is None else PoseNoise(), seed)(tracks)


def _exchanged(tracks: Tracks, random: np.random.Generator) -> Tracks:
    """Everyone's sides exchanged for two to five frames: all, the legs' or the arms'; then two people's joints."""
    xy, mirror = tracks.xy.clone(), torch.tensor(tracks.skeleton.mirror)
    parts = [list(range(len(mirror))), *_sides(tracks)]
    for person in tracks.people:
        rows = tracks.rows(person)
        if len(rows) > 8:
            start, part = int(random.integers(1, len(rows) // 2 - 2)), parts[int(random.integers(3))]
            for row in rows[start : start + int(random.integers(2, 6))].tolist():
                xy[row, part] = tracks.xy[row, mirror[part]]
    if len(tracks.people) > 1:
        one, other = (tracks.rows(person) for person in tracks.people[:2])
        both = tracks.frame[one][torch.isin(tracks.frame[one], tracks.frame[other])]
        if len(both) > 14:
            start = len(both) // 2 + int(random.integers(3))
            some = both[start : start + int(random.integers(2, 5))]
            a, b = one[torch.isin(tracks.frame[one], some)], other[torch.isin(tracks.frame[other], some)]
            xy[a], xy[b] = tracks.xy[b], tracks.xy[a]
    return tracks.with_(xy=xy)


def _stuck(tracks: Tracks, random: np.random.Generator) -> Tracks:
    """Joints of everyone that stay where they were, or beside, for 0.2 to 0.6 s: as of limbs that a detector lost."""
    xy = tracks.xy.clone()
    for person in tracks.people:
        rows = tracks.rows(person)
        if len(rows) < 5:
            continue
        tall = float(np.nanmax(np.ptp(tracks.xy[rows, :, 1].numpy(), axis=1)))
        for joint in random.choice(len(tracks.skeleton), 3, replace=False).tolist():
            start = int(random.integers(len(rows) - 3))
            count = max(3, round(random.uniform(0.2, 0.6) * tracks.fps))
            beside = torch.from_numpy(random.normal(0, 0.08, 2) * tall).float()
            xy[rows[start : start + count], joint] = tracks.xy[rows[start], joint] + beside
    return tracks.with_(xy=xy)


def _case(
    given: Material,
    tracks: Tracks,
    estimator: Estimator,
    kind: str,
    flow: str,
    agreement: Agreement,
) -> Case:
    evidence = agreement.evidence(tracks, given.flows[flow])
    truth = given.truth.convert(tracks.skeleton)
    judged, true = Scene.of(tracks, flat=agreement.joints == "xy"), Scene.of(truth, flat=True)
    place = _place(tracks)
    xy = judged.xy[place]
    row = _partners(truth, true, tracks, xy)
    known = row >= 0
    off = np.full(xy.shape[:2], np.nan, np.float32)
    off_m = np.full(xy.shape[:2], np.nan, np.float32)
    true_place = _place(truth)
    exact, height = true.xy[true_place][row[known]], true.height[true_place][row[known]]
    off[known] = np.linalg.norm(xy[known] - exact, axis=-1) / height[:, None]
    root = tracks.skeleton.index(tracks.skeleton.root)
    poses = [xyz - xyz[:, root, None] for xyz in (tracks.xyz.numpy()[known], truth.xyz.numpy()[row[known]])]
    off_m[known] = np.linalg.norm(poses[0] - poses[1], axis=-1)
    off_m[:, root] = np.nan
    sides, people = np.zeros((2, len(tracks)), bool)
    mirror = np.array(tracks.skeleton.mirror)
    crossed = np.linalg.norm(xy[known][:, mirror] - exact, axis=-1) / height[:, None]
    for part in _sides(tracks):
        sides[known] |= crossed[:, part].mean(-1) < off[known][:, part].mean(-1) - 0.02
    who = np.where(known, truth.person.numpy()[row], -1)
    for person in tracks.people:
        rows = tracks.rows(person).numpy()
        seen = who[rows][who[rows] >= 0]
        if len(seen):
            people[rows] = (who[rows] >= 0) & (who[rows] != np.bincount(seen).argmax())
    return Case(
        estimator, kind, flow, evidence, off, off_m, tracks.confidence.numpy(), sides, people,
        float(1 - known.mean()), given.seed,
    )  # fmt: skip


def _sides(tracks: Tracks) -> list[list[int]]:
    """Joints of arms and of legs that both sides have."""
    names, mirror = tracks.skeleton.names, tracks.skeleton.mirror
    return [
        [j for j, name in enumerate(names) if mirror[j] != j and any(part in name for part in parts)]
        for parts in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
    ]


def _partners(truth: Tracks, true: Scene, tracks: Tracks, xy: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each row the true row (N,) whose pose it is, -1 for nobody's."""
    row = np.full(len(tracks), -1)
    place = _place(truth)
    there, height = true.xy[place], true.height[place]
    for frame in tracks.frames.tolist():
        mine, theirs = np.flatnonzero(tracks.frame.numpy() == frame), np.flatnonzero(truth.frame.numpy() == frame)
        apart = np.linalg.norm(there[theirs][:, None] - xy[mine][None], axis=-1) / height[theirs][:, None, None]
        known = np.isfinite(apart)
        mean = np.where(known, apart, 0).sum(-1) / np.maximum(known.sum(-1), 1)
        alike = np.where(known.any(-1), 1 - mean / _STRANGERS, 0.0)
        for a, b in zip(*match(alike, at_least=1e-3)[:2], strict=True):
            row[mine[b]] = theirs[a]
    return row


def _place(tracks: Tracks) -> tuple[NDArray, NDArray]:
    return (
        torch.searchsorted(tracks.frames, tracks.frame).numpy(),
        torch.searchsorted(torch.unique(tracks.person), tracks.person).numpy(),
    )


def _draws(seed: int) -> int:
    """A seed that fits into 32 bits, and is no training scene's where that of the scene is held out."""
    return seed % HELD_OUT + (_APART if seed >= HELD_OUT else 0)


def _each(flow: Flow) -> list[Flow]:
    return [flow[k] for k in range(len(flow))]
