"""How far a flow is off, in pixels: over all pixels, on people, at their joints, where things stay visible or not.

A pixel whose true flow is unknown never counts. One whose flow was not predicted has no error to average, so that a
mean says nothing about it: `covered` says how many have one, and shares and Fl-all count it as wrong. A mean of
nothing is NaN.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import torch
from torch import Tensor

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows
from dyad.core.tracks import Tracks
from dyad.evaluation.means import NOTHING, Mean

KITTI_PX = 3.0
KITTI_SHARE = 0.05
WITHIN = (1.0, 3.0, 5.0)


def endpoint_errors(truth: Flow, predicted: Flow) -> Tensor:
    """|predicted - true| (…, H, W) px; NaN where the truth is unknown, infinite where only the prediction is.

    BadInput for flows of two sizes.
    """
    if truth.uv.shape != predicted.uv.shape:
        raise BadInput(f"the true flow is {tuple(truth.uv.shape)}, the predicted one {tuple(predicted.uv.shape)}")
    error = torch.linalg.vector_norm(predicted.filled(0.0).double() - truth.filled(0.0).double(), dim=-3)
    error = torch.where(predicted.known, error, torch.inf)
    return torch.where(truth.known, error, torch.nan)


def kitti_outliers(truth: Flow, errors: Tensor) -> Tensor:
    """(…, H, W) bool, pixels that KITTI counts as wrong: off by more than 3 px and by more than 5 % of the motion."""
    motion = torch.linalg.vector_norm(truth.filled(0.0).double(), dim=-3)
    return (errors > KITTI_PX) & (errors > KITTI_SHARE * motion)


class JointErrors(NamedTuple):
    """Errors of a flow at joints: of R people in one frame, by the 2D joints of this frame and the next.

    person: (R,) identity. error: (R, J) px; NaN where the truth of a joint is unknown in either frame or lies outside
    the first image, infinite where no flow was predicted.
    """

    person: Tensor
    error: Tensor


def joint_errors(truth: Tracks, position: int, flow: Flow, *, min_confidence: float = 1.0) -> JointErrors:
    """Errors of the flow from the frame at `position` among `truth.frames` to the next one.

    The flow read at a joint's true place in the first frame should lead to its true place in the second. Joints below
    `min_confidence` in either frame do not count: at a hidden joint, which a truth gives less than 1, the flow is that
    of what hides it. Nobody is followed across a cut. `flow` is of the camera's size, else BadInput.
    """
    if flow.size != truth.camera.size:
        raise BadInput(f"the flow is of {flow.size} px, the truth of {truth.camera.size} px")
    first, second = (int(frame) for frame in truth.frames[position : position + 2])
    rows = [torch.nonzero((truth.frame == frame) & ~truth.filled)[:, 0] for frame in (first, second)]
    if any(first < cut <= second for cut in truth.cuts):
        rows = [row[:0] for row in rows]
    here = rows[0][torch.isin(truth.person[rows[0]], truth.person[rows[1]])]
    # Rows are sorted by person, so that the same people come in the same order.
    there = rows[1][torch.isin(truth.person[rows[1]], truth.person[rows[0]])]
    at, to = truth.xy[here].double(), truth.xy[there].double()
    seen = (truth.confidence[here] >= min_confidence) & (truth.confidence[there] >= min_confidence)
    in_image = torch.isfinite(Flow(torch.zeros_like(flow.uv)).at(at)).all(-1)
    counted = seen & in_image & torch.isfinite(to).all(-1)
    moved = flow.at(at.to(flow.uv.device)).to(at)
    error = torch.linalg.vector_norm(at + moved - to, dim=-1)
    error = torch.where(torch.isnan(error), torch.inf, error)
    return JointErrors(truth.person[here], torch.where(counted, error, torch.nan))


@dataclass(frozen=True)
class FlowSums:
    """What is known about the errors so far; add those of other frames and videos, then ask for `scores`.

    Means over pixels in px: `everywhere`, on `people`, on the `background`, where pixels stay `visible` or are
    `occluded`; over `joints`; `pairs` is the mean over pairs of frames of each one's mean. `outliers`, `within` (for
    each of `WITHIN`) and `covered` are shares of pixels, `joints_covered` of joints.
    """

    everywhere: Mean = NOTHING
    pairs: Mean = NOTHING
    people: Mean = NOTHING
    background: Mean = NOTHING
    visible: Mean = NOTHING
    occluded: Mean = NOTHING
    joints: Mean = NOTHING
    joints_covered: Mean = NOTHING
    outliers: Mean = NOTHING
    covered: Mean = NOTHING
    within: tuple[Mean, ...] = (NOTHING,) * len(WITHIN)

    @classmethod
    def of_pixels(cls, truth: Flow, predicted: Flow, people: Tensor | None = None) -> Self:
        """Of one pair or a batch; `people` (…, H, W) bool says where somebody is. Occlusion is the truth's."""
        known, errors = truth.known, endpoint_errors(truth, predicted)
        error, counted = errors[known], int(known.sum())
        each = [Mean.of(one).value for one in errors.reshape(-1, *errors.shape[-2:])]

        def share(wrong_or_right: Tensor) -> Mean:
            return Mean(float(wrong_or_right.sum()), counted)

        def split(mask: Tensor | None) -> tuple[Mean, Mean]:
            if mask is None:
                return Mean(), Mean()
            inside = mask.to(known.device, torch.bool)[known]
            return Mean.of(error[inside]), Mean.of(error[~inside])

        on_people, off_people = split(people)
        hidden, seen = split(truth.occluded)
        return cls(
            everywhere=Mean.of(error),
            pairs=Mean.of(torch.tensor(each, dtype=torch.float64)),
            people=on_people,
            background=off_people,
            visible=seen,
            occluded=hidden,
            outliers=share(kitti_outliers(truth, errors)[known]),
            covered=share(torch.isfinite(error)),
            within=tuple(share(error < limit) for limit in WITHIN),
        )

    @classmethod
    def of_joints(cls, errors: Tensor) -> Self:
        """Of errors (R, J) px as `joint_errors` gives them."""
        counted = int((~torch.isnan(errors)).sum())
        found = Mean.of(errors)
        return cls(joints=found, joints_covered=Mean(float(found.count), counted))

    def __add__(self, other: "FlowSums") -> "FlowSums":
        sums = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.name != "within"}
        within = tuple(a + b for a, b in zip(self.within, other.within, strict=True))
        return FlowSums(**{name: a + b for name, (a, b) in sums.items()}, within=within)

    def scores(self) -> "FlowScores":
        """The means of all that was added up."""
        return FlowScores(
            pixels=self.outliers.count,
            joints=self.joints_covered.count,
            epe=self.everywhere.value,
            epe_pairs=self.pairs.value,
            epe_people=self.people.value,
            epe_background=self.background.value,
            epe_visible=self.visible.value,
            epe_occluded=self.occluded.value,
            epe_joints=self.joints.value,
            fl_all=100 * self.outliers.value,
            under_1px=self.within[0].value,
            under_3px=self.within[1].value,
            under_5px=self.within[2].value,
            covered=self.covered.value,
            joints_covered=self.joints_covered.value,
        )


