"""Residuals made linear around a state: sparse rows whose columns are one frame's unknowns after the other's."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from dyad.refinement.problem import Problem, State
from dyad.refinement.readings import Readings
from dyad.refinement.residuals import Residual


@dataclass(frozen=True)
class Layout:
    """Places of a state's numbers in one vector: by person, then frame, then joint; a frame's camera comes last.

    A term that ties a frame to the next few then ties numbers that lie close, and the system's matrix is a band.
    """

    frames: int
    people: int
    joints: int
    dims: int
    camera: int

    @classmethod
    def of(cls, state: State) -> "Layout":
        frames, people, joints, dims = state.points.shape
        return cls(frames, people, joints, dims, 0 if state.cameras is None else state.cameras.shape[-1])

    @property
    def width(self) -> int:
        """Unknowns a person and frame."""
        return self.joints * self.dims + self.camera

    @property
    def first(self) -> Tensor:
        """Place (T, P) of a person's first unknown in a frame."""
        person, frame = torch.arange(self.people), torch.arange(self.frames)
        return (person * self.frames + frame[:, None]) * self.width

    def points(self) -> Tensor:
        """Places (T, P, J, D)."""
        inner = torch.arange(self.joints * self.dims).view(self.joints, self.dims)
        return self.first[..., None, None] + inner

    def cameras(self) -> Tensor:
        """Places (T, P, C)."""
        return self.first[..., None] + self.joints * self.dims + torch.arange(self.camera)

    def flat(self, state: State) -> Tensor:
        """The vector of a state; 0 for what is absent."""
        whole = state.points.flatten(2)
        whole = whole if state.cameras is None else torch.cat((whole, state.cameras), -1)
        return torch.nan_to_num(whole).transpose(0, 1).reshape(-1)

    def state(self, vector: Tensor, like: State) -> State:
        """The state of a vector, with what is absent in `like`."""
        whole = vector.view(self.people, self.frames, self.width).transpose(0, 1)
        points = whole[..., : self.joints * self.dims].unflatten(-1, (self.joints, self.dims))
        points = torch.where(torch.isfinite(like.points), points, torch.nan)
        if like.cameras is None:
            return State(points)
        cameras = whole[..., self.joints * self.dims :]
        return State(points, torch.where(torch.isfinite(like.cameras), cameras, torch.nan))


@dataclass(frozen=True)
class Rows:
    """Residuals (N,), their weights with λ and 1/T, the unknowns (N, K) of each and its slopes in them."""

    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    places: NDArray[np.int64]
    slopes: NDArray[np.float64]

    def matrix(self, unknowns: int) -> sparse.csr_matrix:
        ends = np.arange(len(self.value) + 1) * self.places.shape[1]
        shape = (len(self.value), unknowns)
        return sparse.csr_matrix((self.slopes.ravel(), self.places.ravel(), ends), shape)


def rows(problem: Problem, state: State) -> dict[str, Rows]:
    """All residuals of a problem around a state."""
    found, layout = problem.residuals(state), Layout.of(state)
    lens = _Lens.of(problem, state, layout)
    setting, places, points = problem.setting, layout.points(), state.points
    rate = setting.rate.to(points)[:, None, None, None]
    out = {}
    for name, residual in found.items():
        at, slopes = places[..., None], torch.full_like(residual.value[..., None], setting.unit)
        if name == "two_d":
            at, slopes = lens.places, -setting.px * lens.slopes
        elif name == "opt":
            at, slopes = lens.optical(problem)
        elif name == "motion" and problem.moving == "position":
            at = torch.stack((places[:-1], places[1:]), -1)
            slopes = setting.unit * rate[..., None] * rate.new_tensor((-1, 1)) + torch.zeros(*at.shape)
        elif name == "motion":
            at = torch.stack((places[:-2], places[1:-1], places[2:]), -1)
            before, after = rate[:-1], rate[1:]
            slopes = torch.stack((before, -before - after, after), -1) * (2 / (1 / before + 1 / after))[..., None]
            slopes = setting.unit * slopes + torch.zeros(*at.shape)
        elif name == "camera":
            camera = layout.cameras()[:, :, None]
            at = torch.stack((camera[:-1], camera[1:]), -1)
            slopes = rate[..., None] * rate.new_tensor((-1, 1)) + torch.zeros(*at.shape)
        elif name == "bone":
            at, slopes = _bones(points, places, problem.bones, setting.unit * rate)
        scale = getattr(problem.lambdas, name) / (
            setting.frames.clamp(min=1) * residual.value.shape[2] * residual.value.shape[3]
        )
        out[name] = _kept(residual, scale, at, slopes)
    return out


