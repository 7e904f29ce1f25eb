"""Everyone in an image at once, from what BlazePose's detector sees in it: its features stay as they are, heads learn.

The detector's backbone has seen real people, and finds one or two prominent ones; its features know of more. Small
heads on them, trained on rendered people, say of every cell of 8 x 8 px whose body has its middle there, how large it
is, where its joints are and how far away, and where in the image all joints are.
People are wanted whose reach (see `PersonMaps`) is 9 to 110 px: show the image at several sizes.
"""

from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad.models.blazepose import BlazePoseDetector, PoseProposals, proposal_outputs, proposals_of
from dyad.models.joints import BODY17
from dyad.models.tflite import Graph, read_tflite
from dyad.models.tflite_network import TFLiteNetwork

STRIDE = 8
LEAST_REACH, MOST_REACH = 9.0, 110.0
_CHANNELS = (24, 96, 192)


class Features(NamedTuple):
    """Of N images (H, W): fine (N, 24, H/4, W/4), middle (N, 96, H/8, W/8), coarse (N, 192, H/16, W/16)."""

    fine: Tensor
    middle: Tensor
    coarse: Tensor


class PersonMaps(NamedTuple):
    """What the heads say of N images; h = H/8, w = W/8.

    A person's reach R is 1.1 times the distance in px from the pelvis to the joint farthest from it. What belongs to a
    person as a whole stands at the middle of hips and shoulders (of the joints in the image where that is outside).
    """

    middle: Tensor  # (N, 1, h, w) logit that a person's middle is in the cell
    reach: Tensor  # (N, 1, h, w) log of R in px
    offsets: Tensor  # (N, J, 2, h, w) from the cell to the joints, in R
    heatmaps: Tensor  # (N, J, 2h, 2w) logits that a joint is there
    depth: Tensor  # (N, 1, h, w) log m of R times depth over focal length, both in px of the image shown
    relative: Tensor  # (N, J - 1, h, w) m at the place of each joint but the first: depth beyond the pelvis's


class BlazePoseFeatures(nn.Module):
    """The detector's backbone, frozen."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = TFLiteNetwork(graph, _places(graph))

    @classmethod
    def from_file(cls, path: Path | str) -> Self:
        """Reads `pose_detection.tflite`. ValueError where it is damaged, FileNotFoundError where it is not there."""
        return cls(read_tflite(Path(path)))

    def forward(self, images: Tensor) -> Features:
        """Of images (N, 3, H, W), RGB in 0..1, H and W divisible by 32."""
        check_sides(images)
        return Features(*self.network(images * 2.0 - 1.0))


class BlazePoseFinder(nn.Module):
    """The detector's own proposals and what the heads say, in one pass through its backbone.

    Args:
        graph: of `pose_detection.tflite`. heads: trained `PersonHeads`.
    """

    def __init__(self, graph: Graph, heads: nn.Module) -> None:
        super().__init__()
        self.network = TFLiteNetwork(graph, (*proposal_outputs(graph), *_places(graph)))
        self.heads = heads.eval()

    @classmethod
    def from_files(cls, path: Path | str, heads: nn.Module) -> Self:
        """Reads `pose_detection.tflite`, as `BlazePoseFeatures.from_file` does."""
        return cls(read_tflite(Path(path)), heads)

    def forward(self, images: Tensor, *, heads: bool = True) -> tuple[PoseProposals, PersonMaps | None]:
        """Of images (N, 3, H, W), RGB in 0..1, H and W divisible by 32; no maps without `heads`."""
        check_sides(images)
        values, logits, *features = self.network(images * 2.0 - 1.0)
        proposals = proposals_of(values, logits, (images.shape[-2], images.shape[-1]))
        return proposals, self.heads(Features(*features)) if heads else None


class SideBySide(nn.Module):
    """As `BlazePoseFinder` where the network that tells of people has features of its own."""

    def __init__(self, detector: BlazePoseDetector, network: "PersonNetwork") -> None:
        super().__init__()
        self.detector, self.network = detector, network.eval()

    def forward(self, images: Tensor, *, heads: bool = True) -> tuple[PoseProposals, PersonMaps | None]:
        """As `BlazePoseFinder`'s."""
        return self.detector(images), self.network(images) if heads else None


