"""Distances between straight pieces in space."""

import torch
from torch import Tensor


def segment_distance(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Least distance (…) between segments a b and c d, points (…, 3) that broadcast; a point is a segment, too.

    The nearest points of two lines, held to the ends of one segment and then of the other (C. Ericson, Real-Time
    Collision Detection, 2005, section 5.1.9).
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    tiny = 1e-12
    across = uu * vv - uv * uv
    s = torch.where(across > tiny, ((uv * vw - uw * vv) / across.clamp(min=tiny)).clamp(0, 1), 0.0)
    t = (uv * s + vw) / vv.clamp(min=tiny)
    held = t.clamp(0, 1)
    # Where t had to be held, s is free once more.
    again = ((held * uv - uw) / uu.clamp(min=tiny)).clamp(0, 1)
    s = torch.where(t == held, s, again)
    return torch.linalg.vector_norm(w + s[..., None] * u - held[..., None] * v, dim=-1)
