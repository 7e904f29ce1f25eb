"""Estimates of the same people made into one: by rule, by weight, or by a network that learnt whom to believe.

All integrators take two tracks or more, the top-down branch's first where there is one, and give back everyone whom
any of them has. Ids need not agree: a `Matching` makes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.fusion import ROLES, FusionNetwork
from dyad.models.integration import IntegrationNetwork
from dyad.models.weights import WeightsError
from dyad.stages.association import Matching, PoseMatching
from dyad.stages.neighbours import mean_estimate, neighbours
from dyad.stages.oracle_tracks import merged

WEIGHTS = "integration"
"""Name of the shipped weights of `Learned`."""
_LONGEST = 600
_MARGIN = 48
"""Frames that a network sees at once, and by which such stretches overlap."""


class Together(NamedTuple):
    """K estimates of P people in T frames, NaN where one lacks somebody.

    poses: (P, T, K, J, 3) m. sigma: the same. confidence: (P, T, K, J) 0..1, 1 for what an estimate is surest of.
    xy: (P, T, J, 2) px, where the people are seen, and seen: (P, T, J) how surely. people: (P,) ids. frames, times:
    (T,). skeleton: of all.
    """

    poses: Tensor
    sigma: Tensor
    confidence: Tensor
    xy: Tensor
    seen: Tensor
    people: Tensor
    frames: Tensor
    times: Tensor
    skeleton: Skeleton

    @property
    def roots(self) -> Tensor:
        """(P, T, K, 3) m."""
        return self.poses[..., self.skeleton.index(self.skeleton.root), :]


class Rule(Protocol):
    """Makes (P, T, J, 3) m in the camera frame, and standard deviations, of estimates of the same people."""

    def __call__(self, together: Together, first: Tracks) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Integration:
    """An `Integrator` of two estimates or more.

    Attributes:
        rule: what is made of them. matching: who is who; None where ids agree already.
        skeleton: of the result; that of the first estimate if None.
    """

    rule: Rule
    matching: Matching | None = field(default_factory=PoseMatching)
    skeleton: Skeleton | None = None

    def __call__(self, *estimates: Tracks) -> Tracks:
        """Everyone whom any of them has, with the ids of the first. Raises BadInput where cameras or sizes differ."""
        if len(estimates) < 2:
            raise BadUsage(f"an integration takes two estimates or more, got {len(estimates)}")
        skeleton = self.skeleton or estimates[0].skeleton
        first, *others = (tracks.convert(skeleton) for tracks in estimates)
        if any(tracks.camera.size != first.camera.size for tracks in others):
            sizes = ", ".join("x".join(map(str, tracks.camera.size)) for tracks in estimates)
            raise BadInput(f"estimates to be integrated are of one video, with images of one size, got {sizes}")
        if self.matching is not None:
            # Whom an earlier estimate lacks has an id from the next one on.
            known = first
            for k, tracks in enumerate(others):
                others[k] = self.matching(known, tracks)
                known = _united([known, others[k]])
        return self._of([first, *others])

    def _of(self, estimates: list[Tracks]) -> Tracks:
        base = _united(estimates)
        if not len(base):
            return base
        dense = together(estimates)
        xyz, sigma = self.rule(dense, base)
        row = (torch.searchsorted(dense.people, base.person), torch.searchsorted(dense.frames, base.frame))
        return base.with_(xyz=xyz[row], sigma=sigma[row])


def together(estimates: Sequence[Tracks]) -> Together:
    """Tracks of one skeleton, whose ids agree, side by side."""
    first = estimates[0]
    frames = torch.unique(torch.cat([tracks.frames for tracks in estimates]))
    times = torch.empty(len(frames), dtype=torch.float64)
    for tracks in reversed(estimates):
        times[torch.searchsorted(frames, tracks.frames)] = tracks.times
    people = torch.unique(torch.cat([tracks.person for tracks in estimates]))
    shape = (len(people), len(frames), len(estimates), len(first.skeleton))
    poses, sigma = (torch.full((*shape, 3), torch.nan) for _ in range(2))
    confidence, marks = torch.zeros(shape), torch.full((*shape, 2), torch.nan)
    for k, tracks in enumerate(estimates):
        at = (torch.searchsorted(people, tracks.person), torch.searchsorted(frames, tracks.frame), k)
        poses[at], sigma[at], marks[at] = tracks.xyz, tracks.sigma, tracks.xy
        confidence[at] = _levelled(tracks.confidence)
    # Where somebody is seen: as those say who are sure.
    xy, seen = mean_estimate(marks, confidence)
    return Together(poses, sigma, confidence, xy, seen, people, frames, times, first.skeleton)


def _levelled(confidence: Tensor) -> Tensor:
    """Estimators say how sure they are on scales of their own: what one is surest of counts as 1."""
    known = confidence[confidence > 0]
    if not len(known):
        return confidence
    most = torch.sort(known).values[int(0.95 * (len(known) - 1))]
    return (confidence / most).clamp(max=1)


@dataclass(frozen=True)
class Hard:
    """The pose of the first estimate about its root, at the distance that the second gives the root."""

    def __call__(self, together: Together, first: Tracks) -> tuple[Tensor, Tensor]:
        poses, roots = together.poses, together.roots
        pose, root = poses[:, :, 0], roots[:, :, 0]
        further = roots[:, :, 1, 2:] / root[..., 2:].clamp(min=0.1)
        moved = pose + (root * further - root)[:, :, None]
        choices = torch.stack((moved, *poses.unbind(2)), 2)
        return _first_whole(choices), _first_whole(torch.cat((together.sigma[:, :, :1], together.sigma), 2))


@dataclass(frozen=True)
class Linear:
    """The mean of all estimates, joint by joint, by confidence: about the root, and of the root."""

    def __call__(self, together: Together, first: Tracks) -> tuple[Tensor, Tensor]:
        root = together.skeleton.index(together.skeleton.root)
        anchored = torch.isfinite(together.roots).all(-1)
        about = together.poses - together.roots[..., None, :]
        pose, _ = mean_estimate(about, together.confidence)
        place, _ = mean_estimate(together.roots[..., None, :], together.confidence[..., root, None])
        mean = pose + place
        plain, _ = mean_estimate(together.poses, together.confidence)
        mean = torch.where((anchored.any(2))[..., None, None], mean, plain)
        known = torch.isfinite(together.sigma)
        spread = torch.where(known, together.sigma, 0.0).square().sum(2) / known.sum(2).clamp(min=1)
        return mean, torch.where(known.any(2), spread.sqrt(), torch.nan)


class Learned:
    """What a network learnt to make of estimates.

    Args:
        network: a `FusionNetwork` for any number of estimates, or [TB]'s `IntegrationNetwork` for two.
        roles: of the estimates in turn, of `ROLES`; the last counts for all that follow.
        skeleton: of the network's joints.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        roles: Sequence[str] = ("top-down", "bottom-up", "any"),
        skeleton: Skeleton = BODY17,
    ) -> None:
        wrong = [role for role in roles if role not in ROLES]
        if wrong or not roles:
            raise BadUsage(f"roles of estimates are {', '.join(ROLES)}, got {', '.join(wrong) or 'none'}")
        self.network, self.roles, self.skeleton = network.eval(), tuple(roles), skeleton

    @classmethod
    def load(cls, weights: str = WEIGHTS, *, roles: Sequence[str] = ("top-down", "bottom-up", "any")) -> "Learned":
        """With the shipped weights, or others by name or path. MissingWeights where there are none such."""
        try:
            network = Checkpoint.load(find_weights(weights)).build().float()
        except WeightsError as error:
            raise MissingWeights(str(error)) from error
        if not isinstance(network, FusionNetwork | IntegrationNetwork):
            raise MissingWeights(f"{weights!r} are no weights of a network that integrates")
        return cls(network, roles=roles)

    def __call__(self, together: Together, first: Tracks) -> tuple[Tensor, Tensor]:
        source = together.skeleton
        poses = source.convert(together.poses, self.skeleton)
        sure = source.convert_confidence(together.confidence, self.skeleton)
        xy = source.convert(together.xy, self.skeleton)
        seen = source.convert_confidence(together.seen, self.skeleton)
        rays = first.camera.rays(xy.double())[..., :2].float()
        mean, trust = mean_estimate(poses, sure)
        root = self.skeleton.index(self.skeleton.root)
        beside = neighbours(mean.transpose(0, 1), trust.transpose(0, 1), root=root)
        inputs = (poses, sure, rays, seen, beside.xyz.transpose(0, 1), beside.confidence.transpose(0, 1))
        xyz, sigma = (torch.full_like(mean, torch.nan) for _ in range(2))
        for own, seen_from in _stretches(together, first.cuts):
            took = self._fused([value[:, seen_from] for value in inputs], together.times[seen_from])
            keep = slice(own.start - seen_from.start, own.stop - seen_from.start)
            xyz[:, own], sigma[:, own] = took[0][:, keep], took[1][:, keep]
        # A joint that nobody ever estimated is not to be guessed, nor what is derived from it; one that the result's
        # skeleton has and the network's has not is as the estimates say in the mean.
        unknown = ~torch.isfinite(mean[..., 0]).any(1, keepdim=True)
        xyz, sigma = (torch.where(unknown[..., None], torch.nan, value) for value in (xyz, sigma))
        plain, spread = Linear()(together, first)
        back = self.skeleton.convert(xyz, source)
        lacking = torch.isnan(back) & torch.isfinite(plain)
        moved = plain + (xyz[:, :, root] - plain[:, :, source.index(source.root)])[:, :, None]
        back_spread = self.skeleton.convert_sigma(sigma, source)
        return torch.where(lacking, moved, back), torch.where(torch.isfinite(back_spread), back_spread, spread)

    def _fused(self, inputs: list[Tensor], times: Tensor) -> tuple[Tensor, Tensor]:
        poses, sure, rays, seen, other, other_sure = (value.float() for value in inputs)
        n, t, k = poses.shape[:3]
        with torch.no_grad():
            if isinstance(self.network, IntegrationNetwork):
                if k != 2:
                    raise BadUsage(f"[TB]'s integration network takes two estimates, got {k}")
                found = self.network(poses[:, :, 0], poses[:, :, 1], sure.transpose(-1, -2))
                return found, torch.full_like(found, torch.nan)
            names = [ROLES.index(self.roles[min(e, len(self.roles) - 1)]) for e in range(k)]
            step = float((times[1:] - times[:-1]).median()) if t > 1 else 1 / 30
            fused = self.network(
                poses,
                sure,
                rays,
                seen,
                other,
                other_sure,
                torch.full((n,), step),
                torch.tensor(names).expand(n, k),
            )
        return fused.xyz, fused.sigma


