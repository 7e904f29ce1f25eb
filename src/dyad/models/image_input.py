"""How images enter the pose networks: brought to a size, and normalised by the colours of ImageNet."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.geometry.grids import rescale_xy

_MEAN = (0.485, 0.456, 0.406)
_SPREAD = (0.229, 0.224, 0.225)


def normalise_colours(images: Tensor) -> Tensor:
    """RGB (N, 3, H, W) in 0..1 to what the networks were trained on."""
    mean, spread = (images.new_tensor(v)[:, None, None] for v in (_MEAN, _SPREAD))
    return (images - mean) / spread


class Resized(NamedTuple):
    """An image brought to a network's size, and the way back.

    Attributes:
        images: (N, 3, height, width) in 0..1.
        scale: (2,) network pixels per image pixel in x and y, counted from the edges.
    """

    images: Tensor
    scale: Tensor

    def to_image(self, xy: Tensor, map_size: tuple[int, int]) -> Tensor:
        """Pixels (…, 2) of maps (width, height) that span the network's image, as pixels of the source image."""
        shown = xy.new_tensor((self.images.shape[-1], self.images.shape[-2])) / xy.new_tensor(map_size)
        return rescale_xy(xy, shown / self.scale.to(xy))


def resize_images(images: Tensor, *, short_side: int = 512, multiple: int = 64) -> Resized:
    """Bring images (N, 3, H, W) to a short side, and both sides to multiples, edge to edge; this stretches a little."""
    height, width = images.shape[-2:]
    ratio = short_side / min(height, width)
    size = tuple(max(multiple, round(side * ratio / multiple) * multiple) for side in (height, width))
    resized = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
    return Resized(resized, images.new_tensor((size[1] / width, size[0] / height)))


class Frame(NamedTuple):
    """The released way to say which part of an image a network sees: a rectangle about a centre.

    Attributes:
        size: (width, height) in px of the network's image.
        centre: (x, y) in px of the source image.
        scale: (2,) width and height of the rectangle in units of 200 px; only the width counts.
    """

    size: tuple[int, int]
    centre: tuple[int, int]
    scale: tuple[float, float]

    def matrices(self) -> tuple[Tensor, Tensor]:
        """Affine maps (2, 3) float64 from the source image to the network's and back.

        Pixels are counted as the released code does: 0 is the centre of the first, yet W / 2 that of the image.
        """
        width, height = self.size
        ratio = width / (200 * self.scale[0])
        (x, y), half = self.centre, (width / 2, height / 2)
        there = [[ratio, 0.0, half[0] - ratio * x], [0.0, ratio, half[1] - ratio * y]]
        back = [[1 / ratio, 0.0, x - half[0] / ratio], [0.0, 1 / ratio, y - half[1] / ratio]]
        there, back = (torch.tensor(rows, dtype=torch.float64, device="cpu") for rows in (there, back))
        return there, back


def released_frame(width: int, height: int, *, short_side: int = 512, multiple: int = 64) -> Frame:
    """The frame of HigherHRNet and [TB] for a whole image: short side to `short_side`, long side to a multiple."""
    short = math.floor((short_side + multiple - 1) / multiple) * multiple
    long = math.floor((short / min(width, height) * max(width, height) + multiple - 1) / multiple) * multiple
    size = (short, long) if width < height else (long, short)
    scale = min(width, height) / 200
    stretched = long / short * min(width, height) / 200
    return Frame(
        size,
        (int(width / 2 + 0.5), int(height / 2 + 0.5)),
        (scale, stretched) if width < height else (stretched, scale),
    )


def released_to_image(xy: Tensor, frame: Frame) -> Tensor:
    """Pixels (…, 2) of maps of the frame's size, as the released decoders give them, to the source image."""
    back = frame.matrices()[1]
    # In float64, which not every device has.
    return (xy.cpu().double() @ back[:, :2].T + back[:, 2]).to(xy)


def released_crop(image: Tensor, frame: Frame) -> Tensor:
    """The frame (3, height, width) of an image (3, H, W) in 0..255: bilinear, black outside, whole numbers."""
    back = frame.matrices()[1]
    (width, height), (rows, columns) = frame.size, image.shape[-2:]
    x = torch.arange(width, dtype=torch.float64, device="cpu") * back[0, 0] + back[0, 2]
    y = torch.arange(height, dtype=torch.float64, device="cpu") * back[1, 1] + back[1, 2]
    crop = _interpolation(y, rows) @ image.cpu().double() @ _interpolation(x, columns).T
    return torch.round(crop).float().to(image.device)


def _interpolation(at: Tensor, count: int) -> Tensor:
    """Matrix (N, count) that reads a row of pixels at the places (N,), linearly; 0 outside."""
    distance = (at[:, None] - torch.arange(count, dtype=torch.float64)).abs()
    return (1 - distance).clamp(min=0)
