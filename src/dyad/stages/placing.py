"""Poses placed in the frame of the real camera: root-relative ones of an estimator that looks at each person alone, and
2D ones, which come out flat.
"""

import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.geometry.alignment import place
from dyad.geometry.looking import toward

# Lengths between joint centres as shares of stature, the mean of men and women (de Leva 1996, J Biomech 29:1223);
# thighs reach up to the hips of motion capture (docs/joints.md).
# Across the trunk people turn away too often for a length to tell anything.
_SHARES = {
    ("left_hip", "left_knee"): 0.262,
    ("right_hip", "right_knee"): 0.262,
    ("left_knee", "left_ankle"): 0.251,
    ("right_knee", "right_ankle"): 0.251,
    ("pelvis", "neck"): 0.292,
    ("left_shoulder", "left_elbow"): 0.161,
    ("right_shoulder", "right_elbow"): 0.161,
    ("left_elbow", "left_wrist"): 0.153,
    ("right_elbow", "right_wrist"): 0.153,
}
# A bone is seen shorter than it is unless it lies across the view. Of the nine above, trunk and legs mostly do, so the
# share below which most are is a robust "longest"; the very longest is the one with the largest error.
_UNSHORTENED = 0.75


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


def flat_people(xy: Tensor, confidence: Tensor, camera: Camera, *, stature: float) -> Tensor:
    """Joints (T, 17, 3) m of body17 on planes that face the camera, for estimators without 3D.

    Each frame's plane is perpendicular to the ray to the pelvis, at the distance at which the bones that look longest
    for their kind have the length that a person of `stature` m has on average. Everything projects onto `xy`; nothing
    is known of what lies in front of what.

    Args:
        xy: (T, 17, 2) px; confidence: (T, 17) 0..1.

    A row whose pelvis or all of whose bones are missing is NaN, as is a missing joint.
    """
    if not len(xy):
        return xy.new_zeros(0, len(BODY17), 3)
    root = BODY17.index("pelvis")
    rays = camera.rays(xy.double())
    axis = rays[:, root] / torch.linalg.vector_norm(rays[:, root], dim=-1, keepdim=True)
    # Positions on the plane at distance 1.
    plane = rays / (rays * axis[:, None]).sum(-1, keepdim=True)
    pairs = torch.tensor([BODY17.indices(*bone) for bone in _SHARES])
    true = stature * torch.tensor(list(_SHARES.values()), dtype=torch.float64)
    ratio = torch.linalg.vector_norm(plane[:, pairs[:, 0]] - plane[:, pairs[:, 1]], dim=-1) / true
    trust = torch.minimum(confidence[:, pairs[:, 0]], confidence[:, pairs[:, 1]]).double() + 1e-3
    distance = 1 / _upper(ratio, torch.where(torch.isfinite(ratio), trust, torch.zeros_like(trust))).clamp(min=1e-3)
    return (plane * distance[:, None, None]).to(xy.dtype)


def _upper(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted quantile (T,) of values (T, B), linear between them; NaN where nothing has weight."""
    order = torch.nan_to_num(values, nan=torch.inf).argsort(-1)
    values, weights = torch.nan_to_num(values).gather(-1, order), weights.gather(-1, order)
    total = weights.sum(-1, keepdim=True)
    # Each value stands in the middle of its weight.
    place = (weights.cumsum(-1) - 0.5 * weights) / total
    after = (place < _UNSHORTENED).sum(-1, keepdim=True).clamp(1, values.shape[-1] - 1)
    after = torch.minimum(after, (weights > 0).sum(-1, keepdim=True) - 1).clamp(min=1)
    before = after - 1
    low, high = place.gather(-1, before), place.gather(-1, after)
    share = ((_UNSHORTENED - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
    share = torch.where(weights.gather(-1, after) > 0, share, torch.zeros_like(share))
    mixed = values.gather(-1, before) * (1 - share) + values.gather(-1, after) * share
    return torch.where(total > 0, mixed, torch.full_like(mixed, torch.nan))[:, 0]
