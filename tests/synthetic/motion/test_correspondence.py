"""Joints of many recorders told by name."""

import pytest

from dyad.core.errors import BadInput
from dyad.synthetic.motion.correspondence import LIMBS, roles

PARTS = ("clavicle", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toes")
TREE = (-1, 0, 1, 2, 3, 2, 5, 6, 7, 2, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
"""Pelvis, two of the spine, neck, head, then four joints of each arm and each leg."""

NAMES = {
    "mixamo": (
        *("mixamorig:Hips", "mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Neck", "mixamorig:Head"),
        *(f"mixamorig:{s}{p}" for s in ("Left", "Right") for p in ("Shoulder", "Arm", "ForeArm", "Hand")),
        *(f"mixamorig:{s}{p}" for s in ("Left", "Right") for p in ("UpLeg", "Leg", "Foot", "ToeBase")),
    ),
    "smpl": (
        *("Pelvis", "Spine1", "Spine2", "Neck", "Head"),
        *(f"{s}_{p}" for s in "LR" for p in ("Collar", "Shoulder", "Elbow", "Wrist")),
        *(f"{s}_{p}" for s in "LR" for p in ("Hip", "Knee", "Ankle", "Foot")),
    ),
    "biped": (
        *("Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Neck", "Bip01 Head"),
        *(f"Bip01 {s} {p}" for s in "LR" for p in ("Clavicle", "UpperArm", "Forearm", "Hand")),
        *(f"Bip01 {s} {p}" for s in "LR" for p in ("Thigh", "Calf", "Foot", "Toe0")),
    ),
    "suffix": (
        *("hips", "spine", "chest", "neck", "head"),
        *(f"{p}.{s}" for s in "LR" for p in ("shoulder", "upper_arm", "forearm", "hand")),
        *(f"{p}.{s}" for s in "LR" for p in ("thigh", "shin", "foot", "toe")),
    ),
    "cmu": (
        *("root", "lowerback", "thorax", "lowerneck", "head"),
        *(f"{s}{p}" for s in "lr" for p in ("clavicle", "humerus", "radius", "wrist")),
        *(f"{s}{p}" for s in "lr" for p in ("femur", "tibia", "foot", "toes")),
    ),
    "cmu in bvh": (
        *("Hips", "LowerBack", "Spine1", "Neck", "Head"),
        *(f"{s}{p}" for s in ("Left", "Right") for p in ("Shoulder", "Arm", "ForeArm", "Hand")),
        *(f"{s}{p}" for s in ("Left", "Right") for p in ("UpLeg", "Leg", "Foot", "ToeBase")),
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_part_is_found(kind: str) -> None:
    found = roles(NAMES[kind], TREE)
    assert found.pelvis == 0
    assert found.spine == (1, 2)
    assert found.neck == (3, 4)
    expected = {
        (side, part): first + number
        for side, start in (("left", 0), ("right", 4))
        for first, parts in ((5 + start, PARTS[:4]), (13 + start, PARTS[4:]))
        for number, part in enumerate(parts)
    }
    assert found.limbs == expected
    assert set(PARTS) == set(LIMBS)


def test_deepmimic_has_no_collar_bones_hands_or_toes() -> None:
    names = ("root", "chest", "neck", *(f"{s}_{p}" for s in ("right", "left") for p in ("hip", "knee", "ankle")))
    names += tuple(f"{s}_{p}" for s in ("right", "left") for p in ("shoulder", "elbow", "wrist"))
    found = roles(names, (-1, 0, 1, 0, 3, 4, 0, 6, 7, 1, 9, 10, 1, 12, 13))
    assert found.spine == (1,)
    assert found.neck == (2,)
    assert found.limbs["right", "upper_arm"] == 9
    assert found.limbs["left", "foot"] == 8
    assert {part for _, part in found.limbs} == {"upper_arm", "forearm", "hand", "thigh", "shin", "foot"}


def test_a_skeleton_without_a_leg_and_an_arm_is_refused() -> None:
    names = tuple(name.replace("LeftForeArm", "Tail").replace("LeftUpLeg", "Fin") for name in NAMES["mixamo"])
    with pytest.raises(BadInput, match="left thigh and forearm"):
        roles(names, TREE)


def test_a_leg_that_hangs_on_an_arm_is_refused() -> None:
    tree = list(TREE)
    tree[14] = 7
    with pytest.raises(BadInput, match=r"LeftLeg is no child of .*LeftUpLeg"):
        roles(NAMES["mixamo"], tuple(tree))
