"""People of whom all is known, and the maps that speak of them without error."""

import torch
from torch import Tensor

from dyad.models.blazepose_heads import STRIDE, PersonMaps

# body17 of somebody who stands upright, in units of the height, from the pelvis; y down.
STANDING = torch.tensor(
    [
        *((0.0, 0.0), (-0.06, 0.0), (-0.06, 0.24), (-0.06, 0.48), (0.06, 0.0), (0.06, 0.24), (0.06, 0.48)),
        *((0.0, -0.15), (0.0, -0.3), (0.0, -0.4), (0.0, -0.48)),
        *((0.1, -0.3), (0.14, -0.13), (0.15, 0.02), (-0.1, -0.3), (-0.14, -0.13), (-0.15, 0.02)),
    ]
)
_HIPS_SHOULDERS = (1, 4, 11, 14)


def standing(places: list[tuple[float, float]], heights: list[float]) -> Tensor:
    """People (P, 17, 2) px whose pelvises stand at `places`."""
    return torch.stack([torch.tensor(p) + h * STANDING for p, h in zip(places, heights, strict=True)])


def perfect(xy: Tensor, metres: Tensor, relative: Tensor, size: tuple[int, int]) -> PersonMaps:
    """Maps that say the truth of people xy (P, 17, 2), metres (P,), relative (P, 17) m; the last one wins a cell."""
    w, h = (n // STRIDE for n in size)
    maps = PersonMaps(
        middle=torch.full((1, 1, h, w), -8.0),
        reach=torch.zeros(1, 1, h, w),
        offsets=torch.zeros(1, 17, 2, h, w),
        heatmaps=torch.full((1, 17, 2 * h, 2 * w), -8.0),
        depth=torch.zeros(1, 1, h, w),
        relative=torch.zeros(1, 16, h, w),
    )
    for p, person in enumerate(xy):
        x, y = ((person[list(_HIPS_SHOULDERS)].mean(0) + 0.5) / STRIDE).floor().long().tolist()
        reach = 1.1 * torch.linalg.vector_norm(person - person[:1], dim=-1).amax()
        maps.middle[0, 0, y, x] = 4.0 + p
        for v in range(max(0, y - 4), min(h, y + 5)):
            for u in range(max(0, x - 4), min(w, x + 5)):
                cell = (torch.tensor((u, v)) + 0.5) * STRIDE - 0.5
                maps.offsets[0, :, :, v, u] = (person - cell) / reach
                maps.reach[0, 0, v, u], maps.depth[0, 0, v, u] = reach.log(), metres[p].log()
        for j, joint in enumerate(person):
            u, v = ((joint + 0.5) / STRIDE * 2).floor().long().tolist()
            maps.heatmaps[0, j, v, u] = 6.0
            if j:
                u, v = ((joint + 0.5) / STRIDE).floor().long().tolist()
                maps.relative[0, j - 1, max(0, v - 1) : v + 2, max(0, u - 1) : u + 2] = relative[p, j]
    return maps
