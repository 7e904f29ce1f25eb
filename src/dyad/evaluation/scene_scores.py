"""Metrics for scenes whose truth is complete: motion, standing feet, what sigma claims, and people close together."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dyad.core.skeleton import Skeleton
from dyad.evaluation.comparison import Comparison
from dyad.evaluation.intervals import interval_coverage
from dyad.evaluation.means import Mean
from dyad.evaluation.pairs import pair_pa_errors, penetration
from dyad.evaluation.temporal import acceleration_errors, contacts, foot_sliding, jitter, velocity_errors

CLOSE = 1.0
"""m; true people whose roots are nearer are a pair."""
STANDING = 0.12
"""m above the floor, below which a true ankle stands."""
_FEET = ("left_ankle", "right_ankle")


def _motion(c: Comparison, *, rooted: bool = True) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and predicted joints (T,P,J,3) m, NaN where a person does not count, with or without the roots' motion."""
    there = c.counted[..., None, None]
    true, found = (np.where(there, v, np.nan) for v in (c.truth, c.predicted))
    if not rooted:
        return true, found
    return true - c.truth_root[..., None, :], found - c.predicted_root[..., None, :]


def _velocity(c: Comparison) -> Mean:
    return Mean.of_array(velocity_errors(*_motion(c)), 1000)


def _acceleration(c: Comparison) -> Mean:
    return Mean.of_array(acceleration_errors(*_motion(c), c.times))


def _jitter(c: Comparison, which: int) -> Mean:
    return Mean.of_array(jitter(_motion(c, rooted=False)[which], c.times))


def _sliding(c: Comparison, which: int) -> Mean:
    """Of ankles where the true ones stand; needs a floor, which scenes with a moving camera do not have."""
    if c.floor is None or not set(_FEET) <= set(c.joints):
        return Mean()
    feet = [c.joints.index(name) for name in _FEET]
    motion = [v[:, :, feet] for v in _motion(c, rooted=False)]
    standing = contacts(motion[0], c.floor, below=STANDING)
    return Mean.of_array(foot_sliding(motion[which], c.floor, standing, c.times), 1000)


def _claimed(c: Comparison, share: float) -> Mean:
    """Share of true coordinates in the interval that sigma claims for this share of them."""
    arrays = [v[c.counted] for v in (c.truth, c.predicted, c.sigma)]
    (found,) = interval_coverage(*arrays, shares=(share,))
    return Mean(float(np.mean(found[2:])) * found.counted, found.counted) if found.counted else Mean()


def _pairs(c: Comparison) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and predicted poses (N,2,J+1,3) of people close together, the root last."""
    true, found = (
        np.concatenate([joints, roots[..., None, :]], -2)
        for joints, roots in ((c.truth, c.truth_root), (c.predicted, c.predicted_root))
    )
    empty = np.empty((0, 2, *true.shape[2:]))
    pairs = [[empty], [empty]]
    for two in combinations(range(c.counted.shape[1]), 2):
        one, other = two
        apart = np.linalg.norm(c.truth_root[:, one] - c.truth_root[:, other], axis=-1)
        close = c.counted[:, one] & c.counted[:, other] & (np.nan_to_num(apart, nan=np.inf) < CLOSE)
        for kept, poses in zip(pairs, (true, found), strict=True):
            kept.append(poses[close][:, list(two)])
    return np.concatenate(pairs[0]), np.concatenate(pairs[1])


def _penetration(c: Comparison, which: int) -> Mean:
    """Where the protocol's root is the pelvis."""
    pair = _pairs(c)[which]
    names = Skeleton.of_names((*(n if n != "pelvis" else "pelvis_joint" for n in c.joints), "pelvis"))
    return Mean.of_array(penetration(pair[:, 0], pair[:, 1], names), 1000)


SCENE_METRICS: dict[str, Callable[[Comparison], Mean]] = {
    # Root-relative joints, per frame: the MPJVE of VideoPose3D.
    "mpjve_mm": _velocity,
    "acceleration_error_m_s2": _acceleration,
    # Of the motion itself, and of the true one, which is its measure.
    "jitter_m_s3": lambda c: _jitter(c, 1),
    "jitter_true_m_s3": lambda c: _jitter(c, 0),
    "foot_sliding_mm_s": lambda c: _sliding(c, 1),
    "foot_sliding_true_mm_s": lambda c: _sliding(c, 0),
    "sigma_50": lambda c: _claimed(c, 0.5),
    "sigma_80": lambda c: _claimed(c, 0.8),
    "sigma_90": lambda c: _claimed(c, 0.9),
    "penetration_mm": lambda c: _penetration(c, 1),
    "penetration_true_mm": lambda c: _penetration(c, 0),
    "pair_pa_mpjpe_mm": lambda c: Mean.of_array(pair_pa_errors(*_pairs(c)), 1000),
}
"""Pairs are true people nearer than `CLOSE`; feet stand where the true ankle is lower than `STANDING`."""
