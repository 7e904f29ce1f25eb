"""One person's 2D joints over time through a lifting network: windows, gaps, frame rates, mirror images."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dyad.core.memory import Portions
from dyad.core.skeleton import BODY17
from dyad.models.lifting import Lifted, LiftingNetwork
from dyad.models.sight import Sight, sight, turned

RATE = 30.0
"""Frames a second that the networks are trained at."""
_PELVIS = BODY17.index("pelvis")
# Frames that are run at once, and besides them to either side what smoothing needs before the network's own reach.
_AT_ONCE = 1024
_MARGIN = 16
# Joints between two detections no further apart than this, in s, lie on the line between them.
_BRIDGED = 0.15


@dataclass(frozen=True)
class Sequence:
    """One person's joints as a network is to see them, T rows in time.

    Attributes:
        time: (T,) s, ascending. rays: (T, 17, 2) at depth 1, NaN where missing. confidence: (T, 17) 0..1.
    """

    time: Tensor
    rays: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class Estimate:
    """What a network says about a person at T times, in the camera's axes; lengths in statures.

    Attributes:
        pose: (T, 17, 3) about the pelvis. root: (T, 3) the pelvis. pose_spread: (T, 17, 3) mean absolute errors.
        depth_spread: (T,) of the logarithm of the root's depth. up: (T, 3) against gravity.
        stature: m, and stature_spread the mean absolute error of its logarithm: one number a person.
    """

    pose: Tensor
    root: Tensor
    pose_spread: Tensor
    depth_spread: Tensor
    up: Tensor
    stature: float
    stature_spread: float


class SequenceLifter:
    """Runs a network over a person's whole time on stage.

    Joints are brought to 30 frames a second and the answers back to the times asked for; what is missing stays missing,
    and the network fills it in from before and after. Long sequences are run in overlapping windows,
    shorter ones where memory does not suffice. With `mirrored`,
    the mean of the answers to the sequence and to its mirror image counts.
    """

    def __init__(self, network: LiftingNetwork, *, device: torch.device | None = None, mirrored: bool = True) -> None:
        self.device = device or torch.device("cpu")
        self.network = network.eval().to(self.device)
        self.mirrored = mirrored
        self._portions = Portions()

    def __call__(self, person: Sequence, times: Tensor, up: Tensor | None = None) -> Estimate:
        """The person at `times` (T',) s within the sequence's; `up` (3,) is the direction against gravity, if known."""
        grid, rays, confidence = sampled(person)
        above = torch.zeros(3) if up is None else up.float()
        found = self._windows(rays, confidence, above)
        if self.mirrored:
            flipped = BODY17.flip(rays) * rays.new_tensor((-1.0, 1.0))
            other = self._windows(flipped, BODY17.flip(confidence[..., None])[..., 0], above * _MIRROR)
            found = [_mean(one, two) for one, two in zip(found, _unmirrored(other), strict=True)]
        return _estimate(found, grid, times)

    def _windows(self, rays: Tensor, confidence: Tensor, up: Tensor) -> list[Tensor]:
        """Answers in the camera's axes to all frames of the grid; see `_in_camera`."""
        margin = self.network.reach + _MARGIN

        def work(some: slice) -> list[Tensor]:
            first, last = max(0, some.start - margin), min(len(rays), some.stop + margin)
            seen = sight(rays[None, first:last], confidence[None, first:last], up[None])
            with torch.no_grad():
                found = self.network(seen.joints.to(self.device), seen.frames.to(self.device))
            keep = slice(some.start - first, some.stop - first)
            return [value[keep] for value in _in_camera(Lifted(*(v.cpu() for v in found)), seen)]

        parts = self._portions(len(rays), _AT_ONCE, work)
        return [torch.cat(values) for values in zip(*parts, strict=True)]


_MIRROR = torch.tensor((-1.0, 1.0, 1.0))


def _in_camera(found: Lifted, seen: Sight) -> list[Tensor]:
    """Of one sequence: pose, direction of the root at depth 1, its log depth, spreads, up, stature; camera's axes."""
    depth = found.root[..., 2] - seen.scale.log()
    aim = torch.cat((found.root[..., :2] * seen.scale[..., None], torch.ones_like(depth)[..., None]), -1)
    root = turned(seen.turn, (aim * depth.exp()[..., None])[:, :, None])[:, :, 0]
    spread = found.pose_spread.exp()
    spread = torch.stack((spread[..., 0], spread[..., 0], spread[..., 1]), -1)
    pose = turned(seen.turn, found.pose)
    up = turned(seen.turn, found.up[:, :, None])[:, :, 0]
    values = (pose, root[..., :2] / root[..., 2:], root[..., 2].log(), spread, found.root_spread, up, found.stature)
    return [value[0] for value in values]


def _unmirrored(values: list[Tensor]) -> list[Tensor]:
    pose, aim, depth, spread, depth_spread, up, stature = values
    return [
        BODY17.flip(pose) * _MIRROR,
        aim * _MIRROR[:2],
        depth,
        BODY17.flip(spread),
        depth_spread,
        up * _MIRROR,
        stature,
    ]


def _mean(one: Tensor, two: Tensor) -> Tensor:
    return 0.5 * (one + two)


def _estimate(values: list[Tensor], grid: Tensor, times: Tensor) -> Estimate:
    pose, aim, depth, spread, depth_spread, up, stature = (linear(value, grid, times) for value in values)
    root = torch.cat((aim, torch.ones_like(aim[:, :1])), -1) * depth.exp()[:, None]
    # How tall a person is does not change: frames that are surer count more.
    trust = torch.exp(-2 * stature[:, 1])
    tall = float((trust * stature[:, 0]).sum() / trust.sum())
    return Estimate(
        pose - pose[:, _PELVIS, None],
        root,
        spread,
        depth_spread.exp(),
        torch.nn.functional.normalize(up, dim=-1),
        1.7 * math.exp(tall),
        float(stature[:, 1].exp().median()),
    )


def sampled(person: Sequence) -> tuple[Tensor, Tensor, Tensor]:
    """Times (G,), rays (G, 17, 2) and confidence (G, 17) on a grid of `RATE` from the first row to the last."""
    time = person.time.double()
    count = max(2, math.ceil(float(time[-1] - time[0]) * RATE - 1e-3) + 1)
    grid = time[0] + torch.arange(count, dtype=torch.float64) / RATE
    if len(time) == 1:
        blank = torch.full_like(person.rays, torch.nan)
        return (
            grid,
            torch.cat((person.rays, blank)).float(),
            torch.cat((person.confidence, 0 * person.confidence)).float(),
        )
    after = torch.searchsorted(time, grid).clamp(1, len(time) - 1)
    before = after - 1
    gap = time[after] - time[before]
    share = ((grid - time[before]) / gap).clamp(0, 1)
    near = torch.where(share < 0.5, before, after)
    close = (time[near] - grid).abs() < 0.26 / RATE
    part = share.float()[:, None]
    rays = person.rays[before] * (1 - part[..., None]) + person.rays[after] * part[..., None]
    confidence = torch.minimum(person.confidence[before], person.confidence[after])
    bridged = (gap <= _BRIDGED)[:, None]
    rays = torch.where(bridged[..., None], rays, torch.full_like(rays, torch.nan))
    rays = torch.where(close[:, None, None], person.rays[near], rays)
    confidence = torch.where(close[:, None], person.confidence[near], torch.where(bridged, confidence, 0 * confidence))
    return grid, rays.float(), confidence.float()


def linear(values: Tensor, grid: Tensor, times: Tensor) -> Tensor:
    """Values (G, …) known at the times `grid`, ascending, at other times within; linear in between."""
    if len(grid) == 1:
        return values.expand(len(times), *values.shape[1:])
    after = torch.searchsorted(grid, times.double()).clamp(1, len(grid) - 1)
    share = ((times.double() - grid[after - 1]) / (grid[after] - grid[after - 1])).clamp(0, 1).float()
    part = share.reshape(-1, *[1] * (values.dim() - 1))
    return values[after - 1] * (1 - part) + values[after] * part
