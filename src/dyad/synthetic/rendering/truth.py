"""What is exactly true of each pixel: depth, whose it is, where its point goes and came from, and if it stays seen.

Everything is taken at pixel centres from the triangle that the z-buffer names, in float64.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyad.synthetic.rendering.planes import DEPTH, FREE, SUM, along, carried, plane, shares
from dyad.synthetic.rendering.raster import NEAR, Layer, in_bands

# How far in m behind the next frame's surface a point may lie and still be that surface, and how far what sticks out of
# a wall (frames, skirting) may.
_SLACK = 0.004
_RELIEF = 0.2


@dataclass(frozen=True, eq=False)
class Truth:
    """Arrays over pixels: `depth` (H, W) m, inf where nothing is; `identity` int16; `part` uint8; `barycentric`
    (H, W, 3), the shares of the face's corners in the point."""

    depth: NDArray[np.float32]
    identity: NDArray[np.int16]
    part: NDArray[np.uint8]
    barycentric: NDArray[np.float32]


def read(
    layer: Layer,
    points: NDArray[np.float32],
    faces: NDArray[np.int32],
    owner: NDArray[np.int16],
    part: NDArray[np.uint8],
    lens: NDArray[np.float64],
    *,
    threads: int = 1,
) -> Truth:
    """Depth, identity and part of each pixel; `owner` (F,) is the identity of each face, `part` (V,) of each vertex."""
    shape = layer.face.shape
    truth = Truth(
        np.full(shape, np.inf, np.float32),
        np.zeros(shape, np.int16),
        np.zeros(shape, np.uint8),
        np.zeros((*shape, 3), np.float32),
    )

    def kernel(first: int, last: int) -> None:
        _read(
            layer.face, points, faces, owner, part, lens, first, last,
            truth.depth, truth.identity, truth.part, truth.barycentric, np.empty(FREE),
        )  # fmt: skip

    in_bands(kernel, shape[0], threads)
    return truth


