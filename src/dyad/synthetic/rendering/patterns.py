"""Patterns that hold still on a surface and do not flicker: each is averaged over the pixel's footprint.

Coordinates are metres on the thing; a width is how far one pixel reaches along that coordinate. Periodic patterns are
averaged exactly by their integral; noise drops every octave that the pixel grid cannot carry. Colours are linear RGB.

A `row` of numbers describes a fabric or a material from slot `k` on: two colours, pattern, scale, seed, amount.
"""

import math

import numpy as np
from numba import njit

from dyad.synthetic.rendering.noise import fractal, value_noise

PATTERNS = (
    *("plain", "stripes", "pinstripes", "checks", "noise", "print", "dots"),
    *("tiles", "grass", "asphalt", "bricks", "wood", "plaster", "carpet", "picture"),
)
PLAIN, STRIPES, PINSTRIPES, CHECKS, NOISE, PRINT, DOTS = range(7)
TILES, GRASS, ASPHALT, BRICKS, WOOD, PLASTER, CARPET, PICTURE = range(7, 15)

COLOUR, OTHER, PATTERN, SCALE, SEED, AMOUNT, GLOSS = 0, 3, 6, 7, 8, 9, 10
FABRIC = 12


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _hash(x, y, z, seed):
    h = (x * 374761393 + y * 668265263 + z * 2147483647 + seed * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 2246822519) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFF) * (1.0 / 65535.0)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def smooth(low, high, x):
    """0 below `low`, 1 above `high`, a cubic between."""
    # The reciprocal of what is known when this is compiled costs nothing.
    t = (x - low) * (1.0 / (high - low))
    t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def inside(distance, width):
    """Share of a pixel of that width that lies inside an edge, `distance` m away (positive inside)."""
    t = distance * (1.0 / (width + 1e-6)) + 0.5
    return 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def kept(wavelength, width):
    """How much of a wave a pixel grid of that width carries: all of a long one, nothing of a short one."""
    t = 1.625 - width * (2.5 / wavelength)
    return 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def pulse(u, duty, width):
    """A wave of period 1 that is 1 for a `duty` share of it and 0 for the rest, averaged over `width`."""
    if width < 1e-4:
        width = 1e-4
    a, b = u - 0.5 * width, u + 0.5 * width
    fa, fb = math.floor(a), math.floor(b)
    return (fb * duty + min(b - fb, duty) - fa * duty - min(a - fa, duty)) / width


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def wave(u, duty, width):
    """As `pulse`, fading to its mean as pixels of that width come to half a period: a mean over the width alone still
    lets through a part of what the pixel grid then shows as rings."""
    k = (0.7 - width) * 3.0
    if k <= 0.0:
        return duty
    t = pulse(u, duty, 1.4 * width)
    return t if k >= 1.0 else duty + k * (t - duty)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _mixed(row, k, t):
    s = 1.0 - t
    return (
        s * row[k + COLOUR] + t * row[k + OTHER],
        s * row[k + COLOUR + 1] + t * row[k + OTHER + 1],
        s * row[k + COLOUR + 2] + t * row[k + OTHER + 2],
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def winds(row, k):
    """Whether the fabric's pattern asks how far around the body a point is."""
    pattern = int(row[k + PATTERN])
    return pattern in (PINSTRIPES, CHECKS, DOTS)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def cloth(row, k, x, y, z, u, v, chest, du, dv, width):
    """Colour of a fabric. `x, y, z` on the body, `u` around and `v` along it, `chest` 1 where a print may lie."""
    pattern, scale, seed = int(row[k + PATTERN]), row[k + SCALE], int(row[k + SEED])
    t, one = 0.0, 1.0 / scale
    if pattern == STRIPES:
        t = wave(v * one, row[k + AMOUNT], dv * one)
    elif pattern == PINSTRIPES:
        t = wave(u * one, row[k + AMOUNT], du * one)
    elif pattern == CHECKS:
        t = 0.5 * (wave(u * one, 0.45, du * one) + wave(v * one, 0.45, dv * one))
        fine = wave(u * one + 0.3, 0.06, du * one) + wave(v * one + 0.3, 0.06, dv * one)
        t = min(1.0, t + 0.5 * row[k + AMOUNT] * fine)
    elif pattern == NOISE:
        value = fractal(x, y, z, seed, scale, 3, width)
        t = smooth(-0.12 - 0.5 * width * one, 0.12 + 0.5 * width * one, value)
    elif pattern == DOTS:
        a = u * one - math.floor(u * one) - 0.5
        b = v * one - math.floor(v * one) - 0.5
        share = inside((0.28 - math.sqrt(a * a + b * b)) * scale, width)
        even = 3.1416 * 0.28 * 0.28
        sharp = kept(scale, width)
        t = sharp * share + (1 - sharp) * even
    elif pattern == PRINT and chest > 0.0:
        t = chest * _print(x, y, seed, scale, width)
    r, g, b = _mixed(row, k, t)
    weave = 1.0 + 0.10 * fractal(x, y, z, seed + 5, 0.05, 4, width)
    return r * weave, g * weave, b * weave


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _print(x, y, seed, scale, width):
    """A blocky emblem of that half width on the chest, or a few lines of letters, by seed."""
    cx, cy = x / scale, (y - 1.24) / scale
    if abs(cx) > 1.1 or abs(cy) > 1.1:
        return 0.0
    edge = inside((1.0 - max(abs(cx), abs(cy))) * scale, width)
    if seed % 3 == 0:
        ring = inside((0.85 - math.sqrt(cx * cx + cy * cy)) * scale, width)
        hole = inside((0.45 - math.sqrt((cx - 0.1) ** 2 + (cy - 0.1) ** 2)) * scale, width)
        return ring * (1.0 - hole)
    columns, rows = (8.0, 8.0) if seed % 3 == 1 else (14.0, 4.0)
    a, b = (cx + 1.0) * 0.5 * columns, (cy + 1.0) * 0.5 * rows
    value = value_noise(a + 0.5, b * 1.7, 0.5 * seed, seed)
    line = pulse(b, 0.7, width * rows / (2 * scale)) if seed % 3 == 2 else 1.0
    return edge * line * smooth(-0.05 - width / scale, 0.05 + width / scale, value)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def ground(row, k, u, v, w, du, dv, width):
    """Colour of a material at texture coordinates `u, v` (m, `w` for noise only)."""
    pattern, scale, seed, amount = int(row[k + PATTERN]), row[k + SCALE], int(row[k + SEED]), row[k + AMOUNT]
    tone, t, one = 1.0, 0.0, 1.0 / scale
    if pattern in (TILES, CHECKS):
        a, b = u * one, v * one
        cell = kept(scale, width)
        if pattern == CHECKS:
            p, q = 2 * wave(0.5 * a, 0.5, 0.5 * du * one) - 1, 2 * wave(0.5 * b, 0.5, 0.5 * dv * one) - 1
            t = 0.5 + 0.5 * p * q
        else:
            t = 1.0 - wave(a, 0.96, du * one) * wave(b, 0.96, dv * one)
        tint = _hash(math.floor(a), math.floor(b), 3, seed) - 0.5
        tone = (1 + 0.24 * amount * tint * cell) * (1 + 0.22 * amount * fractal(u, v, w, seed, 0.22, 3, width))
    elif pattern == BRICKS:
        b = 3.125 * v * one
        course = math.floor(b)
        a = u * one + 0.5 * (course - 2 * math.floor(0.5 * course))
        # Courses that the pixels cannot tell apart have their upright joints everywhere.
        upright = 0.95 + (wave(a, 0.95, du * one) - 0.95) * kept(0.32 * scale, dv)
        t = 1.0 - upright * wave(b, 0.86, 3.125 * dv * one)
        tint = _hash(math.floor(a), int(course), 5, seed) - 0.5
        tone = 1 + 0.5 * amount * tint * kept(0.5 * scale, width) + 0.3 * fractal(u, v, w, seed, 0.06, 3, width)
    elif pattern == GRASS:
        t = 0.5 + 0.55 * fractal(u, v, w, seed, 0.9 * scale, 3, width)
        tone = 1 + 0.75 * amount * fractal(u, v, w, seed + 3, 0.06, 3, width)
    elif pattern == ASPHALT:
        t = 0.5 + 0.45 * fractal(u, v, w, seed, 2.0 * scale, 2, width)
        tone = 1 + 0.55 * amount * fractal(u, v, w, seed + 3, 0.05, 3, width)
    elif pattern == WOOD:
        board = math.floor(u * one)
        drift = 3.0 * _hash(int(board), 0, 1, seed)
        grain = fractal(8 * u, 0.7 * v + drift, w, seed + int(board) % 64, 0.12, 3, max(8 * du, 0.7 * dv))
        t = 0.5 + 0.7 * grain + 0.35 * (_hash(int(board), 1, 2, seed) - 0.5) * kept(scale, du)
        tone = 0.55 + 0.45 * wave(u * one, 0.97, du * one)
    elif pattern == CARPET:
        t = 0.5 + 0.7 * fractal(u, v, w, seed, 0.3 * scale, 2, width)
        tone = 1 + 0.5 * amount * fractal(u, v, w, seed + 3, 0.02, 2, width)
    elif pattern == STRIPES:
        t = wave(v * one, 0.5, dv * one)
    elif pattern == NOISE:
        t = 0.5 + 0.9 * fractal(u, v, w, seed, scale, 4, width)
    else:
        t = 0.5 + 0.5 * amount * fractal(u, v, w, seed, 0.5 * scale, 3, width)
    t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
    tone = 0.1 if tone < 0.1 else tone
    r, g, b = _mixed(row, k, t)
    return r * tone, g * tone, b * tone


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def pictured(texels, first, height, width, x, y, reach):
    """Linear RGB of a mip pyramid at (x, y) texels of its finest level, averaged over `reach` texels; mirrored beyond.

    `texels` (N, 3) uint8 holds all levels, each half the last, from row `first` on.
    """
    level = max(0.0, math.log2(max(reach, 1e-6)) + 0.3)
    r, g, b, scale = 0.0, 0.0, 0.0, 1.0
    below = int(level)
    part = level - below
    step = 0
    h, w = height, width
    while step < below and (h > 1 or w > 1):
        first += h * w
        h, w = (h + 1) // 2, (w + 1) // 2
        scale *= 0.5
        step += 1
    for k in range(2):
        weight = 1 - part if k == 0 else part
        if weight > 0.0:
            px, py = (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5
            ix, iy = math.floor(px), math.floor(py)
            ax, ay = px - ix, py - iy
            for corner in range(4):
                cx, cy = int(ix) + (corner & 1), int(iy) + (corner >> 1)
                cx, cy = _folded(cx, w), _folded(cy, h)
                share = (ax if corner & 1 else 1 - ax) * (ay if corner >> 1 else 1 - ay) * weight
                at = first + cy * w + cx
                r += share * _linear(texels[at, 0])
                g += share * _linear(texels[at, 1])
                b += share * _linear(texels[at, 2])
        if h > 1 or w > 1:
            first += h * w
            h, w = (h + 1) // 2, (w + 1) // 2
            scale *= 0.5
    return r, g, b


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _folded(i, n):
    i = i % (2 * n)
    return i if i < n else 2 * n - 1 - i


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _linear(value):
    t = value / 255.0
    return t * t * (0.7 + 0.3 * t)


def to_linear(colour: np.ndarray) -> np.ndarray:
    """sRGB 0 to 1 to linear light, by the polynomial that the kernels use: c² (0.7 + 0.3 c)."""
    colour = np.asarray(colour, np.float64)
    return colour**2 * (0.7 + 0.3 * colour)
