"""The pose energies as the published code computes them; `terms` holds what its paper says.

They differ: sums over joints and coordinates take the place of means (the mean over frames stays); flow is read at
P(X^{t-1}) as a number without a slope, and is 0 outside the image and between the pixels of its last row and column,
so that joints there are pulled to stand still; of 14 joints the head, the neck and the hips have no detection, and a
detection counts 1 or 0, inside ρ; a bone's norm has 1e-6 added to each coordinate; the first frame has only the 2D and
3D terms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from dyad.core.skeleton import LSP14, Skeleton
from dyad.refinement.problem import Lambdas, State
from dyad.refinement.terms import smooth_l1
from dyad.refinement.views import View

UNDETECTED = ("head_top", "neck", "left_hip", "right_hip")
"""Joints whose detections are not used."""

DETECTIONS = Skeleton.of_names(
    (
        "nose", "neck", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    "posetrack17",
)  # fmt: skip
"""Joints of the detector's files."""

_ENDS = (
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("right_hip", "right_shoulder"),
    ("right_hip", "left_hip"),
    ("left_ankle", "left_knee"),
    ("left_knee", "left_hip"),
    ("left_hip", "left_shoulder"),
    ("neck", "right_shoulder"),
    ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("neck", "head_top"),
    ("left_shoulder", "right_shoulder"),
)


def bones_of(skeleton: Skeleton) -> tuple[tuple[int, int], ...]:
    """The published pairs of joints whose length should last: limbs, but also the trunk's sides, hips and shoulders."""
    return tuple(
        (skeleton.index(a), skeleton.index(b)) for a, b in _ENDS if a in skeleton.names and b in skeleton.names
    )


BONES = bones_of(LSP14)
"""All fifteen."""


def bone_lengths(xyz: Tensor, bones: tuple[tuple[int, int], ...] = BONES) -> Tensor:
    """Lengths (T, B) of bones, (joint, joint) pairs, of poses (T, J, 3)."""
    first, second = ([bone[k] for bone in bones] for k in (0, 1))
    return (xyz[:, first] - xyz[:, second] + 1e-6).square().sum(-1).sqrt()


def detections14(found: Tensor) -> tuple[Tensor, Tensor]:
    """Detections (T, 17, ≥ 2) px as `LSP14` joints (T, 14, 2), and whether each counts (T, 14): 1 or 0."""
    xy = DETECTIONS.convert(found[..., :2], LSP14)
    used = torch.tensor([name not in UNDETECTED for name in LSP14.names], device=xy.device)
    xy = torch.where(used[:, None], xy, torch.zeros_like(xy))
    return xy, (xy != 0).any(-1).to(xy)


def read_flow(uv: Tensor, xy: Tensor) -> Tensor:
    """Flow (…, N, 2) px of images (…, 2, H, W) at points (…, N, 2) px: bilinear, in double precision, without slope.

    Neighbours are clipped to the image, so that both are the same, and the result 0, where a coordinate is outside or
    in the last row or column; a point whose coordinates are both whole is read directly if it is inside.
    """
    width, height = uv.shape[-1], uv.shape[-2]
    at, flat = xy.detach().double(), uv.detach().double().flatten(-2)
    limit = at.new_tensor((width - 1, height - 1))
    low = torch.minimum(at.floor().clamp(min=0), limit)
    high = torch.minimum((at.floor() + 1).clamp(min=0), limit)

    def pixel(x: Tensor, y: Tensor) -> Tensor:
        place = (y.long() * width + x.long()).unsqueeze(-2).expand(*flat.shape[:-1], -1)
        return flat.gather(-1, place).movedim(-2, -1)

    (x0, y0), (x1, y1) = low.unbind(-1), high.unbind(-1)
    left, top = (high - at).unbind(-1)
    right, bottom = (at - low).unbind(-1)
    taps = ((x0, y0, left * top), (x0, y1, left * bottom), (x1, y0, right * top), (x1, y1, right * bottom))
    value = sum((pixel(x, y) * share[..., None] for x, y, share in taps), torch.zeros_like(at))
    value = torch.where((low == high).any(-1, keepdim=True), torch.zeros_like(value), value)
    whole = ((at == at.floor()) & (at >= 0) & (at <= limit)).all(-1, keepdim=True)
    return torch.where(whole, pixel(x0, y0), value)


def flow_or_motion(uv: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Flow (N, 2) px of an image (2, H, W) at detections before, with which those after agree where nothing is to read:

    where the earlier detection is (0, 0), or right of or below the image, the flow is said to be their own motion.
    """
    beyond = (before[:, 0] >= uv.shape[-1]) | (before[:, 1] >= uv.shape[-2])
    own = (before == 0).all(-1) | beyond
    return torch.where(own[:, None], (after - before).double(), read_flow(uv, before))


class Parts(NamedTuple):
    """Weighted sums (T,) of each frame; what needs a frame before is 0 in the first."""

    temporal: Tensor
    two_d: Tensor
    three_d: Tensor
    flow: Tensor


@dataclass(frozen=True, kw_only=True)
class ReleasedProblem:
    """One person's frames, with energies of the published code; solved like a `Problem`.

    Attributes:
        initial: (T, J, 3) m. detected: (T, J, 2) px. counts: (T, J), 1 or 0. The code's J is 14.
        read: gives flow (T-1, J, 2) px at points (T-1, J, 2) px, such as `read_flow` of whole images. Where it is NaN,
            which the code's flow never is, nothing pulls.
        bones: whose lengths should last.
    """

    view: View
    lambdas: Lambdas
    initial: Tensor
    detected: Tensor
    counts: Tensor
    read: Callable[[Tensor], Tensor]
    bones: tuple[tuple[int, int], ...] = BONES
    unit: ClassVar[float] = 1.0

    def project(self, state: State) -> Tensor:
        """Pixels (T, J, 2) of points (T, 1, J, 3) and cameras (T, 1, 3)."""
        cameras = None if state.cameras is None else state.cameras[:, :, None].expand(*state.points.shape[:-1], -1)
        return self.view.project(state.points, cameras)[:, 0]

    def parts(self, state: State) -> Parts:
        """The sums of each frame; λ of `Lambdas.printed`."""
        weights, xyz, xy = self.lambdas, state.points[:, 0], self.project(state)
        lengths = bone_lengths(xyz, self.bones)
        temporal = weights.motion * _summed(xyz.diff(dim=0)) + weights.bone * _summed(lengths.diff(dim=0))
        if state.cameras is not None:
            temporal = temporal + weights.camera * _summed(state.cameras.diff(dim=0))
        read = self.read(xy[:-1]).to(xy)
        count = self.counts[..., None]
        first = xyz.new_zeros(1)
        return Parts(
            torch.cat((first, temporal)),
            weights.two_d * _summed(count * self.detected - count * xy),
            weights.three_d * _summed(xyz - self.initial),
            torch.cat((first, weights.opt * _summed(xy.diff(dim=0) - read))),
        )

    def energy(self, state: State) -> Tensor:
        """Mean over frames."""
        return torch.stack(self.parts(state)).sum(0).mean()


def _summed(x: Tensor) -> Tensor:
    """Sum of ρ over all but the first dimension; what is not known adds nothing."""
    return smooth_l1(torch.where(torch.isfinite(x), x, torch.zeros_like(x))).flatten(1).sum(1)
