"""How far two bodies reach into one another."""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import KDTree

Floats = NDArray[np.floating]


def penetration(first: Floats, second: Floats, faces: NDArray[np.integer]) -> float:
    """Depth in m of the vertex that lies deepest inside the other body; 0 where the bodies are apart.

    `first` (V, 3) and `second` (W, 3) are posed closed meshes in metres; `faces` (F, 3) are those of both. A depth is
    the distance to the nearest vertex or middle of a face or edge, so it errs by a fraction of an edge, upwards.
    """
    return max(_into(first, second, faces), _into(second, first, faces))


def _into(points: Floats, body: Floats, faces: NDArray[np.integer]) -> float:
    low, high = body.min(0), body.max(0)
    near = points[((points > low) & (points < high)).all(-1)]
    if not len(near):
        return 0.0
    corners = body[faces]
    middles = (corners + np.roll(corners, 1, axis=1)) / 2
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    round_ = np.zeros_like(body)
    for corner in range(3):
        for axis in range(3):
            round_[:, axis] += np.bincount(faces[:, corner], flat[:, axis], len(body))
    surface = np.concatenate((body, corners.mean(1), middles.reshape(-1, 3)))
    outward = np.concatenate((round_, flat, np.repeat(flat, 3, axis=0)))
    depth, nearest = KDTree(surface).query(near)
    # What lies well outside the nearest piece of surface is not inside; for the rest the costly question is asked.
    height = ((near - surface[nearest]) * outward[nearest]).sum(-1)
    likely = height < 0.5 * depth * np.linalg.norm(outward[nearest], axis=-1)
    depth, near = depth[likely], near[likely]
    within = winding(near, body, faces) > 0.5
    return float(depth[within].max(initial=0.0))


def winding(points: Floats, body: Floats, faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Winding number (N,) of a closed mesh about points (N, 3): 1 inside, 0 outside.

    The sum of the faces' signed solid angles over 4 pi (A. Van Oosterom and J. Strackee, The solid angle of a plane
    triangle, IEEE Trans. Biomed. Eng. 1983; A. Jacobson et al., Robust inside-outside segmentation using generalized
    winding numbers, SIGGRAPH 2013).
    """
    return _winding(np.ascontiguousarray(points, np.float64), np.ascontiguousarray(body, np.float64), faces)


@njit(cache=True, nogil=True)
def _winding(points, body, faces):
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        total = 0.0
        for f in range(faces.shape[0]):
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay, az = body[i, 0] - points[n, 0], body[i, 1] - points[n, 1], body[i, 2] - points[n, 2]
            bx, by, bz = body[j, 0] - points[n, 0], body[j, 1] - points[n, 1], body[j, 2] - points[n, 2]
            cx, cy, cz = body[k, 0] - points[n, 0], body[k, 1] - points[n, 1], body[k, 2] - points[n, 2]
            la = np.sqrt(ax * ax + ay * ay + az * az)
            lb = np.sqrt(bx * bx + by * by + bz * bz)
            lc = np.sqrt(cx * cx + cy * cy + cz * cz)
            volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
            flat = la * lb * lc + (ax * bx + ay * by + az * bz) * lc
            flat += (bx * cx + by * cy + bz * cz) * la + (cx * ax + cy * ay + cz * az) * lb
            total += 2 * np.arctan2(volume, flat)
        out[n] = total / (4 * np.pi)
    return out
