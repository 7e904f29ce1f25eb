"""Which joint of a recorded skeleton moves which part of a person, told by names and by how the tree hangs together."""

import re
from dataclasses import dataclass

from dyad.core.errors import BadInput

SIDES = ("left", "right")

LIMBS = {
    "clavicle": ("clavicle", "collar", "shoulder"),
    "upper_arm": ("arm", "uparm", "upperarm", "humerus", "shoulder"),
    "forearm": ("forearm", "lowarm", "lowerarm", "radius", "elbow"),
    "hand": ("wrist", "hand"),
    "thigh": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "shin": ("leg", "lowleg", "lowerleg", "shin", "calf", "tibia", "knee"),
    "foot": ("ankle", "foot"),
    "toes": ("toebase", "toes", "toe", "toe0", "ball", "foot"),
}
"""Names of the parts of a limb, without the side; of several that occur, the earlier one is meant."""

_HEADS = ("head", "upperneck", "neck1", "neck")


@dataclass(frozen=True)
class Roles:
    """Joints by what they move, as indices into the source's joints.

    `pelvis`; `spine` and `neck`, chains from below upwards, the last of which carry the arms and the head; `limbs` by
    side and part ("left", "thigh"). Thighs, shins, upper arms and forearms are always there; other parts may lack.
    """

    pelvis: int
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    limbs: dict[tuple[str, str], int]


def roles(names: tuple[str, ...], parents: tuple[int, ...]) -> Roles:
    """The roles of a skeleton's joints; BadInput where an arm or a leg cannot be found.

    Known are the names of CMU's ASF files and of the BVH files made from them, of AnimatedDrawings, DeepMimic, SMPL,
    Mixamo (with or without its prefix), 3ds Max's Biped and others like them.
    """
    told = [_told(name) for name in names]
    limbs = {}
    for side in SIDES:
        own = {base: joint for joint, (where, base) in reversed(list(enumerate(told))) if where == side}
        for part, known in LIMBS.items():
            for base in known:
                if base in own:
                    limbs[side, part] = own[base]
                    break
        # A skeleton without collar bones calls the upper arm's joint a shoulder; one without toes the ankle a foot.
        for part, other in (("clavicle", "upper_arm"), ("toes", "foot")):
            if limbs.get((side, part)) == limbs.get((side, other)):
                limbs.pop((side, part), None)
        missing = [part for part in ("thigh", "shin", "upper_arm", "forearm") if (side, part) not in limbs]
        if missing:
            raise BadInput(
                f"no joint was found for the {side} {' and '.join(missing).replace('_', ' ')} "
                f"among {', '.join(names[:40])}"
            )
        for below, above in (("shin", "thigh"), ("foot", "shin"), ("forearm", "upper_arm"), ("hand", "forearm")):
            joint, upper = limbs.get((side, below)), limbs[side, above]
            if joint is not None and upper not in _way(joint, parents):
                raise BadInput(f"joint {names[joint]} is no child of {names[upper]}, as a {below} of its {above} is")
    pelvis = _meeting(limbs["left", "thigh"], limbs["right", "thigh"], parents)
    chest = _meeting(limbs["left", "upper_arm"], limbs["right", "upper_arm"], parents)
    spine = _chain(pelvis, chest, parents)
    bases = {base: joint for joint, (where, base) in enumerate(told) if not where}
    head = next((bases[name] for name in _HEADS if name in bases), chest)
    return Roles(pelvis, spine, _chain(chest, head, parents), limbs)


def _told(name: str) -> tuple[str, str]:
    """Side ("left", "right" or "") and what is left of the name, in lower case letters and digits."""
    name = name.rsplit(":", 1)[-1]
    name = re.sub(r"^(mixamorig\d*|bip\d*)[ _]?", "", name, flags=re.IGNORECASE)
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]
    for side in SIDES:
        for mark in (side, side[0]):
            if mark in words:
                words.remove(mark)
                return side, "".join(words)
    whole = "".join(words)
    for side in SIDES:
        if whole.startswith(side):
            return side, whole[len(side) :]
    known = {base for bases in LIMBS.values() for base in bases}
    for side in SIDES:
        if whole[:1] == side[0] and whole[1:] in known:
            return side, whole[1:]
    return "", whole


def _way(joint: int, parents: tuple[int, ...]) -> list[int]:
    """The joint and all above it."""
    way = [joint]
    while parents[way[-1]] >= 0:
        way.append(parents[way[-1]])
    return way


def _meeting(first: int, second: int, parents: tuple[int, ...]) -> int:
    """The lowest joint above both."""
    above = set(_way(first, parents)[1:])
    return next((joint for joint in _way(second, parents)[1:] if joint in above), 0)


def _chain(below: int, above: int, parents: tuple[int, ...]) -> tuple[int, ...]:
    """Joints from `below`, left out, to `above`, both of which may be the same; empty if one is not above the other."""
    way = _way(above, parents)
    return tuple(reversed(way[: way.index(below)])) if below in way else ()
