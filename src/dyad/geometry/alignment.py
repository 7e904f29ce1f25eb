"""Fitting one set of points to another: similarity transforms, and the translation that explains a projection."""

from typing import NamedTuple

import torch
from torch import Tensor


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + translation."""

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        turned = torch.einsum("...ij,...kj->...ki", self.rotation, points)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def fit_similarity(source: Tensor, target: Tensor, weights: Tensor | None = None, *, scale: bool = True) -> Similarity:
    """Least-squares similarity (Umeyama 1991) from points (…, J, D) to points (…, J, D), never a reflection.

    `weights` (…, J) are non-negative; a point with NaN on either side counts as 0. `scale=False` gives the rigid fit.
    Where no point is left, scale and translation are NaN.
    """
    known = torch.isfinite(source).all(-1) & torch.isfinite(target).all(-1)
    weights = torch.where(known, torch.ones_like(source[..., 0]) if weights is None else weights.to(source), 0.0)
    source, target = (torch.where(known[..., None], v, torch.zeros_like(v)) for v in (source, target))
    total = weights.sum(-1, keepdim=True)
    share = (weights / total.clamp(min=1e-12))[..., None]
    middle_s, middle_t = (source * share).sum(-2), (target * share).sum(-2)
    s, t = source - middle_s[..., None, :], target - middle_t[..., None, :]
    u, singular, vh = torch.linalg.svd((t * share).transpose(-1, -2) @ s)
    sign = torch.ones_like(singular)
    sign[..., -1] = torch.sign(torch.linalg.det(u @ vh))
    rotation = u @ (sign[..., None] * vh)
    spread = (s.square() * share).sum((-1, -2)).clamp(min=1e-18)
    factor = (singular * sign).sum(-1) / spread if scale else torch.ones_like(spread)
    factor = torch.where(total[..., 0] > 0, factor, torch.full_like(factor, torch.nan))
    shift = middle_t - factor[..., None] * torch.einsum("...ij,...j->...i", rotation, middle_s)
    return Similarity(factor, rotation, shift)


class Placement(NamedTuple):
    """A translation (…, 3) in metres with its information matrix (…, 3, 3) in 1/m² (inverse covariance)."""

    translation: Tensor
    information: Tensor


def place(
    relative: Tensor,
    rays: Tensor,
    weights: Tensor,
    *,
    noise: Tensor | float,
    pose_noise: Tensor | float = 0.04,
    rounds: int = 6,
) -> Placement:
    """Where a root-relative pose stands so that its joints meet their viewing rays: robust weighted least squares.

    Args:
        relative: (…, J, 3) root-relative joints, metres, in the axes of the camera.
        rays: (…, J, 3) viewing ray of each joint's 2D position, depth 1.
        weights: (…, J) in 0..1; 0 leaves a joint out. NaN joints count as 0.
        noise: error of the rays (…) or number, as a share of the depth (px / focal).
        pose_noise: error of the relative joints in metres, one standard deviation; a number, (J,) or (…, J).
        rounds: rounds of re-weighting (Geman–McClure on the reprojection error).

    A pose with fewer than two usable joints cannot be placed: its translation is NaN, its information 0.

    A joint p + t on ray (u, v, 1) gives two linear equations in t: (p + t)_x = u (p + t)_z and the same for y. They are
    weighted by the size of their own error: noise · depth from the ray and pose_noise from the pose. The fit starts
    from the best of many small subsets of joints, since a few wild ones pull a fit of all towards depth 0.
    """
    ok = torch.isfinite(relative).all(-1) & torch.isfinite(rays).all(-1) & (weights > 0)
    p = torch.where(ok[..., None], relative, torch.zeros_like(relative)).double()
    r = torch.where(ok[..., None], rays, torch.zeros_like(rays)).double()
    r = torch.cat((r[..., :2], torch.ones_like(r[..., 2:])), -1)
    w = torch.where(ok, weights, torch.zeros_like(weights)).double()
    noise = torch.as_tensor(noise, dtype=torch.float64, device=p.device)
    pose_noise = torch.as_tensor(pose_noise, dtype=torch.float64, device=p.device).expand_as(w)
    # Rows of A t = b: t_x - u t_z = u p_z - p_x.
    zero, one = torch.zeros_like(w), torch.ones_like(w)
    rows = torch.stack((torch.stack((one, zero, -r[..., 0]), -1), torch.stack((zero, one, -r[..., 1]), -1)), -2)
    right = r[..., :2] * p[..., 2:] - p[..., :2]
    subsets = _subsets(w.shape[-1]).to(w)
    starts, _ = _solve(rows[..., None, :, :, :], right[..., None, :, :], w[..., None, :] * subsets)
    off, variance = _misfit(
        starts, p[..., None, :, :], rows[..., None, :, :, :], right[..., None, :, :], noise, pose_noise[..., None, :]
    )
    cost = (w[..., None, :] * off / (9 + off)).sum(-1)
    best = cost.argmin(-1)[..., None, None]
    off, variance = (v.gather(-2, best.expand(*w.shape[:-1], 1, w.shape[-1]))[..., 0, :] for v in (off, variance))
    for _ in range(max(1, rounds)):
        translation, information = _solve(rows, right, w / variance / (1 + off / 9) ** 2)
        off, variance = _misfit(translation, p, rows, right, noise, pose_noise)
    placed = (ok.sum(-1) >= 2)[..., None]
    translation = torch.where(placed, translation, torch.full_like(translation, torch.nan))
    information = torch.where(placed[..., None], information, torch.zeros_like(information))
    return Placement(translation.to(relative.dtype), information.to(relative.dtype))


def _subsets(joints: int) -> Tensor:
    """Masks (H, J): every joint with the one half-way round the list, with those a quarter round, and all at once."""
    own = torch.eye(joints)
    half = own + own.roll(joints // 2, 1)
    quarters = half + half.roll(joints // 4, 1)
    return torch.cat((half, quarters, torch.ones(1, joints))).clamp(max=1)


def _solve(rows: Tensor, right: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Translation (…, 3) and information (…, 3, 3) of the equations rows (…, J, 2, 3) · t = right (…, J, 2)."""
    information = torch.einsum("...jri,...j,...jrk->...ik", rows, weight, rows)
    information = information + 1e-9 * torch.eye(3, dtype=weight.dtype, device=weight.device)
    return torch.linalg.solve(information, torch.einsum("...jri,...j,...jr->...i", rows, weight, right)), information


def _misfit(
    translation: Tensor, p: Tensor, rows: Tensor, right: Tensor, noise: Tensor, pose_noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Squared residual (…, J) of each joint over its variance, and that variance in m²."""
    depth = p[..., 2] + translation[..., None, 2]
    noise = noise.reshape(*noise.shape, *[1] * (depth.dim() - noise.dim()))
    variance = (noise * depth.clamp(min=0.2)) ** 2 + pose_noise**2
    residual = torch.einsum("...jri,...i->...jr", rows, translation) - right
    # A joint behind the camera is no match, however small its residual.
    off = residual.square().sum(-1) / variance + 100 * (depth < 0.1)
    return off, variance
