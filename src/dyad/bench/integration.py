"""Tables 1 and 2 of [TB] on crowds that no training saw, by how much of people is hidden.

The branches may be real ones, or simulated: then what is measured is what integration makes of estimates that err in
stated ways, and rows that differ in the branch alone (several people a box, the prior) differ by what was stated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyad.bench.integration_published import anonymous
from dyad.bench.integration_scores import LEVELS, METRICS, PersonFrames, orderings, person_frames, table
from dyad.bench.plain import plain
from dyad.core.camera import Camera
from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.evaluation.strict import TruePoses
from dyad.stages.association import PoseMatching, RootMatching
from dyad.stages.integration import Hard, Integration, Learned, Linear, Rule
from dyad.stages.neighbours import neighbours
from dyad.stages.simulated_branches import BranchErrors, simulate_branch, simulate_view
from dyad.synthetic.gatherings import Gathering, Troupe

HELD_OUT = 2**31
SIZE = (1000, 800)

BRANCHES: Mapping[str, BranchErrors] = {
    # One person a box: whoever is hidden is lost or becomes the neighbour.
    "TD (w/o MP)": replace(BranchErrors.top_down(), hidden=5.5, taken=0.5, lost=0.4, lapse=0.04),
    "TD (w MP)": BranchErrors.top_down(),
    # One scale for all: more are missed, and limbs are coarser.
    "BU (w/o CH)": replace(BranchErrors.bottom_up(), level=(1.1, 2.9), missed=0.05, lost=0.16),
    "BU (w CH)": BranchErrors.bottom_up(),
}
PAIRED = {"TD + BU (w/o MP,CH)": ("TD (w/o MP)", "BU (w/o CH)")}
_BOTH = ("TD (w MP)", "BU (w CH)")
CLAIMS = (
    ("TD (w MP)", "TD (w/o MP)"),
    ("BU (w CH)", "BU (w/o CH)"),
    ("TD + BU (IN)", "TD (w MP)"),
    ("TD + BU (IN)", "BU (w CH)"),
    ("TD + BU (IN)", "TD + BU (linear)"),
    ("TD + BU (linear)", "TD + BU (hard)"),
    ("TD + BU (IN)", "TD + BU (w/o PM)"),
)
CLAIMS2 = (
    ("Rep", "labelled alone"),
    ("Rep", "MP"),
    ("Rep+dis", "Rep"),
    ("Rep+MP+dis", "Rep+dis"),
)

Branches = Callable[[Gathering, int], Mapping[str, Tracks]]
"""A crowd, and a seed, to what each branch of `BRANCHES` says of it; the ids of all but "TD…" tell nothing."""


@dataclass(frozen=True)
class Crowds:
    """What is judged on: scenes of `people` in `frames`, from a stock of held-out motions."""

    troupe: Troupe
    scenes: int = 24
    people: tuple[int, int] = (3, 8)
    frames: int = 48
    seed: int = HELD_OUT

    def __call__(self, k: int) -> Gathering:
        rng = np.random.default_rng((self.seed, k))
        return self.troupe.gather(rng, people=self.people, frames=self.frames, near=3.5, far=12.0, close=0.8)


@dataclass(frozen=True)
class Simulated:
    """Branches that err as told."""

    errors: Mapping[str, BranchErrors] = field(default_factory=lambda: dict(BRANCHES))

    def __call__(self, gathering: Gathering, seed: int) -> dict[str, Tracks]:
        truth = torch.from_numpy(gathering.xyz)
        hidden = torch.from_numpy(gathering.hidden)
        beside = neighbours(truth, torch.ones_like(truth[..., 0]), root=BODY17.index(BODY17.root)).xyz
        people = truth.shape[1]
        step = torch.full((people,), 1 / gathering.fps)
        own, covered, other = (value.transpose(0, 1) for value in (truth, hidden, beside))
        random = torch.Generator().manual_seed(seed)
        view = simulate_view(own, covered, other, torch.full((people,), gathering.focal), step, random)
        out = {}
        for name, errors in self.errors.items():
            # Variants of one branch have the same luck, so that they differ in what was stated alone.
            random.manual_seed(2 * seed + name.startswith("TD"))
            said = simulate_branch(own, covered, other, step, [errors] * people, random)
            tracks = _tracks(gathering, said.xyz, said.confidence, view.rays, view.confidence)
            out[name] = tracks if name.startswith("TD") else anonymous(tracks)
        return out


def bench_integration(
    crowds: Crowds,
    rules: Mapping[str, Rule] | None = None,
    *,
    table_number: int = 1,
    branches: Branches | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """`{"rows": table, "orderings": …, "scenes": n}` as `integration_scores` makes them.

    Args:
        rules: for table 1 the network that learnt, `TD + BU (IN)`; for table 2 each of its rows. Others are made here.
    """
    if table_number not in (1, 2):
        raise BadUsage(f"the tables are 1 and 2, got {table_number}")
    said = branches or Simulated()
    chosen = dict(rules or {"TD + BU (IN)": Learned.load()})
    rows: dict[str, list[PersonFrames]] = {}
    for k in range(crowds.scenes):
        gathering = crowds(k)
        truth = truth_of(gathering)
        each = said(gathering, crowds.seed + k)
        found = dict(each) if table_number == 1 else {}
        found |= {name: Integration(rule)(*(each[b] for b in _BOTH)) for name, rule in chosen.items()}
        if table_number == 1:
            found |= _baselines(each, chosen.get("TD + BU (IN)"))
        for name, tracks in found.items():
            rows.setdefault(name, []).append(person_frames(truth, tracks))
        progress(f"scene {k + 1} of {crowds.scenes}")
    claims = CLAIMS if table_number == 1 else CLAIMS2
    return plain({"scenes": crowds.scenes, "rows": table(rows), "orderings": orderings(rows, claims)})


def _baselines(each: Mapping[str, Tracks], learned: Rule | None) -> dict[str, Tracks]:
    two = [each[name] for name in _BOTH]
    out = {
        "TD + BU (hard)": Integration(Hard(), PoseMatching())(*two),
        "TD + BU (linear)": Integration(Linear(), PoseMatching())(*two),
    }
    for name, pair in PAIRED.items():
        out[name] = Integration(Linear(), PoseMatching())(*(each[b] for b in pair))
    if learned is not None:
        out["TD + BU (w/o PM)"] = Integration(learned, RootMatching())(*two)
    return out


def camera_of(gathering: Gathering) -> Camera:
    return Camera.from_focal(SIZE, gathering.focal)


def truth_of(gathering: Gathering) -> TruePoses:
    """A gathering as the strict protocol has truth; everybody who is in the image counts."""
    camera = camera_of(gathering)
    xyz = gathering.xyz.astype(np.float64)
    xy = camera.project(torch.from_numpy(xyz)).numpy()
    inside = ((xy >= 0) & (xy <= np.array(SIZE))).all(-1).mean(-1) > 0.3
    return TruePoses(xy, xyz, gathering.hidden, inside, BODY17)


def _tracks(gathering: Gathering, xyz: Tensor, confidence: Tensor, rays: Tensor, seen: Tensor) -> Tracks:
    """Rows of people (P, T, …) where they were found."""
    camera = camera_of(gathering)
    person, frame = torch.nonzero(torch.isfinite(xyz[..., 0]).any(-1), as_tuple=True)
    marks = torch.cat((rays, torch.ones_like(rays[..., :1])), -1).double()
    xy = camera.project(marks).float()
    # Where the detector saw nothing, a joint is where the pose projects.
    xy = torch.where(torch.isfinite(xy), xy, camera.project(xyz.double()).float())
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=camera,
        frame=frame,
        person=person,
        frames=torch.arange(xyz.shape[1]),
        fps=gathering.fps,
        xyz=xyz[person, frame],
        xy=xy[person, frame],
        confidence=(confidence * (0.5 + 0.5 * seen))[person, frame],
    )


def held_out_troupe(*, pairs: int = 40, singles: int = 80, motions: Path | None = None) -> Troupe:
    """Motions of seeds that no training sees."""
    return Troupe.rehearse(np.random.default_rng(HELD_OUT), pairs=pairs, singles=singles, motions=motions)


def as_text(scores: Mapping[str, Any]) -> str:
    """The table for reading: each row's metrics with their intervals, by level; "-" where nothing is defined."""
    lines = []
    for level in LEVELS:
        lines.append(f"{level:<26}" + "".join(f"{name:>20}" for name in METRICS))
        for name, row in scores["rows"].items():
            lines.append(f"  {name:<24}" + "".join(f"{_cell(row[level][metric], ''):>20}" for metric in METRICS))
    lines.append("orderings (difference and its 95 % interval, all levels together):")
    for claim, entry in scores["orderings"].items():
        told = ", ".join(f"{metric} {_cell(entry['all'][metric], '+')}" for metric in METRICS)
        lines.append(f"  {claim}: {told}")
    return "\n".join(lines)


def _cell(cell: Mapping[str, Any], sign: str) -> str:
    if any(cell[part] is None for part in ("value", "low", "high")):
        return "-"
    value, low, high = (format(cell[part], f"{sign}.1f") for part in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
