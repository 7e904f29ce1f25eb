"""From where hips, feet and hands should be to the rotations of a body's bones.

A generator of motion thinks in parts: how the pelvis, the chest and the head are turned, where the ankles stand, where
the arms point. Here every bone gets the rotation that fulfils that. Legs follow from their two lengths, so a planted
foot stays where it is, and twist is spread so that skin does not wring.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dyad.synthetic.bodies.body import BONES, Shape
from dyad.synthetic.motion.gait import middle_joint
from dyad.synthetic.motion.paths import Array, forward, leftward
from dyad.synthetic.motion.rotations import between, slerp, unit
from dyad.synthetic.motion.takes import Take

SIDES = ("left", "right")
_UP = np.array((0.0, 1.0, 0.0))
_REACH = 0.9995


class Frame(NamedTuple):
    """Unit vectors (T, 3) of a part of the body."""

    left: Array
    up: Array
    forward: Array

    @classmethod
    def of(cls, yaw: Array, *, lean: Array | float = 0.0, roll: Array | float = 0.0) -> "Frame":
        """Turned by `yaw`, then leant forward and rolled (left side up), all in rad (T)."""
        ahead, left = forward(yaw), leftward(yaw)
        lean, roll = np.broadcast_to(lean, yaw.shape)[:, None], np.broadcast_to(roll, yaw.shape)[:, None]
        up = np.cos(lean) * _UP + np.sin(lean) * ahead
        ahead = np.cos(lean) * ahead - np.sin(lean) * _UP
        return cls(np.cos(roll) * left + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * left, ahead)

    def at(self, left: Array | float, up: Array | float, ahead: Array | float) -> Array:
        """Vectors (T, 3) from their components (T) or numbers."""
        return column(left) * self.left + column(up) * self.up + column(ahead) * self.forward

    @property
    def matrix(self) -> Array:
        """Rotations (T, 3, 3) from the axes of someone who stands facing +z."""
        return np.stack(self, -1)


class Arm(NamedTuple):
    """Directions (T, 3): of the upper arm, into which the elbow bends, of the thumb; and the bend (T) in rad."""

    upper: Array
    bend: Array
    thumb: Array
    angle: Array


class Hand(NamedTuple):
    """Where a wrist is held (T, 3) m, how much (T) 0..1, and into which direction (T, 3) the elbow gives way."""

    wrist: Array
    weight: Array
    elbow: Array


class Foot(NamedTuple):
    """Where an ankle is (T, 3) m, where the foot heads (T) rad, and how far its tip points up (T) rad."""

    ankle: Array
    yaw: Array
    pitch: Array


@dataclass(frozen=True)
class Posture:
    """T frames of how a body holds itself. Pairs are left, right.

    Attributes:
        middle: (T, 3) m, half-way between the hip joints. pelvis, chest, head: how they are turned.
        feet: of both sides. knees: (T, 3) directions into which the knees bend. arms: of both sides.
        hands: what arms reach for, on top of `arms`.
    """

    middle: Array
    pelvis: Frame
    chest: Frame
    head: Frame
    feet: tuple[Foot, Foot]
    knees: tuple[Array, Array]
    arms: tuple[Arm, Arm]
    hands: tuple[Hand | None, Hand | None] = (None, None)


def take_of(posture: Posture, shape: Shape, fps: float) -> Take:
    """The rotations with which this body fulfils the posture. Ankles out of reach are reached for."""
    straight, frames = _straightening(shape), len(posture.middle)
    turned: dict[str, Array] = {}
    pelvis, chest, head = (frame.matrix for frame in (posture.pelvis, posture.chest, posture.head))
    for name in ("Hips", "LHipJoint", "RHipJoint"):
        turned[name] = pelvis
    # The back bends a share in each of its bones, the neck carries half of the head's turn.
    for name, share in (("LowerBack", 1 / 3), ("Spine", 2 / 3), ("Spine1", 1.0)):
        turned[name] = slerp(pelvis, chest, np.full(frames, share))
    for name, share in (("Neck", 0.3), ("Neck1", 0.65), ("Head", 1.0)):
        turned[name] = slerp(chest, head, np.full(frames, share))
    at = {name: shape.joints[index] for index, name in enumerate(BONES)}
    hips = posture.middle - np.einsum("tij,j->ti", pelvis, (at["LeftUpLeg"] + at["RightUpLeg"]) / 2 - at["Hips"])
    for side, foot, knee in zip(SIDES, posture.feet, posture.knees, strict=True):
        name = side.title()
        hip = hips + np.einsum("tij,j->ti", pelvis, at[f"{name}UpLeg"] - at["Hips"])
        _leg(turned, name, hip, foot, knee, at)
    bust = _chain(turned, at, hips)
    for side, arm, hand in zip(SIDES, posture.arms, posture.hands, strict=True):
        _arm(turned, side, arm, hand, chest, bust, at)
    globals_ = np.stack([turned[name] @ straight[index] for index, name in enumerate(BONES)], 1)
    parents = shape.model.parents
    local = globals_.copy()
    local[:, 1:] = np.swapaxes(globals_[:, parents[1:]], -1, -2) @ globals_[:, 1:]
    return Take(local, hips, fps)


def _leg(turned: dict[str, Array], name: str, hip: Array, foot: Foot, towards: Array, at: dict[str, Array]) -> None:
    upper = float(np.linalg.norm(at[f"{name}Leg"] - at[f"{name}UpLeg"]))
    lower = float(np.linalg.norm(at[f"{name}Foot"] - at[f"{name}Leg"]))
    ankle = within_reach(hip, foot.ankle, _REACH * (upper + lower))
    knee = middle_joint(hip, ankle, upper, lower, towards)
    hinge = np.cross(hip - ankle, towards)
    turned[f"{name}UpLeg"] = hinged(hip - knee, hinge)
    turned[f"{name}Leg"] = hinged(knee - ankle, hinge)
    sole = Frame.of(foot.yaw, lean=-foot.pitch)
    turned[f"{name}Foot"] = sole.matrix
    # A heel that rises rolls over the toes, which stay flat as far as toes bend.
    bent = np.clip(-foot.pitch, 0, np.radians(45))
    turned[f"{name}ToeBase"] = Frame.of(foot.yaw, lean=-(foot.pitch + bent)).matrix


def _chain(turned: dict[str, Array], at: dict[str, Array], hips: Array) -> Array:
    """Where (T, 3) the head of Spine1 is."""
    place = hips
    for parent, child in (("Hips", "LowerBack"), ("LowerBack", "Spine"), ("Spine", "Spine1")):
        place = place + np.einsum("tij,j->ti", turned[parent], at[child] - at[parent])
    return place


def _arm(
    turned: dict[str, Array],
    side: str,
    arm: Arm,
    hand: Hand | None,
    chest: Array,
    bust: Array,
    at: dict[str, Array],
) -> None:
    name, sign = side.title(), 1.0 if side == "left" else -1.0
    upper_length = float(np.linalg.norm(at[f"{name}ForeArm"] - at[f"{name}Arm"]))
    fore_length = float(np.linalg.norm(at[f"{name}Hand"] - at[f"{name}ForeArm"]))
    # A raised arm takes the shoulder blade along: a third of what lies above the horizontal, at most 30 degrees.
    raised = np.arcsin(np.clip((arm.upper * chest[..., 1]).sum(-1), -1, 1))
    shrug = np.clip(raised / 3 + np.radians(4), 0, np.radians(30))
    cos, sin = np.cos(shrug), np.sin(shrug) * sign
    left, up, ahead = (chest[..., i] for i in range(3))
    blade = np.stack((cos[:, None] * left + sin[:, None] * up, cos[:, None] * up - sin[:, None] * left, ahead), -1)
    turned[f"{name}Shoulder"] = blade
    shoulder = bust + np.einsum("tij,j->ti", chest, at[f"{name}Shoulder"] - at["Spine1"])
    shoulder = shoulder + np.einsum("tij,j->ti", blade, at[f"{name}Arm"] - at[f"{name}Shoulder"])
    upper, thumb = unit(arm.upper), arm.thumb
    bend = unit(_aside(arm.bend, upper))
    fore = np.cos(arm.angle)[:, None] * upper + np.sin(arm.angle)[:, None] * bend
    if hand is not None:
        free = shoulder + upper_length * upper + fore_length * fore
        wrist = free + hand.weight[:, None] * (hand.wrist - free)
        wrist = within_reach(shoulder, wrist, 0.99 * (upper_length + fore_length))
        aside = upper + hand.weight[:, None] * (unit(hand.elbow) - upper) + 1e-3 * bend
        elbow = middle_joint(shoulder, wrist, upper_length, fore_length, _aside(aside, wrist - shoulder))
        upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
        bend = _aside(fore, upper)
        straight = np.linalg.norm(bend, axis=-1, keepdims=True) < 1e-3
        bend = np.where(straight, _aside(arm.bend, upper), bend)
    hinge = np.cross(-upper, bend)
    turned[f"{name}Arm"] = hinged(-upper, hinge)
    # The forearm turns half as far as the hand does, the bones beyond the wrist turn with it.
    palm = hinged(-fore, np.cross(-fore, thumb))
    turned[f"{name}ForeArm"] = slerp(hinged(-fore, hinge), palm, np.full(len(upper), 0.5))
    prefix = "L" if side == "left" else "R"
    for bone in (f"{name}Hand", f"{prefix}Thumb", f"{name}FingerBase", f"{name}HandFinger1"):
        turned[bone] = palm


def hinged(up: Array, hinge: Array) -> Array:
    """Rotations (T, 3, 3) whose y axis is `up` and whose x axis is as near `hinge` as it can be."""
    y = unit(up)
    x = unit(_aside(hinge, y))
    return np.stack((x, y, np.cross(x, y)), -1)


def _aside(vectors: Array, axis: Array) -> Array:
    """The part of vectors that is square to an axis of any length."""
    axis = unit(axis)
    return vectors - (vectors * axis).sum(-1, keepdims=True) * axis


def within_reach(start: Array, end: Array, length: float) -> Array:
    """`end` (T, 3), drawn towards `start` where it is farther than `length` m."""
    away = end - start
    far = np.linalg.norm(away, axis=-1, keepdims=True) / length
    return start + away / np.maximum(far, 1)


def column(value: Array | float) -> Array:
    """(T, 1) or (1, 1), to scale vectors (T, 3)."""
    return np.asarray(value, np.float64).reshape(-1, 1)


@lru_cache(maxsize=256)
def _straightening(shape: Shape) -> Array:
    """Rotations (31, 3, 3) from the rest pose, bone by bone, to standing with straight legs and hanging arms."""
    at = {name: shape.joints[index] for index, name in enumerate(BONES)}
    out = np.broadcast_to(np.eye(3), (len(BONES), 3, 3)).copy()
    down = np.array((0.0, -1.0, 0.0))
    for name in ("Left", "Right"):
        prefix = name[0]
        limbs = {
            f"{name}UpLeg": (f"{name}UpLeg", f"{name}Leg"),
            f"{name}Leg": (f"{name}Leg", f"{name}Foot"),
            f"{name}Arm": (f"{name}Arm", f"{name}ForeArm"),
            f"{name}ForeArm": (f"{name}ForeArm", f"{name}Hand"),
        }
        for bone, (start, end) in limbs.items():
            out[BONES.index(bone)] = between(unit(at[end] - at[start]), down)
        fore = out[BONES.index(f"{name}ForeArm")]
        # At rest the palm looks half forward; straightened about the arm's axis, its thumb points ahead.
        thumb = fore @ unit(at[f"{prefix}Thumb"] - at[f"{name}Hand"])
        turn = np.arctan2(thumb[0], thumb[2])
        about = np.array(((np.cos(turn), 0, -np.sin(turn)), (0, 1, 0), (np.sin(turn), 0, np.cos(turn))))
        for bone in (f"{name}Hand", f"{prefix}Thumb", f"{name}FingerBase", f"{name}HandFinger1"):
            out[BONES.index(bone)] = about @ fore
    return out
