"""What is the same for all rays that meet one face: worked out once, as long as neighbouring pixels see that face.

For camera points a, b, c and a ray r = (x, y, 1) the numbers r·(b×c), r·(c×a), r·(a×b), divided by their sum, are the
barycentrics of where the ray meets the face's plane; so all that is linear on the face is a ratio of linear functions
of x and y. A `plane` is a row of numbers with the coefficients of those functions.
"""

import numpy as np
from numba import njit

# Slots: three times three coefficients, those of their sum, the depths of the corners, and the first free one.
SUM, DEPTH, FREE = 9, 12, 15


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def plane(points, faces, f, out):
    """Fill the slots before `FREE` for face `f`; `points` (V, 3 or more) in camera axes."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, az = np.float64(points[a, 0]), np.float64(points[a, 1]), np.float64(points[a, 2])
    bx, by, bz = np.float64(points[b, 0]), np.float64(points[b, 1]), np.float64(points[b, 2])
    gx, gy, gz = np.float64(points[c, 0]), np.float64(points[c, 1]), np.float64(points[c, 2])
    out[0], out[1], out[2] = by * gz - bz * gy, bz * gx - bx * gz, bx * gy - by * gx
    out[3], out[4], out[5] = gy * az - gz * ay, gz * ax - gx * az, gx * ay - gy * ax
    out[6], out[7], out[8] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    for k in range(3):
        out[SUM + k] = out[k] + out[3 + k] + out[6 + k]
    out[DEPTH], out[DEPTH + 1], out[DEPTH + 2] = az, bz, gz


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def shares(g, rx, ry):
    """The barycentrics of a ray (rx, ry, 1) in plane `g`, and one over the sum that they were divided by."""
    e0 = g[0] * rx + g[1] * ry + g[2]
    e1 = g[3] * rx + g[4] * ry + g[5]
    e2 = g[6] * rx + g[7] * ry + g[8]
    total = e0 + e1 + e2
    if total == 0.0:
        return 1.0 / 3, 1.0 / 3, 1.0 / 3, 0.0
    one = 1.0 / total
    return e0 * one, e1 * one, e2 * one, one


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def carried(g, values, k, faces, f, out, to):
    """Put a 3 by 3 matrix at slot `to` of `out`: times a ray, over the sum, it is what `values` (V, k to k + 2) of the
    corners are where the ray meets the face."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    for i in range(3):
        p, q, r = np.float64(values[a, k + i]), np.float64(values[b, k + i]), np.float64(values[c, k + i])
        for j in range(3):
            out[to + 3 * i + j] = p * g[j] + q * g[3 + j] + r * g[6 + j]


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def along(g, at, rx, ry):
    """Row of a matrix at slot `at`, times a ray."""
    return g[at] * rx + g[at + 1] * ry + g[at + 2]
