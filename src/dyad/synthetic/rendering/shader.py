"""The colour of each pixel: what the surface is, how light falls on it, and the sky behind."""

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyad.synthetic.rendering import rows
from dyad.synthetic.rendering.noise import fractal, noise
from dyad.synthetic.rendering.patterns import GLOSS, PATTERN, PICTURE, ground, kept, pictured, smooth
from dyad.synthetic.rendering.planes import DEPTH, FREE, SUM, along, carried, plane, shares
from dyad.synthetic.rendering.raster import Layer, in_bands
from dyad.synthetic.rendering.skin import worn

_LEVELS = 4096
_LENS, _LIGHT, _FRAME, _CAST, _TEXEL, _SKY, _PICTURE = 0, 4, 20, 32, 36, 37, 61
_NORMAL, _TEXTURE, _PART = 3, 6, 9
# What is kept of a face besides its plane: matrices of texture and normal, its flat normal towards the camera, and 1 or
# -1 for whether that is outward.
_AT, _TURNED, _FLAT, _SIDE = FREE, FREE + 9, FREE + 18, FREE + 21


@lru_cache(maxsize=1)
def _tone_table() -> NDArray[np.uint8]:
    """sRGB bytes for linear light 0 to 1 in 4096 steps, the inverse of `patterns.to_linear`, with a soft shoulder."""
    light = np.linspace(0, 1.0, _LEVELS) * 1.6
    bent = np.where(light < 0.7, light, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3))
    codes = np.linspace(0, 1, 2048)
    return np.rint(np.interp(bent, codes**2 * (0.7 + 0.3 * codes), codes) * 255).astype(np.uint8)


def shade(
    seen: NDArray[np.int32],
    fine: Layer,
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    looks: NDArray[np.float32],
    numbers: NDArray[np.float64],
    shadow: NDArray[np.float64],
    most: NDArray[np.float64],
    texels: NDArray[np.uint8],
    *,
    threads: int = 1,
) -> NDArray[np.uint8]:
    """The image (H, W, 3) uint8.

    `seen` (H, W) is the z-buffer's face at pixel centres, `fine` (2 H, 2 W) the z-buffer of the four samples around (of
    size 0 for one sample a pixel). A pixel whose samples agree is shaded once. `vertices` (V, 10) are points, normals,
    texture coordinates, part; `faces` (F, 4) corners and row in `looks`; `numbers` from `numbered`; `shadow` is the
    sun's z-buffer and `most` its blocks.
    """
    height, width = seen.shape
    image = np.empty((height, width, 3), np.uint8)
    table = _tone_table()

    def kernel(first: int, last: int) -> None:
        _shade(
            seen, fine.face, fine.inverse, vertices, faces, looks, numbers, shadow, most, texels, table,
            np.empty(_SIDE + 1), first, last, image,
        )  # fmt: skip

    in_bands(kernel, height, threads)
    return image


