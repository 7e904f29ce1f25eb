"""Protocols: who is scored, on which joints, after which alignment, and what of the truth helps. Small tables.

A protocol says all that two people must agree on before they compare numbers. What it does not name is free. Those
whose `helped_by` is not empty give the prediction something of the truth; reports print what.
"""

from dataclasses import dataclass
from typing import Literal

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, COCO17, LSP14
from dyad.evaluation.average_precision import CROWDPOSE_JOINTS
from dyad.evaluation.pose3d import AUC_RELEASED_M
from dyad.evaluation.strict import JOINTS14

Measures = Literal["poses", "images", "flow"]
Matching = Literal["oks", "alone", "index", "none"]
Pooling = Literal["frames", "clips", "actions"]

_FOUND = ("coverage", "precision", "person_frames")
_FLOW_AT_JOINTS = ("epe_joints", "joints_covered")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One way to score predictions.

    Attributes:
        name: what `--protocol` takes. sentence: what it measures, with its source.
        measures: poses in 3D, people in single images (2D), or optical flow.
        dataset: the reader of its truth (`dyad.datasets`), "" for `tracks.npz`. split: None takes all there is.
        skeleton: which skeleton's definition the joints have. joints: those that are scored, by name.
        root: the joints whose middle both poses are moved to for root-aligned errors, and which `…_abs`, roots and
            MRPE take as the person's place.
        alignment: what is aligned before the headline metric. matching: how people find their partners.
            `oks`: one-to-one by 2D similarity; `alone`: the truth is one person, so is the prediction; `index`: the
            identities of the prediction are those of the truth; `none`: nothing to match.
        metrics: in the order in which reports print them, the headline first. flow_metrics: the same for predicted
            flow, where the data set has true 2D joints or true flow.
        auc_m: m, the distances whose PCK `auc` is the mean of. Nothing is nearer than 0, so that with 0 among them
            perfection is 97.5.
        fps: frames a second that count, None for all; first: index of the first of them in the source.
        cameras, scenes: those that count, empty for all.
        hardest: how many person-frames, those that overlap most with detected others, are scored besides all; 0: none.
        stills: clips are single images, too many to list; one tracks file may hold them all, frame i the i-th image.
        pooling: what the total is the plain mean of: joints and people of all frames, clips, or actions.
        helped_by: what of the truth helps the prediction; nothing for strict protocols.
    """

    name: str
    sentence: str
    measures: Measures = "poses"
    dataset: str = ""
    split: str | None = None
    skeleton: str = ""
    joints: tuple[str, ...] = ()
    root: tuple[str, ...] = ("pelvis",)
    alignment: str = "none"
    matching: Matching = "oks"
    metrics: tuple[str, ...] = ()
    flow_metrics: tuple[str, ...] = ()
    auc_m: tuple[float, ...] = AUC_RELEASED_M[1:]
    fps: float | None = None
    first: int = 0
    cameras: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    hardest: int = 0
    stills: bool = False
    pooling: Pooling = "frames"
    helped_by: tuple[str, ...] = ()


_PROCRUSTES = "PA-MPJPE turns, scales and moves each predicted pose onto its true one"
_LSP13 = tuple(name for name in LSP14.names if name != "head_top")
_SINTEL = ("epe", "epe_pairs", "epe_visible", "epe_occluded", "fl_all", "under_1px", "under_3px", "covered")

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        name="mupots-released",
        sentence="MuPoTS-3D as the released scripts of Cheng et al. (CVPR 2021) score their stored final poses: "
        "14 joints within 150 mm, AUC over 0, 5 … 195 mm, the plain mean over sequences.",
        dataset="mupots",
        skeleton="mupots17",
        joints=JOINTS14,
        alignment="pelvis (PCK, AUC); none (PCK_abs)",
        matching="index",
        auc_m=AUC_RELEASED_M,
        metrics=("pck", "pck_abs", "auc", "root_ap25", "person_frames"),
        pooling="clips",
        helped_by=(
            "identity: person i of stored poses is compared with person i of the truth, even if a pose is all zeros; "
            "people of other tracks go to the true person whom they fit best after a similarity fit",
            "the stored final poses have their bone lengths, the ray to the root, and the scale and shift of root "
            "depths from the truth",
        ),
    ),
    Protocol(
        name="mupots-strict",
        sentence="MuPoTS-3D (Mehta et al., 3DV 2018) with nothing of the truth in the prediction: people matched "
        "one-to-one in the image, a missed person fails in every joint, 14 joints within 150 mm of the metric truth.",
        dataset="mupots",
        skeleton="mupots17",
        joints=JOINTS14,
        alignment="pelvis (PCK, AUC, MPJPE); none (PCK_abs, roots)",
        metrics=(
            "pck", "pck_abs", "auc", "mpjpe_mm", "root_ap25", "roots_25cm", "mrpe_mm", *_FOUND,
            "hota", "idf1", "id_switches",
        ),
        pooling="clips",
    ),
    Protocol(
        name="muco",
        sentence="Composited images of MuCo-3DHP (Mehta et al., 3DV 2018), scored as mupots-strict; the data set is "
        "for training, so this is a check of training and no published benchmark.",
        dataset="muco",
        split="train",
        stills=True,
        skeleton="mupots17",
        joints=JOINTS14,
        alignment="pelvis (PCK, AUC, MPJPE); none (PCK_abs, roots)",
        metrics=("pck", "pck_abs", "auc", "mpjpe_mm", "root_ap25", "roots_25cm", "mrpe_mm", *_FOUND),
    ),
    Protocol(
        name="jta",
        sentence="JTA's test sequences (Fabbri et al., ECCV 2018) as LoCO (CVPR 2020) scores them: joints of one kind "
        "matched one-to-one in camera space, F1 at 0.4, 0.8 and 1.2 m, the mean over frames.",
        dataset="jta",
        split="test",
        skeleton="jta22",
        joints=JOINTS14,
        root=("left_hip", "right_hip"),
        alignment="none (F1, PCK_abs); middle of the hips (PCK, MPJPE)",
        metrics=("f1_40cm", "f1_80cm", "f1_120cm", "pck", "pck_abs", "mpjpe_mm", "mrpe_mm", *_FOUND, "hota", "idf1"),
    ),
    Protocol(
        name="h36m-p1",
        sentence="Human3.6M protocol 1 (Martinez et al., ICCV 2017; Pavllo et al., CVPR 2019): S9 and S11, all cameras "
        "and frames, MPJPE of 17 joints centred on the pelvis, the mean over actions.",
        dataset="human36m",
        split="test",
        skeleton="body17",
        joints=BODY17.names,
        alignment="pelvis",
        matching="alone",
        metrics=("mpjpe_mm", "n_mpjpe_mm", "mpjve_mm", "mrpe_mm", "coverage", "person_frames"),
        pooling="actions",
        helped_by=("N-MPJPE scales each predicted pose to its true one (MPJPE does not)",),
    ),
    Protocol(
        name="h36m-p2",
        sentence="Human3.6M protocol 2 (Martinez et al., ICCV 2017; Pavllo et al., CVPR 2019): as h36m-p1 after a "
        "similarity fit of each pose (PA-MPJPE).",
        dataset="human36m",
        split="test",
        skeleton="body17",
        joints=BODY17.names,
        alignment="similarity fit",
        matching="alone",
        metrics=("pa_mpjpe_mm", "coverage", "person_frames"),
        pooling="actions",
        helped_by=(_PROCRUSTES,),
    ),
    Protocol(
        name="h36m-14",
        sentence="Human3.6M as Arko et al. (BMVC 2022, Table 1) score it: S9 and S11, camera 60457274, 10 frames a "
        "second (1, 6, 11 …), fourteen common joints centred on the middle of the hips; flow is scored at true joints.",
        dataset="human36m",
        split="test",
        skeleton="lsp14",
        joints=LSP14.names,
        root=("left_hip", "right_hip"),
        alignment="middle of the hips",
        matching="alone",
        metrics=("mpjpe_mm", "pa_mpjpe_mm", "coverage", "person_frames"),
        flow_metrics=(*_FLOW_AT_JOINTS, "epe_joints_released"),
        fps=10.0,
        first=1,
        cameras=("60457274",),
        helped_by=(_PROCRUSTES + " (the paper reports MPJPE only)",),
    ),
    Protocol(
        name="3dpw",
        sentence="3DPW's test sequences (von Marcard et al., ECCV 2018): PA-MPJPE of the thirteen joints that its "
        "files share with the published fourteen, over all people with truth; flow is scored at true joints.",
        dataset="3dpw",
        split="test",
        skeleton="smpl24",
        joints=_LSP13,
        root=("left_hip", "right_hip"),
        alignment="similarity fit (PA-MPJPE); middle of the hips (MPJPE, PCK)",
        metrics=("pa_mpjpe_mm", "mpjpe_mm", "pck", *_FOUND),
        flow_metrics=_FLOW_AT_JOINTS,
        helped_by=(_PROCRUSTES,),
    ),
    Protocol(
        name="3dpw-occluded",
        sentence="As 3dpw, besides on the 3,000 person-frames whose box overlaps most with that of another detected "
        "person (Cheng et al., CVPR 2021, Table 6): `drop` is how much worse these are than all.",
        dataset="3dpw",
        split="test",
        skeleton="smpl24",
        joints=_LSP13,
        root=("left_hip", "right_hip"),
        alignment="similarity fit (PA-MPJPE); middle of the hips (MPJPE, PCK)",
        metrics=("pa_mpjpe_mm", "mpjpe_mm", "pck", "coverage", "person_frames"),
        hardest=3000,
        helped_by=(_PROCRUSTES,),
    ),
    Protocol(
        name="sintel-human",
        sentence="The scenes with people of Sintel's final pass (Butler et al., ECCV 2012) as Arko et al. (BMVC 2022, "
        "Table 1) chose them: EPE over all pixels of 196 pairs of frames.",
        measures="flow",
        dataset="sintel",
        split="training",
        matching="none",
        root=(),
        flow_metrics=_SINTEL,
        fps=24.0,
        scenes=("alley_2", "bamboo_2", "cave_2", "cave_4"),
    ),
    Protocol(
        name="coco",
        sentence="COCO keypoints 2017, validation: average precision and recall by the rules of its challenge "
        "(https://cocodataset.org/#keypoints-eval).",
        measures="images",
        dataset="coco",
        split="val2017",
        skeleton="coco17",
        joints=COCO17.names,
        root=(),
        metrics=(
            "ap", "ap50", "ap75", "ap_medium", "ap_large", "ar", "ar50", "ar75", "ar_medium", "ar_large",
        ),
    ),
    Protocol(
        name="crowdpose",
        sentence="CrowdPose, test (Li et al., CVPR 2019): COCO's average precision on its fourteen joints, besides for "
        "easy, medium and hard images by crowd index, divided at 0.2 and 0.8 as its code does.",
        measures="images",
        dataset="crowdpose",
        split="test",
        skeleton="crowdpose14",
        joints=CROWDPOSE_JOINTS,
        root=(),
        metrics=("ap", "ap50", "ap75", "ap_easy", "ap_medium_crowd", "ap_hard", "ar", "ar50", "ar75"),
    ),
    Protocol(
        name="dyad-synth",
        sentence="Rendered scenes of Dyad, whose truth is exact to the micrometre: everything that can be measured "
        "about people in 3D, matched one-to-one in the image.",
        skeleton="body17",
        joints=tuple(name for name in BODY17.names if name != "pelvis"),
        alignment="pelvis (PCK, AUC, MPJPE, MPJVE, acceleration); none (PCK_abs, roots, jitter, feet)",
        metrics=(
            "pck", "pck_abs", "auc", "mpjpe_mm", "pa_mpjpe_mm", "root_ap25", "roots_25cm", "mrpe_mm", *_FOUND,
            "hota", "mota", "idf1", "id_switches",
            "mpjve_mm", "acceleration_error_m_s2", "jitter_m_s3", "jitter_true_m_s3", "foot_sliding_mm_s",
            "foot_sliding_true_mm_s", "sigma_50", "sigma_80", "sigma_90", "penetration_mm", "penetration_true_mm",
            "pair_pa_mpjpe_mm",
        ),
        helped_by=("PA metrics turn, scale and move each predicted pose (or pair of poses) onto its true one",),
    ),
)  # fmt: skip
"""All there are."""


def protocol_of(name: str) -> Protocol:
    """A protocol by its name; BadUsage lists all names."""
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise BadUsage(f"there is no protocol {name!r}; there are {', '.join(p.name for p in PROTOCOLS)}")
