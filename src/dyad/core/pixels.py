"""From decoded frames of any pixel format to upright RGB images."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

THUMBNAIL = (64, 36)


def upright_rgb(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB as a player shows it: turned by the file's rotation, transparency over black."""
    if any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8":
        image = over_black(np.asarray(frame.to_ndarray(format="rgba"), np.uint8))
    else:
        image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def over_black(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (..., 4) with straight alpha laid over black: (..., 3)."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) uint8 at another size, averaged over areas where it shrinks."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return np.asarray(frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray(), np.uint8)


def thumbnail(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    """(36, 64, 3) uint8 RGB, not turned: enough to see a cut, and ten times cheaper than the whole image."""
    width, height = THUMBNAIL
    return np.asarray(frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray(), np.uint8)
