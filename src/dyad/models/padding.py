"""Makes images as large as a network wants them, and takes what it says back to their size."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Padding:
    """Repeats the outermost pixels until both sides are multiples of a number.

    Args:
        size: width and height of the images.
        mode: where rows are added: `sintel` above and below alike, `kitti` below only. Columns are added left and
            right alike.
        multiple: what the sides have to be multiples of.
    """

    size: tuple[int, int]
    mode: Literal["sintel", "kitti"] = "sintel"
    multiple: int = 8

    def __post_init__(self) -> None:
        if self.mode not in ("sintel", "kitti"):
            raise ValueError(f"the padding is sintel or kitti, got {self.mode!r}")

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """Pixels added left, right, above, below."""
        across, down = (-side % self.multiple for side in self.size)
        above = down // 2 if self.mode == "sintel" else 0
        return across // 2, across - across // 2, above, down - above

    def pad(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), enlarged."""
        if (images.shape[-1], images.shape[-2]) != self.size:
            raise ValueError(f"this padding is for images of {self.size} px, got {tuple(images.shape)}")
        return F.pad(images, self.amounts, mode="replicate")

    def crop(self, maps: Tensor) -> Tensor:
        """The part (…, H, W) of maps of padded images that belongs to the images."""
        left, _, above, _ = self.amounts
        width, height = self.size
        return maps[..., above : above + height, left : left + width]
