"""What the released MuPoTS-3D scripts of Cheng et al. (CVPR 2021) compute, so that published numbers can be told apart.

None of this is a measure of a system that has no truth at hand: before anything is compared, lengths between joints,
the scale and shift of depth, and the viewing ray of the root are taken from the truth. The paper describes PCK_abs as
PCK without root alignment and mentions none of these steps. Functions that use the truth say so in their names.

Lengths are metres here, millimetres there; poses are (J,3) in MuPoTS-17's order.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17, Skeleton
from dyad.evaluation.aligned import procrustes
from dyad.evaluation.pose3d import AUC_RELEASED_M
from dyad.evaluation.strict import JOINTS14

MISS_M = 100.0
"""Every coordinate of the pose that stands for a person who was not found: root-relative, 100 m along each axis."""

MATCH_WITHIN_M = 0.25

RELEASED_GROUPS: dict[str, tuple[str, ...]] = {
    "head": ("head_top",),
    "neck": ("neck",),
    **{
        f"{joint}s": (f"right_{joint}", f"left_{joint}")
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
    "all": JOINTS14,
}
"""The nine groups in which the scripts count; "all" has each of its fourteen joints once."""

RELEASED_STEPS: tuple[tuple[str, str], ...] = (
    ("spine", "neck"),
    ("neck", "spine"),
    ("head_top", "neck"),
    ("head", "right_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "neck"),
    ("right_wrist", "left_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "pelvis"),
    ("left_wrist", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "pelvis"),
    ("right_ankle", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "pelvis"),
    ("left_ankle", "pelvis"),
)
"""(joint, from where it is set), in order. The scripts walk the joints outward but look up each one's parent by its
place in the walk and not by its own number, so that most of these steps are no bones."""


def line_fitted_to_truth(predicted: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Predicted depths of any shape after the straight line that brings them nearest to the true ones, all together.

    The scripts do this with the depths of all people and frames of a video at once (their similarity fit in one
    dimension), so that neither the scale nor the shift is predicted; the slope may be negative, and then depths that
    run backwards are put right as well. Depths without variation become the mean of the truth. BadInput for none, or
    for different numbers of them.
    """
    pred, true = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if pred.shape != true.shape or not pred.size:
        raise BadInput(f"predicted and true depths are the same in number, got {pred.shape} and {true.shape}")
    off, wanted = pred - pred.mean(), true - true.mean()
    spread = float((off * off).sum())
    slope = float((off * wanted).sum()) / spread if spread > 0 else 0.0
    return slope * off + true.mean()


def with_bone_lengths_of_truth(
    predicted: ArrayLike,
    truth: ArrayLike,
    *,
    skeleton: Skeleton = MUPOTS17,
    steps: Sequence[tuple[str, str]] = RELEASED_STEPS,
) -> NDArray[np.float64]:
    """Poses (…,J,3) m with predicted directions and the truth's lengths: each step (joint, from) sets the joint at the
    true distance from where `from` then is, in the direction that the prediction has between the two.

    With the bones of a skeleton as steps, from the root outward, all its lengths would be the truth's. The released
    steps are not those, so that a pose of a wrong size is repaired in part only. A step that has no length in the
    prediction has no direction either and gives NaN.
    """
    pred, true = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    out = pred.copy()
    for names in steps:
        joint, start = skeleton.indices(*names)
        bone = pred[..., joint, :] - pred[..., start, :]
        length = np.linalg.norm(true[..., joint, :] - true[..., start, :], axis=-1, keepdims=True)
        size = np.linalg.norm(bone, axis=-1, keepdims=True)
        unit = np.divide(bone, size, out=np.full_like(bone, np.nan), where=size > 0)
        out[..., joint, :] = out[..., start, :] + unit * length
    return out


