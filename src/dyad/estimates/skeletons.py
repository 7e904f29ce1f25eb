"""The joints of other tools, by name, and which of them a list of so many is."""

from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, COCO17, OPENPOSE18, POSETRACK17, Skeleton

H36M17 = BODY17
"""Human3.6M's seventeen in the order of the 2D-to-3D literature: the same joints in the same order."""


_TOES = (
    "left_big_toe<left_ankle left_small_toe<left_ankle left_heel<left_ankle "
    "right_big_toe<right_ankle right_small_toe<right_ankle right_heel<right_ankle"
)
_ARMS = (
    "nose<neck neck right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow left_shoulder<neck "
    "left_elbow<left_shoulder left_wrist<left_elbow"
)
_FACE = "right_eye<nose left_eye<nose right_ear<right_eye left_ear<left_eye"
OPENPOSE25 = Skeleton.from_tree(
    "openpose25",
    f"{_ARMS} pelvis<neck right_hip<pelvis right_knee<right_hip right_ankle<right_knee left_hip<pelvis "
    f"left_knee<left_hip left_ankle<left_knee {_FACE} {_TOES}",
    "clicked",
)
"""OpenPose's model BODY_25: learnt from clicks; its pelvis is the middle of the hips, its neck of the shoulders."""

_COCO = " ".join(
    f"{joint}<{parent}" if parent else joint for joint, parent in zip(COCO17.names, COCO17.parent_names, strict=True)
)
WHOLEBODY23 = Skeleton.from_tree("wholebody23", f"{_COCO} {_TOES}", "clicked")
"""The body and the feet of COCO-WholeBody, whose other 110 points are of face and hands."""
HALPE26 = Skeleton.from_tree(
    "halpe26",
    f"{_COCO} head_top<nose neck<nose pelvis<neck left_big_toe<left_ankle right_big_toe<right_ankle "
    "left_small_toe<left_ankle right_small_toe<right_ankle left_heel<left_ankle right_heel<right_ankle",
    "clicked",
)
"""AlphaPose's body, whose pelvis and neck are the middles of hips and shoulders; its list of 136 goes on with face and
hands.
"""

SPIN24 = Skeleton.from_tree(
    "spin24",
    "right_ankle<right_knee right_knee<right_hip right_hip<pelvis left_hip<pelvis left_knee<left_hip "
    "left_ankle<left_knee right_wrist<right_elbow right_elbow<right_shoulder right_shoulder<thorax "
    "left_shoulder<thorax left_elbow<left_shoulder left_wrist<left_elbow neck<thorax head_top<neck pelvis "
    "thorax<spine spine<pelvis jaw<thorax head_h36m<jaw nose<neck left_eye<nose right_eye<nose left_ear<left_eye "
    "right_ear<right_eye",
)
"""The last 24 of the 49 joints that SPIN, VIBE and PARE regress from SMPL's mesh; the first 25 are BODY_25's."""

_BY_COUNT = {17: COCO17, 23: WHOLEBODY23, 26: HALPE26, 133: WHOLEBODY23, 136: HALPE26}

# What tools call joints that have another name here.
_ALIASES = {
    "root": "pelvis",
    "hip": "pelvis",
    "mid_hip": "pelvis",
    "midhip": "pelvis",
    "head_bottom": "neck",
    "thorax": "neck",
    "upper_neck": "neck",
    "top_head": "head_top",
    "left_foot": "left_ankle",
    "right_foot": "right_ankle",
}


def of_count(joints: int, what: str) -> Skeleton:
    """The joints that a list of so many begins with, where nothing names them; BadInput for a number nobody uses."""
    if joints not in _BY_COUNT:
        known = ", ".join(map(str, _BY_COUNT))
        raise BadInput(f"{what} has {joints} joints, and lists of {known} are known")
    return _BY_COUNT[joints]


def of_names(names: list[str], what: str, *, human36m: bool = False) -> Skeleton:
    """A skeleton of joints as a file names them, in our spelling: the one known by these, else one without bones.

    `human36m`: the head is its top, and the neck's base the joint in the face that we call nose.
    """
    plain = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in names]
    aliases = _ALIASES | ({"head": "head_top", "neck_base": "nose"} if human36m else {})
    ours = tuple(aliases.get(name, name) for name in plain)
    if "head_top" not in ours and "hip" in plain and "head" in ours:
        # Halpe's head is the crown.
        ours = tuple("head_top" if name == "head" else name for name in ours)
    if len(set(ours)) != len(ours):
        ours = tuple(plain)
    for known in (COCO17, BODY17, HALPE26, POSETRACK17, OPENPOSE25, OPENPOSE18):
        if known.names == ours:
            return known
    try:
        return Skeleton.of_names(ours)
    except BadInput as error:
        raise BadInput(f"{what}: {error}") from error
