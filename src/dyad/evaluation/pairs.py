"""Two people as one thing: errors after one fit for both, and how deep their bodies lie in one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.core.skeleton import Skeleton
from dyad.evaluation.aligned import procrustes
from dyad.evaluation.pose3d import absolute_errors


def pair_pa_errors(truth: ArrayLike, predicted: ArrayLike, *, scale: bool = True) -> NDArray[np.float64]:
    """(N,2,J) m of N pairs of people (N,2,J,3) after one similarity for both: how they stand to one another counts.

    With PA errors of each alone, wrong distances between people cost nothing; here they do. NaN as in
    `evaluation.aligned`. `scale=False` keeps the size.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    joined = (*true.shape[:-3], true.shape[-3] * true.shape[-2], 3)
    laid = procrustes(true.reshape(joined), pred.reshape(joined), scale=scale).reshape(pred.shape)
    return absolute_errors(true, laid)


@dataclass(frozen=True)
class Capsule:
    """A body part: all that is within `radius` (m) of the line from joint `start` to joint `end`."""

    start: str
    end: str
    radius: float


BODY_CAPSULES = (
    Capsule("head_top", "neck", 0.08),
    Capsule("neck", "pelvis", 0.11),
    Capsule("left_shoulder", "right_shoulder", 0.06),
    Capsule("left_hip", "right_hip", 0.09),
    *(
        Capsule(f"{side}_{start}", f"{side}_{end}", radius)
        for side in ("left", "right")
        for start, end, radius in (
            ("shoulder", "elbow", 0.045),
            ("elbow", "wrist", 0.035),
            ("hip", "knee", 0.07),
            ("knee", "ankle", 0.045),
        )
    ),
)
"""A slim adult. The radii are no measurements: they lie a little inside a body, so that touching people, who press
into one another by a centimetre or two, have no penetration, and what is found is one in truth."""


def penetration(
    first: ArrayLike, second: ArrayLike, skeleton: Skeleton, *, capsules: Sequence[Capsule] = BODY_CAPSULES
) -> NDArray[np.float64]:
    """Deepest overlap (…) in m of the bodies of two people (…,J,3): 0 if they do not overlap.

    For two capsules it is the sum of their radii less the distance of their lines, at most what is left after lines
    meet. Capsules with a NaN end do not count; NaN where no pair of capsules is known. Symmetric in the two people.
    """
    a_start, a_end, radius = _parts(first, skeleton, capsules)
    b_start, b_end, _ = _parts(second, skeleton, capsules)
    distance = segment_distance(
        a_start[..., :, None, :], a_end[..., :, None, :], b_start[..., None, :, :], b_end[..., None, :, :]
    )
    depth = radius[:, None] + radius[None] - distance
    known = np.isfinite(depth)
    deepest = np.where(known, depth, 0.0).max((-1, -2), initial=0.0)
    return np.where(known.any((-1, -2)), deepest, np.nan)


def segment_distance(
    first_start: ArrayLike, first_end: ArrayLike, second_start: ArrayLike, second_end: ArrayLike
) -> NDArray[np.float64]:
    """Least distance (…) between lines that end: from first_start to first_end and the same of second, (…,3) each.

    NaN where an end is NaN. A line may be a single point. The nearest points are either inside both lines, or one of
    them is an end: the least of these five distances is the distance.
    """
    a, b, c, d = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (first_start, first_end, second_start, second_end))
    )
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    wide = uu * vv - uv * uv
    # parallel lines are nearest at an end too
    skew = wide > 1e-12 * uu * vv
    safe = np.where(skew, wide, 1.0)
    s, t = (uv * vw - vv * uw) / safe, (uu * vw - uv * uw) / safe
    inside = skew & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    crossing = np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)
    ends = [_to_segment(a, c, d), _to_segment(b, c, d), _to_segment(c, a, b), _to_segment(d, a, b)]
    return np.minimum(np.minimum.reduce(ends), np.where(inside, crossing, np.inf))


def _to_segment(
    point: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    along = end - start
    length = (along * along).sum(-1)
    share = np.divide(((point - start) * along).sum(-1), length, out=np.zeros_like(length), where=length > 0)
    return np.linalg.norm(point - start - np.clip(share, 0, 1)[..., None] * along, axis=-1)


def _parts(
    poses: ArrayLike, skeleton: Skeleton, capsules: Sequence[Capsule]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Ends (…,C,3) and radii (C,) of a body's capsules."""
    xyz = np.asarray(poses, dtype=np.float64)
    starts, ends = (skeleton.indices(*(getattr(c, name) for c in capsules)) for name in ("start", "end"))
    return xyz[..., starts, :], xyz[..., ends, :], np.array([c.radius for c in capsules])
