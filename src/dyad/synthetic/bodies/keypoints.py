"""Where each data set puts its joints on a synthetic body, from the bones alone.

A keypoint is a point of the rest body, a mean of bone heads and landmarks of the skin, that is carried by bones: by
those it names, or, for landmarks, by the bones that carry their skin, with the skin's weights. So it follows from the
bones' movements, exactly as skinning the mesh would give it, and the mesh is not needed. docs/joints.md describes
every definition and says where it comes from.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, LSP14, MUPOTS17, Skeleton
from dyad.synthetic.bodies.body import BONES, Shape, bone

FEET = Skeleton.of_names(
    ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel"), "feet"
)
"""The six points of the feet in the order of COCO-WholeBody."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Point:
    """A keypoint: a mean of anchors at rest, carried by bones.

    `at` gives anchors, which are heads of bones or landmarks, with weights that sum to 1; `on` gives the bones that
    carry it, with weights that sum to 1, or nothing where each landmark's own skin carries it.
    """

    at: tuple[tuple[str, float], ...]
    on: tuple[tuple[str, float], ...] = ()

    def mirrored(self) -> "Point":
        """The same point of the other side of the body."""
        return Point(*(tuple((_other(name), weight) for name, weight in pairs) for pairs in (self.at, self.on)))


def _other(anchor: str) -> str:
    """Name of the bone or landmark on the other side; of one in the middle, its own."""
    for left, right in (("Left", "Right"), ("left_", "right_"), ("LHip", "RHip"), ("LThumb", "RThumb")):
        if anchor.startswith(left):
            return right + anchor.removeprefix(left)
        if anchor.startswith(right):
            return left + anchor.removeprefix(right)
    return anchor


def _joint(head: str) -> Point:
    """The point about which a bone turns: its head, which moves with the bone as with its parent."""
    return Point(((head, 1.0),), ((head, 1.0),))


def _skin(landmark: str) -> Point:
    return Point(((landmark, 1.0),))


def _both(points: dict[str, Point]) -> dict[str, Point]:
    """Left joints with their mirror images; names of either kind, left_knee and mouth_left."""
    sided = {name: point for name, point in points.items() if "left" in name}
    return points | {name.replace("left", "right"): point.mirrored() for name, point in sided.items()}


