"""The top-down branch of [TB] behind its 2D estimator, chained: image joints to a 3D pose and a normalised root depth.

`released_scaling` and `ROOT_UNIT` do what the released code does; `torso_scaling` is what it should do.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dyad.models.gcn import JointBoneGCN
from dyad.models.joints import BODY17, MUPOTS17_OF_BODY17, positions
from dyad.models.tcn import JointTCN, RootTCN, root_features

# The Root-TCN as released sees pixels over this number, whatever the camera.
ROOT_UNIT = 915.0
_PELVIS, _NECK = positions(("pelvis", "neck"), BODY17)
_SHORTEST = 1e-3


class LiftedPeople(NamedTuple):
    """Attributes:
    single: (P, T, 17, 3) poses of the graph network, each from its own frame.
    pose: (P, T, 17, 3) poses after the Joint-TCN.
    root: (P, T) depth of the root over the focal length.
    """

    single: Tensor
    pose: Tensor
    root: Tensor


def released_scaling(xy: Tensor) -> Tensor:
    """Poses (…, 17, 2) in px over the signed height of the neck above the pelvis, then centred on the pelvis.

    With y down an upright person comes out turned by half a turn, and one who lies down is blown up without bound.
    """
    height = xy[..., _NECK, 1] - xy[..., _PELVIS, 1]
    scaled = xy / height[..., None, None]
    return scaled - scaled[..., _PELVIS, None, :]


def torso_scaling(xy: Tensor) -> Tensor:
    """Poses (…, 17, 2) in px centred on the pelvis, over the length of the torso: upright stays upright.

    The torso is taken as no shorter than a third of the pose's own spread, so that a foreshortened one does no harm.
    """
    centred = xy - xy[..., _PELVIS, None, :]
    torso = torch.linalg.vector_norm(centred[..., _NECK, :], dim=-1)
    spread = torch.linalg.vector_norm(centred, dim=-1).mean(-1)
    return centred / torch.maximum(torso, spread / 3).clamp(min=_SHORTEST)[..., None, None]


class TopDownLifting(nn.Module):
    """Chains the three networks over whole sequences of several people.

    Args:
        gcn, joint_tcn: for body17; root_tcn: with 2 or 5 numbers per joint.
        scaling: brings pixels (…, 17, 2) to the graph network's unit.
        root_unit: pixels are divided by it for the Root-TCN.
    """

    def __init__(
        self,
        gcn: JointBoneGCN,
        joint_tcn: JointTCN,
        root_tcn: RootTCN,
        *,
        scaling: Callable[[Tensor], Tensor] = torso_scaling,
        root_unit: float = ROOT_UNIT,
    ) -> None:
        super().__init__()
        self.gcn, self.joint_tcn, self.root_tcn = gcn, joint_tcn, root_tcn
        self.scaling, self.root_unit = scaling, root_unit

    def forward(self, xy: Tensor, joint_affinity: Tensor, bone_affinity: Tensor) -> LiftedPeople:
        """Lift people (P, T, 17, 2) in px of body17 with affinities (P, T, 17, 17) and (P, T, B, B)."""
        people, frames = xy.shape[:2]
        flat = (value.flatten(0, 1) for value in (self.scaling(xy), joint_affinity, bone_affinity))
        single = self.gcn(*flat).unflatten(0, (people, frames))
        centred = single - single[..., _PELVIS, None, :]
        pose = self.joint_tcn(centred, padded=True)
        with_pose = self.root_tcn.dimensions > xy.shape[-1]
        features = root_features(xy / self.root_unit, centred if with_pose else None)
        return LiftedPeople(single, pose, self.root_tcn(features, padded=True))


def camera_centric(pose: Tensor, root: Tensor, xy: Tensor, focal: Tensor, centre: Tensor) -> Tensor:
    """Poses (…, 17, 3) in the camera's frame, metres: the root on its own viewing ray at depth Z = root · focal.

    Args:
        pose: (…, 17, 3) in metres; only what lies about the root counts.
        root: (…) Z / f in m per px of the x axis.
        xy: (…, 2) where the root is in the image, px, without lens distortion.
        focal, centre: (2,) px.
    """
    depth = root * focal[0]
    place = torch.cat(((xy - centre) / focal * depth[..., None], depth[..., None]), -1)
    return pose - pose[..., _PELVIS, None, :] + place[..., None, :]


def to_mupots(pose: Tensor) -> Tensor:
    """Poses (…, 17, 3) of body17 in the order of MuPoTS, as the released code has it: the nose is the head."""
    return pose[..., positions(MUPOTS17_OF_BODY17, BODY17), :]


def fit_depths_to_truth_released(depth: Tensor, truth: Tensor) -> Tensor:
    """Depths after the least-squares line onto the TRUE depths, all people and frames of a video together.

    The released evaluation does this before it measures depth. It leaks the truth; here to reproduce its numbers only.
    The slope may be negative. Computed in float64 on the CPU; the shapes are equal and any.
    """
    x, y = depth.cpu().double(), truth.cpu().double()
    dx, dy = x - x.mean(), y - y.mean()
    slope = (dx * dy).sum() / dx.square().sum()
    return slope * dx + y.mean()
