"""The flow that a pose implies: everyone's limbs, drawn with the motion of every pixel on them.

Arko, Little and Yi, "Bootstrapping Human Optical Flow and Pose", BMVC 2022, section 3.1, sketch a person by lines
of a fixed thickness. Here a limb is as thick as the person is tall, its edges are smooth, and what a limb hides is
not drawn. The paper's own lines, and those of its released code, are in `target_paper`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.refinement.limbs import HEAD, PARTS, TORSO, limbs_of, stature
from dyad.refinement.moves import Moves
from dyad.refinement.strokes import near_lines

CONFIDENT = 0.6
"""Limbs with a joint of less confidence are not drawn (the paper's code, for 2D detections)."""

# How much farther than a body a limb may be and still count as in front of it or part of it: errors of estimated
# depths within one person; where depths are only guessed from sizes, a share of them.
_SLACK_M = 0.08
_SLACK_SHARE = 0.05
_GUESSED_HEIGHT_M = 1.7
_UNKNOWN_M = 1e3
_FRAMES_AT_ONCE = 4


@dataclass(frozen=True)
class Target:
    """What the pose says about the flow.

    Attributes:
        flow: (N, 2, H, W) px, known only where something is drawn.
        weight: (N, H, W) 0..1, the share of each pixel that is drawn over.
    """

    flow: Flow
    weight: Tensor

    @property
    def drawn(self) -> Tensor:
        """(N, H, W) bool, pixels with any weight."""
        return self.weight > 0

    def over(self, estimated: Flow) -> Flow:
        """The estimate with the sketch drawn over it: what the paper tunes its network to."""
        if estimated.uv.shape != self.flow.uv.shape:
            raise BadUsage(
                f"a target of {tuple(self.flow.uv.shape)} goes over an estimate of that shape, got "
                f"{tuple(estimated.uv.shape)}"
            )
        drawn = self.drawn.unsqueeze(-3)
        sketch = torch.where(drawn, self.flow.uv, 0)
        below = torch.where(estimated.known.unsqueeze(-3), estimated.uv, sketch)
        mixed = below + self.weight.unsqueeze(-3) * (sketch - below)
        return Flow(torch.where(drawn, mixed, estimated.uv), estimated.known | self.drawn, estimated.occluded)


class Sketch(Protocol):
    """Draws a target. `size` is width and height of the images in px."""

    def __call__(self, moves: Moves, size: tuple[int, int]) -> Target: ...


class Lines(NamedTuple):
    """K limbs that are drawn, each with its joints in both images (K, 2) px.

    frame: (K,) position of the pair. person: (K,) position of the person. limb: (K,) position in the list of limbs.
    depth, depth_end: (K,) of both joints, m. height: (K,) px, the person's.
    """

    frame: Tensor
    person: Tensor
    limb: Tensor
    start: Tensor
    end: Tensor
    start_next: Tensor
    end_next: Tensor
    depth: Tensor
    depth_end: Tensor
    height: Tensor

    def order(self, moves: Moves) -> Tensor:
        """(K,) how many of the pair's people are nearer than the limb's own, by the mean depth of their limbs."""
        shape = moves.first.shape[:2]
        place = self.frame * shape[1] + self.person
        total, count = (torch.zeros(shape[0] * shape[1], device=place.device) for _ in range(2))
        total.index_add_(0, place, (self.depth + self.depth_end) / 2)
        count.index_add_(0, place, torch.ones_like(self.depth))
        mean = torch.where(count > 0, total / count.clamp(min=1), torch.inf).view(shape)
        return mean.argsort(-1).argsort(-1).flatten()[place].float()


@dataclass(frozen=True)
class LimbSketch:
    """Limbs as thick as the person is tall, with smooth edges, nearer ones over farther ones, hidden ones left out.

    A pixel moves as the nearest point of the limb's axis does, and turns about it as the limb turns in the image.

    Args:
        thickness: 1 draws the widths of `limbs.LIMBS`, 2 twice as much.
        confidence: limbs with a joint below are not drawn.
        turning: whether pixels beside the axis turn with the limb.
    """

    thickness: float = 1.0
    confidence: float = CONFIDENT
    turning: bool = True

    def __post_init__(self) -> None:
        if not self.thickness > 0:
            raise BadUsage(f"limbs are drawn with a thickness above 0, got {self.thickness}")

    @torch.no_grad()
    def __call__(self, moves: Moves, size: tuple[int, int]) -> Target:
        """Raises BadUsage for a size below 1 px."""
        target = blank(len(moves), size, moves.first.device)
        for at in range(0, len(moves), _FRAMES_AT_ONCE):
            part = slice(at, at + _FRAMES_AT_ONCE)
            self._draw(moves[part], size, target.flow.uv[part], target.weight[part])
        return target

    def _draw(self, moves: Moves, size: tuple[int, int], uv: Tensor, weight: Tensor) -> None:
        """Draw into uv (n, 2, H, W), a view of pixels one after the other, and weight (n, H, W)."""
        limbs = limbs_of(moves.skeleton)
        lines = lines_of(moves, size, (*limbs, *TORSO), self.confidence)
        shares = lines.height.new_tensor([(limb.drawn, limb.body) for limb in (*limbs, *TORSO)])[lines.limb]
        radius, body = (shares * lines.height[:, None]).unbind(-1)
        radius = radius * self.thickness
        reach = torch.maximum(radius, body) + 0.5
        near = near_lines(lines.start, lines.end, reach[:, None].expand(-1, 2), size)
        line = near.line

        def of_line(values: Tensor) -> Tensor:
            return values.index_select(0, line)

        # Every quantity by itself: numbers side by side would be gathered and summed several times slower.
        along = lines.end - lines.start
        ahead = along / along.square().sum(-1, keepdim=True).clamp(min=1e-12)
        x, y = near.x - of_line(lines.start[:, 0]), near.y - of_line(lines.start[:, 1])
        share = (x * of_line(ahead[:, 0]) + y * of_line(ahead[:, 1])).clamp_(0, 1)
        x -= share * of_line(along[:, 0])
        y -= share * of_line(along[:, 1])
        distance = torch.hypot(x, y)
        pixel = (of_line(lines.frame) * size[1] + near.y) * size[0] + near.x
        depth = of_line(lines.depth) + share * of_line(lines.depth_end - lines.depth)
        thick = of_line(radius)

        # Bodies hide what lies behind them, though less of them is drawn.
        front = torch.full((weight.numel(),), torch.inf, device=weight.device)
        solid = torch.nonzero(distance <= of_line(body))[:, 0]
        front.scatter_reduce_(0, pixel[solid], depth[solid], "amin")
        slack = _SLACK_SHARE * depth if moves.depth is None else _SLACK_M
        covered = (thick - distance + 0.5).clamp_(min=0)
        covered = torch.minimum(covered, (2 * thick).clamp_(max=1))
        seen = torch.nonzero((covered > 0) & (depth - slack <= front.index_select(0, pixel)))[:, 0]

        # The nearest wins. Edges count only where nothing covers the pixel; of equals, the one whose axis is nearer.
        rank = depth * (1 + 1e-3 * distance / thick.clamp_(min=1e-6)) + 1e4 * (covered < 0.5)
        pixel, rank = pixel[seen], rank[seen]
        first = first_of(pixel, rank, weight.numel())
        kept = seen[first]
        motion = self._motion(lines, line[kept], share[kept], torch.stack((x[kept], y[kept]), -1), radius)
        uv.movedim(1, -1).view(-1, 2)[pixel[first]] = motion
        weight.view(-1).scatter_reduce_(0, pixel, covered[seen], "amax")

    def _motion(self, lines: Lines, line: Tensor, share: Tensor, beside: Tensor, radius: Tensor) -> Tensor:
        """Motion (M, 2) px of pixels that are `beside` (M, 2) px off the point at `share` (M,) of a line's length."""
        axis = torch.lerp((lines.start_next - lines.start)[line], (lines.end_next - lines.end)[line], share[:, None])
        if not self.turning:
            return axis
        now, then = lines.end - lines.start, lines.end_next - lines.start_next
        length, after = (torch.linalg.vector_norm(v, dim=-1) for v in (now, then))
        both = (length * after).clamp(min=1e-6)
        cosine = (now * then).sum(-1) / both
        sine = (now[:, 0] * then[:, 1] - now[:, 1] * then[:, 0]) / both
        # A limb that points at the camera has no direction in the image, and one that seems to turn round did not.
        trust = ((torch.minimum(length, after) - radius) / radius.clamp(min=1e-6)).clamp(0, 1) * (2 * cosine).clamp(
            0, 1
        )
        cosine, sine = ((cosine - 1) * trust)[line, None], (sine * trust)[line, None]
        return axis + cosine * beside + sine * torch.stack((-beside[:, 1], beside[:, 0]), -1)


def lines_of(moves: Moves, size: tuple[int, int], limbs: tuple, confidence: float) -> Lines:
    """All limbs of all people, apart from those with a joint that is missing or below the confidence."""
    skeleton = moves.skeleton
    first, second = (skeleton.convert(v, PARTS) for v in (moves.first, moves.second))
    height = stature(moves.first, skeleton) if moves.height is None else moves.height
    if moves.depth is None:
        # Who is larger is taken to be nearer.
        depth = (_GUESSED_HEIGHT_M * max(size) / height)[..., None].expand(first.shape[:-1])
    else:
        depth = skeleton.convert(moves.depth[..., None], PARTS)[..., 0]
        depth = torch.where(torch.isnan(depth), moves.depth.nanmean(-1, keepdim=True), depth)
    known = torch.isfinite(first).all(-1) & torch.isfinite(second).all(-1)
    if moves.confidence is not None:
        known &= skeleton.convert_confidence(moves.confidence, PARTS) >= confidence
    a, b = (PARTS.indices(*(getattr(limb, end) for limb in limbs)) for end in ("start", "end"))
    # One line is drawn of a head whose nose is not known.
    spare = torch.tensor([limb is HEAD for limb in limbs], device=known.device)
    drawn = ~(spare & known[:, :, [PARTS.index("nose")]])
    drawn &= known[:, :, a] & known[:, :, b] & torch.isfinite(height)[:, :, None]
    drawn &= (torch.minimum(depth[:, :, a], depth[:, :, b]) > 0) | torch.isnan(depth[:, :, a] + depth[:, :, b])
    frame, person, limb = torch.nonzero(drawn, as_tuple=True)
    a, b = (torch.tensor(v, device=first.device)[limb] for v in (a, b))
    far = torch.nan_to_num(depth, nan=_UNKNOWN_M)
    return Lines(
        frame, person, limb,
        *(v[frame, person, joint].float() for v in (first, second) for joint in (a, b)),
        far[frame, person, a].float(), far[frame, person, b].float(), height[frame, person].float(),
    )  # fmt: skip


def first_of(pixel: Tensor, rank: Tensor, pixels: int) -> Tensor:
    """Positions (M',) of the entry of lowest rank (M,) at every pixel (M,) that occurs; of equals, the last."""
    best = torch.full((pixels,), torch.inf, device=pixel.device)
    best.scatter_reduce_(0, pixel, rank, "amin")
    at = torch.nonzero(rank == best.index_select(0, pixel))[:, 0]
    last = torch.full((pixels,), -1, dtype=torch.int64, device=pixel.device)
    last.scatter_reduce_(0, pixel[at], at, "amax")
    return at[last[pixel[at]] == at]


def blank(count: int, size: tuple[int, int], device: torch.device) -> Target:
    """Nothing drawn; the two numbers of a pixel's flow lie side by side in memory. BadUsage for no image."""
    width, height = size
    if min(size) < 1:
        raise BadUsage(f"a target is drawn in an image of at least 1x1 px, got {width}x{height}")
    uv = torch.full((count, height, width, 2), torch.nan, device=device)
    return Target(Flow(uv.movedim(-1, 1)), torch.zeros(count, height, width, device=device))
