"""People through ONNX graphs: YOLOX or RTMDet for the boxes, RTMPose, RTMW or RTMW3D for the joints.

What the nets expect, from the configurations they were trained with (OpenMMLab's mmdet and mmpose, Megvii's YOLOX):
YOLOX takes BGR in 0..255 as it is, RTMDet BGR normalised per channel, both with the image enlarged or shrunk into the
top left corner and 114 around it; the pose nets take RGB normalised per channel, the box with a quarter of margin.
Sizes come from the graphs. The z of RTMW3D is not used: it is neither metric nor in a camera's frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import COCO17, Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.geometry import grids
from dyad.stages.onnx_graph import OnnxGraph
from dyad.stages.topdown_boxes import Boxes, Poses, detect, suppress


@dataclass(frozen=True)
class Preparation:
    """How a net wants its pixels: (value - mean) / std per channel in the given order, values in 0..255."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: Literal["rgb", "bgr"]

    def __call__(self, images: Tensor) -> np.ndarray:
        """RGB images (N, 3, H, W) in 0..1 to the net's input."""
        ordered = images.flip(1) if self.order == "bgr" else images
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        return ((ordered * 255 - mean[:, None, None]) / std[:, None, None]).numpy()


YOLOX = Preparation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bgr")
RTMDET = Preparation((103.53, 116.28, 123.675), (57.375, 57.12, 58.395), "bgr")
RTMPOSE = Preparation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "rgb")

