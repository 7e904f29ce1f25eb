"""BlazePose as plain torch: people proposed in an image, and 33 landmarks of one person in a square crop.

Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020, with the landmark model's later world
landmarks; the networks are read from Google's TFLite files (Apache-2.0, see `dyad.models.weights`).
Images are float RGB in 0..1; integer pixel coordinates are pixel centres.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from dyad.models.tflite import Graph, read_tflite
from dyad.models.tflite_network import TFLiteNetwork

LANDMARKS = 33
CROP = 256  # side of the landmark network's input, px
_ANCHORS = ((8, 2), (16, 2), (32, 6))  # stride in px, anchors per cell: MediaPipe's five layers, the last three merged
_POINTS = 39  # 33 landmarks, the 2 that place the next region, 4 unused


class PoseProposals(NamedTuple):
    """People proposed in N images, A = H·W·(2/64 + 2/256 + 6/1024) each; coordinates in pixels of the input.

    The circle round `hips` through `rim` is about the body's size, and the rim point lies towards the head: the two
    give position, size and roll. `shoulders` and `upper_rim` are the same for the upper body. The box is a square
    round the head, not the body. `scores` are probabilities; they rank, but hardly tell real people from false ones.
    """

    scores: Tensor  # (N,A) 0..1
    boxes: Tensor  # (N,A,4) x0 y0 x1 y1
    hips: Tensor  # (N,A,2)
    rim: Tensor  # (N,A,2)
    shoulders: Tensor  # (N,A,2)
    upper_rim: Tensor  # (N,A,2)


class PoseLandmarks(NamedTuple):
    """One person in each of N crops, landmarks in the order of BLAZEPOSE33."""

    xyz: Tensor  # (N,33,3) px of the crop; z on the same scale, 0 at the hips, smaller is nearer
    visibility: Tensor  # (N,33) 0..1: inside the image and not hidden
    presence: Tensor  # (N,33) 0..1: inside the image
    hips: Tensor  # (N,2) px: centre of the next region
    rim: Tensor  # (N,2) px: on its circle, above the head
    score: Tensor  # (N,) 0..1: a person is there
    world: Tensor  # (N,33,3) m from the mid-hip; x right, y down, z away from the camera, in the crop's frame


class Region(NamedTuple):
    """A turned square: what the landmark network wants to see."""

    centre: Tensor  # (...,2) px
    side: Tensor  # (...) px
    angle: Tensor  # (...) rad, clockwise on the screen; 0 for an upright person


def region_around(hips: Tensor, rim: Tensor, *, scale: float = 1.25) -> Region:
    """The square round the circle of a proposal (or of the previous landmarks), (...,2) each.

    `scale` 1.25 is what the landmark network was made for.
    """
    x, y = (rim - hips).unbind(-1)
    return Region(hips, 2.0 * scale * torch.hypot(x, y), torch.atan2(x, -y))


class BlazePoseDetector(nn.Module):
    """Proposes people. Fully convolutional; best on one person 90 to 280 px tall in a 224×224 window."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = TFLiteNetwork(graph, proposal_outputs(graph))

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads `pose_detection.tflite`. ValueError where it is damaged, FileNotFoundError where it is not there."""
        return cls(_read(path))

    def forward(self, images: Tensor) -> PoseProposals:
        """Images (N,3,H,W), RGB in 0..1, H and W divisible by 32. Raises ValueError on another shape."""
        _check_images(images, "the detector", f"(N,3,H,W) with sides divisible by {_ANCHORS[-1][0]}")
        height, width = images.shape[-2:]
        if height % _ANCHORS[-1][0] or width % _ANCHORS[-1][0] or not height or not width:
            raise ValueError(f"Image is {width}x{height}; the detector wants sides divisible by 32: pad it with zeros.")
        values, logits = self.network(images * 2.0 - 1.0)
        return proposals_of(values, logits, (height, width))


class BlazePoseLandmarks(nn.Module):
    """Landmarks of the one person that an upright square crop shows (see `region_around`)."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        landmarks = _output(graph, lambda shape: shape == (1, _POINTS * 5))
        score = _output(graph, lambda shape: shape == (1, 1))
        world = _output(graph, lambda shape: shape == (1, _POINTS * 3))
        self.network = TFLiteNetwork(graph, (landmarks, score, world))

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads `pose_landmark_full.tflite`. ValueError where damaged, FileNotFoundError where it is not there."""
        return cls(_read(path))

    def forward(self, crops: Tensor) -> PoseLandmarks:
        """Crops (N,3,256,256), RGB in 0..1. Raises ValueError on another shape."""
        wanted = f"(N,3,{CROP},{CROP})"
        _check_images(crops, "the landmark network", wanted)
        if crops.shape[-2:] != (CROP, CROP):
            raise ValueError(f"Crops have shape {tuple(crops.shape)}; the landmark network wants {wanted}.")
        values, score, world = self.network(crops)
        points = values.unflatten(-1, (_POINTS, 5))
        xyz, seen = points[..., :3], points[..., 3:].sigmoid()
        xyz = xyz - xyz.new_tensor([0.5, 0.5, 0.0])  # the network counts from the crop's edge
        body = slice(0, LANDMARKS)
        return PoseLandmarks(
            xyz=xyz[:, body],
            visibility=seen[:, body, 0],
            presence=seen[:, body, 1],
            hips=xyz[:, LANDMARKS, :2],
            rim=xyz[:, LANDMARKS + 1, :2],
            score=score[:, 0],
            world=world.unflatten(-1, (_POINTS, 3))[:, body],
        )


def proposal_outputs(graph: Graph) -> tuple[int, int]:
    """The tensors of the detector's file with what it says of its anchors and with their scores."""
    values = _output(graph, lambda shape: len(shape) == 3 and shape[2] == 12)
    return values, _output(graph, lambda shape: len(shape) == 3 and shape[2] == 1)


def proposals_of(values: Tensor, logits: Tensor, size: tuple[int, int]) -> PoseProposals:
    """What values (N, A, 12) and logits (N, A, 1) of the detector mean in images of `size` (height, width)."""
    anchors = anchor_centres(*size, values.device)
    middle, extent = anchors + values[..., 0:2], values[..., 2:4]
    boxes = torch.cat([middle - 0.5 * extent, middle + 0.5 * extent], -1)
    points = anchors[:, None] + values[..., 4:12].unflatten(-1, (4, 2))
    return PoseProposals(logits[..., 0].sigmoid(), boxes, *points.unbind(-2))


def anchor_centres(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Where the detector's anchors stand in an image of that size: (A,2) px, in the order of its outputs."""
    layers = []
    for stride, per_cell in _ANCHORS:
        y, x = (
            torch.arange(size // stride, device=device, dtype=torch.float32) * stride + 0.5 * (stride - 1)
            for size in (height, width)
        )
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
        layers.append(grid.repeat_interleave(per_cell, 0))
    return torch.cat(layers)


def _read(path: Path | str) -> Graph:
    return read_tflite(Path(path))


def _output(graph: Graph, fits: Callable[[tuple[int, ...]], bool]) -> int:
    found = [index for index in graph.outputs if fits(graph.tensors[index].shape)]
    if len(found) != 1:
        shapes = [graph.tensors[index].shape for index in graph.outputs]
        raise ValueError(f"The file is not the BlazePose network expected here: its outputs are {shapes}.")
    return found[0]


def _check_images(images: Tensor, who: str, wanted: str) -> None:
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"Images have shape {tuple(images.shape)}; {who} wants {wanted}.")
