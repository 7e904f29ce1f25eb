"""From decoded frames of any pixel format to upright RGB images, and the limits on their size."""

import av
import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput

# 8K is 33 million pixels and the largest cameras make 100; a header that claims more is damaged or hostile.
MAX_SIDE = 16384
MAX_PIXELS = 140_000_000

THUMBNAIL = (64, 36)


def check_size(width: int, height: int, name: str) -> None:
    """Refuse sizes that no camera makes, before memory is taken for them: BadInput."""
    if width < 1 or height < 1:
        raise BadInput(f"{name} has images of {width}x{height} px; at least 1x1 is needed")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise BadInput(
            f"{name} has images of {width}x{height} px; at most {MAX_SIDE} px a side and "
            f"{MAX_PIXELS // 1_000_000} million pixels are read: scale it down first"
        )


def upright_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
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
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return np.asarray(frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray(), np.uint8)


def thumbnail(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """(36, 64, 3) uint8 RGB, not turned: enough to see a cut, and ten times cheaper than the whole image."""
    width, height = THUMBNAIL
    return np.asarray(frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray(), np.uint8)
