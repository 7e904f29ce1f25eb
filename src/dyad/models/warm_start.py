"""Where the next pair's flow starts: the last pair's, carried along by itself (RAFT, section 3.3)."""

import torch
from torch import Tensor

_AT_ONCE = 1 << 24


def warm_start(flow: Tensor) -> Tensor:
    """The flow (N, 2, H, W) that pixels will have where this flow leads them.

    Each pixel gets the flow of whatever landed nearest; what left the image lands nowhere. 0 where all left.
    """
    batch, _, height, width = flow.shape
    x, y = torch.meshgrid(
        *(torch.arange(n, device=flow.device, dtype=flow.dtype) for n in (width, height)), indexing="xy"
    )
    grid = torch.stack((x, y), -1).flatten(0, 1)
    moves = flow.flatten(2).transpose(1, 2)
    out = torch.zeros_like(moves)
    for moved, result in zip(moves, out, strict=True):
        landed = grid + moved
        # Open at the border, as the original has it.
        inside = ((landed > 0) & (landed < landed.new_tensor((width, height)))).all(-1)
        landed, moved = landed[inside], moved[inside]
        if len(landed):
            nearest = [_distances(part, landed).argmin(-1) for part in grid.split(max(1, _AT_ONCE // len(landed)))]
            result.copy_(moved[torch.cat(nearest)])
    return out.transpose(1, 2).reshape(batch, 2, height, width)


def _distances(a: Tensor, b: Tensor) -> Tensor:
    # Not by products, whose rounding would make another one the nearest.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
