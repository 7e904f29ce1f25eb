"""Object keypoint similarity: how alike two people are in the image, from 0 to 1.

For a true person of area `a` (px²) and a joint at distance `d` (px) from its truth, the joint's similarity is
`exp(-d² / (2 a (2σ)²))` with the spread σ of human annotators for that kind of joint; a person's similarity is
the mean over the joints that the truth labels (COCO keypoint challenge, https://cocodataset.org/#keypoints-eval).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

COCO_SIGMAS = {
    "nose": 0.026,
    "eye": 0.025,
    "ear": 0.035,
    "shoulder": 0.079,
    "elbow": 0.072,
    "wrist": 0.062,
    "hip": 0.107,
    "knee": 0.087,
    "ankle": 0.089,
}
"""σ of the 17 COCO joints, measured there on doubly annotated people. Both sides share one value."""

OTHER_SIGMAS = {
    "neck": 0.079,
    "thorax": 0.079,
    "head_top": 0.079,
    "head": 0.079,
    "head_bottom": 0.079,
    "pelvis": 0.107,
    "spine": 0.107,
    "heel": 0.066,
    "foot_index": 0.068,
    "big_toe": 0.068,
    "small_toe": 0.066,
    "eye_inner": 0.025,
    "eye_outer": 0.025,
    "mouth": 0.025,
    "pinky": 0.062,
    "index": 0.062,
    "thumb": 0.062,
}
"""σ of joints that COCO does not annotate. CrowdPose takes 0.079 (a shoulder's) for neck and head; trunk centres get a
hip's 0.107, being as hard to see; feet have COCO-WholeBody's; the face beside the eyes has an eye's; fingers a wrist's,
which is generous."""


def plain_name(joint: str) -> str:
    """A joint's name in lower case with underscores: `"Left Shoulder"` and `"left-shoulder"` become `left_shoulder`."""
    return joint.strip().lower().replace(" ", "_").replace("-", "_")


def sigma_of(joint: str) -> float:
    """The σ of a joint by its name, whichever side it is on. Raises KeyError for a joint without one."""
    name = plain_name(joint)
    for side in ("left", "right"):
        name = name.removeprefix(f"{side}_").removesuffix(f"_{side}")
    if name in COCO_SIGMAS:
        return COCO_SIGMAS[name]
    if name in OTHER_SIGMAS:
        return OTHER_SIGMAS[name]
    raise KeyError(f"no OKS sigma is known for the joint {joint!r}")


def sigmas(joints: Sequence[str]) -> NDArray[np.float64]:
    """σ of every joint by name, shape (J,). Raises KeyError for a joint without one."""
    return np.array([sigma_of(joint) for joint in joints], dtype=np.float64)


def oks(truth: ArrayLike, predicted: ArrayLike, *, area: ArrayLike, sigma: ArrayLike) -> NDArray[np.float64]:
    """Similarity (G,P) in 0..1 between every true and every predicted person.

    truth: (G,J,2) px, NaN where the joint is not labelled: such joints do not count.
    predicted: (P,J,2) px, NaN where the joint is missing: such joints count with similarity 0.
    area: (G,) px²; a person without a positive area, or without a labelled joint, is similar to nobody (0).
    sigma: (J,), see `sigmas`.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    labelled = np.isfinite(true).all(-1)
    size = np.asarray(area, dtype=np.float64)
    usable = np.isfinite(size) & (size > 0)
    spread = 2 * np.where(usable, size, 1.0)[:, None] * (2 * np.asarray(sigma, dtype=np.float64)) ** 2
    square = ((true[:, None] - pred[None]) ** 2).sum(-1)
    each = np.exp(-np.where(np.isfinite(square), square, np.inf) / spread[:, None])
    count = labelled.sum(-1, keepdims=True)
    mean = np.where(np.expand_dims(labelled, 1), each, 0.0).sum(-1) / np.maximum(count, 1)
    return np.where(usable[:, None] & (count > 0), mean, 0.0)
