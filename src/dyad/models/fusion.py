"""Several estimates of one person over time become one, by all that tells which of them to believe.

[TB]'s integration network (`models/integration.py`) sees one frame of two poses and confidences. This one goes by the
same idea, pairs of a person and whom they interact with, and adds what any two estimators give besides: the 2D joints,
with which a pose agrees or not; the frames before and after; and each pose a second time as an estimator means it that
forgot from where the camera looks at the person. Estimates come in any number: each is read alone, and they are summed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.geometry.looking import toward
from dyad.models.joints import BODY17

ROLES = ("any", "top-down", "bottom-up")
"""What a network knows of whom an estimate comes from."""
_FAR = 3.0
"""m beyond which nothing is told apart."""
_WAYS = 2
"""A pose in the axes of the camera, and as if those axes had been a camera's that looks at the person."""


class Fused(NamedTuple):
    """Attributes:
    xyz: (…, T, J, 3) m in the camera frame, NaN in frames where nobody was estimated.
    sigma: (…, T, J, 3) m, one standard deviation.
    """

    xyz: Tensor
    sigma: Tensor


class _Block(nn.Module):
    """Looks at frames `dilation` before and after; frames beyond the ends count as empty."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.across = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.within = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(N, C, T), and (N, 1, T) 1 where somebody was estimated."""
        return (x + self.within(nn.functional.gelu(self.across(x * there)))) * there


