"""What a body looks like at a point of it: face, skin, hair, and the clothes over them, as linear RGB.

Coordinates are canonical (see `wardrobe`). Edges are as soft as the pixel is wide, finer detail fades with distance.
"""

import math

from numba import njit

from dyad.synthetic.rendering import rows
from dyad.synthetic.rendering.noise import fractal
from dyad.synthetic.rendering.patterns import GLOSS, cloth, inside, kept, pulse, smooth, winds
from dyad.synthetic.rendering.wardrobe import along_arm, hair, is_arm, neckline, shirt, shoes, trousers

# Eyes, nose and mouth of the middle adult.
_EYE_X, _EYE_Y, _EYE_Z = 0.0292, 1.5786, 0.1265
_MOUTH_Y = 1.5090


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _mix(a, b, t):
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _of(row, k):
    return row[k] + 0.0, row[k + 1] + 0.0, row[k + 2] + 0.0


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _scaled(a, t):
    return a[0] * t, a[1] * t, a[2] * t


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _eye(row, x, y, z, width):
    dx, dy = abs(x) - _EYE_X, y - _EYE_Y
    rho = math.sqrt(dx * dx + dy * dy)
    colour = (0.62, 0.58, 0.55)
    colour = _mix(colour, _scaled(_of(row, rows.IRIS), 0.5), inside(0.0066 - rho, width))
    colour = _mix(colour, _of(row, rows.IRIS), inside(0.0056 - rho, width))
    colour = _mix(colour, (0.005, 0.005, 0.006), inside(0.0028 - rho, width))
    glint = math.sqrt((dx - 0.002) ** 2 + (dy - 0.0025) ** 2)
    colour = _mix(colour, (0.9, 0.9, 0.9), 0.8 * inside(0.0011 - glint, width))
    # The upper lid shades the ball.
    return _scaled(colour, 1.0 - 0.55 * smooth(0.002, 0.009, dy))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _face(row, x, y, z, width):
    """Skin of head and neck with everything that a face has."""
    ax, seed = abs(x), int(row[rows.LOOK_SEED])
    base = _of(row, rows.SKIN)
    front = smooth(0.07, 0.11, z)
    blotch = 1.0 + 0.06 * fractal(x, y, z, seed, 0.03, 4, width)
    colour = _scaled(base, blotch)
    # Blood: cheeks, nose, ears, chin.
    cheek = smooth(0.028, 0.008, math.sqrt((ax - 0.043) ** 2 + (y - 1.540) ** 2)) * front
    nose = smooth(0.018, 0.004, math.sqrt(ax * ax + (y - 1.540) ** 2)) * smooth(0.145, 0.16, z)
    ear = smooth(0.068, 0.080, ax) * smooth(0.06, 0.03, abs(y - 1.565)) * (1 - front)
    blood = 0.65 * row[rows.BLUSH] * min(1.0, 0.8 * cheek + 0.8 * nose + 0.9 * ear)
    colour = (colour[0] * (1 + 0.10 * blood), colour[1] * (1 - 0.22 * blood), colour[2] * (1 - 0.20 * blood))
    # Beard or its shadow.
    beard = row[rows.BEARD]
    if beard > 0.0:
        jaw = smooth(1.522, 1.506, y - 0.30 * max(0.0, 0.125 - z)) * smooth(0.045, 0.085, z) * smooth(1.440, 1.462, y)
        top = 1.5275 - 0.25 * max(ax - 0.008, 0.0)
        lip = smooth(0.033, 0.022, ax) * smooth(top + 0.002, top - 0.002, y) * smooth(1.510, 1.516, y) * front
        lip = max(
            lip, smooth(0.006, 0.002, abs(ax - 0.031)) * smooth(1.523, 1.515, y) * smooth(1.495, 1.505, y) * front
        )
        grown = min(1.0, beard * max(jaw, lip) * (1.0 + 0.25 * fractal(x, y, z, seed + 2, 0.008, 2, width)))
        colour = _mix(colour, _mix(base, _of(row, rows.HAIR), 0.85), grown)
    if z > 0.08:
        # Eye sockets, lids and lashes.
        dx, dy = ax - _EYE_X, y - _EYE_Y
        ball = math.sqrt(dx * dx + dy * dy + (z - _EYE_Z) ** 2)
        flat = math.sqrt(dx * dx + (1.35 * dy) ** 2)
        colour = _scaled(colour, 1.0 - 0.24 * smooth(0.026, 0.012, flat))
        if flat < 0.022:
            lash = smooth(0.0185, 0.0158, ball) * (0.75 if dy > -0.001 else 0.40)
            colour = _mix(colour, _scaled(_of(row, rows.HAIR), 0.35), lash * smooth(0.021, 0.016, flat))
        # Brows: an arch, thick inside, thin outside.
        t = (ax - 0.012) / 0.036
        if -0.2 < t < 1.2:
            arch = 1.5985 + 0.0050 * math.sin(2.6 * t) - 0.0010 * t
            thick = 0.0040 - 0.0018 * max(t, 0.0)
            hairs = 1.0 + 0.3 * fractal(2 * x, y, z, seed + 9, 0.004, 2, width)
            brow = inside(thick - abs(y - arch), max(width, 0.0018)) * smooth(-0.1, 0.08, t) * smooth(1.1, 0.9, t)
            colour = _mix(colour, _scaled(_of(row, rows.HAIR), 0.6), min(1.0, 0.85 * brow * hairs))
        # Lips, the line between them, and what lies in shadow around nose and mouth.
        wide = 1.0 - (ax / 0.0255) ** 2
        if wide > -0.5 and z > 0.125:
            dm = y - _MOUTH_Y
            upper = 0.0092 * wide * (1.0 - 0.18 * smooth(0.006, 0.0, ax))
            lower = 0.0118 * wide
            lips = inside(min(upper - dm, dm + lower), max(width, 0.0012))
            colour = _mix(colour, _scaled(_of(row, rows.LIPS), 0.85 if dm > 0 else 1.0), 0.85 * lips)
            slit = inside(0.0011 - abs(dm), max(width, 0.0010)) * smooth(-0.05, 0.15, wide)
            colour = _scaled(colour, 1.0 - 0.75 * slit)
            colour = _scaled(colour, 1.0 - 0.16 * smooth(0.006, 0.0, abs(dm + 0.0165)) * smooth(0.02, 0.0, ax))
        nostril = math.sqrt(((ax - 0.0070) / 1.3) ** 2 + (y - 1.5305) ** 2 + (0.7 * (z - 0.156)) ** 2)
        colour = _scaled(colour, 1.0 - 0.8 * smooth(0.0048, 0.0022, nostril))
        wing = math.sqrt((ax - 0.0170) ** 2 + (y - 1.5340) ** 2)
        colour = _scaled(colour, 1.0 - 0.14 * smooth(0.007, 0.002, wing))
        colour = _scaled(colour, 1.0 - 0.18 * smooth(0.010, 0.0, abs(y - 1.5285)) * smooth(0.013, 0.006, ax))
    # Little light reaches the throat.
    under = smooth(1.476, 1.462, y) * smooth(1.40, 1.44, y) * smooth(0.03, 0.09, z)
    return _scaled(colour, 1.0 - 0.28 * under)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _skin(row, part, x, y, z, width):
    seed = int(row[rows.LOOK_SEED])
    colour = _scaled(_of(row, rows.SKIN), 1.0 + 0.07 * fractal(x, y, z, seed, 0.05, 4, width))
    if part == rows.HAND_LEFT or part == rows.HAND_RIGHT:
        # Knuckles and finger tips are redder.
        tip = smooth(0.24, 0.33, z) * row[rows.BLUSH]
        colour = (colour[0] * (1 + 0.05 * tip), colour[1] * (1 - 0.12 * tip), colour[2] * (1 - 0.10 * tip))
    elif not is_arm(part) and y < 0.6:
        knee = smooth(0.07, 0.02, abs(y - 0.49)) * smooth(0.03, 0.08, z)
        colour = _scaled(colour, 1.0 - 0.10 * knee)
    return colour


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _hair(row, x, y, z, width):
    style, seed = int(row[rows.HAIR_STYLE]), int(row[rows.LOOK_SEED])
    if style == rows.CAP or style == rows.SCARF:
        u = abs(x) - 0.9 * z
        return cloth(row, rows.HAT, x, y, z, u, y, 0.0, width, width, width)
    # Strands run down from the crown: noise that is long in y and fine around.
    around = math.atan2(abs(x), z - 0.04) * 0.08
    strands = fractal(around, 0.16 * y, 0.3 * z, seed + 7, 0.012, 3, 0.7 * width)
    tone = 0.92 + 0.55 * strands + 0.25 * fractal(x, y, z, seed + 8, 0.05, 2, width)
    return _scaled(_of(row, rows.HAIR), max(tone, 0.25))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _legs(row, x, y, z, width):
    """Trousers: inseam, fly and pockets over their fabric."""
    ax = abs(x)
    u = 0.0
    if winds(row, rows.TROUSERS):
        # Around the leg, whose axis leans outwards; the ends meet at the inseam.
        u = 0.075 * math.atan2(z - 0.02, ax - 0.11 - 0.093 * (0.886 - y))
    r, g, b = cloth(row, rows.TROUSERS, x, y, z, u, y, 0.0, width, width, width)
    colour = (r, g, b)
    seam = inside(0.0016 - abs(z - 0.012), max(width, 0.002)) * smooth(0.10, 0.12, ax) * kept(0.012, width)
    colour = _scaled(colour, 1.0 - 0.30 * seam)
    pocket = inside(0.002 - abs(y - 0.86 - 0.8 * (ax - 0.12)), max(width, 0.002)) * smooth(0.085, 0.09, ax)
    colour = _scaled(colour, 1.0 - 0.35 * pocket * smooth(0.05, 0.07, z) * smooth(0.80, 0.82, y))
    fly = inside(0.0018 - ax, max(width, 0.002)) * smooth(0.04, 0.06, z) * smooth(0.82, 0.83, y)
    colour = _scaled(colour, 1.0 - 0.35 * fly)
    # Between the legs it is dark.
    crotch = smooth(0.075, 0.02, ax) * smooth(0.60, 0.76, y) * smooth(0.87, 0.80, y)
    colour = _scaled(colour, 1.0 - 0.45 * crotch)
    if row[rows.HEM] > row[rows.WAIST] - 0.05:
        belt = inside(y - (row[rows.WAIST] - 0.032), width)
        colour = _mix(colour, _of(row, rows.BELT), belt)
        buckle = inside(0.016 - ax, width) * belt * smooth(0.05, 0.07, z)
        colour = _mix(colour, (0.42, 0.38, 0.28), 0.8 * buckle)
    return colour


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _top(row, part, x, y, z, s, width):
    """Shirt or jacket: collar, edges, buttons, and what shows where it is open."""
    ax, arm = abs(x), is_arm(part)
    fall = neckline(row, x, y, z)
    if arm:
        v = along_arm(x, y, z)
        u = 1.4 * (z - 0.1) + 0.4 * (y - 1.2 + ax)
    else:
        v, u = 1.36 - y, 0.0
        if winds(row, rows.SHIRT):
            u = 0.14 * math.atan2(ax / 0.16, (z - 0.025) / 0.10)
    chest = smooth(0.02, 0.05, z) if not arm else 0.0
    colour = cloth(row, rows.SHIRT, x, y, z, u, v, chest, width, width, width)
    trim = _of(row, rows.TRIM)
    band = row[rows.COLLAR]
    if not arm and band > 0.0 and y > 1.25:
        colour = _mix(colour, trim, inside(band - fall, width))
        colour = _scaled(colour, 1.0 - 0.35 * inside(0.003 - abs(fall - band), max(width, 0.003)) * kept(0.02, width))
    if arm and row[rows.SLEEVE] < 0.48:
        cuff = row[rows.SLEEVE] - v
        if band > 0.012:
            colour = _mix(colour, trim, inside(0.018 - cuff, width))
    if not arm and z > 0.0:
        gap = row[rows.OPEN]
        if gap > 0.0:
            gap *= 0.5 + 0.9 * smooth(1.0, 1.4, y)
            colour = _mix(
                colour, _scaled(_of(row, rows.UNDER), 1.0 - 0.3 * smooth(0.5 * gap, gap, ax)), inside(gap - ax, width)
            )
            colour = _scaled(colour, 1.0 - 0.5 * inside(0.004 - abs(ax - gap), max(width, 0.004)))
        if row[rows.BUTTONS] > 0.0:
            placket = inside(0.0015 - abs(ax - 0.016), max(width, 0.0025)) * kept(0.02, width)
            colour = _scaled(colour, 1.0 - 0.3 * placket)
            drop = (y - 0.90) / 0.085
            drop = (drop - math.floor(drop) - 0.5) * 0.085
            button = inside(0.0055 - math.sqrt(x * x + drop * drop), max(width, 0.002))
            colour = _mix(colour, trim, 0.85 * button)
    # Armpits are dark, and the edge of every garment has a seam.
    pit = smooth(0.09, 0.03, math.sqrt((ax - 0.165) ** 2 + (y - 1.275) ** 2 + (0.7 * (z - 0.02)) ** 2))
    colour = _scaled(colour, 1.0 - 0.35 * pit)
    seam = inside(0.0015 - abs(s - 0.014), max(width, 0.002)) * kept(0.014, width)
    return _scaled(colour, 1.0 - 0.25 * seam)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _shoes(row, x, y, z, f, width):
    colour = cloth(row, rows.SHOES, x, y, z, x, z, 0.0, width, width, width)
    laces = pulse((z - 0.03) / 0.016, 0.4, width / 0.016) * smooth(0.02, 0.012, abs(abs(x) - 0.192))
    laces *= smooth(0.03, 0.05, z) * smooth(0.125, 0.11, z) * smooth(0.05, 0.06, y)
    colour = _mix(colour, _of(row, rows.SOLE), 0.7 * laces)
    colour = _mix(colour, _of(row, rows.SOLE), inside(0.018 - y, width))
    return _scaled(colour, 1.0 - 0.4 * inside(0.0015 - abs(y - 0.019), max(width, 0.002)))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def worn(row, part, x, y, z, width):
    """Linear RGB, gloss 0..1, skin 0..1 (lets light through), and how deep cloth folds there, 0..1."""
    if part == rows.EYES:
        r, g, b = _eye(row, x, y, z, width)
        return r, g, b, 0.5, 0.0, 0.0
    if part == rows.MOUTH:
        return 0.10, 0.03, 0.03, 0.2, 0.0, 0.0
    # From the outside in, each layer only where the one over it does not hide it all.
    style = int(row[rows.HAIR_STYLE])
    h = hair(row, part, x, y, z)
    over = inside(h, max(width, 0.002 if style >= rows.CAP else 0.008))
    colour, gloss, bare, depth, shade = (0.0, 0.0, 0.0), 0.0, 0.0, 0.0, 1.0
    if over < 1.0:
        colour, gloss, bare, depth, shade = _dressed(row, part, x, y, z, width)
    if h < 0.0:
        shade *= 1.0 - 0.25 * smooth(-0.02, 0.0, h)
    if over > 0.0:
        colour = _mix(colour, _hair(row, x, y, z, width), over)
        gloss, bare, depth = (0.30 if style < rows.CAP else 0.03), bare * (1 - over), 0.4 * over
    colour = _scaled(colour, shade)
    return colour[0], colour[1], colour[2], gloss, bare, depth * row[rows.FOLDS]


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _dressed(row, part, x, y, z, width):
    """What is below hair and hats: colour, gloss, skin, folds, and the share of light that garments' edges leave."""
    s = shirt(row, part, x, y, z)
    over = inside(s, width)
    colour, gloss, bare, depth, shade = (0.0, 0.0, 0.0), 0.0, 0.0, 0.0, 1.0
    if over < 1.0:
        colour, gloss, bare, depth, shade = _below(row, part, x, y, z, width)
    if s < 0.0:
        shade *= 1.0 - 0.35 * smooth(-0.02, 0.0, s)
    if over > 0.0:
        colour = _mix(_scaled(colour, shade), _top(row, part, x, y, z, s, width), over)
        shade = shade + (1 - shade) * over
        gloss, bare, depth = 0.03 + row[rows.SHIRT + GLOSS], bare * (1 - over), max(depth, over)
    return colour, gloss, bare, depth, shade


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _below(row, part, x, y, z, width):
    """As `_dressed`, without the shirt: shoes over trousers over skin and socks."""
    colour, gloss, bare, depth, shade = (0.0, 0.0, 0.0), 0.18, 1.0, 0.0, 1.0
    f, t = shoes(row, part, x, y, z), trousers(row, part, x, y, z)
    shod, legs = inside(f, width), inside(t, width)
    if shod < 1.0 and legs < 1.0:
        colour = _face(row, x, y, z, width) if part <= rows.NECK else _skin(row, part, x, y, z, width)
        if -0.09 < f < 0.02:
            sock = inside(f + 0.07, width)
            colour = _mix(colour, _of(row, rows.SOCKS), sock)
            bare = 1.0 - sock
    if t < 0.0:
        shade = 1.0 - 0.35 * smooth(-0.025, 0.0, t)
    if legs > 0.0 and shod < 1.0:
        colour = _mix(colour, _legs(row, x, y, z, width), legs)
        gloss, bare, depth = 0.03 + row[rows.TROUSERS + GLOSS], bare * (1 - legs), legs
    if shod > 0.0:
        colour = _mix(colour, _shoes(row, x, y, z, f, width), shod)
        gloss, bare, depth = row[rows.SHOES + GLOSS], bare * (1 - shod), 0.2 * shod
    return colour, gloss, bare, depth, shade
