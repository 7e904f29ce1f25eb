"""Recorded motion brought onto one of our bodies: joint rotations carried over, feet put on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.body import BONES, Shape
from dyad.synthetic.motion.correspondence import SIDES, Roles, roles
from dyad.synthetic.motion.grounding import grounded
from dyad.synthetic.motion.motions import Motion
from dyad.synthetic.motion.rotations import Array, about, between, orthonormal, slerp, twist_angle, unit
from dyad.synthetic.motion.takes import Take

_OURS = {
    "clavicle": "Shoulder",
    "upper_arm": "Arm",
    "forearm": "ForeArm",
    "hand": "Hand",
    "thigh": "UpLeg",
    "shin": "Leg",
    "foot": "Foot",
    "toes": "ToeBase",
}
_NEXT = {"thigh": "shin", "shin": "foot", "upper_arm": "forearm", "forearm": "hand", "foot": "toes"}
_SPINE = ("LowerBack", "Spine", "Spine1")
_NECK = ("Neck", "Neck1", "Head")


def retarget(motion: Motion, shape: Shape) -> Take:
    """The take in which a body does what a motion shows.

    Joints are matched by name (`correspondence.roles`; BadInput where arms or legs are not found). Each bone of thigh,
    shin, upper arm, forearm and hand points where the source's points, and turns about itself as the source's does;
    the trunk, neck and feet turn as the source's do from a common standing pose; bones that the source lacks, fingers
    and thumbs go with their parents. Half of the hand's turn about the forearm is taken over by the forearm. The way
    of the hips is scaled by the length of the legs, and the body is raised or lowered so that the soles meet y = 0
    where they stand (`grounding.grounded`); jumps stay jumps.

    The motion needs y up. Its own rest pose may be any in which a person stands, whichever way they face; where the
    rest pose is no such pose, the frame in which the person stands straightest takes its place.
    """
    source = _Source.of(motion)
    rest = _Rest(shape)
    posed = _posed(source, rest)
    turns: dict[str, Array] = {"Hips": source.carried(source.roles.pelvis, posed["Hips"])}
    trunk = (source.roles.pelvis, *source.roles.spine)
    turns |= _spread([source.carried(joint, posed["Hips"]) for joint in trunk], _SPINE)
    neck = (trunk[-1], *source.roles.neck)
    turns |= _spread([source.carried(joint, posed["Hips"]) for joint in neck], _NECK)
    for (side, part), joint in source.roles.limbs.items():
        bone = f"{side.capitalize()}{_OURS[part]}"
        turns[bone] = source.carried(joint, posed[bone])
    rotations = _local(turns, shape, len(motion))
    for side in SIDES:
        _share_twist(rotations, rest, side.capitalize())
    hips = source.middle("thigh") * (rest.leg / source.leg)
    take = Take(rotations, hips - turns["Hips"] @ rest.pelvis, motion.fps, motion.source)
    return grounded(take, shape)


@dataclass(frozen=True)
class _Rest:
    """What of a body's rest pose matters here."""

    shape: Shape

    def head(self, bone: str) -> Array:
        return self.shape.joints[BONES.index(bone)]

    def bone(self, side: str, part: str) -> Array:
        """Direction of the bone of a limb."""
        below = {"hand": "HandFinger1", "toes": ""}.get(part, _OURS.get(_NEXT.get(part, ""), ""))
        start = self.head(f"{side}{_OURS[part]}")
        end = self.head(f"{side}{below}") if below else self.shape.tails[BONES.index(f"{side}{_OURS[part]}")]
        return unit(end - start)

    def hinge(self, side: str, upper: str) -> Array:
        """The axis about which the elbow or the knee bends, at right angles to the upper bone."""
        bone = self.bone(side, upper)
        # Our elbows are bent at rest and so show their axis; knees are all but straight, and bend backwards.
        axis = np.cross(bone, self.bone(side, "forearm")) if upper == "upper_arm" else np.array((1.0, 0.0, 0.0))
        return unit(axis - bone * (axis @ bone))

    @property
    def leg(self) -> float:
        """Length of thigh and shin, metres, mean of both sides."""
        chain = (("UpLeg", "Leg"), ("Leg", "Foot"))
        return sum(
            float(np.linalg.norm(self.head(side + b) - self.head(side + a))) / 2
            for side in ("Left", "Right")
            for a, b in chain
        )

    @property
    def pelvis(self) -> Array:
        """The middle of the thighs' heads as seen from the hips."""
        return (self.head("LeftUpLeg") + self.head("RightUpLeg")) / 2 - self.head("Hips")

    @property
    def frame(self) -> Array:
        """Axes of the trunk in columns: left, up along the trunk, forward."""
        middle = [(self.head(f"Left{part}") + self.head(f"Right{part}")) / 2 for part in ("UpLeg", "Arm")]
        return _axes(np.array((1.0, 0.0, 0.0)), middle[1] - middle[0])


