"""Root-relative poses of an estimator that looks at each person alone, placed in the frame of the real camera."""

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.geometry.alignment import place


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


def place_people(relative: Tensor, xy: Tensor, confidence: Tensor, centre: Tensor, camera: Camera) -> Tensor:
    """Joints (N, J, 3) in the camera frame, in m.

    Args:
        relative: (N, J, 3) m root-relative joints in the axes of a camera that looks at `centre`.
        xy: (N, J, 2) px where the joints appear; confidence: (N, J) 0..1.
        centre: (N, 2) px what the estimator's crop was centred on.
    """
    if not len(relative):
        return relative
    turned = torch.einsum("nij,nkj->nki", toward(camera.rays(centre)), relative)
    size = torch.linalg.vector_norm(xy.amax(1) - xy.amin(1), dim=-1)
    noise = (0.02 * size / float(camera.focal.mean())).double()
    fit = place(turned, camera.rays(xy), confidence + 1e-3, noise=noise, pose_noise=0.06)
    return turned + fit.translation[:, None]
