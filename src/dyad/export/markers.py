"""Names of joints as biomechanics programs call markers."""

from dyad.core.skeleton import Skeleton

# The names of Pose2Sim's marker set for OpenSim models (HALPE_26) where it has the joint.
_NAMES = {"pelvis": "Hip", "head_top": "Head", "head": "HeadCentre"}
_PARTS = {"foot_index": "BigToe"}


def marker_names(skeleton: Skeleton) -> list[str]:
    """A marker's name for each joint: RKnee, LWrist, LBigToe, Neck, Hip for the pelvis and Head for its top."""
    return [_marker(name) for name in skeleton.names]


def _marker(joint: str) -> str:
    for side in ("left", "right"):
        part = joint.removeprefix(side + "_").removesuffix("_" + side)
        if part != joint:
            return side[0].upper() + (_PARTS.get(part) or _camel(part))
    return _NAMES.get(joint) or _camel(joint)


def _camel(words: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in words.split("_"))
