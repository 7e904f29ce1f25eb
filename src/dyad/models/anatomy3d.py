"""Anatomy3D: a pose from the lengths of a person's bones, which stay, and their directions, which change.

Chen et al., "Anatomy-aware 3D human pose estimation with bone-based pose decomposition", TCSVT 2021.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dyad.models.joints import BODY17, positions
from dyad.models.namings import Naming
from dyad.models.temporal import ConvNorm, TemporalBlock, pad_edges
from dyad.models.videopose import block_rules

# Each bone from its outer to its inner joint, in the order of the published networks.
BONES = (
    *(("right_wrist", "right_elbow"), ("right_elbow", "right_shoulder")),
    *(("left_wrist", "left_elbow"), ("left_elbow", "left_shoulder")),
    *(("head_top", "nose"), ("nose", "neck"), ("neck", "spine")),
    *(("neck", "left_shoulder"), ("neck", "right_shoulder"), ("spine", "pelvis")),
    *(("right_ankle", "right_knee"), ("right_knee", "right_hip")),
    *(("left_ankle", "left_knee"), ("left_knee", "left_hip")),
    *(("right_hip", "pelvis"), ("left_hip", "pelvis")),
)
_JOINTS = len(BODY17)
# Windows that go through the direction network at once outside of training: bounds its memory.
_WINDOWS = 64


class BonePose(NamedTuple):
    """What Anatomy3D says of N sequences with M windows each.

    Attributes:
        pose: (N, M, 17, 3). lengths: (N, 16) of `BONES`, in the unit of the pose.
        directions: (N, M, 16, 3) unit vectors. early_directions: the same after the first of the two stages; losses
            of training take them too.
    """

    pose: Tensor
    lengths: Tensor
    directions: Tensor
    early_directions: Tensor


class LengthNetwork(nn.Module):
    """Bone lengths (N, 16) from single frames (N, F, 17, 2): a pose for each, its bones measured, then averaged.

    Args: blocks: residual blocks of two layers. channels, dropout: of each layer.
        temperature: factor on the attention before the softmax over frames.
    """

    def __init__(self, *, blocks: int, channels: int, dropout: float, temperature: float) -> None:
        super().__init__()
        widths = [2 * _JOINTS, *[channels] * (2 * blocks + 1), 3 * _JOINTS]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(2 * blocks + 1))
        self.drop = nn.Dropout(dropout)
        self.attention = nn.Linear(6 * _JOINTS, len(BONES))
        self.temperature = temperature
        self._outer, self._inner = (positions([bone[end] for bone in BONES], BODY17) for end in (0, 1))

    def _layer(self, x: Tensor, index: int) -> Tensor:
        return self.drop(torch.relu(self.norms[index](self.layers[index](x))))

    def poses(self, frames: Tensor) -> Tensor:
        """The pose (N, F, 17, 3) that each frame alone suggests."""
        x = self._layer(frames.reshape(-1, 2 * _JOINTS), 0)
        for first in range(1, len(self.norms), 2):
            x = x + self._layer(self._layer(x, first), first + 1)
        return self.layers[-1](x).view(*frames.shape[:2], _JOINTS, 3)

    def logits(self, poses: Tensor) -> Tensor:
        """How much each frame's pose has to say on each bone, (N, F, 16)."""
        flat = poses.flatten(2)
        return self.attention(torch.cat((flat, flat.abs()), -1))

    def forward(self, frames: Tensor) -> Tensor:
        poses = self.poses(frames)
        weights = torch.softmax(self.logits(poses) * self.temperature, 1)
        lengths = (poses[:, :, self._outer] - poses[:, :, self._inner]).norm(dim=-1)
        return (weights * lengths).sum(1)


