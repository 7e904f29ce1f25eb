"""A rig: the tree of joints that animation programs turn, made from a skeleton whose joints only have places.

Every bone gets a joint of its own that turns it, so that any pose can be reached exactly. Where several bones begin in
one place (hips, neck), each begins with a joint that lies there, as in the BVH files of CMU's motions, whose names
these are. The rest pose is a T: arms to the sides, facing z, with y up and x to the person's left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, Skeleton
from dyad.export.upright import Array

Names = Literal["cmu", "mixamo"]

# Places in the rest pose in metres from the pelvis; left only. They give directions: lengths are the person's own.
_REST = {
    **{"pelvis": (0, 0, 0), "spine": (0, 0.25, 0), "neck": (0, 0.5, 0)},
    **{"nose": (0, 0.61, 0.075), "head": (0, 0.6, 0.03), "head_top": (0, 0.74, 0.04)},
    **{"left_hip": (0.13, 0, 0), "left_knee": (0.13, -0.4, 0), "left_ankle": (0.13, -0.83, 0)},
    **{"left_heel": (0.13, -0.88, -0.055), "left_foot_index": (0.13, -0.89, 0.2), "left_big_toe": (0.13, -0.89, 0.2)},
    **{"left_shoulder": (0.175, 0.44, 0), "left_elbow": (0.455, 0.44, 0), "left_wrist": (0.705, 0.44, 0)},
    **{"left_index": (0.8, 0.44, 0)},
}
_PARENT = {
    **{"spine": "pelvis", "neck": "spine", "nose": "neck", "head": "neck"},
    **{"left_hip": "pelvis", "left_knee": "left_hip", "left_ankle": "left_knee"},
    **{"left_foot_index": "left_ankle", "left_big_toe": "left_ankle", "left_heel": "left_ankle"},
    **{"left_shoulder": "neck", "left_elbow": "left_shoulder", "left_wrist": "left_elbow", "left_index": "left_wrist"},
}
_FRAMES = ("pelvis", "neck")
"""Joints that turn as a body does, which several bones leave."""

# What programs draw beyond the last joint, in metres in the rest pose.
_TAILS = {
    **{"left_wrist": (0.16, 0, 0), "left_index": (0.08, 0, 0), "head_top": (0, 0.03, 0), "nose": (0, 0.12, -0.03)},
    **{"left_ankle": (0, -0.06, 0.19), "left_foot_index": (0, 0, 0.03), "left_big_toe": (0, 0, 0.03)},
    **{"left_heel": (0, -0.02, 0)},
}

_CMU = {
    **{"pelvis": "Hips", "spine": "Spine", "neck": "Spine1", "nose": "Head", "head": "Head"},
    **{"head_top": "HeadTop_End", "left_hip": "LeftUpLeg", "left_knee": "LeftLeg", "left_ankle": "LeftFoot"},
    **{"left_foot_index": "LeftToeBase", "left_big_toe": "LeftToeBase", "left_heel": "LeftHeel"},
    **{"left_shoulder": "LeftArm", "left_elbow": "LeftForeArm", "left_wrist": "LeftHand"},
    **{"left_index": "LeftHandIndex1"},
}
_CMU_STARTS = {
    **{
        "left_hip": "LHipJoint",
        "spine": "LowerBack",
        "neck": "LowerBack",
        "nose": "Neck",
        "head": "Neck",
        "head_top": "Neck",
    },
    **{"left_shoulder": "LeftShoulder", "left_heel": "LHeelJoint"},
}
_MIXAMO = {"LowerBack": "Spine", "Spine": "Spine1", "Spine1": "Spine2"}


@dataclass(frozen=True)
class Node:
    """One joint of a rig.

    Attributes:
        joint: the joint of the skeleton that lies here.
        target: the joint at the end of the bone that this one turns; None for a body's frame, and at an end.
        parent: place among the rig's nodes, -1 for the root; parents come first.
        offset: from the parent in the rest pose, m.
        start: whether this only begins one of several bones that leave the joint.
    """

    joint: str
    target: str | None
    parent: int
    offset: tuple[float, float, float]
    start: bool = False


@dataclass(frozen=True)
class Rig:
    """A person's own rig: nodes with constant bone lengths."""

    nodes: tuple[Node, ...]

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """Of each of the K nodes its parent's index, -1 for the root."""
        return tuple(node.parent for node in self.nodes)

    @cached_property
    def offsets(self) -> Array:
        """From the parent in the rest pose (K, 3), m; 0 for the root."""
        return np.array([node.offset for node in self.nodes], np.float64).reshape(-1, 3)

    @cached_property
    def places(self) -> dict[str, int]:
        """The node at which each joint of the skeleton lies."""
        return {node.joint: k for k, node in enumerate(self.nodes) if not node.start}

    def names(self, style: Names = "cmu") -> list[str]:
        """Each node's name: as in CMU's BVH files, or as Mixamo's where there is such a joint."""
        found = [_name(node) for node in self.nodes]
        return found if style == "cmu" else [f"mixamorig:{_MIXAMO.get(name, name)}" for name in found]

    def tails(self) -> dict[int, Array]:
        """Where the bone of each node without children ends in the rest pose, m from the node."""
        ends = set(range(len(self.nodes))) - set(self.parents)
        return {k: _sided(_TAILS, self.nodes[k].joint, (0, 0.05, 0)) for k in sorted(ends)}

    def rest(self) -> Array:
        """Places (K, 3) in the rest pose, the root at the origin."""
        places = self.offsets.copy()
        for k, parent in enumerate(self.parents):
            if parent >= 0:
                places[k] += places[parent]
        return places


