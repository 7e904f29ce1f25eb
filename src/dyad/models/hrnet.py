"""HRNet: heat maps of one person's joints, from features that never leave a quarter of the image's size.

Sun et al., "Deep high-resolution representation learning for human pose estimation", CVPR 2019. `HRNET_NAMINGS` loads
the checkpoints of leoxiaobin/deep-high-resolution-net.pytorch.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from dyad.models.high_resolution import HighResolutionBackbone
from dyad.models.image_input import normalise_colours
from dyad.models.namings import Naming

TRUNK_NAMES = r"(conv[12]|bn[12]|layer1|transition\d|stage\d)\."
"""What the originals call the parts of `HighResolutionBackbone`."""


class HRNet(nn.Module):
    """Features of the image, and one 1x1 convolution that turns them into heat maps.

    Args:
        backbone: features (N, width, H/4, W/4) of an image.
        joints: number of heat maps.
    """

    def __init__(self, *, backbone: HighResolutionBackbone, joints: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Conv2d(backbone.width, joints, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Heat maps (N, J, H/4, W/4) of images (N, 3, H, W), RGB in 0..1, sides multiples of 32 px.

        The published sizes are 192x256 and 288x384 px, wide by high, of one person's box. Raises ValueError for others
        than multiples of 32.
        """
        check_images(images)
        return self.head(self.backbone(normalise_colours(images)))


def check_images(images: Tensor, multiple: int = 32) -> None:
    """Raises ValueError unless these are images (N, 3, H, W) whose sides are multiples of a number of pixels."""
    if images.dim() != 4 or images.shape[1] != 3 or images.shape[-1] % multiple or images.shape[-2] % multiple:
        raise ValueError(
            f"expected images (N, 3, H, W) with sides that are multiples of {multiple} px, got {tuple(images.shape)}"
        )


def hrnet(*, width: int = 32, joints: int = 17, modules: Sequence[int] = (1, 4, 3), units: int = 4) -> HRNet:
    """The network of a width: the published ones have 32 (29 million parameters) and 48 (64 million).

    Args:
        width: channels of the finest branch; 16 makes our small one (7 million parameters).
        joints: number of heat maps.
        modules: exchange modules of the stages with two, three and four branches.
        units: residual units per branch and module.
    """
    return HRNet(backbone=HighResolutionBackbone(width=width, modules=tuple(modules), units=units), joints=joints)


HRNET_NAMINGS = (
    Naming(
        "leoxiaobin/deep-high-resolution-net.pytorch",
        ((r"^module\.", ""), (rf"^{TRUNK_NAMES}", r"backbone.\1."), (r"^final_layer\.", "head.")),
    ),
)
