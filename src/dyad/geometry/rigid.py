"""Rigid motion between a world and a camera in it: rotations from quaternions, points there and back.

A camera stands at `place` (…, 3) in the world, and `rotation` (…, 3, 3) turns its axes into the world's, so that its
columns are the camera's axes as the world sees them. Leading dimensions broadcast; points are (…, N, 3).
"""

import torch
from torch import Tensor


def from_quaternion(quaternion: Tensor) -> Tensor:
    """The rotation (…, 3, 3) of a quaternion (…, 4) as w x y z, of any length but 0 (0 gives NaN)."""
    w, x, y, z = (quaternion / torch.linalg.vector_norm(quaternion, dim=-1, keepdim=True)).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def to_camera(xyz: Tensor, rotation: Tensor, place: Tensor) -> Tensor:
    """World points (…, N, 3) in camera axes: the inverse rotation of what lies between them and the camera."""
    return torch.einsum("...ji,...nj->...ni", rotation, xyz - place[..., None, :])


def to_world(xyz: Tensor, rotation: Tensor, place: Tensor) -> Tensor:
    """Camera points (…, N, 3) in world axes: the inverse of `to_camera`."""
    return torch.einsum("...ij,...nj->...ni", rotation, xyz) + place[..., None, :]
