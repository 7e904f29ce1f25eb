"""Where on the body hair, shirt, trousers and shoes lie: signed distances on the body at rest, positive inside.

Coordinates are the body's canonical ones (see `body.Mesh`): the middle adult at rest, 1.69 m tall, y up, left = +x,
arms lowered and bent forward. The numbers below were read off that body. The same functions decide what a pixel shows
and how far a vertex is padded, so that cloth has its thickness where its colour is.
"""

import math

from numba import njit

from dyad.synthetic.rendering import rows
from dyad.synthetic.rendering.patterns import smooth

# Shoulder, elbow, and the directions from them down the left arm; lengths in m.
_SX, _SY, _SZ = 0.175, 1.343, 0.025
_EX, _EY, _EZ = 0.350, 1.151, 0.035
_UX, _UY, _UZ, UPPER_ARM = 0.6732, -0.7386, 0.0385, 0.260
_FX, _FY, _FZ, FOREARM = 0.5175, -0.5175, 0.6871, 0.230


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def is_arm(part):
    return (
        part == rows.UPPER_LEFT
        or part == rows.UPPER_RIGHT
        or part == rows.FOREARM_LEFT
        or part == rows.FOREARM_RIGHT
        or part == rows.HAND_LEFT
        or part == rows.HAND_RIGHT
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def along_arm(x, y, z):
    """Distance in m from the shoulder joint along upper arm and forearm; negative on the shoulder's top."""
    ax = abs(x)
    bend = (ax - _EX) * (_UX + _FX) + (y - _EY) * (_UY + _FY) + (z - _EZ) * (_UZ + _FZ)
    if bend > 0.0:
        return UPPER_ARM + (ax - _EX) * _FX + (y - _EY) * _FY + (z - _EZ) * _FZ
    return (ax - _SX) * _UX + (y - _SY) * _UY + (z - _SZ) * _UZ


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def neckline(row, x, y, z):
    """How far below the edge of the neck opening, in m; the opening hangs lower in front."""
    edge = 1.438 - 0.32 * (z - 0.02)
    if z > 0.0:
        edge -= max(0.0, row[rows.NECK_DROP] - 1.1 * abs(x))
    return edge - y


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def shirt(row, part, x, y, z):
    if part <= rows.MOUTH:
        return -1.0
    arm = is_arm(part)
    reach = row[rows.SLEEVE]
    if arm or (abs(x) > 0.13 and y > 1.27):
        d = reach - along_arm(x, y, z)
        return d if arm else min(d, neckline(row, x, y, z))
    return min(y - row[rows.HEM], neckline(row, x, y, z))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def trousers(row, part, x, y, z):
    if part <= rows.NECK or is_arm(part):
        return -1.0
    return min(row[rows.WAIST] - y, y - row[rows.LEG])


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def shoes(row, part, x, y, z):
    if part <= rows.NECK or is_arm(part):
        return -1.0
    return row[rows.SHAFT] + 0.15 * max(0.0, -z) - y


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def hair(row, part, x, y, z):
    """Inside the hair, or the cap or scarf in its place."""
    style = int(row[rows.HAIR_STYLE])
    if style == rows.BALD or y < 1.30 or part == rows.EYES or part == rows.MOUTH:
        return -1.0
    ax = abs(x)
    if style == rows.SCARF:
        # All but the face's oval; the neck is covered too.
        if z > 0.05:
            oval = math.sqrt((ax / 0.062) ** 2 + ((y - 1.553) / 0.092) ** 2)
            return (oval - 1.0) * 0.07 if y > 1.47 else 0.05
        return min(y - 1.40, 0.05) if part <= rows.NECK else y - 1.41
    if part > rows.NECK and style != rows.LONG:
        return -1.0
    high = row[rows.HAIR_LINE]
    if style == rows.CAP:
        return y - (1.548 + 0.44 * (z + 0.03))
    # The line's height by how far forward: nape, behind the ear, sideburn, temple, forehead.
    if z < 0.015:
        line = 1.485 + 1.0 * max(0.0, z + 0.02)
    elif z < 0.075:
        line = 1.52 + (z - 0.015) * 0.55
    elif z < 0.110:
        line = 1.553 + (z - 0.075) * 2.0 + 0.012 * smooth(0.075, 0.085, z)
    else:
        line = 1.635 + (z - 0.110) * 0.2
    line += (high - 0.0) * smooth(0.06, 0.11, z) + 0.02 * smooth(0.028, 0.055, ax) * smooth(0.12, 0.135, z)
    ear = (math.sqrt(((z - 0.040) / 0.028) ** 2 + ((y - 1.566) / 0.037) ** 2) - 1.0) * 0.03
    if style == rows.MEDIUM or style == rows.LONG:
        low = 1.50 if style == rows.MEDIUM else 1.36
        if z < 0.07:
            return y - low - 0.9 * max(0.0, z - 0.0) * (1.0 if style == rows.LONG else 0.5)
        return y - line
    return min(y - line, ear) if ax > 0.060 else y - line


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def padding(row, part, x, y, z):
    """How far cloth and soles stand off the skin along its normal, in m; for what covers the head see `volume`."""
    out = 0.0
    f = shoes(row, part, x, y, z)
    if f > 0.0:
        return 0.007 * smooth(0.0, 0.02, f)
    loose = row[rows.FOLDS]
    t = trousers(row, part, x, y, z)
    if t > 0.0:
        flare = 0.004 + 0.007 * loose + 0.007 * loose * smooth(0.85, 0.30, y)
        out = max(out, flare * smooth(0.0, 0.015, t) if t < 0.05 and y > 0.8 else flare)
    s = shirt(row, part, x, y, z)
    if s > 0.0:
        thick = 0.003 + 0.006 * loose
        if not is_arm(part):
            thick += 0.009 * loose * smooth(1.30, 1.05, y)
        else:
            thick += 0.004 * loose
        near_neck = smooth(0.0, 0.03, neckline(row, x, y, z)) if y > 1.3 else 1.0
        out = max(out, thick * (0.3 + 0.7 * near_neck))
    return out


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def volume(row, part, x, y, z):
    """How far hair, cap or scarf lift a point away from the middle of the head, in m: onto an egg around the skull,
    or below it out from the neck, so that ears vanish beneath."""
    h = hair(row, part, x, y, z)
    if h <= 0.0:
        return 0.0
    style = int(row[rows.HAIR_STYLE])
    thick, edge = 0.011, 0.035
    if style == rows.MEDIUM:
        thick = 0.022
    elif style == rows.LONG:
        thick = 0.024
    elif style == rows.SCARF:
        thick, edge = 0.016, 0.02
    elif style == rows.CAP:
        thick, edge = 0.012, 0.004
    dy = max(y - 1.585, 0.0) if style == rows.LONG or style == rows.MEDIUM or style == rows.SCARF else y - 1.585
    dz = z - 0.043
    inner = math.sqrt((x / 0.0765) ** 2 + (dy / 0.105) ** 2 + (dz / 0.098) ** 2)
    reach = math.sqrt(x * x + (y - 1.585) ** 2 + dz * dz)
    out = thick
    if inner > 1e-3 and y > 1.47:
        # From where the point is to the egg, thickened.
        out = max(0.3 * thick, reach / inner + thick - reach) if inner < 1.6 else 0.5 * thick
        out = min(out, 0.045)
    if part > rows.NECK:
        out = 0.4 * thick
    return out * smooth(0.0, edge, h)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def drape(row, part, x, y, z):
    """How far a covered point loses the shape of what is beneath, 0 to 1."""
    f = shoes(row, part, x, y, z)
    if f > 0.0:
        return smooth(0.0, 0.02, f)
    h = hair(row, part, x, y, z)
    if h > 0.0:
        return smooth(0.004, 0.03, h)
    cloth = max(shirt(row, part, x, y, z), trousers(row, part, x, y, z))
    return (0.3 + 0.7 * row[rows.FOLDS]) * smooth(0.0, 0.03, cloth) if cloth > 0.0 else 0.0
