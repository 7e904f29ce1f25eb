"""Optical flow: where every pixel of a frame goes in the next, and a sequence of such flows that need not exist yet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.geometry.grids import rescale_xy

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# How far a flow there and back may miss its start and still agree: Sundaram, Brox and Keutzer (ECCV 2010).
CONSISTENT_SHARE = 0.01
CONSISTENT_PX2 = 0.5


@dataclass(frozen=True)
class Flow:
    """Motion of all pixels from one image to another: the point at x in the first is at x + uv(x) in the second.

    Leading dimensions are a batch; a flow of one leading dimension is also a sequence of flows (`Flows`).

    Attributes:
        uv: (…, 2, H, W) float32 px, to the right and down; NaN where unknown. Gradients pass.
        valid: (…, H, W) bool, where uv is known; None means wherever it is finite.
        occluded: (…, H, W) bool, pixels whose point is not seen in the second image (hidden or outside); None where
            nobody says.
    """

    uv: Tensor
    valid: Tensor | None = None
    occluded: Tensor | None = None

    def __post_init__(self) -> None:
        uv = torch.as_tensor(self.uv)
        if uv.dim() < 3 or uv.shape[-3] != 2 or 0 in uv.shape[-2:]:
            raise BadInput(f"a flow's uv has the shape (…, 2, H, W), got {tuple(uv.shape)}")
        object.__setattr__(self, "uv", uv.float())
        shape = (*uv.shape[:-3], *uv.shape[-2:])
        for name in ("valid", "occluded"):
            value = getattr(self, name)
            if value is not None:
                if tuple(value.shape) != shape:
                    raise BadInput(f"a flow's {name} should have the shape {shape}, got {tuple(value.shape)}")
                object.__setattr__(self, name, value.to(uv.device, torch.bool))

    @classmethod
    def from_numpy(
        cls, uv: NDArray[Any], valid: NDArray[Any] | None = None, occluded: NDArray[Any] | None = None
    ) -> Self:
        """From an array (…, H, W, 2) px and masks (…, H, W)."""
        channels_first = np.ascontiguousarray(np.moveaxis(np.asarray(uv, np.float32), -1, -3))
        masks = (None if m is None else torch.from_numpy(np.array(m, bool)) for m in (valid, occluded))
        return cls(torch.from_numpy(channels_first), *masks)

    @classmethod
    def stack(cls, flows: Iterable["Flow"]) -> Self:
        """One flow (N, 2, H, W) of N flows of one size. Occlusion is lost where not all have one."""
        every = list(flows)
        if len({f.uv.shape for f in every}) != 1:
            raise BadInput(f"flows of one size can be stacked, got {[tuple(f.uv.shape) for f in every]}")
        occluded = [f.occluded for f in every if f.occluded is not None]
        return cls(
            torch.stack([f.uv for f in every]),
            None if all(f.valid is None for f in every) else torch.stack([f.known for f in every]),
            torch.stack(occluded) if len(occluded) == len(every) else None,
        )

    def numpy(self) -> NDArray[np.float32]:
        """(…, H, W, 2) px, NaN where unknown."""
        return self.filled(torch.nan).detach().movedim(-3, -1).cpu().contiguous().numpy()

    def __len__(self) -> int:
        if self.uv.dim() < 4:
            raise TypeError("a single flow has no length; a batch (N, 2, H, W) has")
        return len(self.uv)

    def __getitem__(self, where: int | slice | Tensor) -> "Flow":
        """Flows of the batch by position along the first dimension."""
        if self.uv.dim() < 4:
            raise TypeError("a single flow has no parts; a batch (N, 2, H, W) has")
        masks = (None if m is None else m[where] for m in (self.valid, self.occluded))
        return Flow(self.uv[where], *masks)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px."""
        return self.uv.shape[-1], self.uv.shape[-2]

    @property
    def known(self) -> Tensor:
        """(…, H, W) bool, pixels with a flow."""
        finite = torch.isfinite(self.uv).all(-3)
        return finite if self.valid is None else finite & self.valid

    def filled(self, value: float) -> Tensor:
        """uv (…, 2, H, W) with `value` where unknown."""
        return torch.where(self.known.unsqueeze(-3), self.uv, self.uv.new_tensor(value))

    def to(self, device: torch.device | str) -> "Flow":
        masks = (None if m is None else m.to(device) for m in (self.valid, self.occluded))
        return Flow(self.uv.to(device), *masks)

    def at(self, xy: Tensor) -> Tensor:
        """Flow (…, n…, 2) px at points (…, n…, 2) px, bilinear; leading dimensions are the flow's own batch.

        Differentiable in the flow and in the points. NaN, with gradients of 0, for points outside the image (beyond
        the outer edge of its pixels), points that are NaN, and points that lean on a pixel of unknown flow.
        """
        # The mask as given: whether the few pixels that are read are finite is seen there.
        return between(self.uv, xy, self.valid)

    def targets(self) -> Tensor:
        """(…, H, W, 2) px in the second image of every pixel of the first; NaN where unknown."""
        return pixels(self.size, device=self.uv.device) + self.filled(torch.nan).movedim(-3, -1)

    def warp(self, second: Tensor) -> Tensor:
        """The first image (…, C, H, W) put together from the second one's pixels; NaN where there is none to take.

        `second` (…, C, H, W) is of floats. Occluded pixels show what hides them.
        """
        if second.shape[-2:] != self.uv.shape[-2:]:
            raise BadInput(f"a flow of {self.size} px cannot warp an image of {second.shape[-1]}x{second.shape[-2]}")
        return between(second, self.targets()).movedim(-1, -3)

    def disagreement(self, backward: "Flow") -> Tensor:
        """Distance (…, H, W) px between each pixel and where the flow there and `backward` again lead.

        NaN where the flow leaves the image or either is unknown.
        """
        forth = self.filled(torch.nan).movedim(-3, -1)
        return torch.linalg.vector_norm(forth + backward.at(self.targets()), dim=-1)

    def occlusion(self, backward: "Flow", *, share: float = CONSISTENT_SHARE, slack: float = CONSISTENT_PX2) -> Tensor:
        """Pixels (…, H, W) bool that the second image does not show, as far as the two flows tell.

        A pixel is occluded where its flow leaves the image, or where |F + B|² > share (|F|² + |B|²) + slack px², B
        being read where F leads. Where either is unknown nothing tells, and the answer is False.
        """
        to = self.targets()
        forth, back = self.filled(torch.nan).movedim(-3, -1), backward.at(to)
        miss = (forth + back).square().sum(-1)
        allowed = share * (forth.square().sum(-1) + back.square().sum(-1)) + slack
        return (miss > allowed) | (self.known & ~inside(to, backward.size))

    def resize(self, width: int, height: int) -> "Flow":
        """The flow between the two images scaled to another size: read bilinearly and scaled alike."""
        if min(width, height) < 1:
            raise BadUsage(f"a flow is resized to at least 1x1 px, got {width}x{height}")
        scale = self.uv.new_tensor((width / self.size[0], height / self.size[1]))
        from_xy = rescale_xy(pixels((width, height), device=self.uv.device), 1 / scale)
        from_xy = from_xy.expand(*self.uv.shape[:-3], height, width, 2)
        uv = (self.at(from_xy) * scale).movedim(-1, -3)
        occluded = None
        if self.occluded is not None:
            x, y = ((from_xy[..., k].reshape(-1, height * width)[0] + 0.5).floor().long() for k in (0, 1))
            x, y = x.clamp(0, self.size[0] - 1), y.clamp(0, self.size[1] - 1)
            occluded = self.occluded[..., y, x].unflatten(-1, (height, width))
        return Flow(uv, None, occluded)

    def crop(self, x0: int, y0: int, width: int, height: int) -> "Flow":
        """The flow of the part whose first pixel is (x0, y0); BadUsage where it is not all inside."""
        w, h = self.size
        if min(x0, y0) < 0 or min(width, height) < 1 or x0 + width > w or y0 + height > h:
            raise BadUsage(f"a part of {width}x{height} px at ({x0}, {y0}) is not inside a flow of {w}x{h} px")
        return self._each(lambda image: image[..., y0 : y0 + height, x0 : x0 + width])

    def flip(self) -> "Flow":
        """The flow between the two images mirrored left to right."""
        mirrored = self._each(lambda image: image.flip(-1))
        return replace(mirrored, uv=mirrored.uv * mirrored.uv.new_tensor((-1, 1))[:, None, None])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Flow":
        masks = (None if m is None else change(m) for m in (self.valid, self.occluded))
        return Flow(change(self.uv), *masks)