class FusionNetwork(nn.Module):
    """Estimates (N, T, K, J, 3) of N people in T frames by K estimators to one pose (N, T, J, 3) and its spread.

    Args:
        joints: names in the order of the arrays; root: the one that poses hang on.
        width: of all layers. dilations: of the blocks over time.
        rays: look at the 2D joints. pairs: look at the neighbour.
    """

    def __init__(
        self,
        *,
        joints: Sequence[str] = BODY17,
        root: str = "pelvis",
        width: int = 256,
        dilations: Sequence[int] = (1, 2, 4, 8),
        rays: bool = True,
        pairs: bool = True,
    ) -> None:
        super().__init__()
        self.names, self.root = tuple(joints), tuple(joints).index(root)
        self.rays, self.pairs = rays, pairs
        j = len(self.names)
        # Two ways of 3 + 2 coordinates, the confidence and whether it is there; the root.
        self.read = nn.ModuleList(nn.Linear(j * (5 * _WAYS + 2) + 4, width) for _ in ROLES)
        self.read_more = nn.Linear(width, width)
        self.context = nn.Linear(j * (3 + 1 + 2 + 1 + 3 + 1) + 6 + 4, width)
        self.enter = nn.Linear(width, width)
        self.blocks = nn.ModuleList(_Block(width, dilation) for dilation in dilations)
        self.judge = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, _WAYS * j))
        self.leave = nn.Linear(width, 6 * j + 6)
        # An untrained network gives about the mean by confidence.
        for layer in (self.judge[-1], self.leave):
            for parameter in layer.parameters():
                nn.init.normal_(parameter, std=1e-3)

    def forward(
        self,
        poses: Tensor,
        confidence: Tensor,
        rays: Tensor,
        ray_confidence: Tensor,
        other: Tensor,
        other_confidence: Tensor,
        step: Tensor,
        roles: Tensor,
    ) -> Fused:
        """Fuse.

        Args:
            poses: (N, T, K, J, 3) m in the camera frame, NaN where unseen. confidence: (N, T, K, J) 0..1.
            rays: (N, T, J, 2) x / z and y / z of the 2D joints, NaN where unseen. ray_confidence: (N, T, J).
            other: (N, T, J, 3) m, the neighbour; NaN where there is none. other_confidence: (N, T, J).
            step: (N,) s from frame to frame. roles: (N, K) indices of `ROLES`.
        """
        seen = torch.isfinite(poses).all(-1)
        somebody = seen.flatten(-2).any(-1)
        sure = torch.where(seen, confidence, 0.0)
        view = _View.of(poses, seen, sure, self.root)
        ways, seen_root = view.relative(poses, seen), view.roots
        marks, marked = self._marks(view, rays, ray_confidence)
        # How far each joint of each pose lies from where it is seen, at the depth of the pose.
        nearer = view.distance[..., None, None, None] / (view.distance[..., None, None, None] + ways[..., 2]).clamp(
            min=0.3
        )
        where = ways[..., :2] * nearer[..., None]
        usable = seen[:, :, :, None] & (marked > 0)[:, :, None, None]
        off = torch.where(usable[..., None], where - marks[:, :, None, None], 0.0).clamp(-_FAR, _FAR)
        read = torch.cat(
            (ways.flatten(-3), off.flatten(-3), sure, seen.to(sure), seen_root, seen.any(-1, keepdim=True).to(sure)), -1
        )
        known = (nn.functional.one_hot(roles, len(ROLES)).to(read) @ torch.eye(len(ROLES)).to(read))[:, None, :, None]
        each = sum(layer(read) * known[..., r] for r, layer in enumerate(self.read))
        there = seen.any(-1, keepdim=True).to(read)
        each = self.read_more(nn.functional.gelu(each)) * there
        count = there.sum(2).clamp(min=1)
        prior = torch.where(seen, (sure + 1e-3).log(), -30.0)
        mean = (prior.softmax(2)[..., None] * ways[:, :, :, 0]).sum(2)
        told = self._context(view, mean, sure.sum(2) / count, marks, marked, other, other_confidence, step)
        x = self.enter(nn.functional.gelu(each.sum(2) / count + self.context(told)))
        x = (x * somebody[..., None]).transpose(1, 2)
        for block in self.blocks:
            x = block(x, somebody[:, None].to(x))
        x = nn.functional.gelu(x.transpose(1, 2))
        # Who is right about which joint, and in which of the two ways; before anything is known, the first is likelier.
        both = torch.cat((each, x[:, :, None].expand(-1, -1, each.shape[2], -1)), -1)
        vote = self.judge(both).unflatten(-1, (_WAYS, -1)) + prior[:, :, :, None]
        vote = vote - 1.5 * torch.arange(_WAYS).to(vote)[:, None]
        share = vote.flatten(2, 3).softmax(2).unflatten(2, vote.shape[2:4])
        fused = (share[..., None] * ways).sum((2, 3))
        return self._placed(view, fused, self.leave(x), somebody)

    def _marks(self, view: "_View", rays: Tensor, ray_confidence: Tensor) -> tuple[Tensor, Tensor]:
        """Where joints are seen, (N, T, J, 2) m at the distance of the person, and how surely (N, T, J)."""
        known = torch.isfinite(rays).all(-1) & self.rays
        full = torch.cat((torch.where(known[..., None], rays, 0.0), torch.ones_like(rays[..., :1])), -1)
        turned = view.turn(full)
        marks = view.distance[..., None, None] * turned[..., :2] / turned[..., 2:].clamp(min=0.1)
        known = known & (turned[..., 2] > 0.1)
        return (
            torch.where(known[..., None], marks, 0.0).clamp(-_FAR, _FAR),
            torch.where(known, ray_confidence + 1e-3, 0.0),
        )

    def _context(
        self,
        view: "_View",
        mean: Tensor,
        sure: Tensor,
        marks: Tensor,
        marked: Tensor,
        other: Tensor,
        other_confidence: Tensor,
        step: Tensor,
    ) -> Tensor:
        beside = torch.isfinite(other).all(-1) & self.pairs
        near = view.turn(torch.where(beside[..., None], other - view.root[..., None, :], 0.0)).clamp(-_FAR, _FAR)
        near = torch.where(beside[..., None], near, 0.0)
        frame = torch.stack(
            (
                view.distance.log() - 1.5,
                *view.axis.unbind(-1)[:2],
                (10 * step - 0.5)[:, None].expand_as(view.distance),
                beside.any(-1).to(mean),
                (marked > 0).any(-1).to(mean),
            ),
            -1,
        )
        return torch.cat(
            (
                mean.flatten(-2),
                sure,
                marks.flatten(-2),
                marked,
                near.flatten(-2),
                torch.where(beside, other_confidence, 0.0),
                frame,
                view.spread,
            ),
            -1,
        )

    def _placed(self, view: "_View", fused: Tensor, told: Tensor, somebody: Tensor) -> Fused:
        j = len(self.names)
        pose, spread, root, root_spread = told.split((3 * j, 3 * j, 3, 3), -1)
        local = fused + pose.unflatten(-1, (j, 3))
        local = local - local[..., self.root, None, :]
        further = root[..., 2:].clamp(-1.5, 1.5).exp()
        place = torch.cat((root[..., :2], torch.ones_like(further)), -1) * (view.distance[..., None] * further)
        xyz = view.back(local + place[..., None, :])
        own = (spread.unflatten(-1, (j, 3)) - 3).clamp(-8, 2).exp()
        shared = (root_spread - 2.5).clamp(-8, 3).exp()
        sigma = view.back_spread((own.square() + shared[..., None, :].square()).sqrt())
        nobody = ~somebody[..., None, None]
        return Fused(xyz.masked_fill(nobody, torch.nan), sigma.masked_fill(nobody, torch.nan))


