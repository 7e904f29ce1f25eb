"""Cameras that look at something: the rotation between their axes and those of the camera that took the picture."""

import torch
from torch import Tensor


def toward(ray: Tensor) -> Tensor:
    """Rotations (…, 3, 3) that take the optical axis to the ray (…, 3) by the shortest way.

    A network that is shown a crop answers as if a camera looked straight at the person; these turn its axes to the
    camera's.
    """
    x, y, z = (ray / torch.linalg.vector_norm(ray, dim=-1, keepdim=True)).unbind(-1)
    k = 1 / (1 + z)
    rows = (
        torch.stack((1 - k * x * x, -k * x * y, x), -1),
        torch.stack((-k * x * y, 1 - k * y * y, y), -1),
        torch.stack((-x, -y, 1 - k * (x * x + y * y)), -1),
    )
    return torch.stack(rows, -2)
