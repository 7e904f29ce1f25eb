"""The directed graph network of [TB]: completes a 2D pose and lifts it, over joints and over bones at once.

A joint gathers from others by how surely these were seen and how near they are (equation 12), so certain joints speak
to uncertain ones and not the reverse. A second graph does the same over bones, which are differences of joints.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dyad.models.joints import BODY17, positions
from dyad.models.namings import Naming

BONES = (
    *(("neck", "nose"), ("nose", "head_top")),
    *(("neck", "right_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist")),
    *(("neck", "left_shoulder"), ("left_elbow", "left_wrist"), ("left_shoulder", "left_elbow")),
    *(("neck", "spine"), ("spine", "pelvis")),
    *(("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("pelvis", "left_hip")),
    *(("pelvis", "right_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle")),
)


def joint_hops(joints: Sequence[str] = BODY17, bones: Sequence[Sequence[str]] = BONES) -> Tensor:
    """Fewest bones (J, J) to walk from one joint to another; infinite where no bones lead there."""
    return _hops(len(joints), [tuple(positions(bone, joints)) for bone in bones])


def bone_hops(bones: Sequence[Sequence[str]] = BONES) -> Tensor:
    """Fewest joints (B, B) to pass from one bone to another; bones that meet are one apart."""
    meeting = [(i, k) for i, one in enumerate(bones) for k, other in enumerate(bones[:i]) if set(one) & set(other)]
    return _hops(len(bones), meeting)


def _hops(count: int, links: Sequence[tuple[int, ...]]) -> Tensor:
    hops = torch.full((count, count), math.inf)
    hops.fill_diagonal_(0)
    for a, b in links:
        hops[a, b] = hops[b, a] = 1
    for middle in range(count):
        hops = torch.minimum(hops, hops[:, middle, None] + hops[middle])
    return hops


def directed_affinity(confidence: Tensor, hops: Tensor, *, normalised: bool = True) -> Tensor:
    """Equation 12 as the network reads it: entry (…, j, k) is what joint j takes from joint k.

    The paper's A_{k,j} = confidence_k · exp(-hops(k, j)), so this is its transpose. `normalised` makes each row sum to
    one, as the released data have it; rows of joints that nobody reaches stay zero.

    Args:
        confidence: (…, J) in 0..1.
        hops: (J, J), see `joint_hops` and `bone_hops`.
    """
    affinity = confidence[..., None, :] * torch.exp(-hops.to(confidence)).transpose(-1, -2)
    if not normalised:
        return affinity
    return affinity / affinity.sum(-1, keepdim=True).clamp(min=torch.finfo(affinity.dtype).tiny)


def bone_confidence(
    confidence: Tensor, joints: Sequence[str] = BODY17, bones: Sequence[Sequence[str]] = BONES
) -> Tensor:
    """A bone (…, B) is as sure as the less sure of its two joints (…, J)."""
    ends = torch.tensor([positions(bone, joints) for bone in bones], device=confidence.device)
    return confidence[..., ends].amin(-1)


class PerNode(nn.Module):
    """A linear map of its own for every node: (N, nodes, inputs) to (N, nodes, outputs)."""

    def __init__(self, nodes: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(nodes, inputs, outputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(nodes, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nji,jio->njo", x, self.weight) + self.bias


class GraphLayer(nn.Module):
    """Gather by an affinity (none: each node keeps to itself), then twice a map of each node's own and ReLU."""

    def __init__(self, nodes: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = PerNode(nodes, inputs, outputs), PerNode(nodes, outputs, outputs)

    def forward(self, x: Tensor, affinity: Tensor | None = None) -> Tensor:
        gathered = x if affinity is None else affinity @ x
        return self.second(self.first(gathered).relu()).relu()


class JointBoneGCN(nn.Module):
    """A 2D pose to a 3D pose, one frame at a time.

    Args:
        joints: names of the joints in the order of the arrays.
        bones: pairs of joints; the bone's feature is the second's minus the first's.
        width: features per node.
    """

    incidence: Tensor
    incidence_inverse: Tensor

    def __init__(
        self,
        *,
        joints: Sequence[str] = BODY17,
        bones: Sequence[Sequence[str]] = BONES,
        width: int = 256,
    ) -> None:
        super().__init__()
        j, b = len(joints), len(bones)
        incidence = torch.zeros(b, j, device="cpu")  # real numbers even where the network is only sketched on "meta"
        for row, bone in enumerate(bones):
            first, second = positions(bone, joints)
            incidence[row, first], incidence[row, second] = -1.0, 1.0
        self.register_buffer("incidence", incidence, persistent=False)
        inverse = torch.linalg.pinv(incidence.double()).to(incidence.dtype)
        self.register_buffer("incidence_inverse", inverse, persistent=False)
        self.enter = GraphLayer(j, 2, width)
        self.joint1, self.joint2 = GraphLayer(j, width, width), GraphLayer(j, 2 * width, width)
        self.bone1, self.bone2 = GraphLayer(b, width, width), GraphLayer(b, 2 * width, width)
        self.merge = GraphLayer(j, 6 * width, width)
        self.leave = nn.Sequential(PerNode(j, width, 3), PerNode(j, 3, 3))

    def forward(self, pose: Tensor, joint_affinity: Tensor, bone_affinity: Tensor) -> Tensor:
        """3D poses (N, J, 3) in the unit of training, from 2D poses.

        Args:
            pose: (N, J, 2), centred on the root and scaled; see `dyad.models.topdown`.
            joint_affinity: (N, J, J) of `directed_affinity`; row j gathers.
            bone_affinity: (N, B, B) likewise.
        """
        entered = self.enter(pose)
        on_joints = self._dense(entered, joint_affinity, self.joint1, self.joint2)
        on_bones = self._dense(self.incidence @ entered, bone_affinity, self.bone1, self.bone2)
        merged = self.merge(torch.cat((on_joints, self.incidence_inverse @ on_bones), -1))
        return self.leave(merged)

    @staticmethod
    def _dense(x: Tensor, affinity: Tensor, *layers: nn.Module) -> Tensor:
        """Each layer sees all that came before it."""
        for layer in layers:
            x = torch.cat((x, layer(x, affinity)), -1)
        return x


GCN_NAMINGS = (
    Naming(
        "3dpose/3D-Multi-Person-Pose",
        rules=(
            (r"^c1\.", "enter."),
            (r"^c([23])\.", r"joint\1."),
            (r"^b([23])\.", r"bone\1."),
            (r"^(joint|bone)2\.", r"\g<1>1."),
            (r"^(joint|bone)3\.", r"\g<1>2."),
            (r"^c8\.", "merge."),
            (r"^c9\.(weight|bias)$", r"leave.0.\1"),
            (r"^c9\.(weight|bias)2$", r"leave.1.\1"),
            (r"^(enter|joint\d|bone\d|merge)\.(weight|bias)$", r"\1.first.\2"),
            (r"^(enter|joint\d|bone\d|merge)\.(weight|bias)2$", r"\1.second.\2"),
        ),
    ),
)