@dataclass(frozen=True)
class FlowScores:
    """Errors of a flow. NaN wherever there was nothing to measure.

    Attributes:
        pixels, joints: how many have a true motion.
        epe…: px, mean end-point errors: over all pixels of all pairs (Sintel's figure), the mean over pairs of their
            means (KITTI's), on people, elsewhere, where the point stays visible, where it is occluded, at joints.
        fl_all: 0..100, pixels off by more than 3 px and 5 % (KITTI).
        under_…px: 0..1, pixels off by less.
        covered, joints_covered: 0..1, of the pixels and joints with true motion those with a predicted one.
    """

    pixels: int
    joints: int
    epe: float
    epe_pairs: float
    epe_people: float
    epe_background: float
    epe_visible: float
    epe_occluded: float
    epe_joints: float
    fl_all: float
    under_1px: float
    under_3px: float
    under_5px: float
    covered: float
    joints_covered: float


def flow_sums(clip: Clip, estimate: Flows, *, min_confidence: float = 1.0) -> FlowSums:
    """Compare an estimate with all that a clip knows: its flow, its masks of people, its 2D joints.

    Asks for each flow once. BadInput where the clip knows neither flow nor people, or numbers and sizes disagree.
    """
    if clip.flow is None and clip.truth is None:
        raise BadInput(f"the clip {clip.name!r} has neither a true flow nor true people to measure a flow by")
    pairs = len(clip.flow) if clip.flow is not None else len(clip.truth.frames) - 1 if clip.truth is not None else 0
    if len(estimate) != pairs:
        raise BadInput(f"the clip {clip.name!r} has {pairs} pairs of frames, got {len(estimate)} flows")
    sums = FlowSums()
    for position in range(pairs):
        found = estimate[position]
        if clip.flow is not None:
            mask = None if clip.masks is None else clip.masks[position] > 0
            sums += FlowSums.of_pixels(clip.flow[position], found, mask)
        if clip.truth is not None:
            sums += FlowSums.of_joints(joint_errors(clip.truth, position, found, min_confidence=min_confidence).error)
    return sums
