"""How a limb is turned about itself, which the places of its joints tell only where it is bent."""

import numpy as np
from scipy.linalg import solveh_banded

from dyad.export.turns import about, between, unit
from dyad.export.upright import Array

_STEADY = 0.15
"""Seconds over which the twist is evened out."""
_EVIDENCE = 0.1
"""Weight of the evidence of a limb bent by 18 degrees, which evening out is set against."""
_SWING = 0.01
"""Weight of the turn from the rest pose by the shortest way: it counts where the limb is straight to 6 degrees."""


def steady_turns(rest: Array, hinge: Array, bone: Array, bend: Array, times: Array) -> Array:
    """Rotations (T, 3, 3) of a bone, in the axes of what it hangs from.

    Args:
        rest: (3,) unit direction of the bone in the rest pose.
        hinge: (3,) unit axis, at right angles to `rest`, about which the next bone bends in the rest pose.
        bone: (T, 3) unit directions of the bone.
        bend: (T, 3) unit axis about which the next bone is bent times the sine of the angle; 0 where it is straight.
        times: (T,) s.

    The rotation takes `rest` to `bone`, exactly. Of those that do, it is the one that takes the hinge to where the bend
    shows it, where the limb is bent; where it is straight, the shortest turn from the rest pose has a weak say, and in
    between nothing turns about the bone without a cause: frames are carried along without twist (parallel transport),
    and the angle about them is the smoothest one that agrees with the evidence. Angles are solved for as complex
    numbers, so that none is told from its like a turn away.
    """
    carried = _carried(rest, bone)
    base = carried @ hinge
    sine = np.linalg.norm(bend, axis=-1)
    swing = between(rest, bone) @ hinge
    # Near the opposite of the rest direction the shortest way is any way.
    trust = _SWING * ((1 + bone @ rest) / 2) ** 2
    weight = sine**2
    told = weight * np.exp(1j * _angle(base, unit(bend), bone)) + trust * np.exp(1j * _angle(base, swing, bone))
    angle = np.angle(_smooth(told, weight + trust, times))
    return about(bone, angle) @ carried


def _carried(rest: Array, bone: Array) -> Array:
    """Rotations (T, 3, 3) of `rest` into the bone's directions, each one the shortest turn from the one before."""
    steps = between(np.concatenate([rest[None], bone[:-1]]), bone)
    for t in range(1, len(steps)):
        steps[t] = steps[t] @ steps[t - 1]
    return steps


def _angle(start: Array, end: Array, axis: Array) -> Array:
    """Angle (T,) about an axis from one direction to another, radians."""
    return np.arctan2((axis * np.cross(start, end)).sum(-1), (start * end).sum(-1))


def _smooth(told: Array, weight: Array, times: Array) -> Array:
    """Of weighted complex evidence (T,), the numbers that agree with it and change little from one to the next."""
    count = len(times)
    if count == 1:
        return told
    gaps = np.maximum(np.diff(times), 1e-6)
    tie = _EVIDENCE * _STEADY**2 / (np.median(gaps) * gaps)
    bands = np.zeros((2, count))
    bands[1] = weight + 1e-9
    bands[1, 1:] += tie
    bands[1, :-1] += tie
    bands[0, 1:] = -tie
    both = solveh_banded(bands, np.stack([told.real, told.imag], -1))
    return both[:, 0] + 1j * both[:, 1]
