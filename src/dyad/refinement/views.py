"""How the points that are refined become pixels: a camera that is given, one that is refined with them, or none."""

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from dyad.core.camera import Camera

NEAREST = 0.05
"""Points closer to the camera than this, m, have no pixel: the projection's slope has no bound there."""


class View(Protocol):
    """Projection of points, joint by joint, so that each pixel depends on its own point and camera alone."""

    @property
    def dims(self) -> int:
        """Coordinates of a point: 3 (m) or 2 (px)."""
        ...

    def project(self, points: Tensor, camera: Tensor | None) -> Tensor:
        """Pixels (T, P, J, 2) of points (T, P, J, dims) and cameras (T, P, 1 or J, 3); NaN where there is none."""
        ...

    def of(self, frames: slice, people: slice) -> Self:
        """The view of some frames and people."""
        ...


@dataclass(frozen=True)
class Perspective:
    """A camera that is given and stays: points in m in its axes.

    Attributes:
        camera: one for the whole video, as tracks have it, or one a frame: its focal length, centre and lens then
            begin with (T, 1, 1). Tracks take no such camera, so that only who writes a `Problem` of their own has it.
    """

    camera: Camera
    dims: ClassVar[int] = 3

    def project(self, points: Tensor, camera: Tensor | None = None) -> Tensor:
        seen = torch.isfinite(points).all(-1, keepdim=True) & (points[..., 2:] > NEAREST)
        # A point that is certainly in front stands in for the others, so that no slope is infinite.
        ahead = torch.where(seen, points, points.new_tensor((0.0, 0.0, 1.0)))
        return torch.where(seen, self.camera.project(ahead), points.new_tensor(torch.nan))

    def of(self, frames: slice, people: slice) -> Self:
        lens = {name: getattr(self.camera, name) for name in ("focal", "centre", "distortion")}
        some = {name: value[frames] for name, value in lens.items() if value.dim() > 1}
        return replace(self, camera=replace(self.camera, **some)) if some else self


@dataclass(frozen=True)
class WeakPerspective:
    """A camera (s, tx, ty) for every person and frame, refined with the points: pixel = unit · s (x + t) + origin.

    Attributes:
        unit: (T, P) px, how far 1 in the crop's own coordinates reaches (those run from -1 to 1).
        origin: (T, P, 2) px, the middle of the crop in the image.
    """

    unit: Tensor
    origin: Tensor
    dims: ClassVar[int] = 3

    @classmethod
    def of_crops(cls, scale: Tensor, start: Tensor, *, side: int = 224) -> "WeakPerspective":
        """From enlarged images: scale (T, P), and the middle (T, P, 2) px there of a crop of `side` px."""
        return cls(side / 2 / scale, start / scale[..., None])

    def project(self, points: Tensor, camera: Tensor | None) -> Tensor:
        if camera is None:
            raise ValueError("a weak-perspective view needs cameras (T, P, J, 3), got none")
        known = torch.isfinite(camera).all(-1, keepdim=True)
        # Some camera stands in for one that is not known, so that no slope is NaN.
        camera = torch.where(known, camera, torch.ones_like(camera))
        flat = camera[..., :1] * (points[..., :2] + camera[..., 1:])
        unit, origin = self.unit[..., None, None].to(points), self.origin[..., None, :].to(points)
        return torch.where(known, unit * flat + origin, points.new_tensor(torch.nan))

    def of(self, frames: slice, people: slice) -> Self:
        return replace(self, unit=self.unit[frames, people], origin=self.origin[frames, people])

    def fitted(self, points: Tensor, xy: Tensor, weight: Tensor) -> Tensor:
        """Cameras (T, P, 3) that lead points (T, P, J, 3) closest to pixels (T, P, J, 2), by weighted least squares.

        NaN where fewer than two joints tell.
        """
        wanted = (xy - self.origin[..., None, :].to(xy)) / self.unit[..., None, None].to(xy)
        known = (torch.isfinite(points).all(-1) & torch.isfinite(wanted).all(-1) & (weight > 0))[..., None]
        share = torch.where(known, weight[..., None], torch.zeros_like(weight[..., None]))
        share = share / share.sum(-2, keepdim=True)
        flat, wanted = (torch.where(known, v, torch.zeros_like(v)) for v in (points[..., :2], wanted))
        middle, aim = (share * flat).sum(-2, keepdim=True), (share * wanted).sum(-2, keepdim=True)
        spread = (share * (flat - middle).square()).sum((-1, -2))
        s = (share * (flat - middle) * (wanted - aim)).sum((-1, -2)) / spread
        s = torch.where((spread > 0) & (s > 0), s, torch.nan)[..., None]
        return torch.cat((s, aim[..., 0, :] / s - middle[..., 0, :]), -1)


@dataclass(frozen=True)
class Flat:
    """No camera: the points are pixels themselves (the paper's setting where 3D is unreliable)."""

    dims: ClassVar[int] = 2

    def project(self, points: Tensor, camera: Tensor | None = None) -> Tensor:
        return points

    def of(self, frames: slice, people: slice) -> Self:
        return self
