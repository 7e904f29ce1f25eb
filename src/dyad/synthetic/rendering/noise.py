"""Smooth noise that the kernels can afford: random numbers on a lattice, blended in between.

The numbers are a table that the lattice is wound on, so that a look-up replaces a hash. Neighbours that share a number
are more than 25 cells apart in space, and more than 110 on a plane of two axes.
"""

import math

import numpy as np
from numba import njit

_ROW, _SHEET, _SEED = 1325, 369, 7919
_LAST = (1 << 14) - 1
_TABLE = np.random.Generator(np.random.PCG64(1)).uniform(-1, 1, _LAST + 1).astype(np.float32)
# Cell i + 1 is the next number, without another look at where the table ends.
_TABLE = np.append(_TABLE, _TABLE[:1])


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def noise(x, y, z, seed):
    """Smooth noise of cell size 1: value in -1 to 1, and its gradient."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    n = int(fx) + _ROW * int(fy) + _SHEET * int(fz) + _SEED * seed
    x, y, z = x - fx, y - fy, z - fz
    u, v, w = x * x * (3 - 2 * x), y * y * (3 - 2 * y), z * z * (3 - 2 * z)
    du, dv, dw = 6 * x * (1 - x), 6 * y * (1 - y), 6 * z * (1 - z)
    n0, n1, n2, n3 = n & _LAST, (n + _ROW) & _LAST, (n + _SHEET) & _LAST, (n + _ROW + _SHEET) & _LAST
    a, b, c, d = _TABLE[n0], _TABLE[n0 + 1], _TABLE[n1], _TABLE[n1 + 1]
    e, f, g, h = _TABLE[n2], _TABLE[n2 + 1], _TABLE[n3], _TABLE[n3 + 1]
    k1, k2, k3 = b - a, c - a, e - a
    k4, k5, k6 = a - b - c + d, a - c - e + g, a - b - e + f
    k7 = -a + b + c - d + e - f - g + h
    return (
        a + k1 * u + k2 * v + k3 * w + k4 * u * v + k5 * v * w + k6 * w * u + k7 * u * v * w,
        du * (k1 + k4 * v + k6 * w + k7 * v * w),
        dv * (k2 + k5 * w + k4 * u + k7 * w * u),
        dw * (k3 + k6 * u + k5 * v + k7 * u * v),
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def value_noise(x, y, z, seed):
    """As `noise`, without the gradient and faster."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    n = int(fx) + _ROW * int(fy) + _SHEET * int(fz) + _SEED * seed
    x, y, z = x - fx, y - fy, z - fz
    u, v = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    n0, n1 = n & _LAST, (n + _ROW) & _LAST
    a = _TABLE[n0] + u * (_TABLE[n0 + 1] - _TABLE[n0])
    a += v * (_TABLE[n1] + u * (_TABLE[n1 + 1] - _TABLE[n1]) - a)
    if z == 0.0:
        return a
    n0, n1 = (n + _SHEET) & _LAST, (n + _ROW + _SHEET) & _LAST
    b = _TABLE[n0] + u * (_TABLE[n0 + 1] - _TABLE[n0])
    b += v * (_TABLE[n1] + u * (_TABLE[n1 + 1] - _TABLE[n1]) - b)
    return a + z * z * (3 - 2 * z) * (b - a)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def fractal(x, y, z, seed, cell, octaves, width):
    """Noise in octaves from cells of that size (m) downwards, each half as strong, those too fine for the pixel left
    out; about -1 to 1."""
    total, strength, seed = 0.0, 0.6, int(seed)
    frequency = 1.0 / cell
    for _ in range(octaves):
        part = (0.65 - width * frequency) * 2.5
        if part <= 0.0:
            break
        part = 1.0 if part > 1.0 else part
        total += strength * part * value_noise(x * frequency, y * frequency, z * frequency, seed)
        strength *= 0.62
        frequency *= 2.13
        seed += 17
    return total
