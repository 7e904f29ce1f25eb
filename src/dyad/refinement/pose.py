"""Poses that agree with the flow: the least energy of the paper's equation 2, for everyone in a video at once."""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows, Lazy
from dyad.core.tracks import Tracks
from dyad.geometry.alignment import place
from dyad.refinement.gauss_newton import GaussNewton
from dyad.refinement.problem import Lambdas, Motion, Problem, State
from dyad.refinement.readings import Readings, cut
from dyad.refinement.released import bones_of
from dyad.refinement.residuals import Reading, Setting
from dyad.refinement.solvers import Adam, Solver
from dyad.refinement.views import Flat, Perspective, WeakPerspective

Dimensions = Literal["3d", "2d"]

# Found on rendered scenes with the noise of estimators, see docs/refinement.md.
DEFAULT_LAMBDAS = Lambdas(opt=1.0, three_d=4000.0, two_d=1.0, motion=500.0, camera=0.0, bone=150000.0)
DEFAULT_FLAT = Lambdas(opt=1.0, three_d=0.3, two_d=1.0, motion=0.0, camera=0.0, bone=0.0)

_POSES_AT_ONCE = 256
_ALIKE = 0.1
"""Noise, as a share of the depth, by which no joint is an outlier: what is fitted was computed, not detected."""


