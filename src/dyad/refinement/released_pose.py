"""Poses moved as the published code moves them: by the energies of `released`, one person after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from dyad.core.skeleton import LSP14, Skeleton
from dyad.core.tracks import Tracks
from dyad.refinement.pose import PoseRefiner
from dyad.refinement.problem import Lambdas, Problem, State
from dyad.refinement.readings import Readings
from dyad.refinement.released import UNDETECTED, ReleasedProblem
from dyad.refinement.solvers import Adam


@dataclass(frozen=True, kw_only=True)
class ReleasedPoses(PoseRefiner):
    """Moves joints as the code does that was released with the paper.

    The code knows a video of one person with LSP's 14 joints, none of which is ever missing. Here each run of frames in
    which the same joints of a person are known, without a gap or a cut, is such a video. Joints that a skeleton has
    besides the 14 are moved along, without a 2D term. Flow is read as there, apart from joints that move by more than
    `reach`: they read it at the edge of what was kept of it. In two dimensions nothing was released.
    """

    solver: Adam = field(default_factory=Adam)

    @classmethod
    def released(cls) -> Self:
        """The code's setting: sums with the printed weights, and Adam until what it prints stands still."""
        return replace(cls.paper(still=10), lambdas=Lambdas.printed())

    def _least(self, problem: Problem, state: State, tracks: Tracks) -> State:
        points = state.points.clone()
        cameras = None if state.cameras is None else state.cameras.clone()
        for person in range(points.shape[1]):
            known = torch.isfinite(state.points[:, person]).all(-1)
            for run in _runs(known, problem.setting.joined[:, person]):
                joints = torch.nonzero(known[run.start])[:, 0]
                own = run, slice(person, person + 1)
                part = _part(problem, own, joints, tracks.skeleton, tracks.camera.size)
                began = State(points[own][:, :, joints], None if cameras is None else cameras[own])
                found = self.solver(part, began).state
                points[run, person, joints] = found.points[:, 0]
                if cameras is not None and found.cameras is not None:
                    cameras[own] = found.cameras
        return State(points, cameras)


@dataclass(frozen=True)
class NearFlow:
    """Reads flow that was kept near the joints as `released.read_flow` reads whole images of `size`."""

    kept: Readings
    size: tuple[int, int]

    def __call__(self, xy: Tensor) -> Tensor:
        """Flow (T-1, J, 2) px at points (T-1, J, 2) px, without slope: 0 outside and in the last row and column."""
        at = xy.detach().double()
        limit = at.new_tensor((self.size[0] - 1, self.size[1] - 1))
        within = ((at >= 0) & (at < limit)) | ((at == limit) & (at == at.floor()).all(-1, keepdim=True))
        found = self.kept.at(at[:, None])[:, 0]
        return torch.where(within.all(-1, keepdim=True), found.to(at), torch.zeros_like(at))


def _part(
    problem: Problem, own: tuple[slice, slice], joints: Tensor, skeleton: Skeleton, size: tuple[int, int]
) -> ReleasedProblem:
    """The problem of one person's run of frames."""
    frames, person = own
    steps = slice(frames.start, frames.stop - 1)
    place = {joint: k for k, joint in enumerate(joints.tolist())}
    used = torch.tensor([name in LSP14.names and name not in UNDETECTED for name in skeleton.names])[joints]
    counts = (problem.seen[frames, person.start][:, joints] > 0) & used
    detected = problem.detected[frames, person.start][:, joints]
    read: Callable[[Tensor], Tensor] = _nowhere
    if problem.flow is not None:
        uv, origin = (v[steps, person][:, :, joints] for v in (problem.flow.uv, problem.flow.origin))
        # The code reads wherever a joint goes, not only where it was at first.
        read = NearFlow(Readings(uv, origin, torch.ones_like(origin[..., 0], dtype=torch.bool)), size)
    return ReleasedProblem(
        view=problem.view.of(frames, person),
        lambdas=problem.lambdas,
        initial=problem.initial[frames, person.start][:, joints],
        detected=torch.where(counts[..., None], detected, 0.0),
        counts=counts.to(detected),
        read=read,
        bones=tuple((place[a], place[b]) for a, b in problem.bones if a in place and b in place),
    )


def _nowhere(xy: Tensor) -> Tensor:
    """No flow is known."""
    return torch.full_like(xy, torch.nan)


def _runs(known: Tensor, joined: Tensor) -> Iterator[slice]:
    """Frames that follow each other with the same joints known (T, J), and some."""
    ends = torch.nonzero(~joined | (known[1:] != known[:-1]).any(-1))[:, 0] + 1
    for run in torch.tensor_split(torch.arange(len(known)), ends):
        if known[run[0]].any():
            yield slice(int(run[0]), int(run[-1]) + 1)
