"""One pose for one person: which of several poses in a frame are the same body, and who owns a disputed joint."""

import torch
from torch import Tensor

from dyad.core.skeleton import BLAZEPOSE33
from dyad.stages.regions import People

_HEAD = BLAZEPOSE33.indices("nose", "left_ear", "right_ear")
_TRUNK = BLAZEPOSE33.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_LIMBS = BLAZEPOSE33.indices(
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_knee", "right_knee", "left_ankle", "right_ankle"
)


def pose_likeness(a: People, b: People, width: float = 0.06) -> Tensor:
    """Likeness (A, B) in 0..1: the mean over twelve body joints and the head of a Gaussian in distance over size.

    `width` is one standard deviation as a share of the larger person's size; joints count by both sides' trust in them.
    """
    joints = _HEAD[:1] + _TRUNK + _LIMBS
    apart = torch.linalg.vector_norm(a.xy[:, None, joints] - b.xy[None, :, joints], dim=-1)
    size = torch.maximum(a.span[:, None], b.span[None]).clamp(min=1)[..., None]
    trust = torch.minimum(a.seen[:, None, joints], b.seen[None, :, joints]) + 0.05
    return (trust * torch.exp(-0.5 * (apart / (width * size)) ** 2)).sum(-1) / trust.sum(-1)


def same_body(a: People, b: People) -> Tensor:
    """Whether (A, B) two poses describe one person.

    Either they are alike joint by joint, or head and trunk coincide although limbs differ, or the smaller is a "person"
    seen in a part of the larger. Two people in an embrace share limbs and even a trunk, but not a head.
    """
    size = torch.maximum(a.span[:, None], b.span[None]).clamp(min=1)
    head, trunk = (
        torch.linalg.vector_norm(a.xy[:, None, part].mean(2) - b.xy[None, :, part].mean(2), dim=-1) / size
        for part in (_HEAD, _TRUNK)
    )
    alike = pose_likeness(a, b) > 0.5
    return alike | ((head < 0.07) & (trunk < 0.10)) | part_of(a, b) | part_of(b, a).T


def part_of(small: People, large: People) -> Tensor:
    """Whether (A, B) `small` lies within a part of `large` at less than half its size."""
    inside = torch.zeros(len(small), len(large), dtype=torch.bool)
    if not len(small) or not len(large):
        return inside
    middle = small.xy[:, _TRUNK].mean(1)
    bones = torch.tensor(BLAZEPOSE33.bones)
    start, end = large.xy[:, bones[:, 0]], large.xy[:, bones[:, 1]]
    along = end - start
    share = ((middle[:, None, None] - start) * along).sum(-1) / along.square().sum(-1).clamp(min=1e-6)
    nearest = start + share.clamp(0, 1)[..., None] * along
    gap = torch.linalg.vector_norm(middle[:, None, None] - nearest, dim=-1).amin(-1)
    tiny = small.span[:, None] < 0.45 * large.span[None]
    return tiny & (gap < 0.05 * large.span[None])


def suppress(people: People, rank: Tensor | None = None, *, known: bool = False) -> Tensor:
    """Indices of the people to keep, best first by `rank` (N,) (score and size if not given): one a body.

    `known` people were apart a moment ago, so that only poses which coincide joint by joint are one.
    """
    rank = people.score * people.span.clamp(min=1).log() if rank is None else rank
    same = pose_likeness(people, people) > 0.6 if known else same_body(people, people)
    kept: list[int] = []
    for candidate in torch.argsort(rank, descending=True, stable=True).tolist():
        if not same[candidate, kept].any():
            kept.append(candidate)
    return torch.tensor(kept, dtype=torch.int64)


def settle_claims(people: People) -> Tensor:
    """Confidence (N, 33) after disputes: where two people claim one joint, each keeps its share of the evidence."""
    if len(people) < 2:
        return people.seen
    apart = torch.linalg.vector_norm(people.xy[:, None] - people.xy[None], dim=-1)
    size = torch.minimum(people.span[:, None], people.span[None]).clamp(min=1)[..., None]
    claim = torch.exp(-0.5 * (apart / (0.04 * size)) ** 2) * people.seen[None]
    claim[torch.arange(len(people)), torch.arange(len(people))] = 0
    rival = claim.amax(1)
    return people.seen * people.seen / (people.seen + rival).clamp(min=1e-6)
