"""Where everyone's joints are in an image and in the next: what a target flow is drawn from."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.refinement.limbs import stature


@dataclass(frozen=True, kw_only=True)
class Moves:
    """P people between N pairs of images; NaN for who is absent.

    Attributes:
        first, second: (N, P, J, 2) px, the joints in the first image of each pair and in its second.
        skeleton: whose joints they are.
        confidence: (N, P, J) 0..1, the lower of both images; 1 everywhere if None.
        depth: (N, P, J) m, z in the first image; None where only 2D is known.
        height: (N, P) px, how tall each would be if they stood upright; estimated from `first` if None.
    """

    first: Tensor
    second: Tensor
    skeleton: Skeleton
    confidence: Tensor | None = None
    depth: Tensor | None = None
    height: Tensor | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.first.shape)
        if len(shape) != 4 or shape[2:] != (len(self.skeleton), 2) or tuple(self.second.shape) != shape:
            raise BadInput(
                f"joints of moving people are (N, P, {len(self.skeleton)}, 2) in both images, got {shape} and "
                f"{tuple(self.second.shape)}"
            )
        for name, expected in (("confidence", shape[:3]), ("depth", shape[:3]), ("height", shape[:2])):
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != expected:
                raise BadInput(f"{name} of moving people should be {expected}, got {tuple(value.shape)}")

    @classmethod
    def of(cls, tracks: Tracks, *, flat: bool = False, start: int | None = None, stop: int | None = None) -> Self:
        """Between all consecutive frames that were processed, start ≤ index < stop; nobody moves across a hard cut.

        Joints are where the 3D ones appear, or with `flat` where the 2D ones are, and as sure as they are seen: see
        `Window.seen`.
        """
        window = tracks.window(start, stop)
        xy = window.xy if flat else tracks.camera.project(window.xyz)
        # People behind the camera do not appear, whatever the projection says.
        xy = xy if flat else torch.where(window.xyz[..., 2:] > 0, xy, torch.nan)
        xy = xy.float()
        cut = tracks.shot(window.frames).diff() > 0
        second = torch.where(cut[:, None, None, None], torch.nan, xy[1:])
        confidence = torch.minimum(window.seen[:-1], window.seen[1:])
        depth = None if flat else window.xyz[:-1, ..., 2]
        height = None
        if depth is not None:
            tall = stature(window.xyz, tracks.skeleton).nanmedian(0).values
            height = tracks.camera.focal[1].float() * tall / depth.nanmean(-1)
        return cls(
            first=xy[:-1],
            second=second,
            skeleton=tracks.skeleton,
            confidence=confidence,
            depth=depth,
            height=height,
        )

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, where: slice) -> "Moves":
        """Some of the pairs."""
        parts = (None if v is None else v[where] for v in (self.confidence, self.depth, self.height))
        confidence, depth, height = parts
        return Moves(
            first=self.first[where],
            second=self.second[where],
            skeleton=self.skeleton,
            confidence=confidence,
            depth=depth,
            height=height,
        )

    def to(self, device: torch.device | str) -> "Moves":
        confidence, depth, height = (
            None if v is None else v.to(device) for v in (self.confidence, self.depth, self.height)
        )
        return Moves(
            first=self.first.to(device),
            second=self.second.to(device),
            skeleton=self.skeleton,
            confidence=confidence,
            depth=depth,
            height=height,
        )
