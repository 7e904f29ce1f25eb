"""Whether `sigma` of a lifter means what it says: how often truth lies in the intervals it claims, on held-out crowds.

The 2D joints are the true ones with a detector's errors (`dyad.stages.simulated_branches.simulate_view`): all that
lifting adds is measured, size and distance included, and no picture need be drawn.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.bench.integration import Crowds, camera_of
from dyad.core.protocols import Lifter
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.evaluation.intervals import SHARES, interval_coverage
from dyad.stages.neighbours import neighbours
from dyad.stages.simulated_branches import simulate_view
from dyad.synthetic.gatherings import Gathering

GROUPS = {
    "trunk": ("pelvis", "hip", "spine", "neck", "shoulder"),
    "head": ("nose", "head_top"),
    "arms": ("elbow", "wrist"),
    "legs": ("knee", "ankle"),
}
DISTANCES = (0.0, 5.0, 8.0, np.inf)
"""Edges of the bins of the distance of a person, in m."""


@dataclass(frozen=True)
class Claims:
    """K joints with their truth and what was claimed, (K, 3) m, and of what kind each is.

    Attributes:
        hidden: (K,) something lay before it. joint: (K,) index in body17. distance: (K,) m. filled: (K,) of a gap.
    """

    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    sigma: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    joint: NDArray[np.int64]
    distance: NDArray[np.float64]

    def groups(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Names of kinds, and which of the K are of that kind; all of them first."""
        yield "all", np.ones(len(self.truth), dtype=bool)
        for name, parts in GROUPS.items():
            wanted = [j for j, joint in enumerate(BODY17.names) if joint.endswith(parts)]
            yield name, np.isin(self.joint, wanted)
        yield "in view", ~self.hidden
        yield "hidden", self.hidden
        for low, high in pairwise(DISTANCES):
            yield f"{low:g} to {high:g} m", (self.distance >= low) & (self.distance < high)


def bench_uncertainty(
    lifter: Lifter, crowds: Crowds, *, progress: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """`{"scenes": n, "joints": k, "coverage": {kind: {"50": {"x", "y", "z", "mean"}, "80": …, "90": …}}}`, shares 0..1.

    Coverage of the central intervals predicted ± q sigma that should hold 50, 80 and 90 % of truth (`SHARES`), q the
    normal distribution's.
    """
    claims = gathered(lifter, crowds, progress)
    return {
        "scenes": crowds.scenes,
        "joints": len(claims.truth),
        "coverage": {name: _coverage(claims, some) for name, some in claims.groups() if some.any()},
    }


def gathered(lifter: Lifter, crowds: Crowds, progress: Callable[[int], None] = lambda _: None) -> Claims:
    """What a lifter claims of all people of all scenes whom it has."""
    parts: list[Claims] = []
    for k in range(crowds.scenes):
        gathering = crowds(k)
        parts.append(claimed(gathering, lifter(seen(gathering, crowds.seed + k))))
        progress(k + 1)
    names = Claims.__dataclass_fields__
    return Claims(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def seen(gathering: Gathering, seed: int) -> Tracks:
    """2D joints of everyone as a detector would have them, people by their index, without 3D."""
    truth = torch.from_numpy(gathering.xyz)
    beside = neighbours(truth, torch.ones_like(truth[..., 0]), root=BODY17.index(BODY17.root)).xyz
    own, hidden, other = (v.transpose(0, 1) for v in (truth, torch.from_numpy(gathering.hidden), beside))
    people = len(own)
    step = torch.full((people,), 1 / gathering.fps)
    focal = torch.full((people,), gathering.focal)
    view = simulate_view(own, hidden, other, focal, step, torch.Generator().manual_seed(seed))
    camera = camera_of(gathering)
    marks = torch.cat((view.rays, torch.ones_like(view.rays[..., :1])), -1)
    there = torch.isfinite(view.rays).all(-1) & (view.confidence > 0)
    person, frame = torch.nonzero(there.any(-1), as_tuple=True)
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=camera,
        frame=frame,
        person=person,
        frames=torch.arange(len(truth)),
        fps=gathering.fps,
        xy=camera.project(marks.double()).float()[person, frame],
        confidence=torch.where(there, view.confidence, 0.0)[person, frame],
    )


def claimed(gathering: Gathering, found: Tracks) -> Claims:
    """All joints of a lifter's rows beside their truth."""
    frame, person = found.frame.numpy(), found.person.numpy()
    truth = gathering.xyz[frame, person].astype(np.float64)
    root = np.linalg.norm(truth[:, BODY17.index(BODY17.root)], axis=-1)
    joints = np.broadcast_to(np.arange(len(BODY17)), truth.shape[:2])
    return Claims(
        truth.reshape(-1, 3),
        found.xyz.double().numpy().reshape(-1, 3),
        found.sigma.double().numpy().reshape(-1, 3),
        gathering.hidden[frame, person].reshape(-1),
        joints.reshape(-1).astype(np.int64),
        np.repeat(root, len(BODY17)),
    )


def _coverage(claims: Claims, some: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    told = interval_coverage(claims.truth[some], claims.predicted[some], claims.sigma[some], shares=SHARES)
    return {
        f"{100 * each.share:.0f}": {
            "x": each.x, "y": each.y, "z": each.z, "mean": (each.x + each.y + each.z) / 3,
        }
        for each in told
    }  # fmt: skip
