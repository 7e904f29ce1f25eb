"""Whether two people could be as they are said to be: how deep they reach into one another, and how natural it is."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.core.errors import MissingWeights
from dyad.core.flesh import fleshed
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks
from dyad.geometry.segments import segment_distance
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.weights import WeightsError

WEIGHTS = "discriminator"
"""Name of the shipped weights."""


class PairPlausibility(NamedTuple):
    """Two people in each of N frames.

    first, second: ids. frame: (N,). score: (N,) 0..1, equation 9 of [TB], NaN without a discriminator or where a joint
    is missing. penetration: (N,) m. distance: (N,) m between their roots.
    """

    first: int
    second: int
    frame: Tensor
    score: Tensor
    penetration: Tensor
    distance: Tensor


def penetration(first: Tensor, second: Tensor, skeleton: Skeleton = BODY17) -> Tensor:
    """How deep in m the limbs of two people (…, J, 3) reach into one another at the worst place; 0 where they do not.

    Limbs are bones as thick as an adult's. Bones with a missing joint do not count; NaN where no bone is left.
    """
    bones, thick = fleshed(skeleton)
    starts, ends = (torch.tensor(side) for side in zip(*bones, strict=True))
    a, b = (first[..., side, :][..., :, None, :] for side in (starts, ends))
    c, d = (second[..., side, :][..., None, :, :] for side in (starts, ends))
    room = segment_distance(a, b, c, d) - (thick[:, None] + thick).to(first)
    known = torch.isfinite(a + b + c + d).all(-1)
    least = torch.where(known, room, torch.inf).amin((-1, -2))
    depth = (-least).clamp(min=0)
    return torch.where(known.flatten(-2).any(-1), depth, torch.nan)


class Plausibility:
    """Judges every two people of tracks in the frames that both are in.

    Args:
        discriminator: an `InteractionDiscriminator` of body17, or None to measure penetration alone.
        near: m between roots, up to which two people are looked at.
    """

    def __init__(self, discriminator: nn.Module | None = None, *, near: float = 2.0) -> None:
        self.discriminator = None if discriminator is None else discriminator.eval()
        self.near = near

    @classmethod
    def load(cls, weights: str = WEIGHTS, *, near: float = 2.0) -> "Plausibility":
        """With the shipped discriminators, or others by name or path. MissingWeights where there are none such."""
        try:
            return cls(Checkpoint.load(find_weights(weights)).build().float(), near=near)
        except WeightsError as error:
            raise MissingWeights(str(error)) from error

    def __call__(self, tracks: Tracks) -> list[PairPlausibility]:
        """One entry for each two people who come near one another."""
        tracks = tracks.convert(BODY17)
        rows = {person: tracks.rows(person) for person in tracks.people}
        out = []
        for k, first in enumerate(tracks.people):
            for second in tracks.people[k + 1 :]:
                found = self._pair(tracks, first, second, rows)
                if found is not None:
                    out.append(found)
        return out

    def _pair(self, tracks: Tracks, first: int, second: int, rows: dict[int, Tensor]) -> PairPlausibility | None:
        mine, theirs = rows[first], rows[second]
        both = torch.isin(tracks.frame[mine], tracks.frame[theirs])
        mine = mine[both]
        theirs = theirs[torch.isin(tracks.frame[theirs], tracks.frame[mine])]
        a, b = tracks.xyz[mine], tracks.xyz[theirs]
        root = BODY17.index(BODY17.root)
        distance = torch.linalg.vector_norm(a[:, root] - b[:, root], dim=-1)
        close = distance < self.near
        if not close.any():
            return None
        a, b = a[close], b[close]
        score = torch.full((len(a),), torch.nan)
        whole = torch.isfinite(a).all((-1, -2)) & torch.isfinite(b).all((-1, -2))
        if self.discriminator is not None and whole.any():
            with torch.no_grad():
                score[whole] = self.discriminator(a[whole], b[whole]).float()
        return PairPlausibility(first, second, tracks.frame[mine[close]], score, penetration(a, b), distance[close])


def summary(pairs: Sequence[PairPlausibility]) -> dict[str, float | int | None]:
    """Over all pairs and frames: how many, mean score, mean and largest penetration in m, and the share above 5 cm."""
    if not pairs:
        return {"frames": 0, "score": None, "penetration_m": None, "deepest_m": None, "through": None}
    score, depth = (torch.cat([getattr(pair, name) for pair in pairs]) for name in ("score", "penetration"))
    known = score[torch.isfinite(score)]
    depth = depth[torch.isfinite(depth)]
    return {
        "frames": sum(len(pair.frame) for pair in pairs),
        "score": float(known.mean()) if len(known) else None,
        "penetration_m": float(depth.mean()) if len(depth) else None,
        "deepest_m": float(depth.max()) if len(depth) else None,
        "through": float((depth > 0.05).float().mean()) if len(depth) else None,
    }
