"""Bodies around 33 joints: which rounded cones make a person, and of what each is made."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dyad.core.skeleton import BLAZEPOSE33
from dyad.synthetic.anatomy import Anatomy, Look
from dyad.synthetic.tracing import Cone, Solids

Vector = NDArray[np.float64]


class Material(IntEnum):
    """What a part shows."""

    SKIN = 0
    FACE = 1
    HAIR = 2
    TOP = 3
    BOTTOM = 4
    SHOE = 5


class Limb(IntEnum):
    """Which parts flow into one another, so that no crease shows where they meet."""

    HEAD = 0
    TRUNK = 1
    LEFT_ARM = 2
    RIGHT_ARM = 3
    LEFT_LEG = 4
    RIGHT_LEG = 5


@dataclass(frozen=True)
class Figure:
    """One person's body in one frame.

    Attributes:
        solids: P parts. material, limb: (P,) int. look: colours.
        head: (4, 3) middle between the ears, then unit vectors to its left, up and forward. size: of the head, 1 at a
            height of 1.75 m.
    """

    solids: Solids
    material: NDArray
    limb: NDArray
    look: Look
    head: NDArray
    size: float


def figure(joints: NDArray, anatomy: Anatomy, look: Look) -> Figure:
    """The body of someone whose joints (33, 3) of `BLAZEPOSE33` are given in m, in any frame of reference."""
    at = dict(zip(BLAZEPOSE33.names, np.asarray(joints, float), strict=True))
    size, girth = anatomy.scale, anatomy.scale * anatomy.build
    parts: list[tuple[Cone, Material, Limb]] = []
    head = _head_frame(at)
    parts += _head(at, head, size, look)
    parts += _trunk(at, girth)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        parts += _arm(at, side, size, girth, look)
        parts += _leg(at, side, sign, size, girth, look)
    cones, materials, limbs = zip(*parts, strict=True)
    return Figure(Solids.of(list(cones)), np.array(materials), np.array(limbs), look, head, size)


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def _across(vector: Vector, along: Vector) -> Vector:
    """The unit part of a vector that is perpendicular to the unit vector `along`."""
    return _unit(vector - (vector @ along) * along)


def _head_frame(at: dict[str, Vector]) -> NDArray:
    left = _unit(at["left_ear"] - at["right_ear"])
    up = _across(at["left_eye"] + at["right_eye"] - at["mouth_left"] - at["mouth_right"], left)
    return np.stack(((at["left_ear"] + at["right_ear"]) / 2, left, up, np.cross(left, up)))


def _head(at: dict[str, Vector], head: NDArray, size: float, look: Look) -> list[tuple[Cone, Material, Limb]]:
    centre, left, up, ahead = head
    neck = (at["left_shoulder"] + at["right_shoulder"]) / 2

    def point(sideways: float, upwards: float, forwards: float) -> Vector:
        return centre + size * (sideways * left + upwards * up + forwards * ahead)

    def ball(middle: Vector, width: float, height: float, depth: float) -> Cone:
        r = size * height
        return Cone(middle, middle + 2e-3 * up, r, r, left, width / height, depth / height)

    limb = Limb.HEAD
    parts = [
        (ball(point(0, 0.035, 0.0), 0.075, 0.093, 0.093), Material.FACE, limb),
        (
            Cone(point(0, 0.0, 0.038), point(0, -0.075, 0.058), 0.058 * size, 0.034 * size, left, 1.0),
            Material.FACE,
            limb,
        ),
        (Cone(point(0, 0.012, 0.086), point(0, -0.018, 0.103), 0.010 * size, 0.0145 * size), Material.FACE, limb),
        (Cone(neck + 0.02 * up, point(0, -0.02, -0.01), 0.058 * size, 0.054 * size), Material.SKIN, limb),
        (ball(point(0, 0.050, -0.022), 0.084, 0.086, 0.094), Material.HAIR, limb),
    ]
    for ear in ("left_ear", "right_ear"):
        out = _unit(at[ear] - centre)
        parts.append((ball(at[ear] + 0.006 * out, 0.011, 0.030, 0.018), Material.SKIN, limb))
    if look.long_hair:
        parts.append(
            (
                Cone(point(0, 0.03, -0.045), point(0, -0.13, -0.065), 0.078 * size, 0.06 * size, left, 1.1, 0.62),
                Material.HAIR,
                limb,
            )
        )
    return parts


def _trunk(at: dict[str, Vector], girth: float) -> list[tuple[Cone, Material, Limb]]:
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    hips = (at["left_hip"] + at["right_hip"]) / 2
    up = _unit(shoulders - hips)
    across, hip_axis = (_across(at[f"left_{n}"] - at[f"right_{n}"], up) for n in ("shoulder", "hip"))
    ahead = np.cross(across, up)
    length = float(np.linalg.norm(shoulders - hips))

    def level(share: float, forwards: float = 0.0) -> Vector:
        return hips + share * length * up + forwards * girth * ahead

    top, bottom, limb = Material.TOP, Material.BOTTOM, Limb.TRUNK
    parts = [
        (Cone(level(0.80, 0.005), level(0.50), 0.158 * girth, 0.142 * girth, across, 1.0, 0.66), top, limb),
        (Cone(level(0.52), level(0.14), 0.142 * girth, 0.146 * girth, across, 1.0, 0.68), top, limb),
        (Cone(level(0.14), level(0.02, -0.01), 0.150 * girth, 0.152 * girth, hip_axis, 1.0, 0.70), bottom, limb),
        (Cone(level(0.20), level(0.06, -0.005), 0.150 * girth, 0.157 * girth, hip_axis, 1.0, 0.70), top, limb),
    ]
    for side in ("left", "right"):
        shoulder = at[f"{side}_shoulder"]
        inner = shoulders + 0.12 * girth * up
        parts.append((Cone(inner - 0.05 * girth * up, shoulder - 0.008 * up, 0.058 * girth, 0.054 * girth), top, limb))
        parts.append(
            (Cone(shoulder - 0.01 * up, level(0.66, 0.005), 0.058 * girth, 0.115 * girth, ahead, 0.95), top, limb)
        )
    return parts


def _arm(at: dict[str, Vector], side: str, size: float, girth: float, look: Look) -> list[tuple[Cone, Material, Limb]]:
    limb = Limb.LEFT_ARM if side == "left" else Limb.RIGHT_ARM
    shoulder, elbow, wrist = (at[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist"))
    index, pinky, thumb = (at[f"{side}_{n}"] for n in ("index", "pinky", "thumb"))
    skin, top = Material.SKIN, Material.TOP
    sleeve = look.sleeve * 2  # 1 at the elbow, 2 at the wrist
    upper_end = shoulder + min(sleeve, 1.0) * (elbow - shoulder)
    parts = [
        (Cone(shoulder, elbow, 0.051 * girth, 0.039 * girth), top if sleeve >= 1 else skin, limb),
        (Cone(shoulder, upper_end, 0.059 * girth, (0.056 if sleeve < 1 else 0.046) * girth), top, limb),
        (Cone(elbow, wrist, 0.034 * girth, 0.026 * girth), skin, limb),
        (Cone(elbow + 0.12 * (wrist - elbow), elbow + 0.5 * (wrist - elbow), 0.042 * girth, 0.034 * girth), skin, limb),
    ]
    if sleeve > 1:
        cuff = elbow + (sleeve - 1) * (wrist - elbow)
        parts.append((Cone(elbow, cuff, 0.046 * girth, 0.037 * girth), top, limb))
    knuckles = (index + pinky) / 2
    along, across = _unit(knuckles - wrist), _unit(index - pinky)
    normal = np.cross(along, across)
    reach = float(np.linalg.norm(knuckles - wrist))
    tips = knuckles + reach * (0.85 * along + 0.12 * normal * (1 if side == "left" else -1))
    parts += [
        (Cone(wrist, knuckles, 0.027 * size, 0.038 * size, across, 1.0, 0.45), skin, limb),
        (Cone(knuckles, tips, 0.038 * size, 0.024 * size, across, 1.0, 0.34), skin, limb),
        (Cone(wrist + 0.2 * (thumb - wrist), thumb, 0.016 * size, 0.012 * size), skin, limb),
        (Cone(thumb, thumb + 0.55 * (thumb - wrist), 0.012 * size, 0.009 * size), skin, limb),
    ]
    return parts


def _leg(
    at: dict[str, Vector], side: str, sign: float, size: float, girth: float, look: Look
) -> list[tuple[Cone, Material, Limb]]:
    limb = Limb.LEFT_LEG if side == "left" else Limb.RIGHT_LEG
    hip, knee, ankle, heel, toe = (at[f"{side}_{n}"] for n in ("hip", "knee", "ankle", "heel", "foot_index"))
    across = _unit(at["left_hip"] - at["right_hip"])
    sole = _unit(toe - heel)
    up = _across(ankle - heel, sole)
    back = _across(-sole, _unit(ankle - knee))
    cover = look.trousers * 2  # 1 at the knee, 2 at the ankle
    cloth, bare = Material.BOTTOM, Material.SKIN
    inner = -0.012 * sign * across
    parts = [
        (Cone(hip + inner, knee, 0.088 * girth, 0.060 * girth), cloth, limb),
        (Cone(knee, ankle, 0.050 * girth, 0.036 * girth), bare, limb),
        (Cone(knee + 0.12 * (ankle - knee) + 0.012 * back, knee + 0.5 * (ankle - knee) + 0.012 * back,
              0.050 * girth, 0.044 * girth), bare, limb),
    ]  # fmt: skip
    if cover > 1:
        hem = knee + (cover - 1) * (ankle - knee)
        parts.append((Cone(knee, hem, 0.060 * girth, 0.052 * girth), cloth, limb))
        parts.append((Cone(knee + 0.15 * (hem - knee) + 0.012 * back, hem, 0.058 * girth, 0.052 * girth), cloth, limb))
    base = heel + 0.040 * size * sole
    middle, tip = base + 0.018 * size * up, toe - 0.045 * size * sole + 0.014 * size * up
    instep = toe - 0.07 * size * sole + 0.012 * size * up
    parts += [
        (Cone(ankle + 0.01 * up, base + 0.025 * size * up, 0.040 * size, 0.040 * size), Material.SHOE, limb),
        (Cone(middle, tip, 0.039 * size, 0.036 * size, up, 0.95, 1.15), Material.SHOE, limb),
        (Cone(ankle - 0.005 * up, instep, 0.036 * size, 0.030 * size), Material.SHOE, limb),
    ]
    return parts
