"""Surfaces finer than rounded cones: one skin over all parts of a limb, and folds in cloth."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dyad.synthetic.figures import Figure, Material
from dyad.synthetic.tracing import Array

_REACH = 0.012
_FEWEST = 20


def drawn_over(figure: Figure, part: NDArray, normal: Array, rows: NDArray, columns: NDArray, scale: float) -> Array:
    """Normals (N, 3) blended in the image over each limb, so that no crease shows where its parts meet.

    `rows` and `columns` (N,) are where in the image; `scale` is in px per m.
    """
    sigma = _REACH * figure.size * scale
    if sigma < 0.5:
        return normal
    out = normal.copy()
    for limb in np.unique(figure.limb[part]):
        chosen = (figure.limb[part] == limb) & (figure.material[part] != Material.FACE)
        if chosen.sum() < _FEWEST:
            continue
        r, c = rows[chosen], columns[chosen]
        top, left = r.min(), c.min()
        field = np.zeros((r.max() - top + 1, c.max() - left + 1, 3), np.float32)
        field[r - top, c - left] = normal[chosen]
        for axis in (0, 1):
            field = gaussian_filter(field, np.eye(3)[axis] * sigma, truncate=2.0)
        blurred = field[r - top, c - left]
        out[chosen] = blurred / np.maximum(np.linalg.norm(blurred, axis=-1, keepdims=True), 1e-6)
    return out


def folded(figure: Figure, part: NDArray, normal: Array, local: Array) -> Array:
    """Normals (N, 3) tilted by folds on cloth; `local` (N, 3) m in the parts' own axes, with which the folds move."""
    cloth = np.isin(figure.material[part], (Material.TOP, Material.BOTTOM))
    if not cloth.any():
        return normal
    x, y, z = local[cloth].T
    turn = part[cloth] * 1.7
    # Folds run around the limb, unevenly: waves along the axis whose phase drifts with the place around it.
    along = np.sin(62 * y + 26 * x + turn) * np.sin(21 * y - 33 * z + 0.6 * turn)
    aside = np.sin(38 * y - 41 * x + 2.1 * turn) * np.sin(27 * x + 19 * z + turn)
    tilt = np.stack((0.35 * aside, 0.8 * along, 0.35 * aside * along), -1).astype(np.float32)
    out = normal.copy()
    out[cloth] += 0.28 * np.einsum("nji,nj->ni", figure.solids.into[part[cloth]], tilt)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)
