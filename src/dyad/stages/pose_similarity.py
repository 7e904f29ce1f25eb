"""How alike two poses are in the image, for telling people apart in time: an OKS whose spreads allow for motion."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Where a standing person's joints are, in heights: to the side of the middle, and above the floor. The first part that
# a name contains counts.
_STANCE = {
    "shoulder": (0.11, 0.82),
    "elbow": (0.13, 0.63),
    "wrist": (0.14, 0.48),
    "pinky": (0.14, 0.44),
    "thumb": (0.14, 0.44),
    "foot": (0.06, 0.02),
    "toe": (0.06, 0.02),
    "index": (0.14, 0.44),
    "hip": (0.06, 0.53),
    "pelvis": (0.0, 0.53),
    "knee": (0.06, 0.28),
    "ankle": (0.06, 0.05),
    "heel": (0.06, 0.02),
    "spine": (0.0, 0.67),
    "neck": (0.0, 0.83),
    "thorax": (0.0, 0.8),
    "head_top": (0.0, 1.0),
    "": (0.0, 0.93),
}
_LIMB = ("elbow", "knee", "head", "hand")
_END = ("wrist", "ankle", "heel", "foot", "toe", "pinky", "index", "thumb", "finger")
_FACE = ("nose", "eye", "ear", "mouth")


class Joints(NamedTuple):
    """What tracking knows about each joint (J,): spread, speed and say are taken from its name."""

    spread: Array
    """How far a joint may lie from where it was predicted, as a share of the person's height."""
    speed: Array
    """How fast it moves relative to the trunk, heights a second."""
    stance: Array
    """Where it is (J, 2) on a standing person, heights."""
    say: Array
    """Its share in decisions; many points of one face count as two."""


@lru_cache(maxsize=32)
def joints_of(names: tuple[str, ...]) -> Joints:
    """Tracking's view of joints by name; unknown names count as trunk."""
    kinds = [_kind(name) for name in names]
    face = max(kinds.count("face"), 1)
    end = max(kinds.count("end"), 1)
    table = {
        "trunk": (0.06, 0.1, 1.0),
        "face": (0.06, 0.3, min(1.0, 2.0 / face)),
        "limb": (0.08, 0.5, 0.7),
        "end": (0.12, 1.0, min(0.5, 2.0 / end)),
    }
    spread, speed, say = np.array([table[kind] for kind in kinds], dtype=np.float32).reshape(-1, 3).T.copy()
    stance = np.array([_stance(name) for name in names], dtype=np.float32).reshape(-1, 2)
    return Joints(spread, speed, stance, say)


def _stance(name: str) -> tuple[float, float]:
    words = name.lower()
    aside, up = next(place for part, place in _STANCE.items() if part in words)
    return (-aside if "right" in words else aside), up


def _kind(name: str) -> str:
    words = name.lower()
    for kind, parts in (("end", _END), ("face", _FACE), ("limb", _LIMB)):
        if any(part in words for part in parts):
            return kind
    return "trunk"


def weights(xy: Array, confidence: Array, say: Array) -> Array:
    """Weight (N, J) of every joint: its confidence, never quite 0 while it has a position, times its say."""
    known = np.isfinite(xy).all(-1)
    sure = np.clip(np.nan_to_num(confidence), 0.0, 1.0)
    return np.where(known, (0.1 + 0.9 * sure) * say, 0.0).astype(np.float32)


def heights(xy: Array, weight: Array, box: Array, stance: Array) -> Array:
    """Apparent height (N,) px of people (N, J, 2), by how far apart the joints at hand lie on a standing person.

    From the box where too few joints are there to tell.
    """
    expected = _radius(np.broadcast_to(stance, xy.shape), weight)
    extent = np.nan_to_num(np.maximum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]))
    tell = expected > 0.08
    return np.maximum(np.where(tell, _radius(xy, weight) / np.where(tell, expected, 1.0), extent), 2.0).astype(
        np.float32
    )


def _radius(xy: Array, weight: Array) -> Array:
    """Root-mean-square distance (N,) of points (N, J, 2) from their middle."""
    total = np.maximum(weight.sum(-1), 1e-6)[:, None]
    middle = (weight[..., None] * xy).sum(1) / total
    return np.sqrt((weight * ((xy - middle[:, None]) ** 2).sum(-1)).sum(-1) / total[:, 0])


def similarity(
    first: Array, second: Array, *, first_weight: Array, second_weight: Array, height: Array, variance: Array
) -> Array:
    """Similarity (…) in 0..1 of poses (…, J, 2) px that broadcast against one another.

    `height` (…) px; `variance` (…, J) of a joint's position, in heights². Joints that either side lacks do not count.
    """
    square = ((first - second) ** 2).sum(-1) / (height[..., None] ** 2)
    weight = first_weight * second_weight
    total = weight.sum(-1)
    alike = (weight * np.exp(-0.5 * square / variance)).sum(-1)
    return np.where(total > 1e-4, alike / np.maximum(total, 1e-4), 0.0)


def crowding(xy: Array, weight: Array, height: Array, spread: Array) -> Array:
    """Similarity (N, N) of everyone in a frame with everyone else, 0 on the diagonal."""
    mutual = similarity(
        xy[:, None],
        xy[None],
        first_weight=weight[:, None],
        second_weight=weight[None],
        height=np.sqrt(height[:, None] * height[None]),
        variance=(spread * spread)[None, None],
    )
    np.fill_diagonal(mutual, 0.0)
    return mutual
