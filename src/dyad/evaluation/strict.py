"""The strict protocol: everyone's 3D joints against metric truth, with nothing of the truth put into the prediction.

No truth enters in depth, viewing ray, focal length, bone length, scale or identity. A person whom the prediction lacks
fails in every joint, and a frame in which nobody is predicted counts like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.evaluation import tracking
from dyad.evaluation.coverage import Bin, by_value, clearly_visible, share
from dyad.evaluation.matching import match
from dyad.evaluation.pairing import MIN_OKS, partners, rows_by_frame
from dyad.evaluation.pose3d import absolute_errors, mean_error, median_error, pck, root_errors
from dyad.geometry.boxes import box_of

JOINTS14 = (
    "head_top",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
)
"""What MuPoTS-3D is scored on: its 17 joints but pelvis, spine and head."""


@dataclass(frozen=True)
class TruePoses:
    """What is known of F frames and P people: xy (F,P,J,2) px, xyz (F,P,J,3) m in the camera frame, and
    occluded (F,P,J) bool. People with `counted` (F,P) False are not there. Row f is frame f of the video.
    """

    xy: NDArray[np.float64]
    xyz: NDArray[np.float64]
    occluded: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    skeleton: Skeleton

    def __post_init__(self) -> None:
        dense = (*self.counted.shape, len(self.skeleton))
        for name, shape in (("xy", (*dense, 2)), ("xyz", (*dense, 3)), ("occluded", dense)):
            got = getattr(self, name).shape
            if got != shape:
                raise BadInput(f"true poses: {name} should have the shape {shape}, got {got}")


@dataclass(frozen=True)
class StrictScores:
    """Scores of one sequence. Without a suffix a missed person counts as a failure; `_matched` is over matched people.

    Attributes:
        person_frames: how many true people there are, over all frames.
        pck, pck_abs: 0..100, joints within the distance, root-aligned and with no alignment at all.
        coverage: 0..1, person-frames with a partner; coverage_detected: with one that is not filled.
        coverage_clear: 0..1, of the clearly visible person-frames (`clear_person_frames` of them) those that a detected
            row matches at the stricter similarity.
        precision: 0..1, rows with a partner among all rows (a person nobody annotated counts against it).
        mpjpe_mm: mean root-aligned joint error of matched people; root_error_mm: median distance of their roots. A
            missed person has no error, so read both beside `coverage`.
        roots_25cm: 0..100, roots within 25 cm.
        oks: mean 2D similarity of matched people.
        idf1, hota: 0..1, id_switches: count, all on the 2D similarity.
        by_height: coverage by height in px; by_occlusion: by the share of hidden joints.
    """

    person_frames: int
    clear_person_frames: int
    pck: float
    pck_abs: float
    coverage: float
    coverage_detected: float
    coverage_clear: float
    precision: float
    pck_matched: float
    pck_abs_matched: float
    mpjpe_mm: float
    root_error_mm: float
    roots_25cm: float
    roots_25cm_matched: float
    oks: float
    idf1: float
    hota: float
    id_switches: int
    by_height: tuple[Bin, ...]
    by_occlusion: tuple[Bin, ...]


@dataclass(frozen=True, kw_only=True)
class StrictProtocol:
    """Match people one-to-one by 2D similarity (OKS), frame by frame, and score their 3D joints.

    OKS: over `joints`, σ from `evaluation.oks` (COCO's; head top and neck as CrowdPose), area 0.53 × the box of the
    true `joints`. `min_oks` is low: whoever is near counts as found, and 3D says how well.

    Attributes:
        joints: what is scored, by name; root: what root-aligned scores are aligned on.
        within: m, a joint nearer than this is right.
        min_oks: least similarity of partners; clear_oks: the same for `coverage_clear`, IDF1 and switches.
        clear_height: px of height, and clear_occluded: share of all annotated joints, up to which a person is clear.
        height_edges: px, occlusion_edges: share; where the bins of coverage begin and end.
    """

    joints: tuple[str, ...] = JOINTS14
    root: str = "pelvis"
    within: float = 0.15
    min_oks: float = MIN_OKS
    clear_oks: float = 0.5
    clear_height: float = 50.0
    clear_occluded: float = 0.3
    height_edges: Sequence[float] = (0.0, 25.0, 50.0, 100.0, 200.0, np.inf)
    occlusion_edges: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 1.01)

    def __call__(self, truth: TruePoses, tracks: Tracks, *, height_scale: float = 1.0) -> StrictScores:
        """Score `tracks`, whose px are those of the truth; heights are `height_scale` × the height in these px.

        Tracks may have any skeleton that converts by name to the truth's. Rows of frames without truth do not count.
        """
        joints = truth.skeleton.indices(*self.joints)
        root = truth.skeleton.index(self.root)
        rows = tracks.convert(truth.skeleton)
        frame, person, filled = (v.numpy() for v in (rows.frame, rows.person, rows.filled))
        xy, xyz = (v.double().numpy() for v in (rows.xy, rows.xyz))

        true_xy = truth.xy[:, :, joints]
        boxes = box_of(true_xy)
        pairs = partners(true_xy, truth.counted, xy[:, joints], frame, person, self.joints, at_least=self.min_oks)
        partner, alike, frames = pairs
        seen_clearly = np.zeros(truth.counted.shape, dtype=bool)
        by_frame = rows_by_frame(frame, len(truth.counted))
        for f, (here, seen) in enumerate(zip(by_frame, frames, strict=True)):
            strong = match(np.where(filled[here], np.nan, seen.similarity), at_least=self.clear_oks)
            seen_clearly[f, seen.truth[strong.truth]] = True

        counted = truth.counted
        matched = partner >= 0
        row = partner[matched]
        relative = root_errors(
            truth.xyz[matched][:, joints], xyz[row][:, joints], truth.xyz[matched][:, root], xyz[row][:, root]
        )
        absolute = absolute_errors(truth.xyz[matched][:, joints], xyz[row][:, joints])
        roots = absolute_errors(truth.xyz[matched][:, [root]], xyz[row][:, [root]])
        missed = int(counted.sum() - matched.sum())
        detected = matched.copy()
        detected[matched] = ~filled[row]

        height = np.where(counted, (boxes[..., 3] - boxes[..., 1]) * height_scale, np.nan)
        hidden = truth.occluded.mean(-1)
        clear = counted & clearly_visible(
            height, hidden, min_height=self.clear_height, max_occluded=self.clear_occluded
        )
        inside = (frame >= 0) & (frame < len(counted))
        return StrictScores(
            person_frames=int(counted.sum()),
            clear_person_frames=int(clear.sum()),
            pck=100 * pck(relative, within=self.within, missed=missed),
            pck_abs=100 * pck(absolute, within=self.within, missed=missed),
            coverage=share(matched, counted),
            coverage_detected=share(detected, counted),
            coverage_clear=share(seen_clearly, clear),
            precision=float(matched.sum() / inside.sum()) if inside.any() else float("nan"),
            pck_matched=100 * pck(relative, within=self.within),
            pck_abs_matched=100 * pck(absolute, within=self.within),
            mpjpe_mm=1000 * mean_error(relative),
            root_error_mm=1000 * median_error(roots),
            roots_25cm=100 * pck(roots, within=0.25, missed=missed),
            roots_25cm_matched=100 * pck(roots, within=0.25),
            oks=mean_error(alike[matched]),
            idf1=tracking.identity(frames, at_least=self.clear_oks).idf1,
            hota=tracking.hota(frames).hota,
            id_switches=tracking.clear_mot(frames, at_least=self.clear_oks).switches,
            by_height=by_value(height[counted], matched[counted], self.height_edges),
            by_occlusion=by_value(hidden[counted], matched[counted], self.occlusion_edges),
        )
