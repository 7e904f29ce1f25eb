"""Associative embedding: joints with like tags become people (Newell, Huang, Deng 2017), without loops over pixels.

Maps in, people out. What published decoders do and what we do instead are parts that `AssociativeGrouping` is given:
a matching (which peak belongs to whom) and a completion (where a person's missing joints may be).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.models.peaks import Peaks, find_peaks, quarter_steps

Floats = NDArray[np.float32]


class Groups(NamedTuple):
    """People found in one image.

    Attributes:
        xy: (P, J, 2) pixels of the maps; NaN where a joint was not found.
        confidence: (P, J) height of the heat map there; 0 where a joint was not found.
        tags: (P, J, T) tags of the joints that the matching found; NaN elsewhere, completed joints included.
        scores: (P,) mean over all J joints of the confidence before completion.
    """

    xy: Tensor
    confidence: Tensor
    tags: Tensor
    scores: Tensor


class People(NamedTuple):
    """Pixels of people while they are put together; confidence 0: no such joint."""

    x: NDArray[np.int64]  # (P, J)
    y: NDArray[np.int64]
    confidence: Floats
    tags: Floats  # (P, J, T)


class Matching(Protocol):
    """Deals peaks (K,) with tags (K, T) to people, joint by joint in the given order."""

    def __call__(self, peaks: Peaks, tags: Floats, *, joints: int, order: Sequence[int]) -> People: ...


class Completion(Protocol):
    """Where the missing joints of people are: the same people with pixels and confidence filled in."""

    def __call__(self, people: People, heatmaps: Floats, tags: Floats) -> People: ...


class AssociativeGrouping:
    """Heat maps and tags of one image to people.

    Args:
        joints: names of the joints in the order of the maps.
        order: the same names in the order in which joints are dealt to people; those seen most reliably come first.
        matching, completion: how peaks become people and how gaps are filled; `completion=None` leaves them.
        candidates: most peaks taken from one map.
        kernel: side in pixels of the square in which a peak is the highest.
        detection_threshold: the height that a peak must exceed.
        offset: added to x and y after the quarter-pixel step. 0 counts from pixel centres as all of Dyad does;
            published decoders count from the image's edge, 0.5.
    """

    def __init__(
        self,
        joints: Sequence[str],
        order: Sequence[str],
        *,
        matching: Matching,
        completion: Completion | None,
        candidates: int = 30,
        kernel: int = 5,
        detection_threshold: float = 0.1,
        offset: float = 0.0,
    ) -> None:
        if sorted(joints) != sorted(order):
            raise ValueError(f"order must name every joint once, got {tuple(order)} for {tuple(joints)}")
        self.joints, self.order = tuple(joints), tuple(tuple(joints).index(name) for name in order)
        self.matching, self.completion = matching, completion
        self.candidates, self.kernel = candidates, kernel
        self.detection_threshold, self.offset = detection_threshold, offset

    def __call__(self, heatmaps: Tensor, tags: Tensor) -> Groups:
        """People in heatmaps (J, H, W) with tags (J, H, W, T) or (J, H, W). Nobody: P = 0.

        Raises ValueError where the shapes do not fit one another or the number of joints.
        """
        heat, tag = self._arrays(heatmaps, tags)
        people = self.match(heat, tag)
        scores = people.confidence.mean(1) if len(people.x) else np.zeros(0, np.float32)
        found = self.completion(people, heat, tag) if self.completion and len(people.x) else people
        return self._groups(found, people, heat, scores, heatmaps.device)

    def match(self, heatmaps: Floats, tags: Floats) -> People:
        """People from peaks alone, before any gap is filled; maps as arrays, tags (J, H, W, T)."""
        peaks = find_peaks(heatmaps, kernel=self.kernel, count=self.candidates, floor=self.detection_threshold)
        peak_tags = tags[peaks.joint, peaks.y, peaks.x]
        return self.matching(peaks, peak_tags, joints=len(self.joints), order=self.order)

    def _arrays(self, heatmaps: Tensor, tags: Tensor) -> tuple[Floats, Floats]:
        tags = tags[..., None] if tags.dim() == 3 else tags
        if heatmaps.dim() != 3 or len(heatmaps) != len(self.joints) or tags.shape[:3] != heatmaps.shape:
            raise ValueError(
                f"expected heatmaps ({len(self.joints)}, H, W) and tags ({len(self.joints)}, H, W, T), "
                f"got {tuple(heatmaps.shape)} and {tuple(tags.shape)}"
            )
        return tuple(value.detach().to("cpu", torch.float32).numpy() for value in (heatmaps, tags))

    def _groups(self, found: People, matched: People, heat: Floats, scores: Floats, device: torch.device) -> Groups:
        joint = np.broadcast_to(np.arange(len(self.joints)), found.x.shape).reshape(-1)
        steps = quarter_steps(heat, joint, found.x.reshape(-1), found.y.reshape(-1)).reshape(*found.x.shape, 2)
        xy = (np.stack((found.x, found.y), -1) + steps + self.offset).astype(np.float32)
        xy[found.confidence <= 0] = np.nan
        tags = np.where((matched.confidence > 0)[..., None], matched.tags, np.nan).astype(np.float32)
        values = (torch.from_numpy(value).to(device) for value in (xy, found.confidence, tags, scores))
        return Groups(*values)