@dataclass(frozen=True)
class _Lens:
    """How each pixel coordinate (T, P, J, 2) depends on K unknowns: its point's and its camera's."""

    xy: Tensor
    places: Tensor
    slopes: Tensor

    @classmethod
    def of(cls, problem: Problem, state: State, layout: Layout) -> "_Lens":
        points = state.points.detach().requires_grad_()
        wanted, places = [points], [layout.points()]
        cameras = None
        if state.cameras is not None:
            cameras = state.cameras[:, :, None].expand(*points.shape[:-1], -1).detach().clone().requires_grad_()
            wanted.append(cameras)
            places.append(layout.cameras()[:, :, None].expand(*points.shape[:-1], -1))
        with torch.enable_grad():
            xy = problem.view.project(points, cameras)
        # Every pixel depends on its own point and camera alone: the slope of the sum is that of each.
        slopes = _slopes(xy, wanted)
        return cls(xy.detach(), torch.cat(places, -1)[..., None, :].expand(slopes.shape), slopes)

    def optical(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Unknowns and slopes of the flow less the motion, for the pixel at the step's start and that at its end."""
        flow, setting = problem.flow, problem.setting
        if flow is None:
            raise ValueError("there is no flow to be linear in")
        start, end, slopes = self.xy[:-1], self.xy[1:], self.slopes
        change = _flow_slopes(flow, start if problem.reading == "start" else end)
        here, there = slopes[:-1], -slopes[1:]
        moved = change @ (slopes[:-1] if problem.reading == "start" else slopes[1:])
        here, there = (here + moved, there) if problem.reading == "start" else (here, there + moved)
        rate = setting.px * setting.rate.to(slopes)[:, None, None, None, None]
        return torch.cat((self.places[:-1], self.places[1:]), -1), torch.cat((here, there), -1) * rate


def _flow_slopes(flow: Readings, xy: Tensor) -> Tensor:
    """Derivatives (…, 2, 2) of the flow by the place where it is read, over a pixel's width.

    Between pixels the flow is bilinear, and its slope jumps at their centres, where steps by the slope at one side get
    stuck. Where a neighbour is unknown the slope at the place itself counts.
    """
    sides = xy.new_tensor(((0.5, 0.0), (0.0, 0.5)))
    wide = torch.stack([flow.at(xy + side) - flow.at(xy - side) for side in sides], -1)
    at = xy.detach().clone().requires_grad_()
    with torch.enable_grad():
        exact = _slopes(flow.at(at), [at])
    return torch.where(wide.isfinite(), wide, exact)


def _slopes(value: Tensor, of: list[Tensor]) -> Tensor:
    """Derivatives (…, 2, K) of values (…, 2) by numbers (…, k) that each belong to one of them."""
    each = [torch.autograd.grad(value[..., k].sum(), of, retain_graph=True, allow_unused=True) for k in (0, 1)]
    full = [[torch.zeros_like(o) if g is None else g for g, o in zip(grads, of, strict=True)] for grads in each]
    return torch.nan_to_num(torch.stack([torch.cat(grads, -1) for grads in full], -2))


def _bones(points: Tensor, places: Tensor, bones: tuple[tuple[int, int], ...], rate: Tensor) -> tuple[Tensor, Tensor]:
    first, second = ([pair[k] for pair in bones] for k in (0, 1))
    apart = points[:, :, first] - points[:, :, second]
    unit = torch.nan_to_num(apart / torch.linalg.vector_norm(apart, dim=-1, keepdim=True).clamp(min=1e-12))
    unit = torch.cat((unit, -unit), -1)
    place = torch.cat((places[:, :, first], places[:, :, second]), -1)
    return (
        torch.cat((place[:-1], place[1:]), -1)[..., None, :],
        (torch.cat((-unit[:-1], unit[1:]), -1) * rate)[..., None, :],
    )


def _kept(residual: Residual, scale: Tensor, places: Tensor, slopes: Tensor) -> Rows:
    """The rows that count."""
    weight = (residual.weight * scale[:, None, None]).expand(residual.value.shape)
    keep = weight > 0
    arrays = (residual.value, weight, places.expand(slopes.shape), slopes)
    return Rows(*(array.detach()[keep].cpu().numpy() for array in arrays))
