"""Rotations in numpy: matrices (…, 3, 3) that act on columns, unit quaternions (…, 4) as w x y z, angles in radians."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def unit(vectors: ArrayLike) -> Array:
    """Vectors (…, D) at length 1; a zero vector stays zero."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 1e-12, length, 1.0)


def from_quaternion(quaternion: ArrayLike) -> Array:
    """Matrices of quaternions w x y z, which need not be of length 1."""
    w, x, y, z = np.moveaxis(unit(quaternion), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def to_quaternion(matrix: ArrayLike) -> Array:
    """Unit quaternions w x y z with w ≥ 0. Of four formulas the one is taken that divides by the largest number."""
    m = np.asarray(matrix, np.float64)
    a, b, c = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 2, 0] + m[..., 0, 2], m[..., 2, 1] + m[..., 1, 2]
    rows = (
        (1 + a + b + c, x, y, z),
        (x, 1 + a - b - c, xy, xz),
        (y, xy, 1 - a + b - c, yz),
        (z, xz, yz, 1 - a - b + c),
    )
    table = np.stack([np.stack(row, -1) for row in rows], -2)
    best = np.argmax(np.stack([rows[i][i] for i in range(4)], -1), -1)
    q = unit(np.take_along_axis(table, best[..., None, None], -2)[..., 0, :])
    return np.where(q[..., :1] < 0, -q, q)


def from_vector(vector: ArrayLike) -> Array:
    """Matrices of rotation vectors (…, 3): axis times angle."""
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    # sinc keeps the quotient right where the angle is zero.
    return from_quaternion(np.concatenate((np.cos(angle / 2), vector * np.sinc(angle / (2 * np.pi)) / 2), -1))


def to_vector(matrix: ArrayLike) -> Array:
    """Rotation vectors (…, 3), of length at most pi."""
    q = to_quaternion(matrix)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1.0), 2.0)


def about(axis: ArrayLike, angle: ArrayLike) -> Array:
    """Rotation by `angle` (…) about `axis` (…, 3)."""
    return from_vector(unit(axis) * np.asarray(angle, np.float64)[..., None])


def from_euler(order: str, angles: ArrayLike) -> Array:
    """Product, in the order written, of rotations about the axes of `order` ("zxy": Rz Rx Ry) by angles (…, n)."""
    angles = np.asarray(angles, np.float64)
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for i, letter in enumerate(order):
        result = result @ about(np.eye(3)["xyz".index(letter)], angles[..., i])
    return result


def slerp(first: ArrayLike, second: ArrayLike, share: ArrayLike) -> Array:
    """The shortest way from `first` to `second`, at `share` (…) of it: exactly `first` at 0 and `second` at 1."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    share = np.asarray(share, np.float64)[..., None]
    step = from_vector(to_vector(np.swapaxes(first, -1, -2) @ second) * share)
    share = share[..., None]
    return np.where(share == 0, first, np.where(share == 1, second, first @ step))


def between(start: ArrayLike, end: ArrayLike) -> Array:
    """The least rotation that turns direction `start` (…, 3) into `end`; half a turn about some axis if opposite."""
    a, b = np.broadcast_arrays(unit(start), unit(end))
    axis, cosine = np.cross(a, b), np.sum(a * b, -1)
    sine = np.linalg.norm(axis, axis=-1)
    # Opposite directions leave the axis open: take one at right angles, from the world axis least along `a`.
    other = np.cross(a, np.eye(3)[np.argmin(np.abs(a), -1)])
    axis = np.where(((sine < 1e-9) & (cosine < 0))[..., None], other, axis)
    return about(axis, np.arctan2(sine, cosine))


def twist_angle(matrix: ArrayLike, axis: ArrayLike) -> Array:
    """By how much a rotation turns about `axis` (…, 3), -pi to pi; what remains turns about an axis at right angles."""
    q = to_quaternion(matrix)
    along = np.sum(q[..., 1:] * unit(axis), -1)
    angle = 2 * np.arctan2(along, q[..., 0])
    return (angle + np.pi) % (2 * np.pi) - np.pi


def orthonormal(matrix: ArrayLike) -> Array:
    """The rotation nearest to a matrix (…, 3, 3)."""
    u, _, vh = np.linalg.svd(np.asarray(matrix, np.float64))
    sign = np.ones((*u.shape[:-2], 3))
    sign[..., 2] = np.linalg.det(u @ vh)
    return u @ (sign[..., None] * vh)
