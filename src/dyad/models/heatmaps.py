"""Heat maps of one person to coordinates: the highest pixel of each map, refined between pixels, put into the image.

`HeatmapReading` is what Dyad does; `released_reading` is what HRNet's and DCPose's code does, which their published
figures and the parity tests go by.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Refinement = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Steps (N, J, 2) from highest pixels at x and y (N, J) of maps (N, J, h, w)."""


class Keypoints(NamedTuple):
    """xy: (N, J, 2) pixels of the map, whole numbers at pixel centres. confidence: (N, J), height of the map there."""

    xy: Tensor
    confidence: Tensor


class Maxima(NamedTuple):
    """x, y: (N, J) whole pixels. value: (N, J)."""

    x: Tensor
    y: Tensor
    value: Tensor


def maxima(heatmaps: Tensor) -> Maxima:
    """The highest pixel of each map (N, J, h, w). Raises ValueError for other shapes."""
    if heatmaps.dim() != 4 or not heatmaps.shape[-1] or not heatmaps.shape[-2]:
        raise ValueError(f"expected heat maps (N, J, h, w), got {tuple(heatmaps.shape)}")
    value, place = heatmaps.flatten(2).max(-1)
    y = torch.div(place, heatmaps.shape[-1], rounding_mode="floor")
    return Maxima(place - y * heatmaps.shape[-1], y, value)


class HeatmapReading:
    """Where each map is highest.

    Args:
        refinement: the step from the highest pixel to the maximum between pixels.
        floor: a map that nowhere exceeds this shows no joint.
        absent: coordinate, x and y alike, of a joint that is not shown.
    """

    def __init__(
        self, *, refinement: Refinement | None = None, floor: float = 0.0, absent: float = float("nan")
    ) -> None:
        self.refinement = refinement or parabola_of_logarithm
        self.floor, self.absent = floor, absent

    def __call__(self, heatmaps: Tensor) -> Keypoints:
        """Keypoints of maps (N, J, h, w); those not shown have their map's maximum as confidence all the same."""
        x, y, value = maxima(heatmaps)
        xy = torch.stack((x, y), -1).to(heatmaps.dtype) + self.refinement(heatmaps, x, y).to(heatmaps.dtype)
        return Keypoints(torch.where((value > self.floor)[..., None], xy, self.absent), value)


def released_reading() -> HeatmapReading:
    """As published: quarter steps, and 0, 0 for a map that is nowhere above 0."""
    return HeatmapReading(refinement=quarter_steps, absent=0.0)


def quarter_steps(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """A quarter pixel along each axis towards the higher neighbour, in neither where the maximum is in the first two or
    the last of the columns or of the rows."""
    height, width = heatmaps.shape[-2:]
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    left, right, up, down = (_at(heatmaps, x + dx, y + dy) for dx, dy in _AROUND)
    steps = torch.stack((right - left, down - up), -1).sign() / 4
    return torch.where(inside[..., None], steps, 0.0)


def parabola_of_logarithm(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Along each axis to the vertex of a parabola through three logarithms, at most half a pixel; exact for Gaussians.

    No step along an axis on which the map ends here, or is not positive next to the maximum.
    """
    height, width = heatmaps.shape[-2:]
    middle = _at(heatmaps, x, y)
    steps = []
    for (before, after), (place, length) in zip(
        ((_AROUND[0], _AROUND[1]), (_AROUND[2], _AROUND[3])), ((x, width), (y, height)), strict=True
    ):
        low, high = (_at(heatmaps, x + dx, y + dy) for dx, dy in (before, after))
        known = (place > 0) & (place < length - 1) & (low > 0) & (high > 0) & (middle > 0)
        a, b, c = (torch.where(known, v, 1.0).log() for v in (low, middle, high))
        bend = 2 * b - a - c
        step = (c - a) / (2 * torch.where(bend > 0, bend, 1.0))
        steps.append(torch.where(known & (bend > 0), step.clamp(-0.5, 0.5), 0.0))
    return torch.stack(steps, -1)


_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Left, right, up, down."""


def _at(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Heights (N, J) at pixels; beyond an edge, at the edge."""
    height, width = heatmaps.shape[-2:]
    place = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return heatmaps.flatten(2).gather(-1, place[..., None])[..., 0]


class Crop(NamedTuple):
    """A part of an image that is brought to a network's size: centre (…, 2), x before y, and size (…, 2), wide by high,
    in pixels of the image."""

    centre: Tensor
    size: Tensor


def crop_around(boxes: Tensor, *, aspect: float, enlarge: float = 1.0) -> Crop:
    """The smallest crop of an aspect, width by height, with the centre of a box (…, 4), x0 y0 x1 y1, that holds it.

    Args:
        aspect: of the network's input; 288 / 384 for the published ones.
        enlarge: the factor by which both sides then grow; HRNet's evaluation on COCO has 1.25.
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    width, height = (high - low).unbind(-1)
    width = torch.maximum(width, aspect * height)
    return Crop((low + high) / 2, enlarge * torch.stack((width, width / aspect), -1))


def in_image(
    xy: Tensor, crop: Crop, *, map_size: tuple[int, int], reference: Literal["centres", "corners"] = "centres"
) -> Tensor:
    """Pixels (N, J, 2) of maps of crops (N) as pixels of the image.

    Args:
        map_size: width and height of the map; the scale is that of the widths.
        reference: what the crop's centre is the same point as. "centres": the middle of the map, (w - 1) / 2 from the
            centre of its first pixel. "corners": w / 2 from there, as the published networks were trained.
    """
    if reference not in ("centres", "corners"):
        raise ValueError(f"the reference is centres or corners, got {reference!r}")
    middle = torch.tensor(map_size, dtype=xy.dtype, device=xy.device) / 2 - (0.5 if reference == "centres" else 0.0)
    scale = crop.size[..., :1] / map_size[0]
    return crop.centre[..., None, :] + (xy - middle) * scale[..., None, :]
