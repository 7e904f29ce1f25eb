"""The numbers that refinement is to better, of one clip's poses and flows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.evaluation.comparison import compare
from dyad.evaluation.flow import FlowSums, Mean, joint_errors
from dyad.evaluation.protocols import protocol_of
from dyad.evaluation.scores import POSE_METRICS, plain_values


@dataclass(frozen=True)
class Metric:
    """A number, its unit, and whether less of it is better."""

    name: str
    unit: str
    lower_is_better: bool = True


METRICS = (
    Metric("mpjpe", "mm"),
    Metric("pck_abs", "%", lower_is_better=False),
    Metric("accel", "m/s²"),
    Metric("error_2d", "px"),
    Metric("reprojection", "px"),
    Metric("epe", "px"),
    Metric("epe_joints", "px"),
    Metric("epe_people", "px"),
)
"""Root-aligned MPJPE, joints within 150 mm with nothing aligned, error of root-relative acceleration; mean distance in
the image from the true joints, hidden ones too, of the 2D joints (refinement in 2D moves these alone) and of where the
3D joints appear (that in 3D moves these); end-point errors over all pixels, at visible joints, on people."""
NAMES = tuple(metric.name for metric in METRICS)
_POSES = {"mpjpe": "mpjpe_mm", "pck_abs": "pck_abs", "accel": "acceleration_error_m_s2"}
_IMAGE = ("error_2d", "reprojection")


@dataclass(frozen=True)
class Scored:
    """What counts of a pose: joints by name, and the joints whose middle is the root; people are matched by OKS unless
    the truth is one person, `alone`."""

    joints: tuple[str, ...] = tuple(name for name in BODY17.names if name != "pelvis")
    root: tuple[str, ...] = ("pelvis",)
    alone: bool = False

    @classmethod
    def of_protocol(cls, name: str) -> "Scored":
        rules = protocol_of(name)
        return cls(rules.joints, rules.root or ("pelvis",), rules.matching == "alone")


def pose_scores(clip: Clip, tracks: Tracks, scored: Scored | None = None) -> dict[str, float]:
    """`mpjpe`, `pck_abs` and `accel` of poses, `error_2d` and `reprojection` in the image; NaN where nobody knows the
    truth, or where there are no joints to compare."""
    if clip.truth is None:
        return dict.fromkeys((*_POSES, *_IMAGE), np.nan)
    rules = scored or Scored()
    matching = "alone" if rules.alone else "oks"
    compared = compare(clip.truth, tracks, joints=rules.joints, root=rules.root, matching=matching)
    values = dict.fromkeys(_POSES, np.nan)
    if _has_solid(clip.truth):
        values = plain_values({name: POSE_METRICS[metric](compared) for name, metric in _POSES.items()})
    image = (Mean.of_array(errors).value for errors in (compared.flat, compared.reprojected))
    return {name: float(value) for name, value in {**values, **dict(zip(_IMAGE, image, strict=True))}.items()}


def _has_solid(truth: Tracks) -> bool:
    """Whether any 3D joint is known."""
    return bool(truth.xyz.isfinite().any())


def flow_scores(clip: Clip, flows: Iterable[Flow]) -> dict[str, float]:
    """`epe`, `epe_joints` and `epe_people` of flows, as `brief_sums` has them."""
    found = brief_sums(clip, flows).scores()
    return {"epe": found.epe, "epe_joints": found.epe_joints, "epe_people": found.epe_people}


def brief_sums(clip: Clip, flows: Iterable[Flow]) -> FlowSums:
    """Everywhere, on people and at joints, of flows from each frame to the next; each is asked for once.

    Raises BadInput where they are not as many as the clip has pairs of frames.
    """
    sums, count = FlowSums(), 0
    pairs = _pairs(clip)
    for count, found in enumerate(flows, 1):
        if count > pairs:
            break
        at = count - 1
        if clip.flow is not None:
            sums += _of_pixels(clip.flow[at], found, None if clip.masks is None else clip.masks[at] > 0)
        if clip.truth is not None:
            sums += FlowSums.of_joints(joint_errors(clip.truth, at, found).error)
    if count != pairs:
        raise BadInput(f"the clip {clip.name!r} has {pairs} pairs of frames, got {count} flows or more")
    return sums


def _of_pixels(truth: Flow, found: Flow, people: Tensor | None) -> FlowSums:
    """Those of `FlowSums.of_pixels` that are asked for here; the others take as long as refinement does."""
    if truth.uv.shape != found.uv.shape:
        raise BadInput(f"the true flow is {tuple(truth.uv.shape)}, the estimated one {tuple(found.uv.shape)}")
    apart = found.uv.cpu() - truth.uv.cpu()
    error = torch.where(
        truth.known.cpu() & found.known.cpu(), (apart[0].square() + apart[1].square()).sqrt(), torch.nan
    )
    on_people = Mean() if people is None else Mean.of(error[people.to(torch.bool)].double())
    return FlowSums(everywhere=Mean.of(error.double()), people=on_people)


def _pairs(clip: Clip) -> int:
    if clip.flow is not None:
        return len(clip.flow)
    if clip.truth is None:
        raise BadInput(f"the clip {clip.name!r} has neither a true flow nor true people to measure a flow by")
    return max(len(clip.truth.frames) - 1, 0)


def scores(clip: Clip, tracks: Tracks, flows: Iterable[Flow], scored: Scored | None = None) -> dict[str, float]:
    """All of `METRICS`, by name."""
    found = {**pose_scores(clip, tracks, scored), **flow_scores(clip, flows)}
    return {name: found[name] for name in NAMES}


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Plain means over clips, of those in which a metric is defined."""
    table = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in (rows[0] if rows else ())}
    return {name: float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for name, v in table.items()}
