"""Pixels: the one place that knows where a pixel's centre lies when an image is resized or read between pixels."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def rescale_xy(xy: Tensor, scale: Tensor | float) -> Tensor:
    """Pixel coordinates after the image is enlarged by `scale` (x, y or one number).

    Whole coordinates are pixel centres, so the image's edge lies at -0.5 and stays there.
    """
    return (xy + 0.5) * scale - 0.5


def sample(images: Tensor, xy: Tensor) -> Tensor:
    """Read images (N, C, H, W) at pixels (N, …, 2), bilinearly and differentiably; zero outside. Returns (N, …, C)."""
    height, width = images.shape[-2:]
    size = torch.tensor((width, height), dtype=xy.dtype, device=xy.device)
    grid = (2 * (xy + 0.5) / size - 1).reshape(len(images), math.prod(xy.shape[1:-1]), 1, 2)
    values = F.grid_sample(images, grid.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)
    return values[..., 0].transpose(1, 2).reshape(*xy.shape[:-1], images.shape[1])


def affine(centre: Tensor, side: Tensor, angle: Tensor, resolution: int) -> Tensor:
    """Maps (N, 2, 3) from the pixels of a square crop to those of the image it was cut from.

    A crop of `resolution` pixels a side shows the square with the given centre (N, 2), side (N,) px and angle (N,)
    rad (clockwise on screen, since y points down).
    """
    scale = side / resolution
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    linear = torch.stack((torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)), -2)
    middle = (resolution - 1) / 2
    shift = centre - linear.sum(-1) * middle
    return torch.cat((linear, shift[..., None]), -1)


def apply_affine(matrix: Tensor, xy: Tensor) -> Tensor:
    """Move points (N, …, 2) by maps (N, 2, 3)."""
    linear, shift = matrix[..., :2], matrix[..., 2]
    extra = xy.dim() - shift.dim()
    shift = shift.reshape(*shift.shape[:-1], *([1] * extra), 2)
    return torch.einsum("n...j,nij->n...i", xy, linear) + shift


def crop(images: Tensor, index: Tensor, matrix: Tensor, resolution: int) -> Tensor:
    """Cut square crops (M, C, R, R) out of images (N, C, H, W); crop m comes from image index[m]; zero outside.

    `matrix` (M, 2, 3) is that of `affine`. Crops that shrink the image strongly are read from a box-averaged
    copy, so that nothing aliases.
    """
    out = images.new_zeros((len(index), images.shape[1], resolution, resolution), dtype=torch.float32)
    factor = torch.linalg.vector_norm(matrix[:, :, 0], dim=-1)
    level = torch.clamp(torch.floor(torch.log2(factor.clamp(min=1e-6))), 0, 5).long()
    steps = torch.arange(resolution, dtype=torch.float32, device=images.device)
    for image, depth in {(int(i), int(d)) for i, d in zip(index, level, strict=True)}:
        chosen = torch.nonzero((index == image) & (level == depth))[:, 0]
        shrink = 2**depth
        source, maps = images[image : image + 1], matrix[chosen].float()
        # Only the part that the crops touch is averaged: a small person in an 8K still costs a small crop.
        ends = steps[[0, -1]]
        corners = apply_affine(maps, torch.cartesian_prod(ends, ends).expand(len(chosen), -1, 2))
        low = torch.floor(corners.amin((0, 1)) / shrink).long() * shrink - 2 * shrink
        high = torch.ceil(corners.amax((0, 1)) / shrink).long() * shrink + 2 * shrink
        x0, y0 = (max(0, int(v)) for v in low)
        x1, y1 = min(source.shape[-1], int(high[0])), min(source.shape[-2], int(high[1]))
        if x1 <= x0 or y1 <= y0:
            continue
        part = _shrunk(source[..., y0:y1, x0:x1], shrink)
        # Where each pixel of the crop lies in the part, whose sides are -1 and 1.
        size = shrink * torch.tensor((part.shape[-1], part.shape[-2]), dtype=torch.float32, device=images.device)
        shift = maps[..., 2] - torch.tensor((x0, y0), dtype=torch.float32, device=images.device)
        column, row, shift = ((2 * v / size)[:, None, None] for v in (maps[..., 0], maps[..., 1], shift + 0.5))
        grid = column * steps[:, None] + (row * steps[:, None, None] + (shift - 1))
        sources = part.expand(len(chosen), -1, -1, -1)
        out[chosen] = F.grid_sample(sources, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return out


def _shrunk(image: Tensor, factor: int) -> Tensor:
    """An image (1, C, H, W) as floats, averaged over squares of `factor` px, zero beyond its right and lower edge."""
    values = image.float()
    scale = 1 / 255 if image.dtype == torch.uint8 else 1.0
    if factor == 1:
        return values * scale
    values = F.pad(values, (0, -values.shape[-1] % factor, 0, -values.shape[-2] % factor))
    # A convolution does what avg_pool2d does, and takes a quarter of its time on images of three channels.
    kernel = values.new_full((values.shape[1], 1, factor, factor), scale / factor**2)
    return F.conv2d(values, kernel, stride=factor, groups=values.shape[1])


def to_float(images: Tensor) -> Tensor:
    """Images of any shape, uint8, to float32 in 0..1; float images pass unchanged."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
