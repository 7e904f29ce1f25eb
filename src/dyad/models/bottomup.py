"""The bottom-up network of [TB]: everyone at once and how far away, told where the top-down branch saw joints."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad.models.high_resolution import HighResolutionBackbone
from dyad.models.image_input import normalise_colours
from dyad.models.joints import BODY17, TB14, mirrored
from dyad.models.namings import Naming
from dyad.models.tcn import TORCHSUL_NORM


class BottomUpMaps(NamedTuple):
    """What the network draws, at half the image's size unless said otherwise.

    Attributes:
        heatmaps: (N, J, H, W) how much each pixel looks like each joint.
        tags: (N, J, H, W, T) numbers alike within a person; T = 2 with the mirrored image.
        root_depth: (N, 1, H, W) depth of the person's pelvis in the camera.
        relative_depth: (N, J - 1, H, W) of all joints but the first, beyond that of the pelvis.
    """

    heatmaps: Tensor
    tags: Tensor
    root_depth: Tensor
    relative_depth: Tensor


class _Layer(nn.Module):
    """3x3 convolution, batch norm, a slope of its own for each channel's negatives."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=TORCHSUL_NORM.eps, momentum=TORCHSUL_NORM.momentum)
        self.act = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


def _layers(inputs: int, channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Layer(channels if k else inputs, channels) for k in range(count)))


