"""Whom each person interacts with: the nearest other one, frame by frame."""

from typing import NamedTuple

import torch
from torch import Tensor

_NEAR = 3.0
"""m between roots, beyond which people have nothing to do with one another."""


class Neighbour(NamedTuple):
    """xyz (…, T, P, J, 3) m of the neighbour of each of P people, NaN for none, confidence (…, T, P, J), and index
    (…, T, P) of who it is, -1 for nobody.
    """

    xyz: Tensor
    confidence: Tensor
    index: Tensor


def neighbours(xyz: Tensor, confidence: Tensor, *, root: int, within: float = _NEAR) -> Neighbour:
    """The neighbours of people (…, T, P, J, 3) m, NaN for who is not there; distances in depth count half, since they
    are known half as well."""
    where = xyz[..., root, :] * torch.tensor((1.0, 1.0, 0.5)).to(xyz)
    apart = torch.linalg.vector_norm(where[..., :, None, :] - where[..., None, :, :], dim=-1)
    apart = torch.nan_to_num(apart, nan=torch.inf) + torch.diag(torch.full((xyz.shape[-3],), torch.inf)).to(xyz)
    nearest, index = apart.min(-1)
    some = nearest < within
    flat = index[..., None].expand(*index.shape, confidence.shape[-1])
    other = xyz.gather(-3, flat[..., None].expand(*flat.shape, 3))
    sure = confidence.gather(-2, flat)
    return Neighbour(
        torch.where(some[..., None, None], other, torch.nan),
        torch.where(some[..., None], sure, 0.0),
        torch.where(some, index, -1),
    )


def mean_estimate(poses: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of estimates (…, K, J, 3) by confidence (…, K, J), NaN where none has a joint; the best confidence."""
    seen = torch.isfinite(poses).all(-1)
    weight = torch.where(seen, confidence + 1e-3, 0.0)
    total = weight.sum(-2)
    mean = (torch.where(seen[..., None], poses, 0.0) * weight[..., None]).sum(-3) / total.clamp(min=1e-9)[..., None]
    mean = torch.where((total > 0)[..., None], mean, torch.nan)
    return mean, torch.where(seen, confidence, 0.0).amax(-2)
