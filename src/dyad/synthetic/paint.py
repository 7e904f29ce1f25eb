"""Colours of the parts of a figure: cloth, skin, hair, and a face with eyes, brows and a mouth."""

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.figures import Figure, Material
from dyad.synthetic.tracing import Array

_WHITE = np.array((0.62, 0.60, 0.58), np.float32)
_IRIS = np.array((0.035, 0.025, 0.02), np.float32)
_LIP = np.array((1.0, 0.55, 0.52), np.float32)
_BLUSH = np.array((1.06, 0.90, 0.88), np.float32)


def albedo(figure: Figure, part: NDArray, points: Array, local: Array) -> Array:
    """Linear RGB reflectance (N, 3) of surface points (N, 3) on the parts (N,); `local` (N, 3) in their own axes."""
    look = figure.look
    colours = np.zeros((len(Material), 3), np.float32)
    for material, colour in (
        (Material.SKIN, look.skin),
        (Material.FACE, look.skin),
        (Material.HAIR, look.hair),
        (Material.TOP, look.top),
        (Material.BOTTOM, look.bottom),
        (Material.SHOE, look.shoes),
    ):
        colours[material] = colour
    material = figure.material[part]
    out = colours[material]
    for chosen, draw in ((Material.TOP, _stripes), (Material.FACE, _face), (Material.HAIR, _strands)):
        rows = np.nonzero(material == chosen)[0]
        if len(rows):
            out[rows] = draw(figure, out[rows], points[rows], local[rows])
    # Cloth and skin are never of one tone: a slow drift over the body that moves with the part.
    drift = np.sin(local @ np.array((23.0, 31.0, 17.0), np.float32) + part) * np.sin(
        local @ np.array((-9.0, 47.0, 29.0), np.float32)
    )
    return out * (1 + 0.05 * drift)[:, None].astype(np.float32)


def _stripes(figure: Figure, base: Array, points: Array, local: Array) -> Array:
    if figure.look.stripes <= 0:
        return base
    second = np.sin(2 * np.pi * figure.look.stripes * local[:, 1]) > 0.25
    return np.where(second[:, None], np.asarray(figure.look.top2, np.float32), base)


def _strands(figure: Figure, base: Array, points: Array, local: Array) -> Array:
    strand = np.sin(310 * local[:, 0]) * np.sin(90 * local[:, 2] + 40 * local[:, 1])
    return base * (1 + 0.25 * strand)[:, None].astype(np.float32)


def _face(figure: Figure, base: Array, points: Array, local: Array) -> Array:
    """Features lie where the landmarks are: eyes 16 mm above and 32 mm beside the middle of the ears, and so on."""
    middle, axes = figure.head[0], figure.head[1:]
    x, y, z = ((points - middle.astype(np.float32)) @ axes.T.astype(np.float32)).T / np.float32(figure.size)
    side = np.abs(x)
    front = z > 0.03

    def blot(mx: float, my: float, sx: float, sy: float) -> Array:
        return np.exp(-(((side - mx) / sx) ** 2) - ((y - my) / sy) ** 2) * front

    def mix(colour: Array, share: Array) -> None:
        nonlocal out
        share = np.clip(share, 0, 1)[:, None].astype(np.float32)
        out = out * (1 - share) + colour * share

    out = base * (1 - 0.35 * blot(0.031, 0.019, 0.020, 0.013) - 0.22 * blot(0.0, -0.036, 0.016, 0.007))[:, None]
    out = out * (1 - 0.18 * blot(0.0, -0.072, 0.018, 0.006))[:, None]
    mix(base * _BLUSH, 0.8 * blot(0.045, -0.020, 0.022, 0.020))
    inside = 1 - ((side - 0.032) / 0.0155) ** 2 - ((y - 0.015) / 0.0075) ** 2
    mix(_WHITE, 6 * inside * front)
    mix(_IRIS, 5 * (1 - np.hypot((side - 0.0315) / 0.0068, (y - 0.0155) / 0.0068)) * front)
    lid = np.abs(y - 0.0225 + 14 * (side - 0.032) ** 2) < 0.0022
    mix(_IRIS, 0.8 * (lid & (np.abs(side - 0.032) < 0.016) & front))
    hair = np.asarray(figure.look.hair, np.float32)
    brow = 1 - np.abs(y - 0.036 + 9 * (side - 0.030) ** 2) / 0.0045
    mix(hair * 0.8, 1.6 * brow * (np.abs(side - 0.032) < 0.019) * front)
    mouth = 1 - (side / 0.026) ** 2 - ((y + 0.054) / 0.0085) ** 2
    mix(base * _LIP, 3 * mouth * front)
    mix(base * 0.3, 0.9 * (np.abs(y + 0.0535 - 3 * side**2) < 0.0016) * (side < 0.024) * front)
    nostril = 1 - np.hypot((side - 0.0075) / 0.005, (y + 0.0335) / 0.0035)
    mix(base * 0.25, 3 * nostril * front)
    # The hairline: above it, and beside the temples, the skull shows hair.
    mix(hair, ((y > 0.072 - 6 * side**2) | ((z < 0.030) & (y > 0.012)) | (z < -0.005)) * 1.0)
    return out.astype(np.float32)
