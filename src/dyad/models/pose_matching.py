"""Who of the top-down branch is who of the bottom-up branch: as in the paper (equations 5 and 6), and as released."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dyad.geometry.alignment import fit_similarity
from dyad.models.joints import MUPOTS17, positions

RELEASED_JOINTS = (
    *("pelvis", "right_hip", "right_knee", "left_hip", "left_knee"),
    *("left_shoulder", "left_elbow", "right_shoulder", "right_elbow"),
)


class PosePairs(NamedTuple):
    """Row `first[i]` of one set and row `second[i]` of the other are the same person; `similarity` (K,)."""

    first: Tensor
    second: Tensor
    similarity: Tensor


def pose_similarity(
    first: Tensor,
    second: Tensor,
    first_confidence: Tensor,
    second_confidence: Tensor,
    *,
    size: float | Tensor = 1.0,
    sigma: float | Tensor = 0.2,
) -> Tensor:
    """Equation 5 divided by the number of joints: how alike (N, M) camera-centric poses (N, J, 3) and (M, J, 3) are.

    Joints weigh as much as the less sure of the two; a NaN joint adds nothing.

    Args:
        first_confidence, second_confidence: (N, J) and (M, J) in 0..1.
        size: the paper's s, one for all or (M,) for the second set.
        sigma: the paper's σ in the unit of the poses over `size`, one for all or (J,).
    """
    squared = (first[:, None] - second).square().sum(-1)
    size = torch.as_tensor(size, dtype=squared.dtype, device=squared.device).expand(len(second))
    sigma = torch.as_tensor(sigma, dtype=squared.dtype, device=squared.device)
    alike = torch.exp(-squared / (2 * size[:, None].square() * sigma.square()))
    weight = torch.minimum(first_confidence[:, None], second_confidence)
    return torch.where(torch.isfinite(squared), weight * alike, torch.zeros_like(squared)).mean(-1)


def match_poses(similarity: Tensor, *, at_least: float = 1e-3) -> PosePairs:
    """One-to-one pairs with the largest total similarity (N, M); pairs below `at_least` stay apart."""
    if not at_least > 0:
        raise ValueError(f"at_least must be positive, so that strangers stay apart, got {at_least}")
    matrix = similarity.detach().cpu().double().numpy()
    allowed = np.nan_to_num(matrix, nan=-np.inf) >= at_least
    rows, columns = linear_sum_assignment(np.where(allowed, matrix, 0.0), maximize=True)
    kept = allowed[rows, columns]
    first, second = (torch.from_numpy(v[kept]).to(similarity.device) for v in (rows, columns))
    return PosePairs(first, second, similarity[first, second])


class ReleasedMatch(NamedTuple):
    """Attributes:
    pose: (T, P, J, 3) the chosen candidate after its fit; zeros where no candidate is alike at all.
    index: (T, P) which candidate.
    """

    pose: Tensor
    index: Tensor


def released_match(
    top_down: Tensor, candidates: Tensor, *, sigma: float = 0.05, joints: Sequence[str] = MUPOTS17
) -> ReleasedMatch:
    """For each top-down pose (T, P, J, 3) the candidate (T, M, J, 3) most alike in x and y after a similarity fit.

    As released: no confidences, nothing of where people are, and one candidate can serve several people.
    """
    # In float64, which not every device has.
    target = top_down[:, :, None].cpu().double()
    moving = candidates[:, None].cpu().double().expand(-1, target.shape[1], -1, -1, -1)
    fitted = fit_similarity(moving, target.expand_as(moving))(moving)
    chosen = positions(RELEASED_JOINTS, joints)
    root = positions(("pelvis",), joints)
    flat, wanted = ((v - v[..., root, :])[..., chosen, :2] for v in (fitted, target))
    alike = torch.exp(-(flat - wanted).square().sum(-1) / (2 * sigma**2)).mean(-1)
    best, index = alike.max(-1)
    pose = fitted.take_along_dim(index[..., None, None, None], 2)[:, :, 0]
    pose = torch.where((best > 0)[..., None, None], pose, torch.zeros_like(pose))
    return ReleasedMatch(pose.to(top_down), index.to(top_down.device))
