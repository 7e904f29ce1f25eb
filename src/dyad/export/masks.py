"""Images of numbers, such as whose pixel each is, as lossless greyscale PNG.

The format: https://www.w3.org/TR/png-3/. 8 bits a pixel where the numbers fit, else 16.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.files import whole_file

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY = 0


def png_of(image: NDArray[np.integer]) -> bytes:
    """The PNG of whole numbers (H, W) from 0 to 65535; uint16 always takes 16 bits. Raises BadInput for others."""
    if image.ndim != 2 or 0 in image.shape or image.dtype.kind not in "iu":
        raise BadInput(f"an image of numbers is (H, W) of integers, got {image.shape} {image.dtype}")
    low, high = int(image.min()), int(image.max())
    if low < 0 or high > 65535:
        raise BadInput(f"a PNG holds numbers from 0 to 65535, got {low} to {high}")
    deep = high > 255 or image.dtype == np.uint16
    height, width = image.shape
    rows = np.ascontiguousarray(image, ">u2" if deep else np.uint8).reshape(height, width).view(np.uint8)
    # Every row begins with its filter: 0, none, packs large areas of one number well.
    plain = np.pad(rows, ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, _GREY, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(plain.tobytes(), 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write_mask(path: str | Path, image: NDArray[np.integer]) -> None:
    """Write numbers (H, W) as `png_of`; the file appears whole or not at all."""
    with whole_file(path) as partial:
        partial.write_bytes(png_of(image))