def numbered(
    lens: NDArray, light: NDArray, frame: NDArray, shadow_lens: NDArray, texel: float, sky: NDArray, picture: NDArray
) -> NDArray[np.float64]:
    """All single numbers that the kernel needs, in the order of the slots above."""
    return np.concatenate((lens, light, frame.ravel(), shadow_lens, [texel], sky, picture)).astype(np.float64)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _sky(numbers, texels, rx, ry):
    sky, picture, pixel = numbers[_SKY:_PICTURE], numbers[_PICTURE:], 1.0 / numbers[_LENS]
    dx = sky[0] * rx + sky[1] * ry + sky[2]
    dy = sky[3] * rx + sky[4] * ry + sky[5]
    dz = sky[6] * rx + sky[7] * ry + sky[8]
    flat = math.sqrt(dx * dx + dz * dz)
    if picture[0] >= 0:
        density = picture[2] / sky[20]
        x = math.atan2(dx, -dz) * density + 0.5 * picture[2]
        y = -dy / max(flat, 1e-3) * density + (1.0 - sky[21]) * picture[1]
        first, high, wide = int(picture[0]), int(picture[1]), int(picture[2])
        return pictured(texels, first, high, wide, x, y, pixel * density)
    rise = dy / math.sqrt(flat * flat + dy * dy)
    up = math.sqrt(rise) if rise > 0.0 else 0.0
    down = smooth(0.0, -0.06, rise)
    cloud = 0.0
    if sky[18] > 0.0 and rise > 0.0:
        scale = 1.0 / (rise + 0.25)
        value = fractal(dx * scale, dz * scale, 0.0, sky[19], 0.9, 3, pixel * scale * 1.5)
        cloud = sky[18] * smooth(-0.10, 0.55, value) * smooth(0.0, 0.10, rise)
    r = sky[12] + (sky[9] - sky[12]) * up
    g = sky[13] + (sky[10] - sky[13]) * up
    b = sky[14] + (sky[11] - sky[14]) * up
    r, g, b = r + (0.85 - r) * cloud, g + (0.86 - g) * cloud, b + (0.88 - b) * cloud
    return r + (sky[15] - r) * down, g + (sky[16] - g) * down, b + (sky[17] - b) * down


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _lit(numbers, inverse, most, px, py, pz, nx, ny, nz):
    """How much of the sun a point sees, 0 to 1: the share of 3 by 3 texels around that lie no nearer the sun."""
    size = inverse.shape[0]
    if size == 0:
        return 1.0
    texel = numbers[_TEXEL]
    away = 1.5 * texel + 0.004
    px, py, pz = (
        px + away * nx - numbers[_FRAME + 9],
        py + away * ny - numbers[_FRAME + 10],
        pz + away * nz - numbers[_FRAME + 11],
    )
    z = numbers[_FRAME + 6] * px + numbers[_FRAME + 7] * py + numbers[_FRAME + 8] * pz
    one = 1.0 / z
    x = (numbers[_FRAME] * px + numbers[_FRAME + 1] * py + numbers[_FRAME + 2] * pz) * one
    y = (numbers[_FRAME + 3] * px + numbers[_FRAME + 4] * py + numbers[_FRAME + 5] * pz) * one
    x, y = x * numbers[_CAST] + numbers[_CAST + 2], y * numbers[_CAST + 1] + numbers[_CAST + 3]
    if not (2.0 < x < size - 3.0 and 2.0 < y < size - 3.0):
        return 1.0
    i, j = int(y), int(x)
    z -= 0.004 + 0.5 * texel
    if most[i >> 3, j >> 3] * z <= 1.0:
        return 1.0
    limit = 1.0 / z
    ay, ax = y - i, x - j
    total = 0.0
    for k in range(4):
        row = 0.0
        if inverse[i + k - 1, j - 1] <= limit:
            row += 1.0 - ax
        if inverse[i + k - 1, j] <= limit:
            row += 1.0
        if inverse[i + k - 1, j + 1] <= limit:
            row += 1.0
        if inverse[i + k - 1, j + 2] <= limit:
            row += ax
        total += row * (1.0 - ay if k == 0 else (ay if k == 3 else 1.0))
    return total / 9.0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _tilt(n, e1, e2, c1, c2, x, y, z, seed, strength, width):
    """Normal `n` tilted by the folds of cloth: a height over canonical axes, whose slope the triangle's edges carry
    over (`e1`, `e2` in camera axes, `c1`, `c2` the same two in canonical ones)."""
    k = kept(0.10, width)
    d11 = e1[0] * e1[0] + e1[1] * e1[1] + e1[2] * e1[2]
    d12 = e1[0] * e2[0] + e1[1] * e2[1] + e1[2] * e2[2]
    d22 = e2[0] * e2[0] + e2[1] * e2[1] + e2[2] * e2[2]
    det = d11 * d22 - d12 * d12
    if k <= 0.0 or det < 1e-18:
        return n
    _, hx, hy, hz = noise(13.0 * x + 4.0 * y, 11.0 * y, 13.0 * z + 3.0 * y, seed + 21)
    sx, sy, sz = 13.0 * hx, 4.0 * hx + 11.0 * hy + 3.0 * hz, 13.0 * hz
    fine = 0.3 * kept(0.045, width)
    if fine > 0.0:
        _, hx, hy, hz = noise(30.0 * x, 22.0 * y - 9.0 * x, 30.0 * z, seed + 22)
        sx, sy, sz = sx + fine * (30.0 * hx - 9.0 * hy), sy + fine * 22.0 * hy, sz + fine * 30.0 * hz
    t1 = sx * c1[0] + sy * c1[1] + sz * c1[2]
    t2 = sx * c2[0] + sy * c2[1] + sz * c2[2]
    s1, s2 = strength * k * (t1 * d22 - t2 * d12) / det, strength * k * (t2 * d11 - t1 * d12) / det
    return _unit(n[0] - s1 * e1[0] - s2 * e2[0], n[1] - s1 * e1[1] - s2 * e2[1], n[2] - s1 * e1[2] - s2 * e2[2])


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _unit(x, y, z):
    one = 1.0 / (math.sqrt(x * x + y * y + z * z) + 1e-20)
    return x * one, y * one, z * one


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _edge(vertices, k, a, b):
    return (
        vertices[b, k] - vertices[a, k],
        vertices[b, k + 1] - vertices[a, k + 1],
        vertices[b, k + 2] - vertices[a, k + 2],
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _material(row, texels, at, du, dv):
    """Linear RGB of a material at texture coordinates `at`, of which a pixel covers `du` by `dv`."""
    if int(row[rows.MATERIAL + PATTERN]) == PICTURE:
        density = row[rows.PICTURE_DENSITY]
        first, high, wide = int(row[rows.PICTURE_FIRST]), int(row[rows.PICTURE_HEIGHT]), int(row[rows.PICTURE_WIDTH])
        x, y = at[0] * density - 0.5, -at[1] * density - 0.5
        return pictured(texels, first, high, wide, x, y, max(du, dv) * density)
    return ground(row, rows.MATERIAL, at[0], at[1], at[2], du, dv, max(du, dv))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _met(vertices, faces, f, smoothed, g):
    """Fill `g` for face `f`."""
    plane(vertices, faces, f, g)
    carried(g, vertices, _TEXTURE, faces, f, g, _AT)
    a = faces[f, 0]
    e1, e2 = _edge(vertices, 0, a, faces[f, 1]), _edge(vertices, 0, a, faces[f, 2])
    x, y, z = _unit(e1[1] * e2[2] - e1[2] * e2[1], e1[2] * e2[0] - e1[0] * e2[2], e1[0] * e2[1] - e1[1] * e2[0])
    side = -1.0 if x * vertices[a, 0] + y * vertices[a, 1] + z * vertices[a, 2] > 0.0 else 1.0
    g[_FLAT], g[_FLAT + 1], g[_FLAT + 2], g[_SIDE] = side * x, side * y, side * z, side
    if smoothed:
        carried(g, vertices, _NORMAL, faces, f, g, _TURNED)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _surface(f, rx, ry, pixel, g, vertices, faces, row, numbers, shadow, most, texels):
    """Linear RGB of face `f`, that `g` was filled for, where the ray (rx, ry, 1) meets it."""
    u, v, w, one = shares(g, rx, ry)
    z = u * g[DEPTH] + v * g[DEPTH + 1] + w * g[DEPTH + 2]
    px, py, pz = rx * z, ry * z, z
    gx, gy, gz, side = g[_FLAT], g[_FLAT + 1], g[_FLAT + 2], g[_SIDE]
    n = (gx, gy, gz)
    if row[rows.SMOOTH] > 0.0:
        turn = side if one > 0.0 else -side
        nx, ny, nz = along(g, _TURNED, rx, ry), along(g, _TURNED + 3, rx, ry), along(g, _TURNED + 6, rx, ry)
        n = _unit(turn * nx, turn * ny, turn * nz)
    at = (along(g, _AT, rx, ry) * one, along(g, _AT + 3, rx, ry) * one, along(g, _AT + 6, rx, ry) * one)
    bare, gloss = 0.0, 0.0
    if row[rows.KIND] == rows.KIND_LOOK:
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        corner = a if u >= v and u >= w else (b if v >= w else c)
        slant = abs(gx * rx + gy * ry + gz) / math.sqrt(rx * rx + ry * ry + 1.0)
        width = z * pixel[0] / max(slant, 0.4)
        part = int(vertices[corner, _PART])
        r, g_, bl, gloss, bare, depth = worn(row, part, at[0], at[1], at[2], width)
        if depth > 0.0:
            e1, e2 = _edge(vertices, 0, a, b), _edge(vertices, 0, a, c)
            c1, c2 = _edge(vertices, _TEXTURE, a, b), _edge(vertices, _TEXTURE, a, c)
            depth *= 0.020 * side
            n = _tilt(n, e1, e2, c1, c2, at[0], at[1], at[2], int(row[rows.LOOK_SEED]), depth, width)
    else:
        gloss = row[rows.MATERIAL + GLOSS]
        # How far the next pixels to the right and below are along the texture.
        right, below = one * pixel[0], one * pixel[1]
        ux, uy = (g[_AT] - at[0] * g[SUM]) * right, (g[_AT + 1] - at[0] * g[SUM + 1]) * below
        vx, vy = (g[_AT + 3] - at[1] * g[SUM]) * right, (g[_AT + 4] - at[1] * g[SUM + 1]) * below
        r, g_, bl = _material(row, texels, at, math.sqrt(ux * ux + uy * uy), math.sqrt(vx * vx + vy * vy))
    sun = n[0] * numbers[_LIGHT] + n[1] * numbers[_LIGHT + 1] + n[2] * numbers[_LIGHT + 2]
    seen = 0.0
    if sun > -0.08 - 0.27 * bare:
        seen = _lit(numbers, shadow, most, px, py, pz, gx, gy, gz)
        if sun < 0.10:
            seen += (1.0 - seen) * smooth(0.10, -0.10, sun)
    up = 0.5 + 0.5 * (n[0] * numbers[_LIGHT + 3] + n[1] * numbers[_LIGHT + 4] + n[2] * numbers[_LIGHT + 5])
    shine = 0.0
    if gloss > 0.0 and sun > 0.0 and seen > 0.0:
        ray = math.sqrt(rx * rx + ry * ry + 1.0)
        hx, hy, hz = _unit(numbers[_LIGHT] - rx / ray, numbers[_LIGHT + 1] - ry / ray, numbers[_LIGHT + 2] - 1.0 / ray)
        shine = max(0.0, hx * n[0] + hy * n[1] + hz * n[2])
        shine *= shine * shine
        shine *= shine
        shine = 0.30 * gloss * seen * shine * shine * shine * shine
    # The sun reaches a little round the edge, further and redder in skin.
    sr = max(0.0, (sun + 0.08) * (1.0 / 1.08)) * seen
    sg, sb = sr, sr
    if bare > 0.0:
        wr, wg = 0.08 + 0.27 * bare, 0.08 + 0.12 * bare
        wb = 0.08 + 0.08 * bare
        sr, sg = max(0.0, (sun + wr) / (1.0 + wr)) * seen, max(0.0, (sun + wg) / (1.0 + wg)) * seen
        sb = max(0.0, (sun + wb) / (1.0 + wb)) * seen
    return (
        numbers[_LIGHT + 15]
        * (
            r * (numbers[_LIGHT + 6] * sr + numbers[_LIGHT + 12] + (numbers[_LIGHT + 9] - numbers[_LIGHT + 12]) * up)
            + numbers[_LIGHT + 6] * shine
        ),
        numbers[_LIGHT + 15]
        * (
            g_ * (numbers[_LIGHT + 7] * sg + numbers[_LIGHT + 13] + (numbers[_LIGHT + 10] - numbers[_LIGHT + 13]) * up)
            + numbers[_LIGHT + 7] * shine
        ),
        numbers[_LIGHT + 15]
        * (
            bl * (numbers[_LIGHT + 8] * sb + numbers[_LIGHT + 14] + (numbers[_LIGHT + 11] - numbers[_LIGHT + 14]) * up)
            + numbers[_LIGHT + 8] * shine
        ),
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False, inline="always")
def _coded(table, value):
    k = int(value * ((_LEVELS - 1) / 1.6) + 0.5)
    return table[0 if k < 0 else (_LEVELS - 1 if k >= _LEVELS else k)]


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _shade(
    seen, fine, inverse, vertices, faces, looks, numbers, shadow, most, texels, table, facet, first, last, image
):
    fx, fy, cx, cy = numbers[_LENS], numbers[_LENS + 1], numbers[_LENS + 2], numbers[_LENS + 3]
    pixel = (1.0 / fx, 1.0 / fy)
    row = looks[0]
    for y in range(first, last):
        known = -1
        for x in range(seen.shape[1]):
            samples, f = 1, seen[y, x]
            if fine.shape[0] > 0:
                owner = faces[f, 3] if f >= 0 else -1
                low, high = np.inf, 0.0
                for k in range(4):
                    i, j = 2 * y + (k >> 1), 2 * x + (k & 1)
                    q = fine[i, j]
                    if (faces[q, 3] if q >= 0 else -1) != owner:
                        samples = 4
                        break
                    low, high = min(low, inverse[i, j]), max(high, inverse[i, j])
                if samples == 1 and high > 1.02 * low and looks[owner, rows.KIND] == rows.KIND_LOOK:
                    samples = 4
            r, g, b = 0.0, 0.0, 0.0
            for k in range(samples):
                sx, sy = float(x), float(y)
                if samples == 4:
                    f = fine[2 * y + (k >> 1), 2 * x + (k & 1)]
                    sx, sy = sx + 0.5 * (k & 1) - 0.25, sy + 0.5 * (k >> 1) - 0.25
                rx, ry = (sx - cx) * pixel[0], (sy - cy) * pixel[1]
                if f < 0:
                    sr, sg, sb = _sky(numbers, texels, rx, ry)
                else:
                    if f != known:
                        row = looks[faces[f, 3]]
                        _met(vertices, faces, f, row[rows.SMOOTH] > 0.0, facet)
                        known = f
                    sr, sg, sb = _surface(f, rx, ry, pixel, facet, vertices, faces, row, numbers, shadow, most, texels)
                r, g, b = r + min(sr, 1.6), g + min(sg, 1.6), b + min(sb, 1.6)
            image[y, x, 0] = _coded(table, r / samples)
            image[y, x, 1] = _coded(table, g / samples)
            image[y, x, 2] = _coded(table, b / samples)
