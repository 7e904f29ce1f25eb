"""The pinhole camera with OpenCV's five-coefficient lens model, as functions of tensors.

Camera axes: x right, y down, z forward. Lengths are metres, image coordinates pixels, and whole pixel coordinates
are pixel centres. Leading dimensions broadcast; `focal` and `centre` end in 2, `distortion` in 5 (k1 k2 p1 p2 k3).
"""

import torch
from torch import Tensor


def distort(xy: Tensor, distortion: Tensor) -> Tensor:
    """Bend ideal image-plane coordinates (…, 2) at depth 1 as the lens does."""
    k1, k2, p1, p2, k3 = distortion.unbind(-1)
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return torch.stack((bent_x, bent_y), -1)


def undistort(xy: Tensor, distortion: Tensor, iterations: int = 20) -> Tensor:
    """Invert `distort` by Newton's method; NaN where the lens sends no ray (beyond the fold of a strong barrel)."""
    if not torch.any(distortion):
        return xy
    ideal = xy
    for _ in range(iterations):
        (xx, xy_, yy), det = _jacobian(ideal, distortion)
        x, y = (distort(ideal, distortion) - xy).unbind(-1)
        det = torch.where(det.abs() < 1e-6, torch.full_like(det, 1e-6), det)
        step = torch.stack((yy * x - xy_ * y, xx * y - xy_ * x), -1) / det[..., None]
        # A step longer than the point is far from the axis would leave the region where the lens is one-to-one.
        reach = 0.5 * (torch.linalg.vector_norm(ideal, dim=-1, keepdim=True) + 0.1)
        length = torch.linalg.vector_norm(step, dim=-1, keepdim=True)
        ideal = ideal - step * torch.clamp(reach / length.clamp(min=1e-12), max=1.0)
    miss = torch.linalg.vector_norm(distort(ideal, distortion) - xy, dim=-1)
    found = (miss < 1e-4) & (_jacobian(ideal, distortion)[1] > 0)
    return torch.where(found[..., None], ideal, torch.full_like(ideal, torch.nan))


def _jacobian(xy: Tensor, distortion: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Derivatives (xx, xy = yx, yy) of `distort` and their determinant."""
    k1, k2, p1, p2, k3 = distortion.unbind(-1)
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3))
    xx = radial + x * x * slope + 2 * p1 * y + 6 * p2 * x
    cross = x * y * slope + 2 * p1 * x + 2 * p2 * y
    yy = radial + y * y * slope + 6 * p1 * y + 2 * p2 * x
    return (xx, cross, yy), xx * yy - cross * cross


def project(xyz: Tensor, focal: Tensor, centre: Tensor, distortion: Tensor) -> Tensor:
    """Points (…, 3) in metres to pixels (…, 2); NaN for a point that is not in front of the camera."""
    depth = xyz[..., 2:]
    plane = xyz[..., :2] / torch.where(depth > 0, depth, torch.full_like(depth, torch.nan))
    if torch.any(distortion):
        plane = distort(plane, distortion)
    return plane * focal + centre


def rays(xy: Tensor, focal: Tensor, centre: Tensor, distortion: Tensor) -> Tensor:
    """Viewing rays (…, 3) of pixels (…, 2), scaled to depth 1."""
    plane = undistort((xy - centre) / focal, distortion)
    return torch.cat((plane, torch.ones_like(plane[..., :1])), -1)


def unproject(xy: Tensor, depth: Tensor, focal: Tensor, centre: Tensor, distortion: Tensor) -> Tensor:
    """Pixels (…, 2) at depth (…) in metres to points (…, 3)."""
    return rays(xy, focal, centre, distortion) * depth[..., None]