@dataclass(frozen=True)
class _Source:
    """A motion with its joints named, and the pose to which our rest pose is fitted."""

    motion: Motion
    roles: Roles
    turns: Array
    places: Array
    reference: Array
    standing: Array
    straight: bool

    @classmethod
    def of(cls, motion: Motion) -> "_Source":
        found = roles(motion.names, motion.parents)
        turns, places = motion.transforms()
        rest = motion.rest()
        if _stands(found, rest[None])[0] > 0:
            return cls(motion, found, turns, places, np.broadcast_to(np.eye(3), turns.shape[1:]), rest, True)
        best = int(_stands(found, places, upright=True).argmax())
        return cls(motion, found, turns, places, turns[best], places[best], False)

    def carried(self, joint: int, posed: Array) -> Array:
        """World rotations (T, 3, 3) of what has the rotation `posed` in the reference and moves with a joint."""
        return self.turns[:, joint] @ (self.reference[joint].T @ posed)

    def bone(self, side: str, part: str, places: Array) -> Array | None:
        """Directions (…, 3) of the bone of a limb in joint positions (…, J, 3); None where nothing tells."""
        return _bone(self.roles, side, part, places, self.motion.parents)

    def middle(self, part: str) -> Array:
        """Middle (T, 3) between a left and a right joint."""
        return self.places[:, [self.roles.limbs[side, part] for side in SIDES]].mean(1)

    @property
    def leg(self) -> float:
        """Length of thigh and shin, metres, mean of both sides."""
        total = 0.0
        for side in SIDES:
            thigh, shin = (self.roles.limbs[side, part] for part in ("thigh", "shin"))
            foot = _below(self.roles, side, "shin", self.motion.parents)
            for a, b in ((thigh, shin), (shin, foot)):
                total += 0.0 if b is None else float(np.linalg.norm(self.places[0, b] - self.places[0, a])) / 2
        if total < 1e-3:
            raise BadInput(f"the legs of the motion {self.motion.source} have no length")
        return total

    @property
    def frame(self) -> Array:
        """Axes of the trunk in the reference, in columns: left, up, forward."""
        left, up = _trunk(self.roles, self.standing)
        if self.straight:
            # A rest pose is drawn along the axes; the line from hips to shoulders only says along which.
            left, up = _nearest_axis(left), _nearest_axis(up)
        return _axes(left, up)

    def hinge(self, side: str, upper: str, lower: str) -> Array | None:
        """The axis about which the limb bends, in the reference; None where it bends too little or about several."""
        first, second = (self.bone(side, part, self.places) for part in (upper, lower))
        if first is None or second is None:
            return None
        joint = self.roles.limbs[side, upper]
        axes = np.einsum("tji,tj->ti", self.turns[:, joint], np.cross(first, second))
        size = np.linalg.norm(axes, axis=-1)
        bent = size > 0.35
        if bent.sum() < 5 or np.linalg.norm(axes[bent].sum(0)) < 0.9 * size[bent].sum():
            return None
        return self.reference[joint] @ unit(axes[bent].sum(0))


def _posed(source: _Source, rest: _Rest) -> dict[str, Array]:
    """Rotation in the world of each of our bones when the source is in its reference pose."""
    common = source.frame @ (np.eye(3) if source.straight else rest.frame.T)
    posed = {"Hips": common}
    for side in SIDES:
        ours = side.capitalize()
        posed[f"{ours}Shoulder"] = common
        for upper, lower in (("upper_arm", "forearm"), ("thigh", "shin")):
            turn = _turned(common, rest.bone(ours, upper), source.bone(side, upper, source.standing))
            axis = source.hinge(side, upper, lower)
            if axis is not None:
                along = turn @ rest.bone(ours, upper)
                turn = about(along, _angle(turn @ rest.hinge(ours, upper), axis, along)) @ turn
            posed[f"{ours}{_OURS[upper]}"] = turn
            posed[f"{ours}{_OURS[lower]}"] = _turned(
                turn, rest.bone(ours, lower), source.bone(side, lower, source.standing)
            )
        forearm = posed[f"{ours}ForeArm"]
        posed[f"{ours}Hand"] = _turned(forearm, rest.bone(ours, "hand"), source.bone(side, "hand", source.standing))
        posed[f"{ours}Foot"] = _foot(common, rest.bone(ours, "foot"), source, side)
        posed[f"{ours}ToeBase"] = posed[f"{ours}Foot"]
    return posed


def _foot(common: Array, ours: Array, source: _Source, side: str) -> Array:
    """Rotation of our foot, which is flat at rest, when the source is in its reference pose.

    Ankles are drawn at various heights, so the line from ankle to toes only gives the heading: what feet have in common
    is that the sole of somebody who stands is level from heel to toe. From side to side it is at right angles to the
    shin, since a rest pose with its legs apart has its feet turned with them.
    """
    up = source.frame[:, 1]
    shin, theirs = (source.bone(side, part, source.standing) for part in ("shin", "foot"))
    own = common @ ours
    own, heading = (unit(v - up * (v @ up)) for v in (own, own if theirs is None else theirs))
    return _axes(up if shin is None else -shin, heading) @ _axes(up, own).T @ common