class Series(Protocol[T_co]):
    """Values by position, computed or read when asked for; a list will do."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: int, /) -> T_co: ...


Flows = Series[Flow]
"""`flows[i]` is the flow between the frames at the positions i and i + 1 of a video; one fewer than it has frames."""


@dataclass(frozen=True)
class Lazy(Generic[T]):
    """A series of `count` values, each made by `make(position)` whenever it is asked for; nothing is kept."""

    count: int
    make: Callable[[int], T]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, where: int, /) -> T:
        return self.make(range(self.count)[where])


def pixels(size: tuple[int, int], *, device: torch.device | None = None) -> Tensor:
    """Centres (H, W, 2) px, float32, of an image of `size` (width, height)."""
    x, y = (torch.arange(n, dtype=torch.float32, device=device) for n in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def inside(xy: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether points (…, 2) px lie on a pixel of an image of `size` (width, height), edges included."""
    high = xy.new_tensor(size) - 0.5
    return ((xy >= -0.5) & (xy <= high)).all(-1)


def between(images: Tensor, xy: Tensor, known: Tensor | None = None) -> Tensor:
    """Values (…, n…, C) of images (…, C, H, W) at points (…, n…, 2) px, bilinear between pixel centres.

    Unlike `grids.sample` it is exact at whole coordinates, repeats the outermost pixels up to the image's edge, and
    says NaN where it knows nothing: outside, at NaN, and beside pixels that `known` (…, H, W) leaves out.
    """
    batch, (channels, height, width) = images.shape[:-3], images.shape[-3:]
    if xy.shape[: len(batch)] != batch or xy.shape[-1:] != (2,):
        raise BadInput(f"points to read in images {tuple(images.shape)} are {(*batch, '…', 2)}, got {tuple(xy.shape)}")
    points = xy.reshape(*batch, -1, 2)
    there = inside(points, (width, height))
    points = torch.where(there[..., None], points, torch.zeros_like(points))
    limit = points.new_tensor((width - 1, height - 1))
    points = torch.minimum(points.clamp(min=0), limit)
    low = points.detach().floor().minimum((limit - 1).clamp(min=0))
    share = points - low
    x, y = low.long().unbind(-1)
    flat = images.flatten(-2)
    sure = None if known is None else known.flatten(-2)
    value = torch.zeros_like(points[..., :1]).expand(*points.shape[:-1], channels)
    taps = []
    for dx in (0, 1):
        for dy in (0, 1):
            weight = (share[..., 0] if dx else 1 - share[..., 0]) * (share[..., 1] if dy else 1 - share[..., 1])
            at = (y + dy).clamp(max=height - 1) * width + (x + dx).clamp(max=width - 1)
            tap = flat.gather(-1, at.unsqueeze(-2).expand(*batch, channels, -1)).movedim(-2, -1)
            good = torch.isfinite(tap).all(-1)
            good = good if sure is None else good & sure.gather(-1, at)
            there = there & (good | (weight.detach() == 0))
            # Never NaN times 0: gradients would be NaN, though the value is masked below.
            taps.append((weight[..., None], torch.where(good[..., None], tap, torch.zeros_like(tap)), good[..., None]))
            value = value + taps[-1][0] * taps[-1][1]
    # An unknown pixel without weight adds nothing to the value; let it add nothing to the slope, too.
    level = value.detach()
    value = value + sum(weight * torch.where(good, torch.zeros_like(level), level) for weight, _, good in taps)
    value = torch.where(there[..., None], value, value.new_tensor(torch.nan))
    return value.reshape(*xy.shape[:-1], channels)
