"""Motion blur of a rendered image along its flow, and the softness of a lens."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_TILE = 16
_LONGEST = 48.0
"""Blur in px is no longer than this: neighbouring tiles must be enough to know what sweeps over a pixel."""


def motion_blur(
    image: NDArray[np.uint8], flow: NDArray[np.float32], depth: NDArray[np.float32], shutter: float, taps: int = 11
) -> NDArray[np.uint8]:
    """An image (H, W, 3) taken while things move by `shutter` times their flow (H, W, 2) px around their places.

    `depth` (H, W) says what lies before what: a thing that moves smears over what is behind it, not over what is in
    front. Each pixel gathers along the fastest motion nearby (the tiles of McGuire et al. 2012, "A reconstruction
    filter for plausible motion blur").
    """
    fastest = _fastest(flow, np.float32(shutter), _TILE, np.float32(_LONGEST))
    return _gather(image, flow, depth, np.float32(shutter), fastest, _TILE, taps, np.float32(_LONGEST))


def soften(image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """An image (H, W, 3) through a lens that spreads each point by `sigma` px."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return _spread(image, (bell / bell.sum()).astype(np.float32))


@njit(cache=True, nogil=True)
def _fastest(flow, shutter, tile, longest):
    """Longest blur (rows, columns, 2) px within each tile and its eight neighbours."""
    height, width = flow.shape[:2]
    rows, columns = (height + tile - 1) // tile, (width + tile - 1) // tile
    own = np.zeros((rows, columns, 2), np.float32)
    for y in range(height):
        for x in range(width):
            u, v = flow[y, x, 0] * shutter, flow[y, x, 1] * shutter
            best = own[y // tile, x // tile]
            if np.isfinite(u) and np.isfinite(v) and u * u + v * v > best[0] * best[0] + best[1] * best[1]:
                best[0], best[1] = u, v
    out = np.zeros_like(own)
    for j in range(rows):
        for i in range(columns):
            best = out[j, i]
            for dj in range(max(0, j - 1), min(rows, j + 2)):
                for di in range(max(0, i - 1), min(columns, i + 2)):
                    u, v = own[dj, di, 0], own[dj, di, 1]
                    if u * u + v * v > best[0] * best[0] + best[1] * best[1]:
                        best[0], best[1] = u, v
            length = np.sqrt(best[0] * best[0] + best[1] * best[1])
            if length > longest:
                best[0], best[1] = best[0] * longest / length, best[1] * longest / length
    return out


@njit(cache=True, nogil=True)
def _reach(flow, y, x, shutter, longest):
    """Half the length in px that the point at (x, y) moves while the shutter is open."""
    u, v = flow[y, x, 0] * shutter, flow[y, x, 1] * shutter
    length = np.sqrt(u * u + v * v)
    return np.float32(0.5) * min(length, longest) if np.isfinite(length) else np.float32(0)


@njit(cache=True, nogil=True)
def _gather(image, flow, depth, shutter, fastest, tile, taps, longest):
    height, width = image.shape[:2]
    out = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            u, v = fastest[y // tile, x // tile, 0], fastest[y // tile, x // tile, 1]
            if u * u + v * v < np.float32(0.5):
                out[y, x] = image[y, x]
                continue
            here, near = _reach(flow, y, x, shutter, longest), depth[y, x]
            r = g = b = total = np.float32(0)
            for tap in range(taps):
                share = np.float32(tap + 0.5) / taps - np.float32(0.5)
                i = int(np.rint(x + u * share))
                j = int(np.rint(y + v * share))
                if i < 0 or j < 0 or i >= width or j >= height:
                    continue
                away = np.sqrt(u * u + v * v) * abs(share)
                there, far = _reach(flow, j, i, shutter, longest), depth[j, i]
                # What moves over here counts if it lies in front; what lies behind shows where this itself moves away.
                moving = there if far <= near * np.float32(1.02) else here
                weight = np.float32(1) if away <= moving + np.float32(0.5) else np.float32(0)
                r += weight * image[j, i, 0]
                g += weight * image[j, i, 1]
                b += weight * image[j, i, 2]
                total += weight
            # What shows through of the pixel itself fills the taps that told nothing.
            missing = max(np.float32(taps) - total, np.float32(0)) if total > 0 else np.float32(1)
            if here > np.float32(0.5) and total > 0:
                missing = np.float32(0)
            total += missing
            out[y, x, 0] = np.uint8((r + missing * image[y, x, 0]) / total + np.float32(0.5))
            out[y, x, 1] = np.uint8((g + missing * image[y, x, 1]) / total + np.float32(0.5))
            out[y, x, 2] = np.uint8((b + missing * image[y, x, 2]) / total + np.float32(0.5))
    return out


@njit(cache=True, nogil=True)
def _spread(image, bell):
    height, width = image.shape[:2]
    reach = len(bell) // 2
    across = np.empty((height, width, 3), np.float32)
    for y in range(height):
        for x in range(width):
            r = g = b = np.float32(0)
            for k in range(-reach, reach + 1):
                pixel = image[y, min(max(x + k, 0), width - 1)]
                w = bell[k + reach]
                r += w * pixel[0]
                g += w * pixel[1]
                b += w * pixel[2]
            across[y, x, 0], across[y, x, 1], across[y, x, 2] = r, g, b
    out = np.empty_like(image)
    for y in range(height):
        for x in range(width):
            r = g = b = np.float32(0.5)
            for k in range(-reach, reach + 1):
                row = min(max(y + k, 0), height - 1)
                w = bell[k + reach]
                r += w * across[row, x, 0]
                g += w * across[row, x, 1]
                b += w * across[row, x, 2]
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = (
                np.uint8(min(r, 255)),
                np.uint8(min(g, 255)),
                np.uint8(min(b, 255)),
            )
    return out
