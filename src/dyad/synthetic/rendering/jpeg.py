"""What JPEG does to an image, without the file: blocks of 8 by 8, frequencies rounded, colours at half size."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

# The tables that annex K of the JPEG standard (ITU-T T.81) gives as examples, and nearly every encoder uses.
_LIGHT = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COLOUR = np.full((8, 8), 99)
_COLOUR[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

_WAVES = np.sqrt(0.25) * np.cos(np.pi * np.arange(8)[:, None] * (2 * np.arange(8) + 1) / 16)
_WAVES[0] = np.sqrt(0.125)
_WAVES = _WAVES.astype(np.float32)


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) as it comes back from a JPEG file of `quality` 1 to 100."""
    height, width = image.shape[:2]
    light, blue, red = _split(image, -(-height // 16) * 16, -(-width // 16) * 16)
    for plane, table in ((light, _LIGHT), (blue, _COLOUR), (red, _COLOUR)):
        _round_blocks(plane, _scaled(table, quality), _WAVES)
    return _joined(light, blue, red, height, width)


def _scaled(table: NDArray, quality: int) -> NDArray[np.float32]:
    """A table of steps for a quality, by the rule of the Independent JPEG Group."""
    share = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((table * share + 50) / 100), 1, 255).astype(np.float32)


@njit(cache=True, nogil=True)
def _split(image, high, wide):
    """Brightness (high, wide) and two colours at half size, around 0; the border is repeated to fill the blocks."""
    height, width = image.shape[:2]
    light = np.empty((high, wide), np.float32)
    blue = np.zeros((high // 2, wide // 2), np.float32)
    red = np.zeros((high // 2, wide // 2), np.float32)
    quarter = np.float32(0.25)
    for y in range(high):
        row = min(y, height - 1)
        for x in range(wide):
            pixel = image[row, min(x, width - 1)]
            r, g, b = np.float32(pixel[0]), np.float32(pixel[1]), np.float32(pixel[2])
            bright = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
            light[y, x] = bright - np.float32(128)
            blue[y // 2, x // 2] += quarter * (b - bright) * np.float32(0.5 / 0.886)
            red[y // 2, x // 2] += quarter * (r - bright) * np.float32(0.5 / 0.701)
    return light, blue, red


@njit(cache=True, nogil=True)
def _round_blocks(plane, steps, waves):
    """Round each block's frequencies to multiples of `steps`, in place."""
    rows = np.empty((8, 8), np.float32)
    block = np.empty((8, 8), np.float32)
    for top in range(0, plane.shape[0], 8):
        for left in range(0, plane.shape[1], 8):
            for y in range(8):
                for k in range(8):
                    total = np.float32(0)
                    for x in range(8):
                        total += plane[top + y, left + x] * waves[k, x]
                    rows[y, k] = total
            for k in range(8):
                for j in range(8):
                    total = np.float32(0)
                    for y in range(8):
                        total += waves[j, y] * rows[y, k]
                    block[j, k] = np.rint(total / steps[j, k]) * steps[j, k]
            for j in range(8):
                for x in range(8):
                    total = np.float32(0)
                    for k in range(8):
                        total += block[j, k] * waves[k, x]
                    rows[j, x] = total
            for y in range(8):
                for x in range(8):
                    total = np.float32(0)
                    for j in range(8):
                        total += waves[j, y] * rows[j, x]
                    plane[top + y, left + x] = total


@njit(cache=True, nogil=True)
def _joined(light, blue, red, height, width):
    image = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            bright = light[y, x] + np.float32(128)
            b = bright + blue[y // 2, x // 2] * np.float32(1.772)
            r = bright + red[y // 2, x // 2] * np.float32(1.402)
            g = (bright - np.float32(0.299) * r - np.float32(0.114) * b) / np.float32(0.587)
            image[y, x, 0] = np.uint8(min(max(np.rint(r), np.float32(0)), np.float32(255)))
            image[y, x, 1] = np.uint8(min(max(np.rint(g), np.float32(0)), np.float32(255)))
            image[y, x, 2] = np.uint8(min(max(np.rint(b), np.float32(0)), np.float32(255)))
    return image