def _turned(turn: Array, ours: Array, theirs: Array | None) -> Array:
    """`turn`, turned further by as little as takes our bone to the direction of theirs."""
    return turn if theirs is None else between(turn @ ours, theirs) @ turn


def _angle(start: Array, end: Array, axis: Array) -> Array:
    """Signed angle from one direction to another about an axis."""
    start, end = (v - axis * (v @ axis) for v in (start, end))
    return np.arctan2(np.cross(start, end) @ axis, start @ end)


def _spread(turns: Sequence[Array], bones: Sequence[str]) -> dict[str, Array]:
    """World rotations of our bones of the spine or neck, from the first of `turns`, on which they stand, to the last.

    Where the source has another number of bones, its bends are shared out evenly along ours.
    """
    places = np.arange(1, len(bones) + 1) * (len(turns) - 1) / len(bones)
    below = np.minimum(places.astype(np.intp), max(len(turns) - 2, 0))
    return {
        bone: slerp(turns[at], turns[min(at + 1, len(turns) - 1)], np.array(place - at))
        for bone, place, at in zip(bones, places, below.tolist(), strict=True)
    }


def _local(turns: dict[str, Array], shape: Shape, frames: int) -> Array:
    """Rotations (T, 31, 3, 3) relative to the parents; bones that nothing turns go with their parents."""
    world = np.empty((frames, len(BONES), 3, 3))
    local = np.empty_like(world)
    for number, (bone, parent) in enumerate(zip(BONES, shape.model.parents, strict=True)):
        above = world[:, parent] if parent >= 0 else np.broadcast_to(np.eye(3), (frames, 3, 3))
        world[:, number] = turns.get(bone, above)
        local[:, number] = np.swapaxes(above, -1, -2) @ world[:, number]
    return orthonormal(local)


def _share_twist(rotations: Array, rest: _Rest, side: str) -> None:
    """Gives the forearm half of the hand's turn about it, so that the skin does not shrink at the wrist."""
    forearm, hand = BONES.index(f"{side}ForeArm"), BONES.index(f"{side}Hand")
    axis = rest.bone(side, "forearm")
    half = about(axis, twist_angle(rotations[:, hand], axis) / 2)
    rotations[:, forearm] = rotations[:, forearm] @ half
    rotations[:, hand] = np.swapaxes(half, -1, -2) @ rotations[:, hand]


def _below(found: Roles, side: str, part: str, parents: tuple[int, ...]) -> int | None:
    """The joint at the far end of a limb's bone: the next part's, or else the first child; None if there is none."""
    joint = found.limbs.get((side, part))
    if joint is None:
        return None
    after = found.limbs.get((side, _NEXT.get(part, "")))
    if after is not None:
        return after
    return next((child for child, parent in enumerate(parents) if parent == joint), None)


def _bone(found: Roles, side: str, part: str, places: Array, parents: tuple[int, ...]) -> Array | None:
    start, end = found.limbs.get((side, part)), _below(found, side, part, parents)
    # Where a joint sits on its parent's, as hands do in some files, the next one tells the direction.
    while start is not None and end is not None:
        way = places[..., end, :] - places[..., start, :]
        if (np.linalg.norm(way, axis=-1) > 1e-4).all():
            return unit(way)
        end = next((child for child, parent in enumerate(parents) if parent == end), None)
    return None


def _trunk(found: Roles, places: Array) -> tuple[Array, Array]:
    """Directions (…, 3) from right hip to left and from hips to shoulders."""
    hips, arms = ([places[..., found.limbs[side, part], :] for side in SIDES] for part in ("thigh", "upper_arm"))
    return unit(hips[0] - hips[1]), unit(arms[0] + arms[1] - hips[0] - hips[1])


def _stands(found: Roles, places: Array, *, upright: bool = False) -> Array:
    """How straight (N,) the joints (N, J, 3) stand: the worst cosine of legs and trunk, less 0.7; above 0 is standing.

    `upright` asks also that the trunk points to y, and prefers straight arms.
    """
    left, up = _trunk(found, places)
    worst = [0.3 + 0.7 * np.sqrt(1 - np.sum(left * up, -1) ** 2)]
    for side in SIDES:
        joints = [places[..., found.limbs[side, part], :] for part in ("thigh", "shin")]
        worst.append(-np.sum(unit(joints[1] - joints[0]) * up, -1))
        if (side, "foot") in found.limbs:
            worst.append(-np.sum(unit(places[..., found.limbs[side, "foot"], :] - joints[1]) * up, -1))
    if upright:
        worst.append(up[..., 1])
    return np.min(worst, 0) - 0.7


def _nearest_axis(direction: Array) -> Array:
    axis = np.eye(3)[np.abs(direction).argmax()]
    return axis * np.sign(direction @ axis)


def _axes(first: Array, second: Array) -> Array:
    """A rotation whose second column is `second`, and whose first is `first` as far as it is at right angles to it."""
    second = unit(second)
    first = unit(first - second * (first @ second))
    return np.stack((first, second, np.cross(first, second)), -1)
