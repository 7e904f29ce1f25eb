"""Pixels near straight lines, for very many lines at once: the time goes with the pixels that are near."""

from typing import NamedTuple

import torch
from torch import Tensor

from dyad.core.errors import BadUsage


class Near(NamedTuple):
    """M pairs of a line and a pixel near it: which line (M,) int64, column and row (M,) int64."""

    line: Tensor
    x: Tensor
    y: Tensor
    stretch: Tensor
    bounds: Tensor

    @property
    def low(self) -> Tensor:
        """(M,) 0..1 from the line's start to its end: where the stretch begins whose rows the pixel is near."""
        return self.bounds[0].index_select(0, self.stretch)

    @property
    def high(self) -> Tensor:
        """(M,) 0..1, where that stretch ends."""
        return self.bounds[1].index_select(0, self.stretch)


def near_lines(start: Tensor, end: Tensor, reach: Tensor, size: Tensor | tuple[int, int]) -> Near:
    """Pixels that an upright box of half sides `reach` (K, 2) px, slid along a line from start to end (K, 2), covers.

    Every pixel within a distance of `reach` from the line is among them. Pixels outside the image (`size` is its
    width and height, or (K, 2) of them, one a line) are left out, and so are lines with a coordinate that is not
    finite.
    """
    if start.shape != end.shape or start.shape != reach.shape or start.shape[-1:] != (2,) or start.dim() != 2:
        raise BadUsage(f"lines need start, end and reach of (K, 2) each, got {[*map(tuple, (start, end, reach))]}")
    size = torch.as_tensor(size, dtype=torch.float64, device=start.device).expand(len(start), 2)
    finite = (torch.isfinite(start) & torch.isfinite(end) & torch.isfinite(reach)).all(-1)
    start, end, reach = (torch.where(finite[:, None], v, 0).double() for v in (start, end, reach))
    first = (torch.minimum(start, end)[:, 1] - reach[:, 1]).ceil().clamp(min=0)
    last = torch.minimum((torch.maximum(start, end)[:, 1] + reach[:, 1]).floor(), size[:, 1] - 1)
    line, row = _spread(torch.where(finite, last - first + 1, 0))
    row = first[line] + row
    a, step, half = start[line], (end - start)[line], reach[line]
    # The stretch of the line whose rows are near: all of it where the line is level.
    level = step[:, 1].abs() < 1e-9
    slope = torch.where(level, 1, step[:, 1])
    bounds = torch.stack(((row - half[:, 1] - a[:, 1]) / slope, (row + half[:, 1] - a[:, 1]) / slope)).sort(0).values
    low, high = (
        torch.where(level, default, bound.clamp(0, 1)) for bound, default in zip(bounds, (0.0, 1.0), strict=True)
    )
    ends = torch.stack((a[:, 0] + low * step[:, 0], a[:, 0] + high * step[:, 0])).sort(0).values
    left = (ends[0] - half[:, 0]).ceil().clamp(min=0)
    right = torch.minimum((ends[1] + half[:, 0]).floor(), size[line, 0] - 1)
    which, column = _spread(right - left + 1)
    column += left.long().index_select(0, which)
    bounds = torch.stack((low, high)).float()
    return Near(line.index_select(0, which), column, row.long().index_select(0, which), which, bounds)


def _spread(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (K,), numbers 0..K-1 repeated so often, and a number 0..count-1 for each repetition."""
    counts = counts.clamp(min=0).long()
    which = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    begins = counts.cumsum(0) - counts
    return which, torch.arange(len(which), device=counts.device) - begins.index_select(0, which)