_FAMILIES = {"yolox": YOLOX, "rtmdet": RTMDET}
_FILL = 114 / 255
_MARGIN = 1.25
_PERSON = 0  # the first label of COCO, and the only one of the nets trained on people alone
_SKELETONS = (
    COCO17,
    Skeleton.of_names(
        (
            *COCO17.names,
            *("head_top", "neck", "pelvis"),
            *(f"{side}_{part}" for part in ("big_toe", "small_toe", "heel") for side in ("left", "right")),
        ),
        "halpe26",
        "clicked",
    ),
    Skeleton.of_names(
        (
            *COCO17.names,
            *(f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")),
            *(f"face_{n}" for n in range(68)),
            *(f"left_hand_{n}" for n in range(21)),
            *(f"right_hand_{n}" for n in range(21)),
        ),
        "wholebody133",
        "clicked",
    ),
)


class OnnxDetector:
    """Top-down detector of 2D joints from two ONNX graphs; gives COCO17, no xyz.

    Args:
        detector_file: YOLOX, raw or with suppression inside, or RTMDet with suppression inside.
        pose_file: a net with SimCC outputs for 17 (COCO), 26 (Halpe) or 133 (COCO-WholeBody) joints.
        family: which of "yolox" and "rtmdet" the detector is; None asks the form of its outputs and its file name.
        device: "cpu", "cuda" or "auto".
        threads: threads of onnxruntime; None leaves it to onnxruntime.
        score_threshold: boxes below this score are not looked at.
        overlap: of boxes that overlap by more than this (intersection over union) the best stays.
        batch: frames held and searched at once.
        crops: people read at once.

    Raises:
        MissingExtra: onnxruntime is not installed.
        MissingWeights: no usable file where it was named.
        BadInput: a graph of another kind.
        BadUsage: policy out of range, or a detector whose family cannot be told.
    """

    def __init__(
        self,
        detector_file: str | Path,
        pose_file: str | Path,
        *,
        family: Literal["yolox", "rtmdet"] | None = None,
        device: str = "cpu",
        threads: int | None = None,
        score_threshold: float = 0.4,
        overlap: float = 0.65,
        batch: int = 4,
        crops: int = 16,
    ) -> None:
        if not 0 <= score_threshold <= 1 or not 0 < overlap <= 1 or batch < 1 or crops < 1:
            raise BadUsage(
                "the ONNX detector expects score_threshold and overlap in 0..1, batch and crops of at least 1, "
                f"got {score_threshold}, {overlap}, {batch} and {crops}: change them"
            )
        boxes = OnnxGraph(detector_file, device=device, threads=threads)
        self.boxes = OnnxBoxes(boxes, family=family, threshold=score_threshold, overlap=overlap)
        self.poses = OnnxPoses(OnnxGraph(pose_file, device=device, threads=threads), batch=crops)
        self.batch = batch

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterable[Detections]:
        """Detections of every frame, in order, as the video streams; `prior` is not used."""
        return self._detect(video)

    def _detect(self, video: Video) -> Iterator[Detections]:
        yield from detect(video, self.boxes, self.poses, batch=self.batch)


class OnnxBoxes:
    """Boxes of people from a YOLOX or RTMDet graph."""

    def __init__(self, graph: OnnxGraph, *, family: str | None, threshold: float, overlap: float) -> None:
        self.graph = graph
        self.threshold = threshold
        self.overlap = overlap
        self.prepare = _preparation(graph, family)

    def __call__(self, images: np.ndarray) -> list[Boxes]:
        pixels, ratio = letterbox(images, self.graph.height, self.graph.width)
        outputs = [torch.from_numpy(np.asarray(o)) for o in self.graph(self.prepare(pixels)).values()]
        rows = next((o.float() for o in outputs if o.dim() == 3 and o.shape[-1] >= 5), None)
        if rows is None:
            shapes = ", ".join(str(tuple(o.shape)) for o in outputs)
            raise BadInput(
                f"{self.graph.file}: expected boxes (N, M, 5) after suppression or YOLOX's raw (N, M, 5 + classes), "
                f"got {shapes}: export it in one of these forms"
            )
        if rows.shape[-1] == 5:
            labels = next((o for o in outputs if o.dim() == 2), torch.full(rows.shape[:2], _PERSON))
            corners, scores = rows[..., :4], torch.where(labels == _PERSON, rows[..., 4], torch.zeros(()))
        else:
            corners, scores = self._decode(rows)
        # The net counts from the image's edge, which lies at -0.5 px.
        corners = corners / ratio - 0.5
        chosen = (scores >= self.threshold) & (scores > 0)
        return [suppress(Boxes(c[k], s[k]), self.overlap) for c, s, k in zip(corners, scores, chosen, strict=True)]

    def _decode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """YOLOX's raw rows (N, M, 5 + C): offset in its cell, log size, objectness, classes, to corners and scores."""
        cells = []
        for stride in _strides(self.graph, rows.shape[1]):
            y, x = torch.meshgrid(
                torch.arange(self.graph.height // stride), torch.arange(self.graph.width // stride), indexing="ij"
            )
            cells.append(torch.stack((x, y, torch.full_like(x, stride)), -1).reshape(-1, 3))
        cell, stride = torch.cat(cells).float().split((2, 1), dim=-1)
        centre, size = (rows[..., :2] + cell) * stride, torch.exp(rows[..., 2:4].clamp(max=20)) * stride
        return torch.cat((centre - size / 2, centre + size / 2), -1), rows[..., 4] * rows[..., 5 + _PERSON]


class OnnxPoses:
    """Joints inside boxes from a graph that gives one score per column and one per row for each joint (SimCC)."""

    def __init__(self, graph: OnnxGraph, *, batch: int) -> None:
        if not graph.fixed_size:
            raise BadInput(f"{graph.file}: expected a pose net with a fixed input size: export it with one")
        self.graph = graph
        self.batch = batch

    def __call__(self, images: np.ndarray, owner: Tensor, boxes: Tensor) -> Poses:
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        steps = range(0, len(boxes), self.batch)
        parts = [self._read(pixels, owner[n : n + self.batch], boxes[n : n + self.batch]) for n in steps]
        return Poses(torch.cat([part.xy for part in parts]), torch.cat([part.confidence for part in parts]))

    def _read(self, images: Tensor, owner: Tensor, boxes: Tensor) -> Poses:
        height, width = self.graph.height, self.graph.width
        square = max(height, width)
        size = boxes[:, 2:] - boxes[:, :2]
        tall = torch.maximum(size[:, 1], size[:, 0] * height / width) * _MARGIN
        matrix = grids.affine(
            (boxes[:, :2] + boxes[:, 2:]) / 2, tall * square / height, torch.zeros(len(boxes)), square
        )
        # A square crop, of which the net sees the middle: the rule of pixels stays in one place.
        left, top = (square - width) // 2, (square - height) // 2
        crops = grids.crop(images, owner, matrix, square)[..., top : top + height, left : left + width]
        poses, skeleton = self._decode(self.graph(RTMPOSE(crops)))
        xy = grids.apply_affine(matrix, poses.xy + torch.tensor((left, top)))
        return Poses(skeleton.convert(xy, COCO17), skeleton.convert_confidence(poses.confidence, COCO17))

    def _decode(self, outputs: dict[str, np.ndarray]) -> tuple[Poses, Skeleton]:
        """Joints in pixels of the crop, and the skeleton they belong to."""
        named = [outputs[name] for name in ("simcc_x", "simcc_y") if name in outputs]
        columns, rows = (
            torch.from_numpy(o).float() for o in (named if len(named) == 2 else _pair(outputs, self.graph))
        )
        if columns.dim() != 3 or columns.shape[:2] != rows.shape[:2]:
            raise _unlike_simcc(outputs, self.graph)
        split = columns.shape[2] / self.graph.width
        if rows.shape[2] != split * self.graph.height:
            raise _unlike_simcc(outputs, self.graph)
        skeleton = next((s for s in _SKELETONS if len(s) == columns.shape[1]), None)
        if skeleton is None:
            known = ", ".join(str(len(s)) for s in _SKELETONS)
            raise BadInput(f"{self.graph.file}: expected {known} joints, got {columns.shape[1]}: take another pose net")
        x, x_score = peak(columns)
        y, y_score = peak(rows)
        score = torch.minimum(x_score, y_score)
        xy = torch.where(score[..., None] > 0, torch.stack((x, y), -1) / split, torch.nan)
        return Poses(xy, score.clamp(0, 1)), skeleton


def letterbox(images: np.ndarray, height: int, width: int) -> tuple[Tensor, float]:
    """Images (N, H, W, 3) uint8 to (N, 3, height, width) in 0..1, top left with grey around, and their scale."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    ratio = min(height / pixels.shape[2], width / pixels.shape[3])
    square = max(height, width)
    side = torch.full((len(pixels),), square / ratio)
    matrix = grids.affine(((side - 1) / 2)[:, None].expand(-1, 2), side, torch.zeros_like(side), square)
    inside = grids.crop(torch.full_like(pixels[:1, :1], 255), torch.zeros(1, dtype=torch.long), matrix[:1], square)
    crops = grids.crop(pixels, torch.arange(len(pixels)), matrix, square) + (1 - inside) * _FILL
    return crops[..., :height, :width], ratio


def peak(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Place (…) and height of the highest of (…, L) scores; between bins by the parabola through its neighbours."""
    best, index = scores.max(-1)
    last = scores.shape[-1] - 1
    before = scores.gather(-1, (index - 1).clamp(min=0)[..., None])[..., 0]
    after = scores.gather(-1, (index + 1).clamp(max=last)[..., None])[..., 0]
    bend = 2 * best - before - after
    shift = torch.where(bend > 1e-9, 0.5 * (after - before) / bend.clamp(min=1e-9), torch.zeros_like(bend))
    border = (index == 0) | (index == last)
    return index + torch.where(border, torch.zeros_like(shift), shift.clamp(-0.5, 0.5)), best


def _strides(graph: OnnxGraph, rows: int) -> tuple[int, ...]:
    for strides in ((8, 16, 32), (8, 16, 32, 64)):
        if rows == sum((graph.height // s) * (graph.width // s) for s in strides):
            return strides
    raise BadInput(
        f"{graph.file}: expected one row per cell of strides 8, 16, 32 of a {graph.width} x {graph.height} input, "
        f"got {rows} rows: export YOLOX raw or with its suppression"
    )


def _preparation(graph: OnnxGraph, family: str | None) -> Preparation:
    if family is not None and family not in _FAMILIES:
        raise BadUsage(f"the family of the ONNX detector is one of {', '.join(_FAMILIES)}, got {family!r}: choose one")
    if family is not None:
        return _FAMILIES[family]
    named = [name for name in _FAMILIES if name in graph.file.name.lower()]
    if len(named) == 1:
        return _FAMILIES[named[0]]
    if len(graph.last_sizes) == 1 and (graph.last_sizes[0] or 0) > 5:
        return YOLOX
    raise BadUsage(
        f"{graph.file}: YOLOX and RTMDet want their pixels differently and neither name nor outputs tell which it is: "
        "give family='yolox' or family='rtmdet'"
    )


def _pair(outputs: dict[str, np.ndarray], graph: OnnxGraph) -> list[np.ndarray]:
    """The first two outputs, x and y by the order in which the exporters write them."""
    values = list(outputs.values())
    if len(values) not in (2, 3) or any(value.ndim != 3 for value in values):
        raise _unlike_simcc(outputs, graph)
    return values[:2]


def _unlike_simcc(outputs: dict[str, np.ndarray], graph: OnnxGraph) -> BadInput:
    shapes = ", ".join(f"{name} {value.shape}" for name, value in outputs.items())
    return BadInput(
        f"{graph.file}: expected SimCC scores (N, J, {graph.width} k) and (N, J, {graph.height} k), got {shapes}: "
        "take an RTMPose, RTMW or RTMW3D graph"
    )
