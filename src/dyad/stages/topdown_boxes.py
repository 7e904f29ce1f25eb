"""What the two-network detectors share: boxes of people first, then the joints inside every box."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.skeleton import COCO17, Skeleton
from dyad.core.video import Video

_SMALLEST = 8  # px: a smaller image shows nobody, and is taken for something else by the networks' own preparation


class Boxes(NamedTuple):
    """People of one image: boxes (M, 4) px x0 y0 x1 y1 and scores (M,) 0..1."""

    boxes: Tensor
    scores: Tensor


class Poses(NamedTuple):
    """Joints of M people in COCO17's order: xy (M, 17, 2) px, NaN where not found, and confidence (M, 17) 0..1."""

    xy: Tensor
    confidence: Tensor


class BoxFinder(Protocol):
    """Images (N, H, W, 3) uint8 RGB to the people of each."""

    def __call__(self, images: np.ndarray) -> list[Boxes]: ...


class PoseReader(Protocol):
    """Images (N, H, W, 3) uint8 RGB and M boxes (M, 4), of which box m lies in image owner[m], to M poses."""

    def __call__(self, images: np.ndarray, owner: Tensor, boxes: Tensor) -> Poses: ...


def detect(video: Video, find: BoxFinder, read: PoseReader, *, batch: int) -> Iterator[Detections]:
    """Everyone in every frame, `batch` frames in memory at a time; all boxes of a batch are read together."""
    for chunk in video.chunks(batch):
        images = np.asarray(chunk.images)
        height, width = images.shape[1:3]
        if min(height, width) < _SMALLEST:
            found = [Boxes(torch.zeros(0, 4), torch.zeros(0))] * len(images)
        else:
            found = [clip(people, width, height) for people in find(images)]
        counts = [len(people.boxes) for people in found]
        if any(counts):
            owner = torch.repeat_interleave(torch.arange(len(found)), torch.tensor(counts))
            xy, confidence = read(images, owner, torch.cat([people.boxes for people in found]))
            poses = list(zip(xy.float().split(counts), confidence.float().split(counts), strict=True))
        for n, people in enumerate(found):
            frame, time, cut = int(chunk.indices[n]), float(chunk.times[n]), bool(chunk.cut[n])
            if not counts[n]:
                yield nobody(frame, time, cut=cut)
                continue
            yield Detections(frame, time, people.boxes, people.scores, *poses[n], skeleton=COCO17, cut=cut)


def nobody(frame: int, time: float, *, cut: bool, skeleton: Skeleton = COCO17) -> Detections:
    """An empty frame of an estimator of 2D joints: as `Detections.none`, with xyz absent like in full frames."""
    j = len(skeleton)
    return Detections(
        frame, time, torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, j, 2), torch.zeros(0, j), skeleton, cut=cut
    )


def clip(people: Boxes, width: int, height: int) -> Boxes:
    """Boxes cut at the image's edge; those with less than a pixel left, or without finite corners, are dropped."""
    low = torch.full((4,), -0.5)
    high = torch.tensor((width - 0.5, height - 0.5)).repeat(2)
    boxes = torch.minimum(torch.maximum(people.boxes.float().cpu(), low), high)
    kept = torch.isfinite(boxes).all(-1) & ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(-1)
    return Boxes(boxes[kept], people.scores.float().cpu()[kept].clamp(0, 1))


def suppress(people: Boxes, overlap: float) -> Boxes:
    """The best of every group of boxes that overlap by more than `overlap` (intersection over union), best first."""
    order = torch.argsort(people.scores, descending=True, stable=True)
    boxes, scores = people.boxes[order], people.scores[order]
    low = torch.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)
    close = shared > overlap * (area[:, None] + area[None] - shared)
    kept = torch.ones(len(boxes), dtype=torch.bool)
    for n in range(len(boxes)):
        if kept[n]:
            kept[n + 1 :] &= ~close[n, n + 1 :]
    return Boxes(boxes[kept], scores[kept])
