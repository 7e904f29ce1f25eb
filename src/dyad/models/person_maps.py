"""Heat maps drawn at known joints: the prior that the bottom-up network of [TB] sees beside the image."""

import torch
from torch import Tensor


def draw_person_maps(xy: Tensor, size: tuple[int, int], *, sigma: float = 4.0, cutoff: float = 0.01) -> Tensor:
    """Gaussians (J, height, width) at people's joints (P, J, 2), the highest where they meet; NaN draws nothing.

    Args:
        xy: pixels of the map.
        size: (width, height).
        sigma: px.
        cutoff: lower values become 0.
    """
    width, height = size
    known = torch.isfinite(xy).all(-1)
    points = torch.where(known[..., None], xy, torch.zeros_like(xy))
    columns = torch.arange(width, dtype=xy.dtype, device=xy.device)
    rows = torch.arange(height, dtype=xy.dtype, device=xy.device)
    across = torch.exp(-((columns - points[..., :1]) ** 2) / (2 * sigma**2))
    down = torch.exp(-((rows - points[..., 1:]) ** 2) / (2 * sigma**2))
    maps = xy.new_zeros(xy.shape[1], height, width)
    for person in range(len(xy)):
        drawn = down[person, :, :, None] * across[person, :, None, :]
        maps = torch.maximum(maps, drawn * known[person, :, None, None])
    return torch.where(maps < cutoff, torch.zeros_like(maps), maps)