def matches_after_fit_to_truth(
    truth: ArrayLike, predicted: ArrayLike, *, within: float = MATCH_WITHIN_M
) -> NDArray[np.int64]:
    """For each true person (G,J,3) of a frame the predicted one (P,J,3) that is most alike, -1 for none.

    Every candidate is first laid on the true pose by a similarity, so that neither place nor direction nor size tells
    people apart; alike means a mean joint distance below `within` (m). The choice is free for each true person: one
    candidate may serve several, and another nobody, without being counted as wrong.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if not len(true) or not len(pred):
        return np.full(len(true), -1)
    laid = procrustes(np.repeat(true[:, None], len(pred), 1), np.repeat(pred[None], len(true), 0))
    distance = np.nan_to_num(np.linalg.norm(laid - true[:, None], axis=-1).mean(-1), nan=np.inf)
    best = distance.argmin(1)
    return np.where(distance[np.arange(len(true)), best] < within, best, -1)


def roots_on_true_rays(truth_root: ArrayLike, depth: ArrayLike, truth_depth: ArrayLike) -> NDArray[np.float64]:
    """Roots (…,3) m that the scripts take for predicted: the true root times predicted depth over true depth (…).

    Its x and y are the truth's but for that factor. `truth_depth` is what is on file for the *predicted* person; where
    one candidate serves two people it is the depth of the other, which the factor then compares.
    """
    root, z, true_z = (np.asarray(v, dtype=np.float64) for v in (truth_root, depth, truth_depth))
    return root * (z / true_z)[..., None]


def released_errors(
    truth: ArrayLike,
    predicted: ArrayLike,
    match: ArrayLike,
    *,
    depth: ArrayLike | None = None,
    truth_depth: ArrayLike | None = None,
    skeleton: Skeleton = MUPOTS17,
    bones_of_truth: bool = True,
) -> NDArray[np.float64]:
    """Joint errors (G,J) m of the true people (G,J,3) of one frame, whose `match` (G,) names the predicted (P,J,3).

    Without depths, for the released PCK: both poses are moved to the pelvis. With `depth` and `truth_depth` (P,) m of
    the predicted people, for the released PCK_abs: the prediction's root is put on the true ray (`roots_on_true_rays`).
    Who has no match (-1) gets errors of about 173 m, by the pose that is `MISS_M` in every coordinate; both scores take
    the same. `bones_of_truth=False` leaves out the bone lengths, for poses that were stored with them.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    chosen = np.asarray(match, dtype=np.int64)
    pelvis = skeleton.index("pelvis")
    relative = true - true[:, [pelvis]]
    found = np.full_like(true, MISS_M)
    hit = chosen >= 0
    pose = pred[chosen[hit]]
    if bones_of_truth:
        pose = with_bone_lengths_of_truth(pose, true[hit], skeleton=skeleton)
    found[hit] = pose - pose[:, [pelvis]]
    if depth is not None and truth_depth is not None:
        z, true_z = (np.asarray(v, dtype=np.float64)[chosen[hit]] for v in (depth, truth_depth))
        root = true[hit][:, pelvis]
        found[hit] += (roots_on_true_rays(root, z, true_z) - root)[:, None]
    elif depth is not None or truth_depth is not None:
        raise BadInput("the released PCK_abs needs both predicted and true depths, the released PCK neither")
    return np.linalg.norm(found - relative, axis=-1)


def released_curves(
    errors: ArrayLike, *, skeleton: Skeleton = MUPOTS17, thresholds: Sequence[float] = AUC_RELEASED_M
) -> dict[str, NDArray[np.float64]]:
    """For each of the nine groups the share 0..1 of errors (N,J) m of a sequence below each of the thresholds (K,).

    The released AUC of a group is the mean of its curve. NaN without people.
    """
    values = np.asarray(errors, dtype=np.float64)
    return {
        group: _shares(values[:, skeleton.indices(*joints)], thresholds) for group, joints in RELEASED_GROUPS.items()
    }


def released_pck(errors: ArrayLike, *, within: float = 0.15, skeleton: Skeleton = MUPOTS17) -> dict[str, float]:
    """For each of the nine groups the share 0..1 of errors (N,J) m of a sequence below `within` (m).

    The score of the data set is the plain mean of "all" over its sequences, long and short alike.
    """
    return {
        group: float(curve[0])
        for group, curve in released_curves(errors, skeleton=skeleton, thresholds=(within,)).items()
    }


def _shares(errors: NDArray[np.float64], thresholds: Sequence[float]) -> NDArray[np.float64]:
    if not errors.size:
        return np.full(len(thresholds), np.nan)
    # the scripts keep errors in single precision, in millimetres
    single = (1000 * errors).astype(np.float32)
    return np.array([(single < 1000 * within).mean() for within in thresholds])
