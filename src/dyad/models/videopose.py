"""VideoPose3D's temporal model: 2D joints of one person over time to the 3D pose relative to the root.

Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised training", CVPR 2019.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dyad.models.namings import Naming
from dyad.models.temporal import Form, TemporalModel, pad_edges


class VideoPose(nn.Module):
    """2D joints (N, T, J, 2) to 3D poses (N, T - R + 1, J_out, 3), one for each window of R frames.

    Published weights take pixels mapped by x / w * 2 - (1, h / w), joints in the order of `joints.BODY17`, and give m.

    Args:
        joints_in, coordinates: joints per frame and numbers per joint. joints_out: of the 3D pose.
        kernels: frames that each layer sees, odd; their product is the window R (243 as published).
        channels: width. dropout: share of features dropped while training.
        causal: whether a pose is that of its window's last frame instead of the middle one.
        form: "dilated" for sequences, "strided" to train on single windows of R frames: same weights, same numbers.
    """

    def __init__(
        self,
        *,
        joints_in: int = 17,
        coordinates: int = 2,
        joints_out: int = 17,
        kernels: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        causal: bool = False,
        form: Form = "dilated",
    ) -> None:
        super().__init__()
        self.joints_in, self.coordinates, self.joints_out = joints_in, coordinates, joints_out
        self.temporal = TemporalModel(
            joints_in * coordinates,
            joints_out * 3,
            kernels=kernels,
            channels=channels,
            form=form,
            causal=causal,
            dropout=dropout,
        )

    @property
    def receptive_field(self) -> int:
        """R, the frames that one pose is computed from."""
        return self.temporal.receptive_field

    def forward(self, pose: Tensor, *, padded: bool = False) -> Tensor:
        """`padded` repeats the first and the last frame so that every frame gets a pose."""
        if pose.dim() != 4 or pose.shape[2:] != (self.joints_in, self.coordinates):
            raise ValueError(f"expected (N, T, {self.joints_in}, {self.coordinates}), got {tuple(pose.shape)}")
        x = pose.flatten(2).transpose(1, 2)
        x = pad_edges(x, *self.temporal.padding) if padded else x
        return self.temporal(x).transpose(1, 2).unflatten(-1, (self.joints_out, 3))


def block_rules(conv: str, norm: str, blocks: str, *, most: int = 9) -> tuple[tuple[str, str], ...]:
    """Rules for lists of convolutions and norms, two of each a block: names before the number; ours of the blocks."""
    places = [(2 * b + p, f"{blocks}.{b}.{part}") for b in range(most) for p, part in enumerate(("wide", "point"))]
    return (
        *((rf"^{conv}\.{k}\.", f"{place}.conv.") for k, place in places),
        *((rf"^{norm}\.{k}\.", f"{place}.norm.") for k, place in places),
    )


VIDEOPOSE_NAMINGS = (
    Naming(
        "facebookresearch/VideoPose3D",
        rules=(
            (r"^module\.", ""),
            (r"^expand_conv\.", "temporal.expand.conv."),
            (r"^expand_bn\.", "temporal.expand.norm."),
            (r"^shrink\.", "temporal.head."),
            *block_rules("layers_conv", "layers_bn", "temporal.blocks"),
        ),
    ),
)
