"""From decoded frames of any pixel format to upright RGB images."""

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av
    from av.video.reformatter import VideoReformatter

THUMBNAIL = (64, 36)
_KINDS = 8


def converted(frame: "av.VideoFrame", **wanted: Any) -> "av.VideoFrame":
    """What `frame.reformat(**wanted)` gives, many times sooner where frames of one kind follow one another.

    libswscale takes some 5 ms to prepare a conversion, several times what it takes to carry it out; av prepares anew
    for every frame.
    """
    kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
    return _reformatter(threading.get_ident(), kind, tuple(sorted(wanted.items()))).reformat(frame, **wanted)


@lru_cache(maxsize=_KINDS)
def _reformatter(thread: int, kind: tuple, wanted: tuple) -> "VideoReformatter":
    """One for each kind of conversion, and for each thread, since none may be shared."""
    from av.video.reformatter import VideoReformatter

    return VideoReformatter()


def upright_rgb(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB as a player shows it: turned by the file's rotation, transparency over black."""
    if any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8":
        image = over_black(np.asarray(converted(frame, format="rgba").to_ndarray(), np.uint8))
    else:
        image = np.asarray(converted(frame, format="rgb24").to_ndarray(), np.uint8)
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
    small = converted(frame, width=width, height=height, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.uint8)


def thumbnail(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    """(36, 64, 3) uint8 RGB, not turned: enough to see a cut, and ten times cheaper than the whole image."""
    width, height = THUMBNAIL
    small = converted(frame, width=width, height=height, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.uint8)
