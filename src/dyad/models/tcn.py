"""Joint-TCN and Root-TCN of [TB]: the pose over time, and how far away the root is over the focal length."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dyad.models.namings import Naming
from dyad.models.temporal import Form, NormSettings, TemporalModel, pad_edges

# The numbers of the library in which the published networks were written.
TORCHSUL_NORM = NormSettings(eps=2e-5, momentum=0.01)


class _Sequences(nn.Module):
    """Features of joints over time through a temporal model: (N, T, J, D) to (N, T', outputs)."""

    def __init__(
        self,
        joints: int,
        dimensions: int,
        outputs: int,
        *,
        kernels: Sequence[int],
        channels: int,
        dropout: float,
        form: Form,
    ) -> None:
        super().__init__()
        self.joints, self.dimensions = joints, dimensions
        self.temporal = TemporalModel(
            joints * dimensions,
            outputs,
            kernels=kernels,
            channels=channels,
            form=form,
            dropout=dropout,
            norm=TORCHSUL_NORM,
            activation=nn.PReLU,
        )

    @property
    def receptive_field(self) -> int:
        """Frames that one result sees."""
        return self.temporal.receptive_field

    def _run(self, features: Tensor, padded: bool) -> Tensor:
        if features.dim() != 4 or features.shape[2:] != (self.joints, self.dimensions):
            raise ValueError(f"expected (N, T, {self.joints}, {self.dimensions}), got {tuple(features.shape)}")
        x = features.flatten(2).transpose(1, 2)
        x = pad_edges(x, *self.temporal.padding) if padded else x
        return self.temporal(x).transpose(1, 2)


class JointTCN(_Sequences):
    """Root-relative 3D poses (N, T, J, 3) to smoother, corrected ones (N, T', J, 3).

    Args:
        joints: joints of a pose.
        kernels: frames that each layer sees; their product is the window (243 as published).
        channels: width.
        dropout: share dropped while training.
        form: "dilated" for whole sequences, "strided" to train on single windows; same weights.
    """

    def __init__(
        self,
        *,
        joints: int = 17,
        kernels: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.0,
        form: Form = "dilated",
    ) -> None:
        super().__init__(joints, 3, 3 * joints, kernels=kernels, channels=channels, dropout=dropout, form=form)

    def forward(self, poses: Tensor, *, padded: bool = False) -> Tensor:
        """`padded` repeats the first and last pose so that every frame has a result, T' = T."""
        return self._run(poses, padded).unflatten(-1, (self.joints, 3))


class RootTCN(_Sequences):
    """Joints over time to the root's depth over the focal length (N, T'), Z / f, which needs no known camera.

    Args:
        dimensions: per joint; 2 for image coordinates alone, as released, 5 for these and the pose of the graph
            network, as the paper has it. See `root_features`.
        joints, kernels, channels, dropout, form: as for `JointTCN`.
    """

    def __init__(
        self,
        *,
        dimensions: int = 2,
        joints: int = 17,
        kernels: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.0,
        form: Form = "dilated",
    ) -> None:
        super().__init__(joints, dimensions, 1, kernels=kernels, channels=channels, dropout=dropout, form=form)

    def forward(self, features: Tensor, *, padded: bool = False) -> Tensor:
        """Z / f of each window; times the focal length in px it is the depth in the unit of training per px."""
        return self._run(features, padded)[..., 0]


def root_features(xy: Tensor, pose: Tensor | None = None) -> Tensor:
    """What a Root-TCN sees: scaled image coordinates (…, J, 2), then the 3D pose (…, J, 3) where there is one."""
    return xy if pose is None else torch.cat((xy, pose), -1)


TCN_NAMINGS = (
    Naming(
        "3dpose/3D-Multi-Person-Pose",
        rules=(
            (r"^c1\.", "temporal.expand."),
            (r"^c4\.conv\.", "temporal.head."),
            *((rf"^r{k}\.c1\.", f"temporal.blocks.{k - 1}.wide.") for k in range(1, 10)),
            *((rf"^r{k}\.c2\.", f"temporal.blocks.{k - 1}.point.") for k in range(1, 10)),
            (r"\.bn\.", ".norm."),
        ),
    ),
)
