"""Rotations as arrays: turning one direction into another, unit quaternions (…, 4) as x y z w, Euler angles."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from dyad.export.upright import Array


def unit(vectors: Array) -> Array:
    """Vectors (…, 3) at length 1; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 1e-12, length, 1.0)


def between(start: Array, end: Array) -> Array:
    """The shortest rotation (…, 3, 3) of unit vectors (…, 3) into others; half a turn about some axis of opposites."""
    start, end = np.broadcast_arrays(start, end)
    quaternion = np.concatenate([np.cross(start, end), 1 + (start * end).sum(-1, keepdims=True)], -1)
    opposite = quaternion[..., 3] < 1e-9
    if opposite.any():
        # At right angles to `start`: the coordinate axis that it has least of, made so.
        axis = np.eye(3)[np.abs(start[opposite]).argmin(-1)]
        turned = unit(np.cross(start[opposite], axis))
        quaternion[opposite] = np.concatenate([turned, np.zeros((len(turned), 1))], -1)
    return matrices(quaternion)


def about(axis: Array, angle: Array) -> Array:
    """Rotation (…, 3, 3) about a unit axis (…, 3) by an angle (…) in radians."""
    half = np.asarray(angle)[..., None] / 2
    return matrices(np.concatenate([axis * np.sin(half), np.cos(half)], -1))


def frame(first: Array, second: Array) -> Array:
    """Rotations (…, 3, 3) whose first column is along `first` and whose second is as near to `second` as can be."""
    x = unit(first)
    y = unit(second - x * (second * x).sum(-1, keepdims=True))
    return np.stack([x, y, np.cross(x, y)], -1)


def matrices(quaternion: Array) -> Array:
    """Rotations (…, 3, 3) of quaternions (…, 4) x y z w of any length but 0."""
    flat = Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix()
    return flat.reshape(*quaternion.shape[:-1], 3, 3)


def quaternions(rotation: Array) -> Array:
    """Quaternions (…, 4) of rotations (…, 3, 3)."""
    flat = Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_quat()
    return flat.reshape(*rotation.shape[:-2], 4)


def steadied(quaternion: Array) -> Array:
    """Quaternions (T, …, 4), each of the two that mean the same rotation nearer to the one before."""
    turned = (quaternion[1:] * quaternion[:-1]).sum(-1) < 0
    sign = np.where(np.cumsum(turned, 0) % 2 == 1, -1.0, 1.0)
    return np.concatenate([quaternion[:1], quaternion[1:] * sign[..., None]])


def between_keys(keys: Array, times: Array) -> tuple[NDArray[np.int64], Array]:
    """For each time (T,) the key (n,) before it, and how far it is on the way to the next, 0 to 1; held outside."""
    if len(keys) == 1:
        return np.zeros(len(times), np.int64), np.zeros(len(times))
    before = np.clip(np.searchsorted(keys, times, side="right") - 1, 0, len(keys) - 2)
    share = (times - keys[before]) / np.maximum(keys[before + 1] - keys[before], 1e-12)
    return before, np.clip(share, 0.0, 1.0)


def slerp(first: Array, second: Array, share: Array) -> Array:
    """Quaternions (…, 4) on the shortest way from one to another, at `share` (…) of it."""
    cosine = (first * second).sum(-1)
    second = np.where(cosine[..., None] < 0, -second, second)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    small = angle < 1e-6
    sine = np.where(small, 1.0, np.sin(angle))
    a = np.where(small, 1 - share, np.sin((1 - share) * angle) / sine)
    b = np.where(small, share, np.sin(share * angle) / sine)
    mixed = a[..., None] * first + b[..., None] * second
    return mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)


def euler_zxy(quaternion: Array, last: Array | None = None) -> Array:
    """Angles (T, …, 3) in degrees about z, x and y, in that order of factors (Rz Rx Ry), without jumps in time.

    Each triple is the one of all that mean the same rotation which is nearest to the one before, or to `last` (…, 3).
    """
    rotation = matrices(quaternion)
    sine = np.clip(rotation[..., 2, 1], -1.0, 1.0)
    locked = np.abs(sine) > 1 - 1e-9
    x = np.arcsin(sine)
    z = np.where(
        locked,
        np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0]),
        np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1]),
    )
    y = np.where(locked, 0.0, np.arctan2(-rotation[..., 2, 0], rotation[..., 2, 2]))
    angles = np.degrees(np.stack([z, x, y], -1))
    for t in range(len(angles)):
        before = angles[t - 1] if t else last
        if before is not None:
            angles[t] = _nearest(angles[t], before)
    return angles


def _nearest(angles: Array, before: Array) -> Array:
    other = np.stack([angles[..., 0] + 180, 180 - angles[..., 1], angles[..., 2] + 180], -1)
    both = [each - 360 * np.round((each - before) / 360) for each in (angles, other)]
    nearer = [np.abs(each - before).sum(-1, keepdims=True) for each in both]
    return np.where(nearer[0] <= nearer[1], *both)
