"""A pair of images and its flow, changed at random: other colours, another cut, a blot; the flow stays true."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.training.recipes import Augmentation

_SOFT_PX = 0.5
_LUMA = (0.299, 0.587, 0.114)


class Pair(NamedTuple):
    """images (2, 3, H, W) uint8; flow (2, H, W) px from the first to the second; known, people (H, W) bool: where the
    flow is, and where somebody is."""

    images: Tensor
    flow: Tensor
    known: Tensor
    people: Tensor


def augmented(pair: Pair, crop: tuple[int, int], how: Augmentation, rng: np.random.Generator) -> Pair:
    """The pair, changed and cut to `crop` (width, height) px; the same numbers from `rng` give the same pair.

    The crop lies inside the first image. What of the second lies outside its image is black.
    """
    to_first, to_second = _maps(pair, crop, how, rng)
    cut = warped(pair, crop, to_first, to_second)
    images = _recoloured(cut.images.float() / 255, how, rng)
    if rng.random() < how.erase:
        images = _blotted(images, rng)
    return cut._replace(images=(images * 255).round_().clamp_(0, 255).byte())


def warped(pair: Pair, crop: tuple[int, int], to_first: np.ndarray, to_second: np.ndarray) -> Pair:
    """The pair as seen through two maps (3, 3), from pixels of the crop to pixels of the first and second image.

    What moves from q to q + F(q) in the images moves, in the crops, from A⁻¹ q to B⁻¹ (q + F(q)).
    """
    width, height = crop
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in (height, width)), indexing="ij")
    here = torch.stack((x, y), -1)
    at, there = _moved(here, to_first), _moved(here, to_second)
    images = torch.cat([_read(im[None].float(), p, "bilinear") for im, p in zip(pair.images, (at, there), strict=True)])
    flow, nearest = (_read(pair.flow[None], at, mode)[0] for mode in ("bilinear", "nearest"))
    marks = _read(torch.stack((pair.known, pair.people))[None].float(), at, "nearest")[0] > 0.5
    # Between two things that move apart lies no third motion.
    smooth = (flow - nearest).abs().amax(0) < _SOFT_PX
    flow = torch.where(smooth, flow, nearest)
    target = _moved(at + flow.movedim(0, -1), np.linalg.inv(to_second))
    true = (target - here).movedim(-1, 0)
    known, people = marks
    size = at.new_tensor((pair.flow.shape[-1], pair.flow.shape[-2]))
    known = known & ((at > -0.5) & (at < size - 0.5)).all(-1)
    return Pair(images.round().byte(), torch.where(known, true, torch.zeros(())), known, people)


def _maps(
    pair: Pair, crop: tuple[int, int], how: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Maps (3, 3) from pixels of the crop to those of the first and of the second image."""
    width, height = pair.flow.shape[-1], pair.flow.shape[-2]
    least = max((crop[0] + 1) / width, (crop[1] + 1) / height)
    scale = 2 ** rng.uniform(*how.scale)
    aspect = 2 ** (rng.uniform(-how.stretch, how.stretch) if rng.random() < how.stretched else 0.0)
    across, down = max(scale * aspect, least), max(scale / aspect, least)
    mirror = rng.random() < how.flip, rng.random() < how.upset
    # Where in the first image the crop's middle lies.
    reach = np.array((width - crop[0] / across, height - crop[1] / down)) / 2
    middle = (np.array((width, height)) - 1) / 2 + rng.uniform(-1, 1, 2) * reach
    linear = np.diag([(-1 if m else 1) / s for m, s in zip(mirror, (across, down), strict=True)])
    first = _about(linear, middle, crop)
    if rng.random() >= how.jolt:
        return first, first
    angle, size = rng.normal() * how.turn / 2, 2 ** (rng.normal() * how.zoom / 2)
    turn = size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shift = rng.uniform(-1, 1, 2) * rng.random() * how.shift * crop[0]
    back = (np.array(crop) - 1) / 2
    jolt = np.eye(3)
    jolt[:2, :2], jolt[:2, 2] = turn, back - turn @ back + shift
    return first, first @ jolt


def _about(linear: np.ndarray, middle: np.ndarray, crop: tuple[int, int]) -> np.ndarray:
    """The map (3, 3) with this linear part that takes the crop's middle to `middle`."""
    out = np.eye(3)
    out[:2, :2], out[:2, 2] = linear, middle - linear @ ((np.array(crop) - 1) / 2)
    return out


def _moved(xy: Tensor, matrix: np.ndarray) -> Tensor:
    linear, shift = (torch.from_numpy(np.ascontiguousarray(part)).to(xy) for part in (matrix[:2, :2], matrix[:2, 2]))
    return xy @ linear.T + shift


def _read(images: Tensor, xy: Tensor, mode: str) -> Tensor:
    """Images (1, C, H, W) at pixels (h, w, 2); 0 outside."""
    size = xy.new_tensor((images.shape[-1], images.shape[-2]))
    grid = (2 * (xy + 0.5) / size - 1)[None]
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _recoloured(images: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """Images (2, 3, H, W), 0..1, with other brightness, contrast, saturation and hue."""
    if how.colour == 0 and how.hue == 0:
        return images
    if rng.random() >= how.unequal:
        return _one_recoloured(images, how, rng)
    return torch.cat([_one_recoloured(image[None], how, rng) for image in images])


def _one_recoloured(images: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    bright, contrast, colourful = 1 + rng.uniform(-how.colour, how.colour, 3)
    luma, angle = np.array(_LUMA), rng.uniform(-how.hue, how.hue)
    grey = np.tile(luma, (3, 1))
    # Colour is what is left without grey: a plane across the grey axis, in which hue is an angle.
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.cross(np.eye(3), axis)
    turn = math.cos(angle) * np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * np.outer(axis, axis)
    mix = bright * (grey + colourful * turn @ (np.eye(3) - grey))
    out = torch.einsum("dc,nchw->ndhw", torch.from_numpy(mix).to(images), images).clamp_(0, 1)
    mean = (out * out.new_tensor(_LUMA)[:, None, None]).sum(1).mean()
    return (mean + contrast * (out - mean)).clamp_(0, 1)


def _blotted(images: Tensor, rng: np.random.Generator) -> Tensor:
    """One to three boxes of the second image in its mean colour: what they hide must be guessed."""
    images = images.clone()
    height, width = images.shape[-2:]
    colour = images[1].mean((1, 2))[:, None, None]
    for _ in range(int(rng.integers(1, 4))):
        w, h = (int(rng.uniform(0.1, 0.2) * width) + 1 for _ in range(2))
        x, y = int(rng.integers(width)), int(rng.integers(height))
        images[1, :, y : y + h, x : x + w] = colour
    return images
