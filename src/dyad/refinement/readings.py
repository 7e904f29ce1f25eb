"""Flow near the joints: small windows that are cut once, so that no stack of whole flows need be kept."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows, between


@dataclass(frozen=True)
class Readings:
    """Flow from each frame to the next around T - 1 by P by J joints.

    Attributes:
        uv: (T-1, P, J, 2, K, L) px, float16, as exact as a `FlowShelf` keeps it; NaN where unknown.
        origin: (T-1, P, J, 2) px, the image's pixel at each window's first.
        counted: (T-1, P, J), whether the flow is known where the joint was at first.
    """

    uv: Tensor
    origin: Tensor
    counted: Tensor

    @property
    def spread(self) -> Tensor:
        """(T-1, P, J) px, how far flow around a joint typically lies from the median there; NaN where unknown.

        Little within a limb, much on the edge of one that moves: there nobody knows whose flow is read.
        """
        middle, half = [n // 2 for n in self.uv.shape[-2:]], [max(3, n // 4) for n in self.uv.shape[-2:]]
        rows, columns = (slice(max(m - h, 0), m + h + 1) for m, h in zip(middle, half, strict=True))
        # Frame by frame: in 32 bits all of them would take as much memory again.
        return torch.stack([_spread(near.float().flatten(-2)) for near in self.uv[..., rows, columns]])

    def at(self, xy: Tensor) -> Tensor:
        """Flow (T-1, P, J, 2) px at points (T-1, P, J, 2) px of the image, bilinear and differentiable.

        Beyond a window its edge goes on: were there nothing, energies would jump where a joint leaves the image, and no
        step across would lower them. NaN, with slopes of 0, where unknown, and for joints that are not `counted`.
        """
        edge = xy.new_tensor((self.uv.shape[-1] - 1, self.uv.shape[-2] - 1))
        place = torch.minimum((xy - self.origin.to(xy)).clamp(min=0), edge)
        found = between(self.uv, place)
        return torch.where(self.counted[..., None], found, found.new_tensor(torch.nan))


def cut(flows: Flows, xy: Tensor, wanted: Tensor, *, radius: int, hidden: bool = False) -> Readings:
    """Windows of `radius` px around points xy (T-1, P, J, 2) px, moved to lie inside the image.

    Args:
        flows: flows[t] leads from frame t to frame t + 1; each that is wanted is asked for once.
        wanted: (T-1, P) bool, whose flow is read at all.
        hidden: also read pixels that the flow itself says are occluded in the next frame.

    Raises BadInput where flows differ in size.
    """
    steps, people, joints = xy.shape[:3]
    if len(flows) != steps:
        raise BadInput(f"{steps + 1} frames have {steps} flows between them, got {len(flows)}")
    uv: Tensor | None = None
    origin = torch.zeros(steps, people, joints, 2, dtype=torch.int64)
    size = (0, 0)
    for step in torch.nonzero(wanted.any(1))[:, 0].tolist():
        flow = flows[step]
        if uv is None:
            size = flow.size
            width, height = (min(2 * radius + 1, n) for n in size)
            uv = torch.full((steps, people, joints, 2, height, width), torch.nan, dtype=torch.float16)
        if flow.size != size:
            raise BadInput(f"flows of one video are of one size, got {size} and {flow.size}")
        origin[step] = _corners(xy[step], size, (uv.shape[-1], uv.shape[-2]))
        windows = _windows(flow, origin[step], (uv.shape[-1], uv.shape[-2]), hidden)
        uv[step] = torch.where(wanted[step][:, None, None, None, None], windows, torch.nan)
    if uv is None:
        uv = torch.full((steps, people, joints, 2, 1, 1), torch.nan, dtype=torch.float16)
    counted = torch.isfinite(between(uv, xy.detach().cpu().float() - origin)).all(-1)
    return Readings(uv, origin, counted)


def _spread(uv: Tensor) -> Tensor:
    """Typical distance (…) of vectors (…, 2, N) from their median."""
    apart = uv - uv.nanmedian(-1, keepdim=True).values
    return torch.linalg.vector_norm(apart, dim=-2).nanmedian(-1).values


def _corners(xy: Tensor, size: tuple[int, int], window: tuple[int, int]) -> Tensor:
    """First pixels (P, J, 2) of windows around points, inside the image."""
    half, room = (
        torch.tensor([(w - 1) / 2 for w in window]),
        torch.tensor([n - w for n, w in zip(size, window, strict=True)]),
    )
    near = (torch.nan_to_num(xy.detach().cpu().float(), 0.0, 0.0, 0.0) - half).round()
    return torch.minimum(near.clamp(min=0), room).long()


def _windows(flow: Flow, corner: Tensor, window: tuple[int, int], hidden: bool) -> Tensor:
    """Parts (P, J, 2, K, L) of a flow (2, H, W)."""
    uv = flow.filled(torch.nan).detach().cpu()
    if flow.occluded is not None and not hidden:
        uv = torch.where(flow.occluded.cpu(), torch.nan, uv)
    columns, rows = (corner[..., k, None] + torch.arange(window[k]) for k in (0, 1))
    return uv[:, rows[..., :, None], columns[..., None, :]].movedim(0, 2)
