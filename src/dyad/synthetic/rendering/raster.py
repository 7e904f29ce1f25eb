"""The z-buffer: which triangle each pixel sees, and how far along its ray.

Triangles are drawn by homogeneous edge functions: with camera points a, b, c and a pixel's ray r = (x, y, 1), the
ray meets the triangle where r·(b×c), r·(c×a) and r·(a×b) have the sign of a·(b×c); divided by their sum they are the
perspective-correct barycentrics. No triangle has to be cut at the near plane: a corner behind the camera is as good as
one before it, and what lies nearer than the near plane is refused pixel by pixel. Two triangles that share an edge
compute the same number with opposite sign for it, so that each pixel on it belongs to exactly one of them.

A pixel's value depends on nothing but the triangles, so bands of rows can be drawn by any number of threads with the
same bytes. The kernels release the GIL; numba's own threads are not used, since they do not survive a fork.

They allocate nothing, so that `_nrt=False` frees them from counting references to the arrays that they are handed,
which took more time than the work itself and, being atomic, kept threads from one another.

numba keys its cache by the file of the outermost kernel alone: after a change in a file of functions that kernels call
(patterns, clothes), remove `__pycache__/*.nb?`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEAR = 0.05
_EDGE = 1e-9
_UNBOUND = 1e9


@dataclass(frozen=True, eq=False)
class Layer:
    """What each pixel sees: `face` (H, W), -1 for nothing; `inverse` (H, W), 1 / depth in 1/m, 0 for nothing."""

    face: NDArray[np.int32]
    inverse: NDArray[np.float64]


def in_bands(kernel: Callable[[int, int], None], rows: int, threads: int, *, each: int = 8) -> None:
    """Run `kernel(first, last)` over bands of rows, in as many threads as are asked for, `each` bands for each."""
    if threads <= 1:
        kernel(0, rows)
        return
    step = max(1, -(-rows // (threads * each)))
    bands = [(first, min(first + step, rows)) for first in range(0, rows, step)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda band: kernel(*band), bands))


def drawn(
    points: NDArray[np.float32],
    faces: NDArray[np.int32],
    closed: NDArray[np.bool_],
    lens: NDArray[np.float64],
    size: tuple[int, int],
    *,
    threads: int = 1,
    near: float = NEAR,
) -> Layer:
    """Draw triangles into a fresh z-buffer.

    `points` (V, 3) m in camera axes; `faces` (F, 3), outward when seen anticlockwise in a right-handed frame;
    `closed` (F,) faces whose back is never seen and not drawn; `lens` (4,) fx, fy, cx, cy in px; `size` (W, H).
    At equal depth the first face wins.
    """
    width, height = size
    layer = Layer(np.full((height, width), -1, np.int32), np.zeros((height, width)))
    if len(faces) == 0:
        return layer
    pixels = np.empty((len(points), 2))
    _project(points, lens, near, pixels)

    def kernel(first: int, last: int) -> None:
        _draw(points, pixels, faces, closed, lens, near, first, last, layer.face, layer.inverse)

    # Each band goes through all triangles, so that few bands are best.
    in_bands(kernel, height, threads, each=2)
    return layer


def normals(points: NDArray[np.float32], faces: NDArray[np.int32], smooth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Outward vertex normals (V, 3): means over the faces around by area; zero where no face is `smooth` (F,)."""
    out = np.zeros_like(points)
    _normals(points, faces, smooth, out)
    return out


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _project(points, lens, near, out):
    for i in range(points.shape[0]):
        z = np.float64(points[i, 2])
        if z > near:
            out[i, 0] = lens[0] * points[i, 0] / z + lens[2]
            out[i, 1] = lens[1] * points[i, 1] / z + lens[3]
        else:
            out[i, 0] = np.nan
            out[i, 1] = np.nan


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _normals(points, faces, smooth, out):
    for f in range(faces.shape[0]):
        if not smooth[f]:
            continue
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (a, b, c):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for i in range(out.shape[0]):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)
        if length > 0:
            out[i, 0] /= length
            out[i, 1] /= length
            out[i, 2] /= length


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _bounds(points, a, b, c, lens, near):
    """The pixels that the part of a triangle before the near plane may touch: x0, x1, y0, y1."""
    x0, x1, y0, y1 = _UNBOUND, -_UNBOUND, _UNBOUND, -_UNBOUND
    corners = (a, b, c, a)
    for k in range(3):
        i, j = corners[k], corners[k + 1]
        zi, zj = np.float64(points[i, 2]), np.float64(points[j, 2])
        for end in range(2):
            if end == 0:
                if zi <= near:
                    continue
                t = 0.0
            else:
                if (zi > near) == (zj > near):
                    continue
                t = (near - zi) / (zj - zi)
            z = zi + t * (zj - zi)
            x = lens[0] * (points[i, 0] + t * (points[j, 0] - points[i, 0])) / z + lens[2]
            y = lens[1] * (points[i, 1] + t * (points[j, 1] - points[i, 1])) / z + lens[3]
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    # The cut is as exact as float32 corners allow; a pixel to each side costs nothing.
    return x0 - 1, x1 + 1, y0 - 1, y1 + 1


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _draw(points, pixels, faces, closed, lens, near, first, last, face, inverse):
    width = face.shape[1]
    nearest = 1.0 / near
    fx, fy, cx, cy = lens[0], lens[1], lens[2], lens[3]
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x0 = min(pixels[a, 0], pixels[b, 0], pixels[c, 0])
        if np.isnan(pixels[a, 0]) or np.isnan(pixels[b, 0]) or np.isnan(pixels[c, 0]):
            if points[a, 2] <= near and points[b, 2] <= near and points[c, 2] <= near:
                continue
            x0, x1, y0, y1 = _bounds(points, a, b, c, lens, near)
        else:
            x1 = max(pixels[a, 0], pixels[b, 0], pixels[c, 0])
            y0 = min(pixels[a, 1], pixels[b, 1], pixels[c, 1])
            y1 = max(pixels[a, 1], pixels[b, 1], pixels[c, 1])
        top = np.int64(np.ceil(min(max(y0 - _EDGE, first), last)))
        bottom = np.int64(np.floor(max(min(y1 + _EDGE, last - 1.0), -1.0)))
        left = np.int64(np.ceil(min(max(x0 - _EDGE, 0.0), width)))
        right = np.int64(np.floor(max(min(x1 + _EDGE, width - 1.0), -1.0)))
        if top > bottom or left > right:
            continue
        ax, ay, az = np.float64(points[a, 0]), np.float64(points[a, 1]), np.float64(points[a, 2])
        bx, by, bz = np.float64(points[b, 0]), np.float64(points[b, 1]), np.float64(points[b, 2])
        gx, gy, gz = np.float64(points[c, 0]), np.float64(points[c, 1]), np.float64(points[c, 2])
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, gx - ax, gy - ay, gz - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        volume = nx * ax + ny * ay + nz * az
        if volume == 0.0 or (closed[f] and volume > 0.0):
            continue
        s = 1.0 if volume > 0.0 else -1.0
        # Edge functions as A x + B y + C of the pixel; swapping the two ends of an edge flips each term's sign exactly.
        a0, b0 = s * (by * gz - bz * gy) / fx, s * (bz * gx - bx * gz) / fy
        a1, b1 = s * (gy * az - gz * ay) / fx, s * (gz * ax - gx * az) / fy
        a2, b2 = s * (ay * bz - az * by) / fx, s * (az * bx - ax * bz) / fy
        c0 = s * (bx * gy - by * gx) - a0 * cx - b0 * cy
        c1 = s * (gx * ay - gy * ax) - a1 * cx - b1 * cy
        c2 = s * (ax * by - ay * bx) - a2 * cx - b2 * cy
        # A pixel exactly on an edge goes to the triangle on the edge's right or below it: the top-left rule.
        t0, t1 = a0 > 0 or (a0 == 0 and b0 > 0), a1 > 0 or (a1 == 0 and b1 > 0)
        t2 = a2 > 0 or (a2 == 0 and b2 > 0)
        qa, qb = nx / (volume * fx), ny / (volume * fy)
        qc = nz / volume - qa * cx - qb * cy
        for y in range(top, bottom + 1):
            w0, w1, w2, wq = b0 * y + c0, b1 * y + c1, b2 * y + c2, qb * y + qc
            for x in range(left, right + 1):
                e0, e1, e2 = a0 * x + w0, a1 * x + w1, a2 * x + w2
                if e0 < 0 or e1 < 0 or e2 < 0:
                    continue
                if (e0 == 0 and not t0) or (e1 == 0 and not t1) or (e2 == 0 and not t2):
                    continue
                q = qa * x + wq
                if q < nearest and q > inverse[y, x]:
                    inverse[y, x] = q
                    face[y, x] = f


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def hit(points, faces, f, rx, ry):
    """Where the ray (rx, ry, 1) meets the plane of face `f`: depth in m and the three barycentrics there."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, ay, az = np.float64(points[a, 0]), np.float64(points[a, 1]), np.float64(points[a, 2])
    bx, by, bz = np.float64(points[b, 0]), np.float64(points[b, 1]), np.float64(points[b, 2])
    gx, gy, gz = np.float64(points[c, 0]), np.float64(points[c, 1]), np.float64(points[c, 2])
    e0 = rx * (by * gz - bz * gy) + ry * (bz * gx - bx * gz) + (bx * gy - by * gx)
    e1 = rx * (gy * az - gz * ay) + ry * (gz * ax - gx * az) + (gx * ay - gy * ax)
    e2 = rx * (ay * bz - az * by) + ry * (az * bx - ax * bz) + (ax * by - ay * bx)
    total = e0 + e1 + e2
    if total == 0.0:
        return np.inf, 1.0 / 3, 1.0 / 3, 1.0 / 3
    u, v, w = e0 / total, e1 / total, e2 / total
    return u * az + v * bz + w * gz, u, v, w
