"""The integration network of [TB]: two poses of one person, of the top-down and of the bottom-up branch, become one."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.models.dense import dense
from dyad.models.namings import Naming

# The released network sees depths in metres and gives them in millimetres.
_MILLIMETRES = 1000.0


class Blend(NamedTuple):
    """Attributes:
    pose: (…, 3, J) in the unit of the inputs.
    depth: (…, 1) of the root, mm.
    """

    pose: Tensor
    depth: Tensor


class BlendingNetwork(nn.Module):
    """As released: four dense layers give one share of the two poses and one of the two root depths, per frame.

    The share of the top-down pose lies in 0..1, that of its depth in -2..2; the rest is the bottom-up branch's.

    Args:
        joints: joints of a pose. width: of the three inner layers.
    """

    def __init__(self, *, joints: int = 17, width: int = 512) -> None:
        super().__init__()
        self.joints = joints
        self.layers = dense([6 * joints + 2, width, width, width, 2])

    def forward(self, top_down: Tensor, bottom_up: Tensor, depths: Tensor) -> Blend:
        """Blend poses (…, 3, J), root-relative, and depths (…, 2) in m, the top-down branch's first."""
        pair = (top_down.flatten(-2), bottom_up.flatten(-2), depths)
        share = self.layers(torch.cat(pair, -1))
        of_pose = torch.sigmoid(share[..., :1, None])
        of_depth = 2 * torch.tanh(share[..., 1:])
        pose = of_pose * top_down + (1 - of_pose) * bottom_up
        depth = of_depth * depths[..., :1] + (1 - of_depth) * depths[..., 1:]
        return Blend(pose, depth * _MILLIMETRES)


class IntegrationNetwork(nn.Module):
    """As in the paper: both camera-centric poses and their confidences in, the pose out (equation 7).

    Where one branch saw nobody its pose is NaN and its confidences are 0; it enters as zeros, which the network is
    trained for. The network works about the root of whichever branch is there, in metres, and adds its own correction
    to the confidence-weighted mean, so that an untrained one already gives a sensible pose.

    Args:
        joints: joints of a pose.
        layers: fully connected layers; three in the paper, five of width 512 in its supplement.
        width: of all but the last.
        root: which joint is the root.
    """

    def __init__(self, *, joints: int = 17, layers: int = 3, width: int = 512, root: int = 0) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"at least one layer is needed, got {layers}")
        self.joints, self.root = joints, root
        # Two poses, two confidences per joint, and both roots' offset from where the poses are centred.
        self.layers = dense([2 * 4 * joints + 6, *[width] * (layers - 1), 3 * joints])
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, top_down: Tensor, bottom_up: Tensor, confidence: Tensor) -> Tensor:
        """Fuse camera-centric poses (…, J, 3) in metres.

        Args:
            top_down, bottom_up: NaN joints count as unseen.
            confidence: (…, J, 2) in 0..1, the top-down branch's first.

        Returns the fused pose (…, J, 3); all NaN where neither branch has a joint.
        """
        poses = torch.stack((top_down, bottom_up), -3)
        seen = torch.isfinite(poses).all(-1)
        sure = torch.where(seen, confidence.transpose(-1, -2), torch.zeros_like(poses[..., 0]))
        poses = torch.where(seen[..., None], poses, torch.zeros_like(poses))
        centre = self._centre(poses, seen)
        local = torch.where(seen[..., None], poses - centre[..., None, None, :], torch.zeros_like(poses))
        roots = local[..., self.root, :]
        flat = torch.cat((local.flatten(-3), sure.flatten(-2), roots.flatten(-2)), -1)
        share = (sure + 1e-6 * seen) / (sure + 1e-6 * seen).sum(-2, keepdim=True).clamp(min=1e-9)
        mean = (share[..., None] * local).sum(-3)
        fused = mean + self.layers(flat).unflatten(-1, (self.joints, 3)) + centre[..., None, :]
        nobody = ~seen.flatten(-2).any(-1)
        return torch.where(nobody[..., None, None], torch.full_like(fused, torch.nan), fused)

    def _centre(self, poses: Tensor, seen: Tensor) -> Tensor:
        """Where both poses are taken from: the mean of the roots that were seen, else of all joints that were."""
        rooted = seen[..., self.root, None].to(poses)
        of_roots = (poses[..., self.root, :] * rooted).sum(-2) / rooted.sum(-2).clamp(min=1)
        weight = seen[..., None].to(poses).flatten(-3, -2)
        of_all = (poses.flatten(-3, -2) * weight).sum(-2) / weight.sum(-2).clamp(min=1)
        return torch.where(rooted.sum(-2) > 0, of_roots, of_all)


BLENDING_NAMINGS = (
    Naming(
        "3dpose/3D-Multi-Person-Pose",
        rules=tuple((rf"^fc{k}\.fc\.", f"layers.{2 * (k - 1)}.") for k in range(1, 5)),
    ),
)