@lru_cache(maxsize=1)
def _definitions() -> dict[str, dict[str, Point]]:
    """For each skeleton's name the definition of each of its joints."""
    centres = {
        "left_hip": _joint("LeftUpLeg"),
        "left_knee": _joint("LeftLeg"),
        "left_ankle": _joint("LeftFoot"),
        "left_shoulder": _joint("LeftArm"),
        "left_elbow": _joint("LeftForeArm"),
        "left_wrist": _joint("LeftHand"),
    }
    head = (("Head", 1.0),)
    # Half with the thigh, half with the pelvis: far above the joint, either alone would swing about it.
    hip = (("LHipJoint", 0.5), ("LeftUpLeg", 0.5))
    hips = tuple((name, weight / 2) for name, weight in (*hip, ("RHipJoint", 0.5), ("RightUpLeg", 0.5)))
    body17 = centres | {
        "left_hip": Point((("LeftUpLeg", 0.96), ("RightUpLeg", -0.222), ("Spine", 0.262)), hip),
        "pelvis": Point((("LeftUpLeg", 0.369), ("RightUpLeg", 0.369), ("Spine", 0.262)), hips),
        "spine": _joint("Spine"),
        "neck": Point((("Neck", 1.0),), (("Spine1", 1.0),)),
        "nose": Point((("Neck1", 0.55), ("nose", 0.45)), head),
        "head_top": Point((("crown", 0.7), ("Head", 0.3)), head),
    }
    mupots17 = centres | {
        "left_hip": Point((("LeftUpLeg", 0.869), ("RightUpLeg", -0.131), ("Spine", 0.262)), hip),
        "pelvis": Point((("Hips", 0.74), ("Spine", 0.26)), (("Hips", 1.0),)),
        "spine": _joint("Spine"),
        "neck": _joint("Neck"),
        "head": _joint("Head"),
        "head_top": Point((("crown", 1.0),), head),
    }
    lsp14 = centres | {
        "neck": Point((("Neck", 0.5), ("Neck1", 0.5)), (("Neck", 1.0),)),
        "head_top": Point((("crown", 1.0),), head),
    }
    clicked = {
        "nose": _skin("nose"),
        "left_eye": _skin("left_eye"),
        "left_ear": _skin("left_ear"),
        "left_shoulder": Point(
            (("LeftArm", 0.94), ("Neck", 0.17), ("Spine1", -0.11)), (("LeftShoulder", 0.7), ("LeftArm", 0.3))
        ),
        "left_elbow": _joint("LeftForeArm"),
        "left_wrist": _joint("LeftHand"),
        "left_hip": Point(
            (("LeftUpLeg", 0.89), ("RightUpLeg", 0.06), ("LeftLeg", 0.05)), (("Hips", 0.5), ("LeftUpLeg", 0.5))
        ),
        "left_knee": Point((("LeftLeg", 0.95), ("LeftFoot", 0.05)), (("LeftUpLeg", 0.5), ("LeftLeg", 0.5))),
        "left_ankle": Point((("LeftFoot", 0.97), ("LeftLeg", 0.03)), (("LeftLeg", 1.0),)),
    }
    toes = {
        "left_big_toe": _skin("left_big_toe"),
        "left_small_toe": _skin("left_small_toe"),
        "left_heel": _skin("left_heel"),
    }
    blazepose33 = clicked | {
        "left_eye_inner": _skin("left_eye_inner"),
        "left_eye_outer": _skin("left_eye_outer"),
        "mouth_left": _skin("left_mouth"),
        "left_thumb": _skin("left_thumb"),
        "left_index": _skin("left_index"),
        "left_pinky": _skin("left_pinky"),
        "left_heel": _skin("left_heel"),
        "left_foot_index": _skin("left_big_toe"),
    }
    named = (
        (BODY17, body17),
        (MUPOTS17, mupots17),
        (LSP14, lsp14),
        (COCO17, clicked),
        (BLAZEPOSE33, blazepose33),
        (FEET, toes),
    )
    return {skeleton.name: _both(points) for skeleton, points in named}


def definition(skeleton: Skeleton, joint: str) -> Point:
    """How a joint of a skeleton is defined on the body; BadInput where it is not."""
    known = _definitions()
    if skeleton.name not in known or joint not in known[skeleton.name]:
        raise BadInput(
            f"no joint {joint!r} of skeleton {skeleton.name!r} is defined on the body; skeletons: {', '.join(known)}"
        )
    return known[skeleton.name][joint]


def keypoints(shape: Shape, rotations: Floats, translation: Floats, skeleton: Skeleton) -> NDArray[np.float64]:
    """Joints (T, J, 3) in metres of a posed body, in the skeleton's order; the pose is that of `Shape.pose`."""
    shares = joint_shares(shape, skeleton)
    return np.einsum("tbik,jbk->tji", shape.movements(rotations, translation), shares, optimize=True)


@lru_cache(maxsize=64)
def joint_shares(shape: Shape, skeleton: Skeleton) -> NDArray[np.float64]:
    """For each joint and bone (J, 31, 4) the share of its rest position, with a 1 appended, that the bone carries."""
    known = shape.model.landmarks
    mesh, rest = shape.model.mesh(), shape.rest()
    carried = np.zeros((len(skeleton), len(BONES), 4))
    for row, name in zip(carried, skeleton.names, strict=True):
        point = definition(skeleton, name)
        place = np.zeros(4)
        for anchor, share in point.at:
            if anchor in BONES:
                place += share * np.append(shape.joints[bone(anchor)], 1.0)
                continue
            vertices, weights = known[anchor]
            places = np.column_stack([rest[vertices], np.ones(len(vertices))]) * (share * weights)[:, None]
            place += places.sum(0)
            if not point.on:
                by_bone = places[:, None, :] * mesh.weights[vertices][:, :, None]
                np.add.at(row, mesh.bones[vertices], by_bone)
        for name_of_bone, share in point.on:
            row[bone(name_of_bone)] += share * place
    return carried
