"""The limbs of a sketched person: which joints they join, how thick they are, and how tall the person is in pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dyad.core.skeleton import Skeleton

PARTS = Skeleton.of_names(
    (
        "head_top", "nose", "neck", "pelvis",
        "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle",
        "right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle",
    ),
    "sketch",
    "captured",
)  # fmt: skip
"""The joints that limbs run between; those of any skeleton are converted to them by name."""


@dataclass(frozen=True)
class Limb:
    """A straight part of the body between two joints of `PARTS`.

    Attributes:
        start, end: names of the joints.
        drawn: half the width over which the limb's motion is trusted, as a share of the person's height.
        body: half the width that hides what is behind it, likewise.
    """

    start: str
    end: str
    drawn: float
    body: float


def _both(start: str, end: str, drawn: float, body: float) -> tuple[Limb, ...]:
    """The limb of the left side and that of the right; joints in the middle are named with a leading dot."""
    return tuple(
        Limb(*(name[1:] if name[0] == "." else f"{side}_{name}" for name in (start, end)), drawn, body)
        for side in ("right", "left")
    )


# Half widths: a segment's girth over 2 pi and over the stature, by the usual proportions of adults (thigh 0.054, calf
# 0.034, upper arm 0.027, forearm 0.022, neck 0.034, head 0.05); less is drawn, so that the background stays out.
LIMBS = (
    *_both("ankle", "knee", 0.018, 0.030),
    *_both("knee", "hip", 0.030, 0.040),
    *_both("hip", "shoulder", 0.030, 0.035),
    *_both(".neck", "shoulder", 0.020, 0.030),
    *_both("shoulder", "elbow", 0.020, 0.027),
    *_both("elbow", "wrist", 0.014, 0.021),
    Limb("head_top", "nose", 0.030, 0.045),
    Limb("nose", "neck", 0.025, 0.035),
)
"""The paper's bones: those of its 3D joints with head-nose and nose-neck for head-neck."""
TORSO = (Limb("neck", "pelvis", 0.0, 0.080),)
"""Not drawn, but hides arms that pass behind."""
HEAD = Limb("head_top", "neck", 0.025, 0.045)
"""Instead of the last two where the nose is not known."""

# Lengths as shares of the stature, for people of any posture: whichever of them is seen least foreshortened counts.
_SHARES = (
    ("left_hip", "left_knee", 0.230),
    ("right_hip", "right_knee", 0.230),
    ("left_knee", "left_ankle", 0.248),
    ("right_knee", "right_ankle", 0.248),
    ("left_shoulder", "left_elbow", 0.156),
    ("right_shoulder", "right_elbow", 0.156),
    ("neck", "pelvis", 0.300),
)


def limbs_of(skeleton: Skeleton) -> tuple[Limb, ...]:
    """The limbs that can be drawn of people with that skeleton."""
    blank = skeleton.convert(torch.zeros(len(skeleton), 1), PARTS)
    there = {name for name, value in zip(PARTS.names, blank.flatten().tolist(), strict=True) if value == 0}
    return tuple(limb for limb in (*LIMBS, HEAD) if {limb.start, limb.end} <= there)


def stature(points: Tensor, skeleton: Skeleton) -> Tensor:
    """Height (…) of people if they stood upright, from joints (…, J, D): in pixels from 2D, in metres from 3D.

    From 3D it is the median over limbs; from 2D the second largest that a limb tells, since foreshortening only makes
    them shorter, and one may be wrong. NaN where no limb is known.
    """
    parts = skeleton.convert(points, PARTS)
    starts, ends, shares = zip(*_SHARES, strict=True)
    length = torch.linalg.vector_norm(
        parts[..., PARTS.indices(*starts), :] - parts[..., PARTS.indices(*ends), :], dim=-1
    )
    told = length / length.new_tensor(shares)
    if points.shape[-1] == 3:
        return told.nanmedian(-1).values
    most = told.nan_to_num(nan=-torch.inf).topk(2).values
    most = torch.where(most[..., 1] > 0, most[..., 1], most[..., 0])
    return torch.where(most > 0, most, most.new_tensor(torch.nan))
