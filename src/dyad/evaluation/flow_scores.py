"""Metrics of predicted flow by name, for protocols: errors in px, shares 0..1 but `fl_all` 0..100."""

from collections.abc import Callable, Sequence

import torch

from dyad.core.clip import Clip
from dyad.core.flow import Flows
from dyad.core.tracks import Tracks
from dyad.evaluation.flow import FlowSums, flow_sums
from dyad.evaluation.means import Mean
from dyad.evaluation.released_flow import released_epe_at_joints

RELEASED = "epe_joints_released"
"""The error at joints as the released script of Arko et al. (BMVC 2022) reduces it, lower than the mean over joints."""

FLOW_METRICS: dict[str, Callable[[FlowSums], Mean]] = {
    "epe": lambda s: s.everywhere,
    "epe_pairs": lambda s: s.pairs,
    "epe_visible": lambda s: s.visible,
    "epe_occluded": lambda s: s.occluded,
    "epe_joints": lambda s: s.joints,
    "joints_covered": lambda s: s.joints_covered,
    "fl_all": lambda s: Mean(100 * s.outliers.total, s.outliers.count),
    "under_1px": lambda s: s.within[0],
    "under_3px": lambda s: s.within[1],
    "under_5px": lambda s: s.within[2],
    "covered": lambda s: s.covered,
}
"""What `FlowScores` says of each, as means that add up."""


def score_flows(clip: Clip, flows: Flows, names: Sequence[str]) -> dict[str, Mean]:
    """The metrics of these names, keys of `FLOW_METRICS` or `RELEASED`, of a clip's estimated flows."""
    sums = flow_sums(clip, flows)
    values = {name: FLOW_METRICS[name](sums) for name in names if name in FLOW_METRICS}
    if RELEASED in names and clip.truth is not None:
        values[RELEASED] = _released(clip.truth, flows)
    return {name: values[name] for name in names if name in values}


def _released(truth: Tracks, flows: Flows) -> Mean:
    """Mean over pairs of frames, where the truth is one person."""
    everyone = truth.window().xy
    if everyone.shape[1] != 1:
        return Mean()
    xy = everyone[:, 0]
    total = 0.0
    for pair in range(len(flows)):
        uv = torch.nan_to_num(flows[pair].uv).movedim(0, -1)[None]
        total += released_epe_at_joints(uv.numpy(), xy[pair : pair + 2].numpy())
    return Mean(total, len(flows))