def _stretches(together: Together, cuts: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Parts of the timeline, and of each a longer one that is to be looked at with it, never across a cut."""
    edges = [0, *torch.searchsorted(together.frames, torch.tensor(cuts, dtype=torch.int64)).tolist()]
    edges = sorted({*edges, len(together.frames)})
    out = []
    for start, stop in pairwise(edges):
        for low in range(start, stop, _LONGEST):
            high = min(low + _LONGEST, stop)
            out.append((slice(low, high), slice(max(start, low - _MARGIN), min(stop, high + _MARGIN))))
    return out


def _first_whole(choices: Tensor) -> Tensor:
    """Of choices (P, T, C, J, 3) the first without NaN at a joint, joint by joint."""
    known = torch.isfinite(choices).all(-1)
    index = known.float().argmax(2, keepdim=True)
    return choices.take_along_dim(index[..., None], 2)[:, :, 0]


def _united(estimates: Sequence[Tracks]) -> Tracks:
    """Everyone of all estimates; what several have is the first one's but for their confidence, the largest."""
    out = estimates[0]
    for more in estimates[1:]:
        out = merged(out, more)
    dense = together(estimates)
    if not len(out):
        return out
    row = (torch.searchsorted(dense.people, out.person), torch.searchsorted(dense.frames, out.frame))
    return replace(out, xy=dense.xy[row], confidence=dense.seen[row])


def make_integration(name: str, *, weights: str = WEIGHTS, matching: Matching | None = None) -> Integration:
    """`hard`, `linear` or `learned`. BadUsage for another name."""
    rules = {"hard": Hard, "linear": Linear, "learned": lambda: Learned.load(weights)}
    if name not in rules:
        raise BadUsage(f"there is no integrator {name!r}; choose one of {', '.join(rules)}")
    return Integration(rules[name](), matching or PoseMatching())