class PlainFeatures(nn.Module):
    """Features of the same shapes from convolutions that begin untrained: what the frozen ones are compared with."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = _CHANNELS
        self.fine = nn.Sequential(_convolution(3, 24, 2), _convolution(24, fine, 2), _Residual(fine))
        self.middle = nn.Sequential(_convolution(fine, middle, 2), _Residual(middle))
        self.coarse = nn.Sequential(_convolution(middle, coarse, 2), _Residual(coarse), _Residual(coarse))
        self.back = nn.Conv2d(coarse, middle, 1)

    def forward(self, images: Tensor) -> Features:
        check_sides(images)
        fine = self.fine(images * 2.0 - 1.0)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        return Features(fine, middle + _enlarged(self.back(coarse)), coarse)


class PersonHeads(nn.Module):
    """Features, and heat maps of where people are known to be, to `PersonMaps`.

    Args:
        joints: to find; the first is the pelvis. prior_joints: heat maps that may enter; 0 for none.
        width: channels within.
    """

    def __init__(
        self, *, joints: int = len(BODY17), prior_joints: int = len(BODY17), width: int = 64, layers: int = 2
    ) -> None:
        super().__init__()
        self.joints, self.prior_joints = joints, prior_joints
        fine, middle, coarse = _CHANNELS
        self.coarse = nn.Sequential(nn.BatchNorm2d(coarse), nn.Conv2d(coarse, width, 1))
        inputs = 4 * fine + middle
        self.stem = nn.Sequential(nn.BatchNorm2d(inputs), nn.Conv2d(inputs, width, 1))
        self.prior = nn.Conv2d(prior_joints, width, 3, padding=1, bias=False) if prior_joints else None
        if self.prior is not None:
            nn.init.zeros_(self.prior.weight)
        self.trunk = nn.Sequential(nn.ReLU(), *(_Residual(width) for _ in range(layers)))
        # What is sought is rare.
        self.person = _head(width, 2 + 2 * joints, rare=1)
        self.heat = _head(width, 4 * joints, rare=4 * joints)
        self.distance = _head(width, joints)

    def forward(self, features: Features, prior: Tensor | None = None) -> PersonMaps:
        """`prior` (N, prior_joints, h, w) in 0..1; left out, nobody is known yet."""
        fine = F.pixel_unshuffle(features.fine, 2)
        x = self.stem(torch.cat((fine, features.middle), 1)) + _enlarged(self.coarse(features.coarse))
        if prior is not None:
            wanted = (len(x), self.prior_joints, *x.shape[-2:])
            if self.prior is None or tuple(prior.shape) != wanted:
                raise ValueError(f"expected a prior of shape {wanted}, got {tuple(prior.shape)}")
            x = x + self.prior(prior)
        x = self.trunk(x)
        person, distance = self.person(x), self.distance(x)
        return PersonMaps(
            middle=person[:, :1],
            reach=person[:, 1:2],
            offsets=person[:, 2:].unflatten(1, (self.joints, 2)),
            heatmaps=F.pixel_shuffle(self.heat(x), 2),
            depth=distance[:, :1],
            relative=distance[:, 1:],
        )


class PersonNetwork(nn.Module):
    """Images to `PersonMaps`: features, frozen or not, and heads."""

    def __init__(self, features: BlazePoseFeatures | PlainFeatures, heads: PersonHeads) -> None:
        super().__init__()
        self.features, self.heads = features, heads

    def forward(self, images: Tensor, prior: Tensor | None = None) -> PersonMaps:
        return self.heads(self.features(images), prior)


def plain_network(*, width: int = 64) -> PersonNetwork:
    """The network whose features are learned, too."""
    return PersonNetwork(PlainFeatures(), PersonHeads(width=width))


def _places(graph: Graph) -> tuple[int, int, int]:
    """The tensors of the detector's file that are `Features`: what its own heads are made from."""
    shapes = {index: tensor.shape for index, tensor in enumerate(graph.tensors)}
    side = shapes[graph.inputs[0]][1]

    def last(kinds: tuple[str, ...], stride: int, channels: int, *, inputs: bool) -> int:
        found = [(step.inputs[0] if inputs else step.outputs[0]) for step in graph.operators if step.kind in kinds]
        wanted = (1, side // stride, side // stride, channels)
        fitting = [index for index in found if tuple(shapes[index]) == wanted]
        if not fitting:
            raise ValueError(f"The file is not BlazePose's detector: nothing in it has the shape {wanted}.")
        return fitting[-1]

    fine = last(("ADD",), 4, _CHANNELS[0], inputs=False)
    middle, coarse = (
        last(("DEPTH_TO_SPACE",), stride, channels, inputs=True)
        for stride, channels in zip((8, 16), _CHANNELS[1:], strict=True)
    )
    return fine, middle, coarse


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels, act=False))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.layers(x))


def _convolution(inputs: int, outputs: int, stride: int = 1, *, act: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, *([nn.ReLU()] if act else []))


def _head(width: int, maps: int, *, rare: int = 0) -> nn.Sequential:
    """Layers to maps, of which the first are logits of what is `rare`."""
    last = nn.Conv2d(width, maps, 1)
    if last.bias is not None:
        nn.init.constant_(last.bias[:rare], -4.0)
    return nn.Sequential(_convolution(width, width), last)


def _enlarged(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)


def check_sides(images: Tensor) -> None:
    """ValueError for what is not (N, 3, H, W) with sides divisible by 32."""
    if images.dim() != 4 or images.shape[1] != 3 or images.shape[-1] % 32 or images.shape[-2] % 32:
        raise ValueError(f"Images have shape {tuple(images.shape)}; wanted is (N,3,H,W), sides divisible by 32.")
