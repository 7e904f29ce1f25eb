"""Cloth, hair and shoes over a body at rest: they stand off the skin and are smoother than what they cover."""

import numpy as np
from numba import njit

from dyad.synthetic.rendering.wardrobe import drape, padding, volume

# Pairs of smoothing steps, the second undoing the shrinking of the first (Taubin, 1995).
_ROUNDS = 8
_STEPS = (0.52, -0.54)


@njit(cache=True, nogil=True, error_model="numpy")
def wear(row, rest, canonical, faces, part, out):
    """Write into `out` (V, 3) where the vertices of a body at rest come to lie in the clothes of `row`."""
    normal = np.zeros_like(rest)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = rest[b, 0] - rest[a, 0], rest[b, 1] - rest[a, 1], rest[b, 2] - rest[a, 2]
        vx, vy, vz = rest[c, 0] - rest[a, 0], rest[c, 1] - rest[a, 1], rest[c, 2] - rest[a, 2]
        for i in (a, b, c):
            normal[i, 0] += uy * vz - uz * vy
            normal[i, 1] += uz * vx - ux * vz
            normal[i, 2] += ux * vy - uy * vx
    for i in range(rest.shape[0]):
        x, y, z = canonical[i, 0], canonical[i, 1], canonical[i, 2]
        length = np.sqrt(normal[i, 0] ** 2 + normal[i, 1] ** 2 + normal[i, 2] ** 2) + 1e-20
        thick = padding(row, part[i], x, y, z) / length
        # Hair goes away from the middle of the head, which lies as deep below this vertex as below the canonical one.
        away = np.sqrt(x * x + (y - 1.585) ** 2 + (z - 0.043) ** 2) + 1e-9
        lift = volume(row, part[i], x, y, z) / away
        out[i, 0] = rest[i, 0] + thick * normal[i, 0] + lift * x
        out[i, 1] = rest[i, 1] + thick * normal[i, 1] + lift * max(y - 1.585, -0.02)
        out[i, 2] = rest[i, 2] + thick * normal[i, 2] + lift * (z - 0.043)
    weight = np.zeros(len(rest))
    for i in range(len(rest)):
        weight[i] = drape(row, part[i], canonical[i, 0], canonical[i, 1], canonical[i, 2])
    total, count = np.empty_like(rest), np.zeros(len(rest))
    for f in range(faces.shape[0]):
        for k in range(3):
            count[faces[f, k]] += 2
    for step in range(2 * _ROUNDS):
        total[:] = 0
        for f in range(faces.shape[0]):
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            for k in range(3):
                whole = out[a, k] + out[b, k] + out[c, k]
                total[a, k] += whole - out[a, k]
                total[b, k] += whole - out[b, k]
                total[c, k] += whole - out[c, k]
        for i in range(len(rest)):
            if weight[i] > 0.0:
                for k in range(3):
                    out[i, k] += _STEPS[step & 1] * weight[i] * (total[i, k] / count[i] - out[i, k])