def moved(
    layer: Layer,
    points: NDArray[np.float32],
    others: NDArray[np.float32],
    faces: NDArray[np.int32],
    closed: NDArray[np.bool_],
    lens: NDArray[np.float64],
    other_lens: NDArray[np.float64],
    turn: NDArray[np.float64],
    other: Layer | None,
    *,
    threads: int = 1,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Flow (H, W, 2) px to another frame, and (H, W) whether the point is not seen there.

    `others` (V, 3) are the vertices in that frame's camera axes, `turn` (3, 3) takes directions of this camera to that
    one (for rays that hit nothing), and `other` is that frame's z-buffer; without it only what leaves the image counts
    as unseen.
    """
    height, width = layer.face.shape
    flow = np.empty((height, width, 2), np.float32)
    unseen = np.zeros((height, width), np.bool_)
    far = Layer(np.empty((0, 0), np.int32), np.empty((0, 0))) if other is None else other

    def kernel(first: int, last: int) -> None:
        _move(
            layer.face, points, others, faces, closed, lens, other_lens, turn,
            far.face, far.inverse, first, last, flow, unseen, np.empty(FREE + 9), np.empty(FREE),
        )  # fmt: skip

    in_bands(kernel, height, threads)
    return flow, unseen


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _read(face, points, faces, owner, part, lens, first, last, depth, identity, part_out, weights, g):
    for y in range(first, last):
        known = -1
        ry = (y - lens[3]) / lens[1]
        for x in range(face.shape[1]):
            f = face[y, x]
            if f < 0:
                continue
            if f != known:
                plane(points, faces, f, g)
                known = f
            u, v, w, _ = shares(g, (x - lens[2]) / lens[0], ry)
            depth[y, x] = u * g[DEPTH] + v * g[DEPTH + 1] + w * g[DEPTH + 2]
            identity[y, x] = owner[f]
            corner = 0 if u >= v and u >= w else (1 if v >= w else 2)
            part_out[y, x] = part[faces[f, corner]]
            weights[y, x, 0] = u
            weights[y, x, 1] = v
            weights[y, x, 2] = w


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _back(points, faces, f):
    a, b, c = points[faces[f, 0]], points[faces[f, 1]], points[faces[f, 2]]
    ux, uy, uz = np.float64(b[0] - a[0]), np.float64(b[1] - a[1]), np.float64(b[2] - a[2])
    vx, vy, vz = np.float64(c[0] - a[0]), np.float64(c[1] - a[1]), np.float64(c[2] - a[2])
    return (uy * vz - uz * vy) * a[0] + (uz * vx - ux * vz) * a[1] + (ux * vy - uy * vx) * a[2] > 0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _beside(f, face, x, y):
    """Whether one of the four pixels around (x, y) shows face `f`."""
    i, j = np.int64(np.floor(y)), np.int64(np.floor(x))
    for k in range(max(i, 0), min(i + 2, face.shape[0])):
        for m in range(max(j, 0), min(j + 2, face.shape[1])):
            if face[k, m] == f:
                return True
    return False


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _move(
    face, points, others, faces, closed, lens, other_lens, turn, other_face, inverse, first, last, flow, unseen,
    g, there,
):  # fmt: skip
    height, width = face.shape
    given = other_face.shape[0] > 0
    # In `g` the plane of the pixel's face and, from slot FREE on, where its points go; in `there` that of the face that
    # is there then.
    for y in range(first, last):
        known, met, back = -1, -1, False
        ry = (y - lens[3]) / lens[1]
        for x in range(width):
            rx = (x - lens[2]) / lens[0]
            f = face[y, x]
            if f >= 0:
                if f != known:
                    plane(points, faces, f, g)
                    carried(g, others, 0, faces, f, g, FREE)
                    back = closed[f] and _back(others, faces, f)
                    known = f
                total = along(g, SUM, rx, ry)
                px, py, pz = along(g, FREE, rx, ry), along(g, FREE + 3, rx, ry), along(g, FREE + 6, rx, ry)
                px, py, pz = px / total, py / total, pz / total
                least = NEAR
            else:
                px = turn[0, 0] * rx + turn[0, 1] * ry + turn[0, 2]
                py = turn[1, 0] * rx + turn[1, 1] * ry + turn[1, 2]
                pz = turn[2, 0] * rx + turn[2, 1] * ry + turn[2, 2]
                least = 1e-6
            if not pz > least:
                flow[y, x, 0] = np.nan
                flow[y, x, 1] = np.nan
                unseen[y, x] = True
                continue
            tx = other_lens[0] * px / pz + other_lens[2]
            ty = other_lens[1] * py / pz + other_lens[3]
            flow[y, x, 0] = tx - x
            flow[y, x, 1] = ty - y
            if not (-0.5 <= tx < width - 0.5 and -0.5 <= ty < height - 0.5):
                unseen[y, x] = True
                continue
            if not given:
                continue
            i, j = np.int64(np.floor(ty + 0.5)), np.int64(np.floor(tx + 0.5))
            other = other_face[i, j]
            if f < 0:
                unseen[y, x] = other >= 0
            elif back:
                unseen[y, x] = True
            elif other >= 0 and other != f:
                # The face at the pixel's centre, where it is half a pixel on; or at the centre, if it ends before.
                if other != met:
                    plane(others, faces, other, there)
                    met = other
                sx, sy = (tx - other_lens[2]) / other_lens[0], (ty - other_lens[3]) / other_lens[1]
                u, v, w, _ = shares(there, sx, sy)
                z = u * there[DEPTH] + v * there[DEPTH + 1] + w * there[DEPTH + 2]
                behind = pz - max(1.0 / inverse[i, j], z)
                if behind > _SLACK:
                    on_it = u >= 0.0 and v >= 0.0 and w >= 0.0
                    # What sticks out a little and does not reach the point hides nothing of the surface beside it.
                    unseen[y, x] = on_it or behind > _RELIEF or not _beside(f, other_face, tx, ty)