class _View(NamedTuple):
    """A camera that looks at each person in each frame, from where the real one stands.

    axis: (N, T, 3) unit vector to the mean root; distance: (N, T) m of it; rotation: (N, T, 3, 3) from its axes to the
    camera's. roots: (N, T, K, 3) how each estimate's root differs, as shares of the distance; spread: (N, T, 4) the
    mean and the largest difference in distance between estimates, and how many there are.
    own: (N, T, K, 3) m each estimate's root.
    """

    axis: Tensor
    distance: Tensor
    rotation: Tensor
    roots: Tensor
    spread: Tensor
    own: Tensor

    @classmethod
    def of(cls, poses: Tensor, seen: Tensor, sure: Tensor, root: int) -> "_View":
        filled = torch.where(seen[..., None], poses, 0.0)
        weight = (sure + 1e-3) * seen
        middle = (filled * weight[..., None]).sum(-2) / weight.sum(-1, keepdim=True).clamp(min=1e-9)
        own = torch.where(seen[..., root, None], filled[..., root, :], middle)
        there = seen.any(-1)
        trust = torch.where(seen[..., root], weight[..., root], 1e-3) * there
        share = trust / trust.sum(-1, keepdim=True).clamp(min=1e-9)
        depth = own[..., 2].clamp(min=0.2)
        direction = (share[..., None] * own / depth[..., None]).sum(-2)
        direction = torch.where(there.any(-1, keepdim=True), direction, direction.new_tensor((0.0, 0.0, 1.0)))
        direction = torch.cat((direction[..., :2], torch.ones_like(direction[..., 2:])), -1)
        length = torch.linalg.vector_norm(direction, dim=-1)
        distance = (share * depth.log()).sum(-1).exp() * length
        rotation = toward(direction)
        local = torch.einsum("...ji,...kj->...ki", rotation, own) / distance[..., None, None]
        ratio = local[..., 2].clamp(min=0.05).log()
        roots = torch.cat((local[..., :2], ratio[..., None]), -1) * there[..., None]
        apart = torch.where(there, ratio.abs(), 0.0)
        spread = torch.stack((apart.sum(-1), apart.amax(-1), there.sum(-1) - 1.5, (there.sum(-1) > 1).to(apart)), -1)
        return cls(direction / length[..., None], distance, rotation, roots.clamp(-2, 2), spread, own)

    @property
    def root(self) -> Tensor:
        return self.axis * self.distance[..., None]

    def turn(self, points: Tensor) -> Tensor:
        """Points (N, T, J, 3) in the axes of this camera."""
        return torch.einsum("...ji,...kj->...ki", self.rotation, points)

    def back(self, points: Tensor) -> Tensor:
        return torch.einsum("...ij,...kj->...ki", self.rotation, points)

    def back_spread(self, spread: Tensor) -> Tensor:
        """Standard deviations along these axes as those along the camera's."""
        return torch.einsum("...ij,...kj->...ki", self.rotation.square(), spread.square()).sqrt()

    def relative(self, poses: Tensor, seen: Tensor) -> Tensor:
        """Poses about their own roots, (N, T, K, 2, J, 3): in these axes, and taken as if given in these axes."""
        raw = torch.where(seen[..., None], poses - self.own[..., None, :], 0.0).clamp(-_FAR, _FAR)
        turned = torch.einsum("ntji,ntkpj->ntkpi", self.rotation, raw)
        return torch.stack((turned, raw), 3)
