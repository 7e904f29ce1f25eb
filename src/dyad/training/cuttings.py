"""Cuttings of rendered stills as the bottom-up heads see them in training: any scale, colour, mirror side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from dyad.core.skeleton import BODY17
from dyad.training.stills import Still

_HIPS_SHOULDERS = BODY17.indices("left_hip", "right_hip", "left_shoulder", "right_shoulder")
REACH = 1.1
"""A person's reach over the distance from the pelvis to the farthest joint."""


@dataclass(frozen=True)
class Cutting:
    """How stills are cut and changed.

    size: (width, height) px. most: people that a cutting holds, the nearest to its middle. reach: px, least and most of
    the person that the scale is chosen for, in `aimed` of the cuttings; of the others the scale is within `scale`.
    quarters: share of cuttings put together from four of half the size. fill: least width of the scaled still over that
    of the cutting. flip, soft, prior: chances of mirroring, of a loss of sharpness, of a prior. colour: strength of
    other colours.
    """

    size: tuple[int, int] = (320, 256)
    most: int = 12
    reach: tuple[float, float] = (10.0, 110.0)
    aimed: float = 0.8
    scale: tuple[float, float] = (0.3, 1.3)
    largest: float = 2.5
    fill: float = 0.8
    quarters: float = 0.4
    flip: float = 0.5
    soft: float = 0.3
    colour: float = 0.4
    prior: float = 0.4

    def place(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Where (2,) in the cutting, 0..1, what it is about comes to lie."""
        return rng.uniform(0.15, 0.85, 2)


class Shown(NamedTuple):
    """A cutting: image (3, H, W) uint8; of P people, those not there NaN: xy (P, J, 2) px, xyz (P, J, 3) m in the
    camera, confidence (P, J); metres (P,): reach in px times depth over focal length; given (P, J, 2) px: what a prior
    says of where they are, NaN where it says nothing."""

    image: Tensor
    xy: Tensor
    xyz: Tensor
    confidence: Tensor
    metres: Tensor
    given: Tensor


def reach_of(xy: Tensor) -> Tensor:
    """Reach (P,) px of people with joints xy (P, J, 2), pelvis first; NaN joints do not count."""
    far = torch.linalg.vector_norm(xy - xy[:, :1], dim=-1)
    return REACH * far.nan_to_num(0.0).amax(-1)


def middles_of(xy: Tensor, inside: Tensor) -> Tensor:
    """Where (P, 2) what belongs to a whole person stands: see `PersonMaps`. inside (P, J): joints in the image."""
    middle = xy[:, _HIPS_SHOULDERS].mean(1)
    share = inside.float()[..., None]
    instead = (xy.nan_to_num(0.0) * share).sum(1) / share.sum(1).clamp(min=1)
    return torch.where(inside[:, _HIPS_SHOULDERS].sum(-1, keepdim=True) >= 2, middle, instead)


def cutting(stills: Sequence[Still], how: Cutting, rng: np.random.Generator) -> Shown:
    """A cutting of stills drawn at random, or four in one; the same numbers from `rng` give the same."""
    if rng.random() >= how.quarters:
        return cut(stills[int(rng.integers(len(stills)))], how, rng)
    width, height = how.size[0] // 2, how.size[1] // 2
    small = replace(how, size=(width, height), reach=(how.reach[0], how.reach[1] / 2))
    corners = [(x, y) for y in (0, height) for x in (0, width)]
    parts = []
    for corner in corners:
        part = cut(stills[int(rng.integers(len(stills)))], small, rng)
        # A joint outside its own quarter lies on somebody else's picture, but it lies there.
        shift = torch.tensor(corner, dtype=torch.float32)
        parts.append(part._replace(xy=part.xy + shift, given=part.given + shift))
    image = torch.cat([torch.cat([parts[k].image for k in row], -1) for row in ((0, 1), (2, 3))], -2)
    people = Shown(image, *(torch.cat([part[k] for part in parts]) for k in range(1, len(Shown._fields))))
    there = torch.argsort((~torch.isfinite(people.metres)).int(), stable=True)[: how.most]
    return Shown(image, *(value[there] for value in people[1:]))


def cut(still: Still, how: Cutting, rng: np.random.Generator) -> Shown:
    """A cutting of a still; the same numbers from `rng` give the same."""
    width, height = how.size
    reach = reach_of(still.xy)
    good = torch.nonzero((reach > 3) & ((still.confidence == 1).float().mean(-1) > 0.3))[:, 0]
    source = (still.image.shape[-1], still.image.shape[-2])
    if len(good) and rng.random() < how.aimed:
        person = int(good[int(rng.integers(len(good)))])
        scale = math.exp(rng.uniform(*np.log(how.reach))) / float(reach[person])
        inside = still.confidence[person] > 0
        about = still.xy[person][inside].mean(0).double().numpy()
    else:
        scale = math.exp(rng.uniform(*np.log(how.scale)))
        about = rng.uniform(0, 1, 2) * source
    scale = float(np.clip(scale, how.fill * width / source[0], how.largest))
    # The point `about` of the still comes to a place of the cutting at random; what is outside is black.
    place = np.array(how.size) * how.place(rng)
    corner = [
        _corner(float(a), float(p), scale, s, n) for a, p, s, n in zip(about, place, source, how.size, strict=True)
    ]
    image = _scaled(still.image, scale, corner, how.size)
    xy = (still.xy + 0.5) * scale - torch.tensor(corner, dtype=torch.float32) - 0.5
    confidence = still.confidence.clone()
    inside = ((xy >= -0.5) & (xy < torch.tensor((width - 0.5, height - 0.5)))).all(-1)
    confidence[~inside] = 0
    keep = torch.nonzero(inside.any(-1))[:, 0]
    away = (middles_of(xy, inside) - torch.tensor((width / 2, height / 2))).norm(dim=-1)
    keep = keep[torch.argsort(away[keep])][: how.most]
    xy, xyz, confidence = xy[keep], still.xyz[keep], confidence[keep]
    metres = reach_of(xy) * xyz[:, 0, 2] / (float(still.focal.mean()) * scale)
    if rng.random() < how.flip:
        swap = list(BODY17.mirror)
        image = image.flip(-1)
        xy = torch.cat((width - 1 - xy[..., :1], xy[..., 1:]), -1)[:, swap]
        xyz, confidence = xyz[:, swap], confidence[:, swap]
    image = _recoloured(image, how, rng)
    given = _given(xy, confidence, rng) if rng.random() < how.prior else torch.full_like(xy, torch.nan)
    people = [_padded(value, how.most) for value in (xy, xyz, confidence, metres, given)]
    return Shown((image * 255).round().clamp(0, 255).byte(), *people)


def _corner(about: float, place: float, scale: float, source: int, size: int) -> int:
    """Where a cutting begins in the scaled still: little black where the still could fill it."""
    corner, slack = about * scale - place, source * scale - size
    low, high = min(0.0, slack), max(0.0, slack)
    return round(min(max(corner, low), high))


def _scaled(image: Tensor, scale: float, corner: list[int], size: tuple[int, int]) -> Tensor:
    """The part of the scaled image that begins at `corner`, 0..1; black outside."""
    full = tuple(max(1, round(n * scale)) for n in image.shape[-2:])
    # Only what will be seen, and a little more, is scaled.
    spans = []
    for start, count, n in zip(reversed(corner), reversed(size), image.shape[-2:], strict=True):
        low = max(0, math.floor(start / scale) - 4)
        spans.append((low, max(low + 1, min(n, math.ceil((start + count) / scale) + 4))))
    (y0, y1), (x0, x1) = spans
    part = image[:, y0:y1, x0:x1][None].float() / 255
    shape = [max(1, round((b - a) * f / n)) for (a, b), f, n in zip(spans, full, image.shape[-2:], strict=True)]
    part = F.interpolate(part, shape, mode="bilinear", antialias=scale < 1)[0]
    top, left = round(y0 * scale) - corner[1], round(x0 * scale) - corner[0]
    out = part.new_zeros(3, size[1], size[0])
    ys, xs = max(0, top), max(0, left)
    ye, xe = min(size[1], top + shape[0]), min(size[0], left + shape[1])
    if ye > ys and xe > xs:
        out[:, ys:ye, xs:xe] = part[:, ys - top : ye - top, xs - left : xe - left]
    return out


def _recoloured(image: Tensor, how: Cutting, rng: np.random.Generator) -> Tensor:
    """Other brightness, contrast, saturation, tint and sharpness; noise."""
    if rng.random() < how.soft:
        factor = rng.uniform(0.35, 0.8)
        small = F.interpolate(image[None], scale_factor=factor, mode="bilinear", antialias=True)
        image = F.interpolate(small, image.shape[-2:], mode="bilinear")[0]
    bright, contrast, colourful = 1 + rng.uniform(-how.colour, how.colour, 3)
    tint = torch.tensor(1 + 0.3 * how.colour * rng.normal(size=3), dtype=torch.float32)[:, None, None]
    empty = image.amax(0) == 0
    grey = image.mean(0, keepdim=True)
    out = bright * tint * (grey + colourful * (image - grey))
    out = 0.5 + contrast * (out - 0.5) if contrast < 1 else out.mean() + contrast * (out - out.mean())
    seed = int(rng.integers(2**31))
    noise = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed))
    out = out + noise * float(rng.uniform(0, 0.03))
    return torch.where(empty, torch.zeros_like(out), out).clamp(0, 1)


def _given(xy: Tensor, confidence: Tensor, rng: np.random.Generator) -> Tensor:
    """What another estimator might say: some people, some joints, not quite where they are."""
    people, joints = confidence.shape
    known = torch.from_numpy(rng.random((people, 1)) < 0.7) & torch.from_numpy(rng.random((people, joints)) < 0.85)
    known &= confidence > 0
    off = torch.from_numpy(rng.normal(size=(people, joints, 2)) * 0.04).float() * reach_of(xy)[:, None, None]
    return torch.where(known[..., None], xy + off, torch.full_like(xy, torch.nan))


def _padded(values: Tensor, most: int) -> Tensor:
    out = values.new_full((most, *values.shape[1:]), torch.nan)
    out[: len(values)] = values
    return out
