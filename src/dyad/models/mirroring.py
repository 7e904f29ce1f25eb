"""Test-time augmentation: what a network says of an image and of its mirror image, put together.

Mirrored back, what was left is right again; joints change places with their partners by name.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.models.higherhrnet import Stages
from dyad.models.joints import COCO17, mirrored

PUBLISHED_SHIFT = 1.0
"""Pixels of the heat map by which HRNet's code shifts what it saw in the mirror."""


def mirror_back(maps: Tensor, partners: Sequence[int]) -> Tensor:
    """Maps (N, J, h, w) of a mirrored image as maps of the image; `partners` as of `joints.mirrored`."""
    return maps.flip(-1)[:, list(partners)]


class MirroredHeatmaps:
    """Mean of a network's heat maps of an image and of its mirror image.

    Args:
        network: images (N, 3, H, W) to heat maps (N, J, h, w).
        joints: names in the order of the maps.
        shift: pixels of the map by which the second are moved to the right, the first column repeated. 0 suits a
            network whose maps have their pixel centres where the image has them. The published ones place the first
            pixel of the map on the first of the image, and at a quarter of the size the mirror then is 3/4 px off;
            their code shifts by `PUBLISHED_SHIFT`.
    """

    def __init__(
        self, network: Callable[[Tensor], Tensor], *, joints: Sequence[str] = COCO17, shift: float = 0.0
    ) -> None:
        if shift < 0:
            raise ValueError(f"the shift is 0 px or more, got {shift}")
        self.network, self.partners, self.shift = network, mirrored(joints), shift

    def __call__(self, images: Tensor) -> Tensor:
        """Heat maps (N, J, h, w) of images (N, 3, H, W)."""
        seen = self.network(images.flip(-1))
        return (self.network(images) + shifted(mirror_back(seen, self.partners), self.shift)) / 2


def shifted(maps: Tensor, by: float) -> Tensor:
    """Maps (N, J, h, w) moved to the right, linear between whole pixels; the first column fills what opens."""
    whole = int(by)
    part = by - whole
    width = maps.shape[-1]
    padded = F.pad(maps, (whole + 1, 0, 0, 0), mode="replicate")
    near, far = padded[..., 1 : 1 + width], padded[..., :width]
    return near if part == 0 else (1 - part) * near + part * far


class Aggregated(NamedTuple):
    """heatmaps: (N, J, H, W) of the image's size. tags: (N, J, H, W, T), of the image and, T = 2, of its mirror."""

    heatmaps: Tensor
    tags: Tensor


class StageAggregation:
    """All stages of a bottom-up network, with or without the mirror image, as maps of the image's size.

    Heat maps are the mean over stages, enlarged to the finest, and then over image and mirror; tags stay apart, since
    one run's have nothing to do with another's.

    Args:
        network: images (N, 3, H, W) to `Stages`.
        joints: names in the order of the maps.
        mirror: whether to look at the mirror image as well.
    """

    def __init__(
        self, network: Callable[[Tensor], Stages], *, joints: Sequence[str] = COCO17, mirror: bool = True
    ) -> None:
        self.network, self.partners, self.mirror = network, mirrored(joints), mirror

    def __call__(self, images: Tensor) -> Aggregated:
        """Maps for grouping, of images (N, 3, H, W)."""
        found = [self._seen(images)]
        if self.mirror:
            found.append(tuple(mirror_back(maps, self.partners) for maps in self._seen(images.flip(-1))))
        size = (images.shape[-2], images.shape[-1])
        heatmaps = enlarged(torch.stack([heat for heat, _ in found]).mean(0), size)
        return Aggregated(heatmaps, torch.stack([enlarged(tags, size) for _, tags in found], -1))

    def _seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Heat maps, the mean of all stages, and tags, both of the finest stage's size."""
        stages = self.network(images)
        size = (stages.heatmaps[-1].shape[-2], stages.heatmaps[-1].shape[-1])
        return torch.stack([enlarged(heat, size) for heat in stages.heatmaps]).mean(0), enlarged(stages.tags, size)


def enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, J, h, w) at a height and width, bilinear, pixel centres kept in place."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
