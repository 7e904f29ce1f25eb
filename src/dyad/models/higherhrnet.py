"""HigherHRNet: heat maps of all people at once at two sizes, with tags that say which joints belong together.

Cheng et al., "HigherHRNet: scale-aware representation learning for bottom-up human pose estimation", CVPR 2020.
`HIGHERHRNET_NAMINGS` loads the checkpoints of HRNet/HigherHRNet-Human-Pose-Estimation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.models.high_resolution import BasicUnit, HighResolutionBackbone
from dyad.models.hrnet import TRUNK_NAMES, check_images
from dyad.models.image_input import normalise_colours
from dyad.models.namings import Naming


class Stages(NamedTuple):
    """What the network says of images (N, 3, H, W).

    heatmaps: (N, J, H/4, W/4) first, then at twice the size for each finer stage. tags: (N, J, H/4, W/4), alike where
    joints are of one person.
    """

    heatmaps: tuple[Tensor, ...]
    tags: Tensor


class HigherHRNet(nn.Module):
    """Features and maps at a quarter of the size; then, stage by stage, both are enlarged into finer heat maps.

    Args:
        backbone: features (N, width, H/4, W/4) of an image.
        finer: for each finer stage the part that makes features (N, width, 2h, 2w) of features and maps together,
            (N, width + maps, h, w), where maps are 2 J after the first stage and J after the others.
        joints: number of heat maps and of tags.
    """

    def __init__(self, *, backbone: HighResolutionBackbone, finer: Sequence[nn.Module], joints: int) -> None:
        super().__init__()
        self.joints = joints
        self.backbone = backbone
        self.finer = nn.ModuleList(finer)
        maps = (2 * joints, *(joints for _ in finer))
        self.heads = nn.ModuleList(nn.Conv2d(backbone.width, count, 1) for count in maps)

    def forward(self, images: Tensor) -> Stages:
        """Maps of images (N, 3, H, W), RGB in 0..1. Raises ValueError unless both sides are multiples of 32 px."""
        check_images(images)
        features = self.backbone(normalise_colours(images))
        maps = self.heads[0](features)
        heatmaps, tags = [maps[:, : self.joints]], maps[:, self.joints :]
        for enlarge, head in zip(self.finer, self.heads[1:], strict=True):
            features = enlarge(torch.cat((features, maps), 1))
            maps = head(features)
            heatmaps.append(maps)
        return Stages(tuple(heatmaps), tags)


def enlarging(inputs: int, width: int, *, units: int = 4) -> nn.Sequential:
    """A transposed convolution to twice the size, and residual units: (N, inputs, h, w) to (N, width, 2h, 2w)."""
    enlarge = nn.Sequential(
        nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
    return nn.Sequential(enlarge, *(BasicUnit(width) for _ in range(units)))


def higherhrnet(
    *, width: int = 32, joints: int = 17, stages: int = 1, modules: Sequence[int] = (1, 4, 3), units: int = 4
) -> HigherHRNet:
    """The network of a width: the published ones have 32 (29 million parameters) and 48 (64 million).

    Args:
        width: channels of the finest branch.
        joints: number of heat maps and of tags.
        stages: how often the maps are made again at twice the size.
        modules: exchange modules of the backbone's stages.
        units: residual units per branch and module of the backbone, and of each finer stage.
    """
    backbone = HighResolutionBackbone(width=width, modules=tuple(modules), units=units)
    inputs = (width + (1 if stage else 2) * joints for stage in range(stages))
    return HigherHRNet(backbone=backbone, finer=[enlarging(n, width, units=units) for n in inputs], joints=joints)


HIGHERHRNET_NAMINGS = (
    Naming(
        "HRNet/HigherHRNet-Human-Pose-Estimation",
        (
            (r"^module\.", ""),
            (rf"^{TRUNK_NAMES}", r"backbone.\1."),
            (r"^final_layers\.", "heads."),
            # There each residual unit is alone in a list of its own.
            (r"^deconv_layers\.(\d+)\.(\d+)\.0\.(conv|bn)", r"finer.\1.\2.\3"),
            (r"^deconv_layers\.", "finer."),
        ),
    ),
)
