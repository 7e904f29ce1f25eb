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
    pixels = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(1, -1, 2)
    for image, depth in {(int(i), int(d)) for i, d in zip(index, level, strict=True)}:
        chosen = torch.nonzero((index == image) & (level == depth))[:, 0]
        shrink = 2**depth
        source = images[image : image + 1]
        window = apply_affine(matrix[chosen].float(), pixels.expand(len(chosen), -1, 2))
        # Only the part that the crops touch is averaged: a small person in an 8K still costs a small crop.
        low = torch.floor(window.amin((0, 1)) / shrink).long() * shrink - 2 * shrink
        high = torch.ceil(window.amax((0, 1)) / shrink).long() * shrink + 2 * shrink
        x0, y0 = (max(0, int(v)) for v in low)
        x1, y1 = min(source.shape[-1], int(high[0])), min(source.shape[-2], int(high[1]))
        if x1 <= x0 or y1 <= y0:
            continue
        part = to_float(source[..., y0:y1, x0:x1]).float()
        if shrink > 1:
            pad = (-part.shape[-1] % shrink, -part.shape[-2] % shrink)
            part = F.avg_pool2d(F.pad(part, (0, pad[0], 0, pad[1])), shrink)
        local = rescale_xy(window - torch.tensor((x0, y0), dtype=torch.float32, device=window.device), 1 / shrink)
        values = sample(part.expand(len(chosen), -1, -1, -1), local)
        out[chosen] = values.transpose(1, 2).reshape(len(chosen), -1, resolution, resolution)
    return out


def to_float(images: Tensor) -> Tensor:
    """uint8 images to float32 in 0..1; float images pass unchanged."""
    return images.float() / 255 if images.dtype == torch.uint8 else images
