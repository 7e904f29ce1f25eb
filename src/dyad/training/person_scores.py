"""How well bottom-up heads find people, joints and depth in stills that no training sees."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from dyad.evaluation.matching import match
from dyad.stages.bottomup import read_image
from dyad.training.cuttings import reach_of
from dyad.training.stills import Still

_SIZES = (256, 512)
_SEEN, _REACH = 0.2, 9.0
_NEAR = 0.35


@torch.no_grad()
def score_heads(
    network: nn.Module, *, stills: Sequence[Still], device: torch.device, with_prior: bool = False
) -> dict[str, Any]:
    """`{"recall", "recall_hidden", "precision", "average_precision", "joints", "depth", "relative"}`.

    Someone is found where a joint is 0.35 reaches off in the mean; counted are people with a fifth of their joints in
    sight. `recall` and `precision` are those at a score of 0.3, `recall_hidden` is of those with less than 70 % in
    sight; `joints` the median error over the reach; `depth` the median relative error of the root's depth by the true
    camera; `relative` the mean error of the joints' depths in m. With `with_prior` the truth of every second person
    enters.
    """
    network = network.eval()
    hits: list[bool] = []
    scores: list[float] = []
    found_at: list[tuple[float, float]] = []
    joints, depths, relatives = [], [], []
    for still in stills:
        given = still.xy[::2] if with_prior else None
        read = read_image(network, still.image, sizes=_SIZES, threshold=0.05, given=given, device=device)
        reach = reach_of(still.xy)
        share = (still.confidence == 1).float().mean(-1)
        wanted = (share >= _SEEN) & (reach >= _REACH)
        apart = torch.linalg.vector_norm(read.xy[:, None] - still.xy[None], dim=-1)
        inside = (still.confidence > 0).float()
        off = (apart.nan_to_num(0.0) * inside).sum(-1) / inside.sum(-1).clamp(min=1) / reach
        likeness = torch.where(off < _NEAR, 1 - off, torch.full_like(off, torch.nan)).T
        pairs = match(likeness.double().numpy(), at_least=1e-6)
        partner = dict(zip(pairs.predicted.tolist(), pairs.truth.tolist(), strict=True))
        best = {t: float(read.score[p]) for p, t in partner.items()}
        found_at += [(best.get(t, 0.0), float(share[t])) for t in torch.nonzero(wanted)[:, 0].tolist()]
        for p in range(len(read.score)):
            t = partner.get(p)
            if t is not None and not wanted[t]:
                continue
            hits.append(t is not None)
            scores.append(float(read.score[p]))
            if t is None:
                continue
            known = still.confidence[t] > 0
            joints += (apart[p, t] / reach[t])[known].tolist()
            z = float(read.metres[p]) * float(still.focal.mean()) / float(read.reach[p])
            depths.append(abs(z / float(still.xyz[t, 0, 2]) - 1))
            relatives += (read.relative[p] - (still.xyz[t, :, 2] - still.xyz[t, 0, 2])).abs()[1:][known[1:]].tolist()
    at, seen = np.array(found_at).reshape(-1, 2).T
    order = np.argsort(-np.array(scores), kind="stable")
    right = np.array(hits, dtype=bool)[order]
    above = np.array(scores)[order] >= 0.3
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    numbers = {
        "recall": _mean(at >= 0.3),
        "recall_hidden": _mean(at[seen < 0.7] >= 0.3),
        "precision": _mean(right[above]),
        "average_precision": float((precision * right).sum() / max(len(at), 1)),
        "joints": _median(joints),
        "depth": _median(depths),
        "relative": _mean(np.array(relatives)),
        "people": float(len(at)),
    }
    return {name: None if value != value else round(value, 4) for name, value in numbers.items()}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
