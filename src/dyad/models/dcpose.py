"""DCPose: heat maps of one person in a frame, put right by the frame before and the frame after.

Liu et al., "Deep dual consecutive network for human pose estimation", CVPR 2021. `DCPOSE_NAMINGS` loads the checkpoints
of Pose-Group/DCPose.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad.models.deformable import DeformableConv
from dyad.models.hrnet import TRUNK_NAMES, hrnet
from dyad.models.namings import Naming

_BRANCHES = 4
# Channels of one branch for each 64 that enter, as Cai et al. have it.
_SHARE = 26


class Refined(NamedTuple):
    """heatmaps: (N, J, H/4, W/4) of the frame in question. rough: (3, N, J, H/4, W/4), what the frame in question, the
    one before and the one after say each by itself."""

    heatmaps: Tensor
    rough: Tensor


class ConvNorm(nn.Module):
    """Convolution with bias to maps of the same size, and batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class StepsUnit(nn.Module):
    """Residual steps: four branches of one, two, three and four convolutions, each fed by the branch before it.

    Cai et al., "Learning delicate local representations for multi-person pose estimation", ECCV 2020. (N, inputs, h, w)
    to (N, outputs, h, w).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        width = inputs * _SHARE // 64
        self.enter = ConvNorm(inputs, _BRANCHES * width, 1)
        self.steps = nn.ModuleDict({name: ConvNorm(width, width, 3) for row in _ROWS for name in row})
        self.leave = ConvNorm(_BRANCHES * width, outputs, 1)
        self.shortcut = nn.Identity() if inputs == outputs else ConvNorm(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        above: list[Tensor] = []
        ends = []
        for row, y in zip(_ROWS, F.relu(self.enter(x)).chunk(_BRANCHES, 1), strict=True):
            here: list[Tensor] = []
            for column, name in enumerate(row):
                fed = y + above[column] if column < len(above) else y
                y = F.relu(self.steps[name](fed))
                here.append(y)
            ends.append(y)
            above = here
        return F.relu(self.leave(torch.cat(ends, 1)) + self.shortcut(x))


_ROWS = tuple(tuple(f"{row}_{column}" for column in range(1, row + 1)) for row in range(1, _BRANCHES + 1))


class Warp(nn.Module):
    """Features say where to look, for each map apart, and one deformable convolution looks there in the maps.

    Args:
        features, maps: channels of both. dilation: how far apart all convolutions' taps are.
    """

    def __init__(self, features: int, maps: int, *, dilation: int) -> None:
        super().__init__()
        self.offsets = nn.Conv2d(features, 2 * 9 * maps, 3, padding=dilation, dilation=dilation, bias=False)
        self.masks = nn.Conv2d(features, 9 * maps, 3, padding=dilation, dilation=dilation, bias=False)
        self.conv = DeformableConv(maps, maps, 3, dilation=dilation)

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        return self.conv(maps, self.offsets(features), self.masks(features))


class DCPose(nn.Module):
    """Rough heat maps of three frames; how they differ and what they share says how to warp them into better ones.

    Args:
        rough: an image (N, 3, H, W) to heat maps (N, J, h, w).
        difference: (N, 4 J, h, w), for each joint the differences to both neighbours, plain and weighted, to features.
        support: (N, 3 J, h, w), for each joint all three heat maps, the neighbours' weighted, to one (N, J, h, w).
        combine: features of differences and of support together to those that the warps are told by.
        warps: each makes heat maps (N, J, h, w) of what `combine` and `support` give; the result is their mean.
    """

    def __init__(
        self,
        *,
        rough: nn.Module,
        difference: nn.Module,
        support: nn.Module,
        combine: nn.Module,
        warps: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.rough = rough
        self.difference = difference
        self.support = support
        self.combine = combine
        self.warps = nn.ModuleList(warps)

    def forward(self, current: Tensor, before: Tensor, after: Tensor, *, distances: Tensor) -> Refined:
        """Heat maps of the current frame.

        Args:
            current, before, after: (N, 3, H, W), RGB in 0..1, of the same box in three frames; published 288x384 px,
                wide by high. At an end of the video the current frame stands in for its neighbour, at distance 0.
            distances: (N, 2) frames, 0 or more, from `before` to `current` and from `current` to `after`. The nearer
                neighbour weighs more.

        Raises ValueError for shapes that do not fit one another.
        """
        if not current.shape == before.shape == after.shape or tuple(distances.shape) != (len(current), 2):
            shapes = (tuple(x.shape) for x in (current, before, after, distances))
            raise ValueError(f"three images of one shape (N, 3, H, W) and distances (N, 2) are needed, got {[*shapes]}")
        rough = self.rough(torch.cat((current, before, after))).unflatten(0, (3, -1))
        now, past, coming = rough
        past_weight, coming_weight = _weights(distances.to(now.dtype))
        to_past, to_coming = now - past, now - coming
        differences = self.difference(_by_joint(to_past, to_past * past_weight, to_coming, to_coming * coming_weight))
        support = self.support(_by_joint(now, past * past_weight, coming * coming_weight))
        features = self.combine(torch.cat((differences, support), 1))
        warped = [warp(features, support) for warp in self.warps]
        return Refined(torch.stack(warped).mean(0), rough)


def _by_joint(*maps: Tensor) -> Tensor:
    """K maps (N, J, h, w) to (N, J K, h, w): all of the first joint, then all of the second."""
    return torch.stack(maps, 2).flatten(1, 2)


def _weights(distances: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (N, 1, 1, 1) of the neighbour before and the one after, 1 together; a half each where both are here."""
    total = distances.sum(1, keepdim=True)
    share = torch.where(total > 0, distances / total.clamp(min=1e-12), torch.full_like(distances, 0.5))
    return share[:, 1, None, None, None], share[:, 0, None, None, None]


