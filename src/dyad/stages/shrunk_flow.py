"""Flow of large images from smaller ones: all-pairs correlation of full HD takes 6 GB and half a minute a pair."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch.nn import functional as F

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Chunk


@dataclass(frozen=True)
class ShrunkFlow:
    """Another estimator's flow of images whose longer side is at most `longest` px, enlarged to the images at hand."""

    estimator: FlowEstimator
    longest: int

    def __post_init__(self) -> None:
        if self.longest < 64:
            raise BadUsage(f"images are shrunk to 64 px or more for their flow, got {self.longest}")

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        height, width = first.images.shape[1:3]
        share = self.longest / max(width, height)
        if share >= 1 or not len(first):
            return self.estimator(first, second)
        size = max(1, round(height * share)), max(1, round(width * share))
        flow = self.estimator(*(_shrunk(chunk, size) for chunk in (first, second)))
        scale = flow.uv.new_tensor((width / size[1], height / size[0]))[:, None, None]
        uv = F.interpolate(flow.filled(torch.nan), (height, width), mode="bilinear", align_corners=False) * scale
        occluded = flow.occluded
        if occluded is not None:
            occluded = F.interpolate(occluded[:, None].float(), (height, width), mode="nearest-exact")[:, 0] > 0
        return Flow(uv, None, occluded)

    def copy(self) -> Self:
        return replace(self, estimator=self.estimator.copy())


def _shrunk(chunk: Chunk, size: tuple[int, int]) -> Chunk:
    """The chunk's images with another (height, width), each pixel the mean of what it covers."""
    images = torch.from_numpy(np.ascontiguousarray(chunk.images)).movedim(-1, 1).float()
    small = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
    small = small.round().clamp(0, 255).to(torch.uint8).movedim(1, -1).contiguous()
    return replace(chunk, images=small.numpy())
