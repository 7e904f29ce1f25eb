"""Target flow as published: the paper's crosses, and the squares of its released code with all their faults.

Arko, Little and Yi, "Bootstrapping Human Optical Flow and Pose", BMVC 2022, section 3.1: people are sketched by lines
that a cross of fifteen pixels radius makes thick. The code that its authors released draws squares instead.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.errors import BadUsage
from dyad.core.skeleton import Skeleton
from dyad.refinement.limbs import limbs_of
from dyad.refinement.moves import Moves
from dyad.refinement.strokes import near_lines
from dyad.refinement.target import CONFIDENT, Target, blank, first_of, lines_of

RADIUS = 15
POINTS = 22

Bones = tuple[tuple[str, str], ...]
POSE_BONES: Bones = (
    ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"),
    ("right_hip", "right_shoulder"),
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
)
"""What the released code draws of 3D poses, in its order: later bones over earlier ones."""
DETECTION_BONES: Bones = (
    ("head_top", "nose"),
    ("nose", "neck"),
    ("neck", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_shoulder", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
"""What it draws of 2D detections, whose neck PoseTrack calls `head_bottom`."""


@dataclass(frozen=True)
class CrossSketch:
    """Every pixel of a bone spreads its motion over a cross: `radius` px to the left, right, up and down.

    The bones are the paper's. Where crosses of a person meet, the nearest bone pixel counts, and of two people the
    nearer one; the paper leaves both open. Nothing is smooth at the edges and nobody hides anything else.
    """

    radius: float = RADIUS
    confidence: float = CONFIDENT

    def __post_init__(self) -> None:
        if not self.radius >= 0:
            raise BadUsage(f"the radius of a cross is 0 px or more, got {self.radius}")

    @torch.no_grad()
    def __call__(self, moves: Moves, size: tuple[int, int]) -> Target:
        target = blank(len(moves), size, moves.first.device)
        lines = lines_of(moves, size, limbs_of(moves.skeleton), self.confidence)
        # The arms to left and right, and then those up and down with x and y exchanged.
        upright = torch.arange(2, device=lines.frame.device).repeat_interleave(len(lines.frame))[:, None] > 0
        start, end = (torch.where(upright, v.repeat(2, 1).flip(-1), v.repeat(2, 1)) for v in (lines.start, lines.end))
        sizes = torch.tensor(size, device=start.device)
        sizes = torch.where(upright, sizes.flip(0), sizes)
        reach = start.new_tensor((self.radius + 0.5, 0.5)).expand_as(start)
        near = near_lines(start, end, reach, sizes)
        begin, span = start[near.line, 0], (end - start)[near.line, 0]
        level = span.abs() < 1e-6
        share = torch.where(level, (near.low + near.high) / 2, (near.x - begin) / torch.where(level, 1, span))
        share = torch.minimum(torch.maximum(share, near.low), near.high)
        arm = (begin + share * span - near.x).abs()
        line, turned = near.line % max(1, len(lines.frame)), upright[near.line, 0]
        x, y = torch.where(turned, near.y, near.x), torch.where(turned, near.x, near.y)
        pixel = (lines.frame[line] * size[1] + y) * size[0] + x
        kept = first_of(pixel, lines.order(moves)[line] * (2 * self.radius + 2) + arm, target.weight.numel())
        moved = torch.lerp(
            (lines.start_next - lines.start)[line[kept]], (lines.end_next - lines.end)[line[kept]], share[kept, None]
        )
        target.flow.uv.movedim(1, -1).view(-1, 2)[pixel[kept]] = moved
        target.weight.view(-1)[pixel[kept]] = 1
        return target


@dataclass(frozen=True)
class ReleasedSketch:
    """The released code to the pixel: 22 points a bone, each a square of 30 px a side with the point's motion.

    Rows run from round(y) - 15 to round(y) + 14 and columns likewise, rounded to even; what is drawn later covers what
    was drawn earlier. Its faults are kept: a square that the upper or left border cuts is not drawn, one that lies
    wholly beyond them appears at the opposite border, points with a coordinate of exactly 0 are left out, and so is
    everyone's order in depth.

    Args:
        bones: names of joints, drawn in this order.
        confidence: bones with a joint not above are not drawn, where confidences are given; None draws all.
        bounded: whether points below or right of the first image are left out, as for 2D detections.

    Raises BadUsage (when called) for images with a side below 30 px, where the original does something else again.
    """

    bones: Bones = POSE_BONES
    confidence: float | None = None
    bounded: bool = False

    @classmethod
    def of_detections(cls) -> Self:
        """What is drawn of 2D joints, where the defaults draw 3D poses, however sure their joints are."""
        return cls(DETECTION_BONES, CONFIDENT, bounded=True)

    @torch.no_grad()
    def __call__(self, moves: Moves, size: tuple[int, int]) -> Target:
        width, height = size
        side = 2 * RADIUS
        if min(size) < side:
            raise BadUsage(f"the released code's squares need an image of {side}x{side} px, got {width}x{height}")
        target = blank(len(moves), size, moves.first.device)
        names = tuple(dict.fromkeys(name for bone in self.bones for name in bone))
        joints = Skeleton.of_names(names, "bones")
        ends = [torch.tensor(joints.indices(*(bone[k] for bone in self.bones))) for k in (0, 1)]
        first, second = (
            self._points(moves.skeleton.convert(v, joints).double(), ends) for v in (moves.first, moves.second)
        )
        drawn = torch.isfinite(first) & torch.isfinite(second) & (first != 0) & (second != 0)
        if self.bounded:
            drawn &= first < first.new_tensor(size)
        drawn = drawn.all(-1)
        if moves.confidence is not None and self.confidence is not None:
            sure = moves.skeleton.convert_confidence(moves.confidence, joints) > self.confidence
            drawn &= (sure[:, :, ends[0]] & sure[:, :, ends[1]])[..., None]
        frame, *rest = torch.nonzero(drawn, as_tuple=True)
        # People, bones and points are numbered in the order of drawing.
        count = drawn[0].numel() if len(drawn) else 0
        number = torch.arange(count, device=first.device).view(drawn.shape[1:])[tuple(rest)]
        x, y = first[drawn].round().long().unbind(-1)
        x, y = _as_sliced(x, width), _as_sliced(y, height)
        there = (x >= 0) & (y >= 0) & (x < width + side) & (y < height + side)
        # The last of the squares that cover a pixel, by the last of the centres within reach.
        centres = torch.full((len(moves), height + side, width + side), -1.0, device=first.device)
        place = (frame * (height + side) + y) * (width + side) + x
        centres.view(-1).scatter_reduce_(0, place[there], number[there].float(), "amax")
        last = F.max_pool2d(F.max_pool2d(centres[:, None], (side, 1), 1), (1, side), 1)[:, 0]
        last = last[:, 1 : height + 1, 1 : width + 1].long()
        at, row, column = torch.nonzero(last >= 0, as_tuple=True)
        motion = (second - first).float().flatten(1, 3)[at, last[at, row, column]]
        target.flow.uv.movedim(1, -1)[at, row, column] = motion
        target.weight[at, row, column] = 1
        return target

    @staticmethod
    def _points(joints: Tensor, ends: list[Tensor]) -> Tensor:
        """Points (N, P, B, 22, 2) on the bones between joints (N, P, J, 2)."""
        share = torch.linspace(0, 1, POINTS, dtype=joints.dtype, device=joints.device)[:, None]
        start, end = (joints[:, :, which][..., None, :] for which in ends)
        return start + share * (end - start)


def _as_sliced(centre: Tensor, length: int) -> Tensor:
    """Where on an axis padded by 15 at both ends the square's middle lies that a slice of negative bounds selects; -1
    for none."""
    low, high = centre - RADIUS, centre + RADIUS
    wrapped = torch.where(high < 0, centre + length, -RADIUS - 1)
    return torch.where(low >= 0, centre, wrapped) + RADIUS