def dcpose(
    *,
    width: int = 48,
    joints: int = 17,
    dilations: Sequence[int] = (3, 6, 9, 12, 15),
    difference: int = 34,
    combined: int = 64,
) -> DCPose:
    """The published network: HRNet of width 48 and five warps, 65 million parameters.

    Args:
        width: of the HRNet that makes the rough heat maps.
        joints: number of heat maps.
        dilations: of each warp.
        difference, combined: channels of the features of differences, and of those that the warps are told by.
    """

    def chain(inputs: int, outputs: int, units: int) -> nn.Sequential:
        return nn.Sequential(*(StepsUnit(outputs if k else inputs, outputs) for k in range(units)))

    return DCPose(
        rough=hrnet(width=width, joints=joints),
        difference=chain(4 * joints, difference, 2),
        support=chain(3 * joints, joints, 1),
        combine=chain(difference + joints, combined, 2),
        warps=[Warp(combined, joints, dilation=d) for d in dilations],
    )


DCPOSE_NAMINGS = (
    Naming(
        "Pose-Group/DCPose",
        (
            (r"^module\.", ""),
            (rf"^rough_pose_estimation_net\.{TRUNK_NAMES}", r"rough.backbone.\1."),
            (r"^rough_pose_estimation_net\.final_layer\.", "rough.head."),
            (r"^diff_temporal_fuse\.layers\.", "difference."),
            (r"^support_temporal_fuse\.layers\.", "support."),
            (r"^offset_mask_combine_conv\.layers\.", "combine."),
            (r"^((?:difference|support|combine)\..*)\.bn\.", r"\1.norm."),
            (r"\.conv_bn_relu1\.", ".enter."),
            (r"\.conv_bn_relu2_(\d_\d)\.", r".steps.\1."),
            (r"\.conv_bn_relu3\.", ".leave."),
            (r"^((?:difference|support|combine)\.\d+)\.downsample\.", r"\1.shortcut."),
            (r"^offsets_list\.(\d+)\.0\.", r"warps.\1.offsets."),
            (r"^masks_list\.(\d+)\.0\.", r"warps.\1.masks."),
            (r"^modulated_deform_conv_list\.(\d+)\.deform_conv\.", r"warps.\1.conv."),
        ),
    ),
)