class _Doubling(nn.Module):
    """Twice the size, between layers: four values per pixel become the pixels of a square."""

    def __init__(self, inputs: int, channels: int, layers: int) -> None:
        super().__init__()
        self.before = _layers(inputs, channels, layers)
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)
        self.act = nn.PReLU(4 * channels)
        self.after = _layers(channels, channels, layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(F.pixel_shuffle(self.act(self.conv(self.before(x))), 2))


class _Head(nn.Module):
    """One family of maps from shared features."""

    def __init__(self, inputs: int, channels: int, layers: int, maps: int) -> None:
        super().__init__()
        self.layers = _layers(inputs, channels, layers)
        self.maps = nn.Conv2d(channels, maps, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(self.layers(x))


class BottomUpNetwork(nn.Module):
    """An image, and heat maps of where the top-down branch saw joints, to the four map families.

    Args:
        joints: joints to find; the first is the root.
        prior_joints: heat maps that enter beside the image; 0: the image alone.
        width: channels of the backbone's finest branch.
        channels: channels of doubling and heads.
        doubling_layers: layers before the doubling, and as many after it.
        head_layers: layers of each head before its maps, at least one.
    """

    def __init__(
        self,
        *,
        joints: int = len(TB14),
        prior_joints: int = len(BODY17),
        width: int = 32,
        channels: int = 32,
        doubling_layers: int = 1,
        head_layers: int = 1,
    ) -> None:
        super().__init__()
        if min(doubling_layers, head_layers) < 1:
            raise ValueError(f"each part needs a layer, got {doubling_layers} for doubling, {head_layers} for heads")
        self.joints, self.prior_joints = joints, prior_joints
        self.backbone = HighResolutionBackbone(inputs=3 + prior_joints, width=width, norm=TORCHSUL_NORM)
        self.doubling = _Doubling(width, channels, doubling_layers)
        self.heat = _Head(channels, channels, head_layers, joints)
        self.tag = _Head(channels, channels, head_layers, joints)
        self.root = _Head(channels, channels, head_layers, 1)
        self.relative = _Head(channels, channels, head_layers, joints - 1)

    def forward(self, images: Tensor, prior: Tensor | None = None) -> BottomUpMaps:
        """Maps at half the size of images (N, 3, H, W), RGB in 0..1, sides multiples of 32.

        `prior` (N, prior_joints, H, W) in 0..1; left out, nobody has been seen yet.
        """
        n, _, height, width = images.shape
        if height % 32 or width % 32:
            raise ValueError(f"sides must be multiples of 32, got {width}x{height}")
        wanted = (n, self.prior_joints, height, width)
        prior = images.new_zeros(wanted) if prior is None else prior
        if tuple(prior.shape) != wanted:
            raise ValueError(f"expected a prior of shape {wanted}, got {tuple(prior.shape)}")
        x = self.doubling(self.backbone(torch.cat((normalise_colours(images), prior), 1)))
        return BottomUpMaps(self.heat(x), self.tag(x)[..., None], self.root(x), self.relative(x))


class MirroredReading:
    """Maps at the size of the image, with the tags that the mirrored image gets as a second number.

    Args:
        network: `BottomUpNetwork`.
        joints, prior_joints: names in the order of its maps and of its prior.
        swap_prior: whether left and right of the prior change places in the mirror, as they must; the released code
            forgets it.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        joints: tuple[str, ...] = TB14,
        prior_joints: tuple[str, ...] = BODY17,
        swap_prior: bool = True,
    ) -> None:
        self.network = network
        self._joints = mirrored(joints)
        self._prior = mirrored(prior_joints) if swap_prior else list(range(len(prior_joints)))

    def __call__(self, images: Tensor, prior: Tensor | None = None) -> BottomUpMaps:
        """Maps of images (N, 3, H, W) in 0..1 and priors (N, prior joints, H, W), all at H x W."""
        maps = self.network(images, prior)
        in_mirror = None if prior is None else prior[:, self._prior].flip(-1)
        other = self.network(images.flip(-1), in_mirror)
        size = images.shape[-2], images.shape[-1]
        heat, root, relative = (
            _enlarge(value, size) for value in (maps.heatmaps, maps.root_depth, maps.relative_depth)
        )
        own = _enlarge(maps.tags[..., 0], size)
        seen = _enlarge(other.tags[..., 0].flip(-1)[:, self._joints], size)
        return BottomUpMaps(heat, torch.stack((own, seen), -1), root, relative)


def _enlarge(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


_HEADS = (("head", "c1", "heat"), ("head2", "c2", "tag"), ("head3", "c3", "root"), ("head4", "c4", "relative"))
_UNIT = r"\.units\.(\d+)\.c(\d)"
_FUSE = r"\.fuses\.(\d+)\.branches\.(\d)\.(\d)"
_BRANCH = r"\.blocks\.(\d+)\.(\d)" + _UNIT

BOTTOM_UP_NAMINGS = (
    Naming(
        "3dpose/3D-Multi-Person-Pose",
        rules=(
            *((rf"^{head}\.layers\.(\d+)\.bn\.", rf"{ours}.layers.\1.norm.") for head, _, ours in _HEADS),
            *((rf"^{head}\.layers\.", f"{ours}.layers.") for head, _, ours in _HEADS),
            *((rf"^{last}\.conv\.", f"{ours}.maps.") for _, last, ours in _HEADS),
            (r"^upsample\.prevlayers\.", "doubling.before."),
            (r"^upsample\.postlayers\.", "doubling.after."),
            (r"^upsample\.uplayer\.", "doubling."),
            (r"^(doubling\.\w+\.\d+)\.bn\.", r"\1.norm."),
            (r"^backbone\.c([12])\.conv\.", r"backbone.conv\1."),
            (r"^backbone\.c([12])\.bn\.", r"backbone.bn\1."),
            (rf"^backbone\.layer1{_UNIT}\.conv\.", r"backbone.layer1.\1.conv\2."),
            (rf"^backbone\.layer1{_UNIT}\.bn\.", r"backbone.layer1.\1.bn\2."),
            (r"^backbone\.layer1\.units\.(\d+)\.sc\.conv\.", r"backbone.layer1.\1.downsample.0."),
            (r"^backbone\.layer1\.units\.(\d+)\.sc\.bn\.", r"backbone.layer1.\1.downsample.1."),
            (r"^backbone\.stage1\.transition\.trans\.0\.conv\.", "backbone.transition1.0.0."),
            (r"^backbone\.stage1\.transition\.trans\.0\.bn\.", "backbone.transition1.0.1."),
            (r"^backbone\.stage(\d)\.transition\.trans\.(\d)\.conv\.", r"backbone.transition\1.\2.0.0."),
            (r"^backbone\.stage(\d)\.transition\.trans\.(\d)\.bn\.", r"backbone.transition\1.\2.0.1."),
            (r"^backbone\.lastfuse\.c(\d)\.c1\.", r"backbone.stage3.fuses.2.branches.0.\1.c1."),
            *((rf"^backbone\.stage{k}\.", f"backbone.stage{k + 1}.") for k in (3, 2, 1)),
            (rf"{_BRANCH}\.conv\.", r".\1.branches.\2.\3.conv\4."),
            (rf"{_BRANCH}\.bn\.", r".\1.branches.\2.\3.bn\4."),
            (rf"{_FUSE}\.mods\.(\d)\.conv\.", r".\1.fuse_layers.\2.\3.\4.0."),
            (rf"{_FUSE}\.mods\.(\d)\.bn\.", r".\1.fuse_layers.\2.\3.\4.1."),
            (rf"{_FUSE}\.c1\.conv\.", r".\1.fuse_layers.\2.\3.0."),
            (rf"{_FUSE}\.c1\.bn\.", r".\1.fuse_layers.\2.\3.1."),
        ),
    ),
)