class DirectionNetwork(nn.Module):
    """Bone directions of windows (B, 51, R): x and y of the joints and their visibility, channels by kind.

    Two stages of strided temporal blocks. The first sees the features of the joints, once more as the visibility gates
    them; the second starts from the result of the first and sees again, through long skip connections, what the first
    saw at each of its levels.
    """

    def __init__(self, *, kernels: Sequence[int], channels: int, dropout: float) -> None:
        super().__init__()
        first, *rest = kernels
        self.expand = ConvNorm(2 * _JOINTS, channels, first, stride=first, dropout=dropout)
        self.visibility = ConvNorm(_JOINTS, channels, first, stride=first, dropout=dropout)
        early, late = [], []
        for level, kernel in enumerate(rest):
            block = partial(TemporalBlock, channels, kernel, dilation=1, form="strided", dropout=dropout)
            early.append(block(extra=0 if level else channels))
            late.append(block(extra=channels))
        self.early, self.late = nn.ModuleList(early), nn.ModuleList(late)
        self.early_head = nn.Conv1d(channels, 3 * len(BONES), 1)
        self.head = nn.Conv1d(channels, 3 * len(BONES), 1)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The directions (B, 16, 3) after both stages and after the first."""
        xy, score = windows.split((2 * _JOINTS, _JOINTS), 1)
        x = self.expand(xy)
        gated: Tensor | None = x * self.visibility(score)
        skips = []
        for block in self.early:
            skips.append(x)
            x, gated = block(x, gated), None
        early = self._unit(self.early_head(x))
        x = x.expand_as(skips[0])
        for block, skip in zip(self.late, skips, strict=True):
            x = block(x, skip)
        return self._unit(self.head(x)), early

    @staticmethod
    def _unit(raw: Tensor) -> Tensor:
        return F.normalize(raw.view(-1, len(BONES), 3), dim=-1)


class Anatomy3D(nn.Module):
    """Joints (N, T, 17, 3) of `joints.BODY17`, x, y, visibility in 0..1, to the `BonePose` of each window of R frames.

    Published weights take pixels mapped by x / w * 2 - (1, h / w), and give m. Poses are those of the middle frames.

    Args:
        kernels: frames that each layer sees, odd, at least two; their product is the window R.
        channels: width. dropout: share of features dropped while training.
        temperature: how sharply frames are chosen for the bone lengths.
    """

    def __init__(
        self,
        *,
        kernels: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        temperature: float = 10.0,
    ) -> None:
        super().__init__()
        if len(kernels) < 2 or any(k < 1 or k % 2 == 0 for k in kernels):
            raise ValueError(f"kernels must be two or more odd numbers of frames, got {tuple(kernels)}")
        blocks = len(kernels) - 1
        self.length = LengthNetwork(blocks=blocks, channels=channels, dropout=dropout, temperature=temperature)
        self.direction = DirectionNetwork(kernels=kernels, channels=channels, dropout=dropout)
        self.from_length = nn.Linear(len(BONES), channels)
        self.from_direction = nn.Conv1d(3 * len(BONES), channels, 1)
        self.head = nn.Conv1d(channels, 3 * _JOINTS, 1)
        self.receptive_field = prod(kernels)

    def forward(self, pose: Tensor, *, frames: Tensor | None = None, padded: bool = False) -> BonePose:
        """The poses of all windows, T - R + 1 a sequence, or T if `padded` repeats the first and the last frame.

        `frames` (N, F, 17, 2) are those of the person that tell the bone lengths: without them the frames that have a
        pose of their own. While training, give frames from anywhere in the video.
        """
        if pose.dim() != 4 or pose.shape[2:] != (_JOINTS, 3):
            raise ValueError(f"expected (N, T, {_JOINTS}, 3): x, y, visibility; got {tuple(pose.shape)}")
        half = self.receptive_field // 2
        x = torch.cat((pose[..., :2].flatten(2), pose[..., 2]), -1).transpose(1, 2)
        x = pad_edges(x, half, half) if padded else x
        if x.shape[-1] < self.receptive_field:
            raise ValueError(f"expected at least {self.receptive_field} frames, got {x.shape[-1]}: pad them")
        lengths = self.length(
            (pose if padded else pose[:, half : x.shape[-1] - half])[..., :2] if frames is None else frames
        )
        windows = x.unfold(2, self.receptive_field, 1).transpose(1, 2)
        count = windows.shape[1]
        # Batch statistics are of the whole batch, so training takes all windows at once.
        parts = windows.flatten(0, 1).split(windows.shape[0] * count if self.training else _WINDOWS)
        late, early = (torch.cat(d) for d in zip(*map(self.direction, parts), strict=True))
        mixed = self.from_length(lengths)[:, None] * self.from_direction(late.flatten(1)[..., None])[..., 0].unflatten(
            0, (-1, count)
        )
        found = self.head(mixed.transpose(1, 2)).transpose(1, 2).unflatten(-1, (_JOINTS, 3))
        return BonePose(found, lengths, late.unflatten(0, (-1, count)), early.unflatten(0, (-1, count)))


ANATOMY3D_NAMINGS = (
    Naming(
        "sunnychencool/Anatomy3D",
        rules=(
            (r"^module\.", ""),
            (r"^expand_conv\.", "direction.expand.conv."),
            (r"^expand_bn\.", "direction.expand.norm."),
            (r"^expand_convscore\.", "direction.visibility.conv."),
            (r"^expand_bnscore\.", "direction.visibility.norm."),
            *block_rules("layers_conv", "layers_bn", "direction.early"),
            *block_rules("layers_conv1", "layers_bn1", "direction.late"),
            (r"^shrink_direct_1\.", "direction.early_head."),
            (r"^shrink_direct_2\.", "direction.head."),
            (r"^layers_convbone\.", "length.layers."),
            (r"^layers_bnbone\.", "length.norms."),
            (r"^boneatt\.", "length.attention."),
            (r"^lengthlinear\.", "from_length."),
            (r"^directlinear\.", "from_direction."),
            (r"^shrink\.", "head."),
        ),
        # The way from each stage to offsets between joints that one loss of the original's training is about.
        ignored=(r"(module\.)?(shrink_js|lengthlinear|directlinear)_[12]\.(weight|bias)",),
    ),
)
