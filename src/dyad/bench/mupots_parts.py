"""Dyad's parts on what is stored beside MuPoTS-3D annotations: lifting of 2D joints, integration of two branches."""

from collections.abc import Callable

import torch

from dyad.bench.integration_published import BRANCHES, anonymous
from dyad.bench.lifted import detector_like, published_joints
from dyad.bench.stored import NETWORKS, Stored
from dyad.core.archives import read_npz
from dyad.core.tracks import Tracks
from dyad.stages.integration import make_integration
from dyad.stages.lifting_learned import make_lifter

Part = Callable[[Stored], Tracks | None]
"""What a part makes of a sequence; None where what it starts from is not stored."""


def own_parts(device: torch.device) -> dict[str, Part]:
    """By name, with the weights that come with Dyad: `dyad-lift` on the published 2D joints, `dyad-lift-detector-like`
    on true joints with a detector's errors, `dyad-integrate` and the confidence-weighted `weighted-mean` of the
    published branches. None is told anything of the truth but the camera; the second sees it through those errors.
    """
    lift, learned, linear = make_lifter("lifting", device), make_integration("learned"), make_integration("linear")

    def joints(stored: Stored) -> Tracks | None:
        return lift(published_joints(stored.path)) if "est_xy" in read_npz(stored.path) else None

    def like(stored: Stored) -> Tracks | None:
        return lift(detector_like(stored.path))

    def integrated(rule: Callable[..., Tracks]) -> Part:
        def part(stored: Stored) -> Tracks | None:
            if not {NETWORKS[name] for name in BRANCHES} <= set(stored.arrays):
                return None
            first, second = (stored.tracks(NETWORKS[name]) for name in BRANCHES)
            return rule(first, anonymous(second))

        return part

    return {
        "dyad-lift": joints,
        "dyad-lift-detector-like": like,
        "dyad-integrate": integrated(learned),
        "weighted-mean": integrated(linear),
    }
