"""Tracked 2D joints to metric 3D over time: graph layers of equation 12 of [TB], then Joint-TCN and Root-TCN in one.

As in [TB], a directed graph network completes and lifts each frame, a temporal network corrects the poses (equation
13), and another, fed with the graph network's 3D and the 2D joints, finds how far away the root is (equation 14). Here
they are one network trained as one; the temporal part is shared. It sees joints through a virtual camera that looks at
the person (`dyad.models.sight`), so that no focal length, place in the image or distance is special to it.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from dyad.models.gcn import joint_hops
from dyad.models.joints import BODY17, positions
from dyad.models.sight import CONFIDENCE, FRAME_FEATURES, JOINT_FEATURES

_PELVIS = positions(("pelvis",), BODY17)[0]
_LIMITS = (-7.0, 1.0)


class Lifted(NamedTuple):
    """What the network says about N sequences of T frames, in the axes of each frame's virtual camera.

    Attributes:
        single: (N, T, 17, 3) poses about the pelvis from each frame alone, in statures.
        pose: (N, T, 17, 3) the same with all frames in view.
        root: (N, T, 3): x and y of the pelvis on the image plane in units of the sight's scale, and the logarithm of
            its depth in statures times that scale.
        pose_spread: (N, T, 17, 2) logarithms of the mean absolute error across and along the view, in statures.
        root_spread: (N, T) that of the root's log depth.
        up: (N, T, 3) unit vectors against gravity.
        stature: (N, T, 2) logarithm of the stature over 1.7 m, and that of its mean absolute error.
    """

    single: Tensor
    pose: Tensor
    root: Tensor
    pose_spread: Tensor
    root_spread: Tensor
    up: Tensor
    stature: Tensor


class NodeMaps(nn.Module):
    """A linear map of its own for every joint: (J, M, inputs) to (J, M, outputs)."""

    def __init__(self, joints: int, inputs: int, outputs: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(gain * torch.randn(joints, inputs, outputs) / inputs**0.5)
        self.bias = nn.Parameter(torch.zeros(joints, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.bmm(x, self.weight) + self.bias.to(x.dtype)


class GraphBlock(nn.Module):
    """Joints take from one another: by equation 12, and by what was learnt; then each has maps of its own.

    The joints come first, so that all of it is a few large products of matrices. Equation 12's affinity of joint j to k
    is confidence_k · exp(-hops(j, k)), each row over its sum: one constant matrix between two scalings.
    """

    def __init__(self, joints: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.learnt = nn.Parameter(torch.zeros(joints, joints))
        self.first, self.second = NodeMaps(joints, 3 * inputs, outputs), NodeMaps(joints, outputs, outputs)

    def forward(self, x: Tensor, confidence: Tensor, near: Tensor) -> Tensor:
        """`x` (J, M, inputs), `confidence` (J, M, 1) above 0, `near` (J, J)."""
        told = (near @ (confidence * x).flatten(1)).view(x.shape) / (near @ confidence[..., 0])[..., None]
        learnt = (self.learnt @ x.flatten(1)).view(x.shape)
        return self.second(functional.relu(self.first(torch.cat((x, told.to(x.dtype), learnt.to(x.dtype)), -1))))


class TemporalLayer(nn.Module):
    """Three frames `dilation` apart seen at once, through a hidden layer; added to what was there."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.wide, self.point = nn.Linear(3 * width, width), nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        nn.init.zeros_(self.point.bias)
        nn.init.normal_(self.point.weight, std=0.2 / width**0.5)

    def forward(self, x: Tensor) -> Tensor:
        step = self.dilation
        padded = functional.pad(self.norm(x), (0, 0, step, step))
        seen = torch.cat((padded[:, : -2 * step], padded[:, step:-step], padded[:, 2 * step :]), -1)
        return x + self.point(self.drop(functional.relu(self.wide(seen))))


class LiftingNetwork(nn.Module):
    """Sights of tracked people to poses in statures, root depth, and how sure all that is.

    Args:
        graph: features of a joint in the graph layers. width: features of a frame over time.
        dilations: of the temporal layers, in frames (at 30 a second); the network sees their sum to either side.
        dropout: share dropped while training.
    """

    near: Tensor

    def __init__(
        self,
        *,
        graph: int = 32,
        width: int = 448,
        dilations: tuple[int, ...] = (1, 3, 9, 27),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        joints = len(BODY17)
        self.register_buffer("near", torch.exp(-joint_hops()), persistent=False)
        self.enter = GraphBlock(joints, JOINT_FEATURES, graph)
        self.graph = nn.ModuleList(GraphBlock(joints, graph, graph) for _ in range(2))
        # A network that begins with small answers begins near the mean pose.
        self.leave = NodeMaps(joints, graph, 3, gain=0.1)
        self.expand = nn.Linear(joints * (graph + 3 + JOINT_FEATURES) + FRAME_FEATURES, width)
        self.layers = nn.ModuleList(TemporalLayer(width, dilation, dropout) for dilation in dilations)
        self.norm = nn.LayerNorm(width)
        self.pose_head = nn.Linear(width, joints * 5)
        self.root_head = nn.Linear(width, 4)
        self.body_head = nn.Linear(width, 5)
        self.reach = sum(dilations)
        with torch.no_grad():
            for head in (self.pose_head, self.root_head, self.body_head):
                head.weight *= 0.1

    def forward(self, joints: Tensor, frames: Tensor) -> Lifted:
        """Lift `Sight.joints` (N, T, 17, JOINT_FEATURES) and `Sight.frames` (N, T, FRAME_FEATURES)."""
        n, t, j, _ = joints.shape
        first = joints.permute(2, 0, 1, 3).flatten(1, 2)
        confidence = first[..., CONFIDENCE, None].clamp(min=0.02)
        x = self.enter(first, confidence, self.near)
        for block in self.graph:
            x = x + block(x, confidence, self.near)
        single = self.leave(x)
        single = single - single[_PELVIS]
        seen = torch.cat((x, single, first.to(x.dtype)), -1).transpose(0, 1).flatten(1).unflatten(0, (n, t))
        h = self.expand(torch.cat((seen, frames.to(seen.dtype)), -1))
        for layer in self.layers:
            h = layer(h)
        h = self.norm(h)
        pose, root, body = (head(h).float() for head in (self.pose_head, self.root_head, self.body_head))
        single = single.float().transpose(0, 1).unflatten(0, (n, t))
        moved, spread = pose.unflatten(-1, (j, 5)).split((3, 2), -1)
        full = single + moved
        up = functional.normalize(body[..., :3] + body.new_tensor((0.0, -1.0, 0.0)), dim=-1)
        return Lifted(
            single,
            full - full[:, :, _PELVIS, None],
            root[..., :3],
            (spread - 3.0).clamp(*_LIMITS),
            (root[..., 3] - 3.0).clamp(*_LIMITS),
            up,
            torch.stack((body[..., 3], (body[..., 4] - 2.5).clamp(*_LIMITS)), -1),
        )
