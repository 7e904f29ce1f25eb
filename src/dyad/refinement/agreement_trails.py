"""Where the flow carries joints over several frames, and how it moves around them: all that is read from flows."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows
from dyad.core.skeleton import Skeleton

Array = NDArray[np.float32]

REACH_S = 0.31
"""How long joints are followed: errors of estimators last about half as long."""
MOST_STEPS = 16
_RING = 0.07
_DIRECTIONS = 8


class Trails(NamedTuple):
    """What the flows of T frames say about P people's J joints and B bones; NaN where they say nothing.

    Attributes:
        ends: (K, T, P, J, 2) px, `ends[k - 1, t]` in frame t + k lies what lay at the joint in frame t.
        at: (T, P, J, 2) px, flow at the joint. ring: (T, P, J, 2) px, median flow around it.
        spread: (T, P, J) px, how much the flow differs around it. middle: (T, P, B, 2) px, flow amid each bone.
    """

    ends: Array
    at: Array
    ring: Array
    spread: Array
    middle: Array


def follow(
    xy: Array,
    height: Array,
    flows: Flows,
    *,
    times: NDArray[np.float64],
    cut: NDArray[np.bool_],
    skeleton: Skeleton,
    size: tuple[int, int],
) -> Trails:
    """Follow joints xy (T, P, J, 2) px of people of `height` (T, P) px through flows; each is asked for at most once.

    `cut` (T,) marks frames that begin a shot: flow to them is not asked for. Raises BadInput for flow of a size other
    than `size`.
    """
    frames, people, joints = xy.shape[:3]
    count = steps(times)
    ends = np.full((count + 1, frames, people, joints, 2), np.nan, np.float32)
    ends[0] = xy
    near = _Around.of(xy, height, skeleton)
    at, ring, spread = (np.full((frames, people, joints, *tail), np.nan, np.float32) for tail in ((2,), (2,), ()))
    middle = np.full((frames, people, len(skeleton.bones), 2), np.nan, np.float32)
    for step in range(frames - 1):
        lags = np.arange(1, min(count, step + 1) + 1)
        here = ends[lags - 1, step + 1 - lags]
        if cut[step + 1] or not np.isfinite(here).any():
            continue
        flow = flows[step]
        if flow.size != size:
            raise BadInput(f"the tracks are about images of {size} px, got a flow of {flow.size} px")
        moved, around, amid = _read(flow, here, near.ring[step], near.middle[step])
        ends[lags, step + 1 - lags] = here + moved
        at[step], middle[step] = moved[0], amid
        ring[step], spread[step] = _typical(around)
    return Trails(ends[1:], at, ring, spread, middle)


def steps(times: NDArray[np.float64]) -> int:
    """How many frames joints are followed at this rate: one at least."""
    if len(times) < 2:
        return 1
    gap = float(np.median(np.diff(times)))
    return int(np.clip(np.floor(REACH_S / gap + 1e-6), 1, MOST_STEPS)) if gap > 0 else 1


@dataclass(frozen=True)
class _Around:
    """Points (T, P, J, 8, 2) px around joints and (T, P, B, 2) px amid bones."""

    ring: Array
    middle: Array

    @classmethod
    def of(cls, xy: Array, height: Array, skeleton: Skeleton) -> "_Around":
        angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
        circle = np.stack((np.cos(angle), np.sin(angle)), -1).astype(np.float32)
        radius = np.maximum(_RING * height, 2.0)[..., None, None, None]
        parents, children = (np.array([bone[k] for bone in skeleton.bones], int) for k in (0, 1))
        return cls(xy[..., None, :] + radius * circle, (xy[:, :, parents] + xy[:, :, children]) / 2)


def _read(flow: Flow, *points: Array) -> list[Array]:
    """The flow (…, 2) px at several sets of points (…, 2) px; NaN where it ends behind something."""
    uv = flow.uv.detach().cpu()
    known = flow.valid
    if flow.occluded is not None:
        known = ~flow.occluded if known is None else known & ~flow.occluded
    flat = torch.from_numpy(np.concatenate([p.reshape(-1, 2) for p in points]))
    found = Flow(uv, None if known is None else known.cpu()).at(flat).numpy()
    cuts = np.cumsum([p.size // 2 for p in points])[:-1]
    return [part.reshape(p.shape) for part, p in zip(np.split(found, cuts), points, strict=True)]


def _typical(around: Array) -> tuple[Array, Array]:
    """Median (…, 2) of flows (…, 8, 2), and their median distance from it (…); NaN where more than half are missing."""
    enough = np.isfinite(around[..., 0]).sum(-1) > _DIRECTIONS // 2
    filled = np.where(enough[..., None, None], around, 0.0)
    ring = np.nanmedian(filled, -2)
    spread = np.nanmedian(np.linalg.norm(filled - ring[..., None, :], axis=-1), -1)
    ring, spread = np.where(enough[..., None], ring, np.nan), np.where(enough, spread, np.nan)
    return ring.astype(np.float32), spread.astype(np.float32)
