"""What each energy penalises, in the units for which the paper's weights were found.

Values are (T', P, N, D) and finite; weights broadcast to them and are 0 where something is absent. Gradients pass, and
are 0 there.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dyad.refinement.readings import Readings

PAPER_PX = 1000.0
PAPER_STEP = 0.1
"""Human3.6M's images are 1000 px a side; the paper takes ten of their frames a second."""

Reading = Literal["start", "end"]


class Residual(NamedTuple):
    """A value (T', P, N, D) and its weight, which broadcasts to it."""

    value: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Setting:
    """Which frames of whom follow each other, and what turns pixels and steps into those of the paper.

    Attributes:
        present: (T, P) bool.
        joined: (T-1, P) bool, there in a frame and in the next, and no cut lies between.
        px: px of the paper's image for each px of this one.
        rate: (T-1,) steps of the paper in the time from each frame to the next; its inverse, that is (0.1 s / dt).
        unit: what turns a coordinate of a point into the residual's unit: 1 for m, `px` for points in pixels.
    """

    present: Tensor
    joined: Tensor
    px: float
    rate: Tensor
    unit: float = 1.0

    @classmethod
    def of(
        cls,
        present: Tensor,
        times: Tensor,
        size: tuple[int, int],
        *,
        shot: Tensor | None = None,
        flat: bool = False,
    ) -> "Setting":
        """For frames at `times` (T,) s of images of `size` (width, height) px.

        `shot` (T,) is the number of each frame's shot; `flat` says that points are in pixels. Steps that take no time
        count as the middle one of the others.
        """
        step = times.double().diff()
        usual = step[step > 0].median() if (step > 0).any() else step.new_tensor(PAPER_STEP)
        rate = PAPER_STEP / torch.where(step > 0, step, usual)
        joined = present[1:] & present[:-1]
        if shot is not None:
            joined = joined & (shot[1:] == shot[:-1])[:, None]
        px = PAPER_PX / max(size)
        return cls(present, joined, px, rate, px if flat else 1.0)

    @property
    def frames(self) -> Tensor:
        """Number (P,) of each person's frames."""
        return self.present.sum(0)

    @property
    def across(self) -> Tensor:
        """(T-2, P) bool, three frames follow each other."""
        return self.joined[1:] & self.joined[:-1]


def optical(xy: Tensor, flow: Readings, setting: Setting, *, weight: Tensor, reading: Reading = "start") -> Residual:
    """Flow less the joint's own motion (T-1, P, J, 2); see `terms.optical`."""
    start, end = xy[:-1], xy[1:]
    apart = flow.at(start if reading == "start" else end) - (end - start)
    return _masked(apart * setting.px * _rate(setting, xy), weight[..., None], setting.joined)


def three_d(points: Tensor, initial: Tensor, setting: Setting, *, weight: Tensor) -> Residual:
    """How far points (T, P, J, D) have left their initial estimates."""
    return _masked((points - initial) * setting.unit, weight[..., None], setting.present)


def two_d(xy: Tensor, detected: Tensor, setting: Setting, *, weight: Tensor) -> Residual:
    """How far joints (T, P, J, 2) are from where they were detected."""
    return _masked((detected - xy) * setting.px, weight[..., None], setting.present)


def position(points: Tensor, setting: Setting) -> Residual:
    """How far points (T, P, J, D) move: (T-1, P, J, D)."""
    return _masked(points.diff(dim=0) * (setting.unit * _rate(setting, points)), None, setting.joined)


def acceleration(points: Tensor, setting: Setting) -> Residual:
    """How the motion of points (T, P, J, D) changes: (T-2, P, J, D)."""
    rate = _rate(setting, points)
    change = (points.diff(dim=0) * rate).diff(dim=0) * (2 / (1 / rate[1:] + 1 / rate[:-1]))
    return _masked(change * setting.unit, None, setting.across)


def camera(cameras: Tensor, setting: Setting) -> Residual:
    """How cameras (T, P, C) change: (T-1, P, 1, C)."""
    change = cameras[:, :, None].diff(dim=0) * _rate(setting, cameras)
    return _masked(change, None, setting.joined)


def bone(points: Tensor, bones: tuple[tuple[int, int], ...], setting: Setting) -> Residual:
    """How bones, (joint, joint) pairs, change their length: (T-1, P, B, 1)."""
    lengths = bone_lengths(points, bones)[..., None]
    return _masked(lengths.diff(dim=0) * (setting.unit * _rate(setting, points)), None, setting.joined)


def bone_lengths(points: Tensor, bones: tuple[tuple[int, int], ...]) -> Tensor:
    """Lengths (T, P, B) between pairs of joints."""
    first, second = ([pair[k] for pair in bones] for k in (0, 1))
    apart = points[:, :, first] - points[:, :, second]
    known = torch.isfinite(apart).all(-1)
    # Neither NaN nor 0 has a slope: what is absent gets the length of something else before it is left out.
    length = torch.linalg.vector_norm(torch.where(known[..., None], apart, torch.ones_like(apart)), dim=-1)
    return torch.where(known, length, length.new_tensor(torch.nan))


def _rate(setting: Setting, like: Tensor) -> Tensor:
    return setting.rate.to(like)[:, None, None, None]


def _masked(value: Tensor, weight: Tensor | None, there: Tensor) -> Residual:
    """The value with 0 for what is absent, and its weight, 0 there."""
    known = torch.isfinite(value) & there[..., None, None]
    weight = value.new_ones(()) if weight is None else torch.nan_to_num(weight.to(value))
    return Residual(torch.where(known, value, torch.zeros_like(value)), known * weight)