@dataclass(frozen=True, kw_only=True)
class PoseRefiner:
    """Moves the joints of tracks so that their motion in the image is that of the flow.

    People do not depend on each other. Nothing is tied across a hard cut, a gap or an unknown flow; what is NaN stays.

    Attributes:
        mode: "3d" refines `xyz`, and leaves `xy` as detected; "2d" refines `xy` by the flow and the detections alone,
            for people whose 3D is not to be relied on.
        lambdas: weights of the energies; None takes those of the mode.
        solver: what lowers the energies.
        weak_camera: a weak-perspective camera for every person and frame is refined along with poses about their own
            root, as in the paper; poses then move to where the tracks' camera sees them in the same place. Else that
            camera is given and the poses stand where they stand.
        moving: which motion is penalised: "position" is the paper's, fit for poses about their own root.
        bones: pairs of joints whose length should last: the skeleton's, or those of the published code.
        reading: where a flow is read, see `terms.optical`.
        confident: flow counts as far as a joint is seen; else everywhere alike.
        steady: flow that differs by so much around a joint, in px of a 1000 px image in 0.1 s, counts half, and less
            the more it differs: an edge runs there, of which either side may be the limb's. None counts all alike.
        lifted: the 3D was made from these very 2D joints: whatever lies between them for good, such as another idea of
            where a hip is, the lifter knew, and it does not pull.
        hidden: also read flow that is itself marked as occluded in the next frame.
        reach: how far, in longer sides of the image, a joint may move until there is no flow left to read.
        span, overlap: frames that are solved together, and those before and after them that are solved along.
    """

    mode: Dimensions = "3d"
    lambdas: Lambdas | None = None
    solver: Solver = field(default_factory=GaussNewton)
    weak_camera: bool = False
    moving: Motion = "acceleration"
    bones: Literal["skeleton", "published"] = "skeleton"
    reading: Reading = "start"
    confident: bool = True
    steady: float | None = 3.0
    lifted: bool = False
    hidden: bool = False
    reach: float = 0.015
    span: int = 300
    overlap: int = 40

    @classmethod
    def paper(cls, *, mode: Dimensions = "3d", still: int | None = None, reading: Reading = "start") -> Self:
        """As the paper describes it: 1,500 steps of Adam; `still` = 10 stops them by the published code's rule.

        Flow is read where it begins, at P(X^{t-1}), as in the published code; `reading` = "end" is equation 3 as
        printed. In two dimensions the anchor weighs as much as the 2D term: the paper's 400 is for metres.
        """
        lambdas = Lambdas.published()
        if mode == "2d":
            lambdas = replace(lambdas, three_d=lambdas.two_d, motion=0.0, camera=0.0, bone=0.0)
        return cls(
            mode=mode,
            lambdas=lambdas,
            solver=Adam(still=still),
            weak_camera=mode == "3d",
            moving="position",
            bones="published",
            reading=reading,
            confident=False,
            steady=None,
            hidden=True,
            reach=0.05,
        )

    def __call__(self, tracks: Tracks, flows: Flows) -> Tracks:
        """Tracks with refined joints; flows[i] leads from the i-th of `tracks.frames` to the next.

        Each flow is asked for once or, near the ends of a span, twice. Raises BadInput where flows and frames do not
        belong together.
        """
        if len(flows) != max(len(tracks.frames) - 1, 0):
            raise BadInput(
                f"{len(tracks.frames)} frames have {max(len(tracks.frames) - 1, 0)} flows between them, got "
                f"{len(flows)}; compute the flow of the frames that the tracks are about"
            )
        refined = (tracks.xyz if self.mode == "3d" else tracks.xy).clone()
        place = torch.searchsorted(tracks.frames, tracks.frame)
        for first in range(0, len(tracks.frames), self.span):
            stop = min(first + self.span, len(tracks.frames))
            low, high = max(first - self.overlap, 0), min(stop + self.overlap, len(tracks.frames))
            chosen = (place >= low) & (place < high)
            if not chosen.any():
                continue
            part = _shown(tracks[chosen], low, high)
            found = self._solved(part, _part(flows, low, high - 1, tracks.camera))
            rows = torch.nonzero(chosen)[:, 0]
            kept = (place[rows] >= first) & (place[rows] < stop)
            refined[rows[kept]] = found[kept].to(refined)
        return tracks.with_(xyz=refined) if self.mode == "3d" else tracks.with_(xy=refined)

    def _solved(self, tracks: Tracks, flows: Flows) -> Tensor:
        """Refined joints (N, J, D) of all rows."""
        problem, state, root = self.problem(tracks, flows)
        found = self._least(problem, state, tracks)
        points = found.points
        if root is not None:
            points = points + _standing(tracks.camera, points, problem.project(found), root)
        return points[torch.searchsorted(tracks.frames, tracks.frame), _columns(tracks)]

    def _least(self, problem: Problem, state: State, tracks: Tracks) -> State:
        """The state of least energy."""
        return self.solver(problem, state).state

    def problem(self, tracks: Tracks, flows: Flows) -> tuple[Problem, State, Tensor | None]:
        """What is solved for tracks: the problem, where it starts, and what was taken off the points (T, P, 1, 3)."""
        window, flat = tracks.window(), self.mode == "2d"
        shot = tracks.shot(window.frames)
        setting = Setting.of(window.present, window.times, tracks.camera.size, shot=shot, flat=flat)
        xy, xyz, root = window.xy.double(), window.xyz.double(), None
        known = torch.isfinite(xy).all(-1)
        seen = torch.where(known, torch.nan_to_num(window.confidence.double()), 0.0)
        clear = window.seen.double()
        view, cameras = Flat() if flat else Perspective(tracks.camera), None
        if self.weak_camera and not flat:
            root = _root(xyz, tracks.skeleton.index(tracks.skeleton.root))
            view, cameras = _weak(tracks.camera, xyz, root, xy)
            xyz = xyz - root
        points = xy if flat else xyz
        state = State(points, cameras)
        weights = self.lambdas or (DEFAULT_FLAT if flat else DEFAULT_LAMBDAS)
        trusted = torch.minimum(clear[1:], clear[:-1]) if self.confident else torch.ones_like(clear[1:])
        problem = Problem(
            view=view,
            setting=setting,
            lambdas=weights,
            initial=points,
            anchor=torch.ones_like(clear),
            detected=xy,
            seen=seen,
            flow=None,
            trusted=trusted,
            bones=tracks.skeleton.bones if self.bones == "skeleton" else bones_of(tracks.skeleton),
            moving=self.moving,
            reading=self.reading,
        )
        if self.lifted and not flat:
            problem = replace(problem, detected=xy - _lasting(xy - problem.project(state), xyz))
        flow = self._readings(problem, state, flows, tracks.camera)
        if flow is not None and self.steady is not None:
            apart = flow.spread.double() * setting.px * setting.rate[:, None, None]
            trusted = trusted / (1 + torch.nan_to_num(apart / self.steady).square())
        return replace(problem, flow=flow, trusted=trusted), state, root

    def _readings(self, problem: Problem, state: State, flows: Flows, camera: Camera) -> Readings | None:
        if not problem.lambdas.opt or not problem.setting.joined.any():
            return None
        xy = problem.project(state)
        radius = max(8, round(self.reach * max(camera.size)))
        at = xy[:-1] if self.reading == "start" else xy[1:]
        return cut(flows, at, problem.setting.joined, radius=radius, hidden=self.hidden)


