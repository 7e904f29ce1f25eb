"""How far the motion of joints and the flow at them lie apart: what tells, without labels, when to stop."""

from dataclasses import dataclass

import torch

from dyad.core.errors import BadInput
from dyad.core.flow import Flows
from dyad.core.tracks import Tracks
from dyad.refinement.limbs import stature
from dyad.refinement.moves import Moves


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Mean distance between a joint's motion in the image and the flow where it begins, in heights of the person.

    It is no probability and cannot be compared between videos: `Agreement` is for that. But it goes on telling better
    from worse where all joints are nearly right, and so sees poses and flow drift away together when it is read in flow
    that no pose has touched.

    Attributes:
        flat: read the 2D joints, else where the 3D ones appear.
        most: distances count as this at most, so that flow that is wildly wrong does not outvote the rest.
    """

    flat: bool = False
    most: float = 0.05

    def __call__(self, tracks: Tracks, flows: Flows) -> float:
        """Lower is better; NaN where nothing tells. flows[i] leads from the i-th of `tracks.frames` to the next."""
        moves = Moves.of(tracks, flat=self.flat)
        if len(flows) != max(len(tracks.frames) - 1, 0):
            raise BadInput(f"{len(tracks.frames)} frames have a flow between any two, got {len(flows)} flows")
        height = stature(moves.first, moves.skeleton) if moves.height is None else moves.height
        total, count = 0.0, 0
        there = torch.isfinite(moves.first).all(-1) & torch.isfinite(moves.second).all(-1)
        for k in torch.nonzero(there.any(2).any(1))[:, 0].tolist():
            apart = flows[k].at(moves.first[k]) - (moves.second[k] - moves.first[k])
            share = (torch.linalg.vector_norm(apart, dim=-1) / height[k][:, None]).clamp(max=self.most)
            known = share[torch.isfinite(share)]
            total, count = total + float(known.double().sum()), count + known.numel()
        return total / count if count else float("nan")
