"""Sampling, mirroring and turning of rotations and root positions: what motions and takes have in common."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dyad.core.errors import BadInput
from dyad.synthetic.motion.rotations import Array, about, slerp

UP = np.array((0.0, 1.0, 0.0))


class Frames(NamedTuple):
    """Rotations (T, J, 3, 3), of which the first is the root's in the world, and root positions (T, 3) in metres."""

    rotations: Array
    translation: Array


def checked(rotations: ArrayLike, translation: ArrayLike, fps: float, joints: int, what: str) -> Frames:
    """The arrays as float64; BadInput unless they are (T ≥ 1, joints, 3, 3) and (T, 3), finite, with fps above 0."""
    rotations, translation = np.asarray(rotations, np.float64), np.asarray(translation, np.float64)
    if rotations.ndim != 4 or rotations.shape[1:] != (joints, 3, 3) or translation.shape != (len(rotations), 3):
        raise BadInput(
            f"{what} needs rotations (T, {joints}, 3, 3) and translation (T, 3), "
            f"got {rotations.shape} and {translation.shape}"
        )
    if not len(rotations):
        raise BadInput(f"{what} has no frame")
    if not (np.isfinite(fps) and fps > 0):
        raise BadInput(f"{what} needs frames a second above 0, got {fps:g}")
    if not (np.isfinite(rotations).all() and np.isfinite(translation).all()):
        raise BadInput(f"{what} has values that are not finite")
    return Frames(rotations, translation)


def sampled(frames: Frames, at: ArrayLike) -> Frames:
    """The state at fractional frame numbers `at` (N,), held at both ends; exact at whole numbers."""
    last = len(frames.translation) - 1
    at = np.clip(np.asarray(at, np.float64), 0, last)
    before = np.minimum(np.floor(at).astype(np.intp), max(last - 1, 0))
    after = np.minimum(before + 1, last)
    share = at - before
    rotations = slerp(frames.rotations[before], frames.rotations[after], share[:, None])
    near, far = frames.translation[before], frames.translation[after]
    return Frames(rotations, np.where(share[:, None] == 1, far, near + share[:, None] * (far - near)))


def grid(times: float, old: float, new: float) -> Array:
    """Frame numbers at `old` a second of a clip of `times` frames that are shown at `new` frames a second."""
    # A hair's breadth is forgiven, so that the last frame is not lost to rounding.
    count = int(np.floor((times - 1) / old * new + 1e-6)) + 1
    at = np.arange(count) * (old / new)
    whole = np.round(at)
    return np.where(np.abs(at - whole) < 1e-6, whole, at)


def turned(frames: Frames, yaw: float, x: float, z: float) -> Frames:
    """Turned by `yaw` about the world's vertical through the origin, then moved by x and z metres."""
    turn = about(UP, yaw)
    rotations = frames.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    return Frames(rotations, frames.translation @ turn.T + np.array((x, 0.0, z)))


def reflected(frames: Frames, partner: tuple[int, ...]) -> Frames:
    """Seen in a mirror at x = 0, with each joint in its partner's place."""
    sign = np.array((-1.0, 1.0, 1.0))
    rotations = frames.rotations[:, list(partner)] * sign[:, None] * sign
    return Frames(rotations, frames.translation * sign)