def _lasting(apart: Tensor, xyz: Tensor) -> Tensor:
    """What of distances (T, P, J, 2) px stays all the time, and grows as the person comes nearer; 0 where unknown."""
    away = xyz[..., 2].nanmean(-1)[..., None, None]
    return torch.nan_to_num((apart * away).nanmedian(0, keepdim=True).values / away)


def _weak(camera: Camera, xyz: Tensor, root: Tensor, xy: Tensor) -> tuple[WeakPerspective, Tensor]:
    """A weak-perspective view of poses about their roots, and the cameras (T, P, 3) to begin with."""
    # The estimator's own view of its poses, and the detections where there is none: of poses that stand nowhere.
    aim = Perspective(camera).project(xyz)
    aim = torch.where(torch.isfinite(aim), aim, xy)
    low, high = (torch.where(aim.isfinite(), aim, s * torch.inf) for s in (1, -1))
    low, high = low.amin(2), high.amax(2)
    side = (high - low).amax(-1)
    side = torch.where(side.isfinite(), side, torch.nan).nanmedian(0).values.clamp(min=1)
    middle = torch.nan_to_num((low + high) / 2, 0.0, 0.0, 0.0)
    view = WeakPerspective((torch.nan_to_num(side, 1.0) / 2).expand(middle.shape[:2]), middle)
    return view, view.fitted(xyz - root, aim, torch.ones_like(aim[..., 0]))


def _root(xyz: Tensor, joint: int) -> Tensor:
    """Each pose's root (T, P, 1, 3), or the middle of its joints where the root is unknown."""
    root = xyz[:, :, joint, None]
    return torch.where(root.isfinite(), root, xyz.nanmean(2, keepdim=True))


def _standing(camera: Camera, points: Tensor, xy: Tensor, root: Tensor) -> Tensor:
    """Roots (T, P, 1, 3) about which points (T, P, J, 3) appear closest to pixels (T, P, J, 2); as given where no
    place in front of the camera does."""
    rays = camera.rays(xy).flatten(0, 1).split(_POSES_AT_ONCE)
    fits = [
        place(part, ray, torch.ones_like(part[..., 0]), noise=_ALIKE, pose_noise=0.0).translation
        for part, ray in zip(points.flatten(0, 1).split(_POSES_AT_ONCE), rays, strict=True)
    ]
    found = torch.cat(fits).view_as(root)
    ahead = found.isfinite().all(-1, keepdim=True) & (found[..., 2:] > 0)
    return torch.where(ahead, found, root)


def _columns(tracks: Tracks) -> Tensor:
    """Each row's person among all of them."""
    return torch.searchsorted(torch.unique(tracks.person), tracks.person)


def _shown(tracks: Tracks, low: int, high: int) -> Tracks:
    return tracks.with_(frames=tracks.frames[low:high], times=tracks.times[low:high])


def _part(flows: Flows, low: int, high: int, camera: Camera) -> Flows:
    def checked(where: int) -> Flow:
        flow = flows[low + where]
        if flow.size != camera.size:
            raise BadInput(f"the tracks are about images of {camera.size} px, got a flow of {flow.size} px")
        return flow

    return Lazy(max(high - low, 0), checked)
