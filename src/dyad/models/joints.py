"""Names of the joints that the networks of this room speak of, in the order of their arrays.

The room knows nothing of `core`; a test holds these names against core's skeletons.
"""

from collections.abc import Sequence

BODY17 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "neck", "nose", "head_top"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
)
MUPOTS17 = (
    *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", "pelvis", "spine", "head"),
)
# The released networks put the nose of body17 where MuPoTS has its head.
MUPOTS17_OF_BODY17 = tuple("nose" if name == "head" else name for name in MUPOTS17)
COCO17 = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)
# The 14 joints of [TB]'s bottom-up network.
TB14 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "neck"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
)
# From the joints seen most reliably outwards: how grouping deals them to people.
COCO17_TRUNK_OUT = (
    *COCO17[: COCO17.index("left_elbow")],
    *("left_hip", "right_hip", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *COCO17[COCO17.index("left_knee") :],
)
TB14_TRUNK_OUT = (
    *("pelvis", "right_hip", "left_hip", "right_knee", "left_knee", "right_ankle", "left_ankle", "neck"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
)


def positions(names: Sequence[str], within: Sequence[str]) -> list[int]:
    """Where each name stands in an order. Raises ValueError for one that it lacks."""
    lacking = [name for name in names if name not in within]
    if lacking:
        raise ValueError(f"joints {lacking} are not among {tuple(within)}")
    return [tuple(within).index(name) for name in names]


def mirrored(names: Sequence[str]) -> list[int]:
    """For each joint the position of its left-right partner; its own where it has none."""
    swap = {"left": "right", "right": "left"}
    partners = ("_".join(swap.get(part, part) for part in name.split("_")) for name in names)
    return positions(list(partners), names)