def rig_skeleton(source: Skeleton) -> Skeleton:
    """The joints of a rig that a skeleton's joints give, by the names of `BODY17`, with heels and toes if any."""
    names = [name for name in BODY17.names if name != "head_top"]
    if "nose" not in source.names and "head" in source.names:
        names[names.index("nose")] = "head"
    names.append("head_top")
    toe = "big_toe" if "left_big_toe" in source.names else "foot_index"
    names += [f"{side}_{part}" for side in ("left", "right") for part in ("heel", toe, "index")]
    names = [name for name in names if name in source.names or not name.endswith(("heel", toe, "index"))]
    parents = tuple("head" if name == "head_top" and "head" in names else _parent(name) for name in names)
    return Skeleton("rig", tuple(names), parents, BODY17.source)


def reduced(skeleton: Skeleton, kept: set[str]) -> Skeleton:
    """Some joints of a skeleton; what hung from one that is left out hangs from the next one inwards."""
    names = tuple(name for name in skeleton.names if name in kept)
    parents = tuple(next((up for up in ancestors(skeleton, name) if up in kept), "") for name in names)
    return Skeleton(skeleton.name, names, parents, skeleton.source)


def rig_of(skeleton: Skeleton, lengths: Array) -> Rig:
    """The rig of a person with bones of given lengths (J,) m from each joint to its parent.

    `skeleton` is one of `rig_skeleton`, or a part of one with the pelvis. BadInput where there is a pelvis alone.
    """
    size = dict(zip(skeleton.names, lengths.tolist(), strict=True))
    nodes: list[Node] = []

    def add(joint: str, parent: int, offset: Array) -> None:
        below = [name for name, up in zip(skeleton.names, skeleton.parent_names, strict=True) if up == joint]
        ahead = None if joint in _FRAMES or not below else next((c for c in below if "heel" not in c), below[0])
        own = len(nodes)
        nodes.append(Node(joint, ahead, parent, _triple(offset)))
        for child in below:
            at = own
            if child != ahead:
                at = len(nodes)
                nodes.append(Node(joint, child, own, (0.0, 0.0, 0.0), start=True))
            add(child, at, direction(joint, child) * size[child])

    add("pelvis", -1, np.zeros(3))
    if len(nodes) == 1:
        raise BadInput("a rig needs joints that hang together; none but the pelvis is known")
    return Rig(tuple(nodes))


def ancestors(skeleton: Skeleton, name: str) -> list[str]:
    """The joints on the way from a joint to the root, the nearest first."""
    found, at = [], skeleton.parents[skeleton.index(name)]
    while at >= 0:
        found.append(skeleton.names[at])
        at = skeleton.parents[at]
    return found


def direction(start: str, end: str) -> Array:
    """Unit vector (3,) from joint to joint in the rest pose."""
    way = _sided(_REST, end) - _sided(_REST, start)
    return way / np.linalg.norm(way)


def _parent(name: str) -> str:
    if name == "head_top":
        return "nose"
    plain = name.replace("right_", "left_")
    found = _PARENT.get(plain, "")
    return found.replace("left_", "right_") if plain != name else found


def _sided(table: Mapping[str, tuple[float, ...]], name: str, blank: tuple[float, ...] = (0, 0, 0)) -> Array:
    """An entry of a table of the left side and the middle; for a joint of the right, its mirror image."""
    value = np.array(table.get(name.replace("right_", "left_"), blank), np.float64)
    return value * (-1.0, 1.0, 1.0) if name.startswith("right_") else value


def _name(node: Node) -> str:
    joint = (node.target or "") if node.start else node.joint
    plain = joint.replace("right_", "left_")
    camel = "".join(word.capitalize() for word in joint.split("_"))
    found = _CMU_STARTS.get(plain) or f"{camel}Start" if node.start else _CMU.get(plain, camel)
    if plain == joint:
        return found
    return (
        found.replace("Left", "Right").replace("LH", "RH", 1) if not found.startswith("Left") else "Right" + found[4:]
    )


def _triple(offset: Array) -> tuple[float, float, float]:
    x, y, z = offset.tolist()
    return (x, y, z)
