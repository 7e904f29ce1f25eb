"""All detections of a clip as rows, in an order that does not depend on how the detector listed them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.columns import BLOCK, Column, mapped
from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.stages.pose_similarity import Array, Joints, heights, weights

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Sightings:
    """N rows, by frame.

    Attributes:
        place: (N,) position of the row's frame in the timeline; time: (N,) s; shot: (N,) number of hard cuts before.
        box (N, 4) px; score (N,); xy (N, J, 2) px, 0 where missing; weight (N, J), 0 where missing.
        height: (N,) apparent height, px. depth: (N,) natural logarithm of the distance in m, NaN without 3D.
        joints: (N, J, 2) px and confidence: (N, J) as the detector gave them, xyz: (N, J, 3) m, NaN without 3D.
        looks: (N, D) description of the looks, NaN in frames without; D is 0 where no frame has any.
    """

    place: Rows
    time: NDArray[np.float64]
    shot: Rows
    box: Array
    score: Array
    xy: Array
    weight: Array
    height: Array
    depth: Array
    joints: Array
    confidence: Array
    xyz: Array
    looks: Array

    def __len__(self) -> int:
        return len(self.place)

    @classmethod
    def of_frame(cls, found: Detections, *, place: int, shot: int, joints: Joints) -> "Sightings":
        box = found.boxes.numpy().astype(np.float32)
        xy = found.xy.numpy().astype(np.float32)
        weight = weights(xy, found.confidence.numpy(), joints.say)
        xy = np.where(weight[..., None] > 0, xy, np.float32(0.0))
        score = np.nan_to_num(found.scores.numpy().astype(np.float32))
        order = _canonical(box, xy, score)
        n = len(order)
        return cls(
            place=np.full(n, place),
            time=np.full(n, found.time),
            shot=np.full(n, shot),
            box=box[order],
            score=score[order],
            xy=xy[order],
            weight=weight[order],
            height=heights(xy, weight, box, joints.stance)[order],
            depth=_log_depth(found, weight)[order],
            joints=found.xy.numpy().astype(np.float32)[order],
            confidence=found.confidence.numpy().astype(np.float32)[order],
            xyz=(np.full((*xy.shape[:2], 3), np.nan) if found.xyz is None else found.xyz.numpy()).astype(np.float32)[
                order
            ],
            looks=np.zeros((n, 0), np.float32) if found.appearance is None else _flat(found.appearance)[order],
        )

    @classmethod
    def joined(cls, parts: Sequence["Sightings"]) -> "Sightings":
        names = [f.name for f in fields(cls) if f.name != "looks"]
        together = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
        return cls(**together, looks=_looks_together([p.looks for p in parts]))


def _canonical(box: Array, xy: Array, score: Array) -> Rows:
    if len(box) < 2:
        return np.arange(len(box))
    # Mainly from left to right; the rest only parts people in one place.
    first = xy.reshape(len(xy), -1)
    keys = [*first[:, : min(6, first.shape[1])].T, score, *box.T[::-1]]
    return np.lexsort([np.nan_to_num(key) for key in keys])


def _log_depth(found: Detections, weight: Array) -> Array:
    if found.xyz is None:
        return np.full(len(weight), np.nan, dtype=np.float32)
    z = found.xyz[..., 2].numpy().astype(np.float32)
    usable = np.where(np.isfinite(z) & (z > 0), weight, 0.0)
    total = usable.sum(-1)
    mean = (usable * np.nan_to_num(z)).sum(-1) / np.maximum(total, 1e-6)
    return np.where(total > 1e-4, np.log(np.maximum(mean, 1e-3)), np.nan).astype(np.float32)


def _flat(appearance: Tensor) -> Array:
    return appearance.flatten(1).numpy().astype(np.float32)


def _looks_together(parts: Sequence[Array]) -> Array:
    """Descriptions of several frames as one array; NaN rows for frames that describe nobody."""
    sizes = {part.shape[1] for part in parts if part.shape[1] and len(part)}
    if len(sizes) > 1:
        raise BadInput(f"detections should describe looks by as many numbers in every frame, got {sorted(sizes)}")
    size = max(sizes, default=0)
    blank = [np.full((len(part), size), np.nan, np.float32) for part in parts]
    return np.concatenate([part if part.shape[1] == size else none for part, none in zip(parts, blank, strict=True)])


class Looks:
    """Descriptions of many rows' looks, (n, D) at a time, D 0 where nobody is described; blank rows become NaN."""

    def __init__(self) -> None:
        self._rows, self._size, self._column = 0, 0, Column()

    def append(self, looks: Array) -> None:
        """Keep descriptions. BadInput where they are of another size than those before."""
        size = looks.shape[1]
        if size and len(looks):
            if not self._size:
                self._size = size
                self._blank(self._rows)
            _looks_together([np.zeros((1, self._size), np.float32), looks])
            self._column.append(torch.from_numpy(looks))
        elif self._size:
            self._blank(len(looks))
        self._rows += len(looks)

    def tensor(self) -> Tensor:
        """(N, D) of all rows."""
        return self._column.tensor() if self._size else torch.zeros(self._rows, 0)

    def _blank(self, rows: int) -> None:
        for first in range(0, rows, BLOCK):
            self._column.append(torch.full((min(BLOCK, rows - first), self._size), torch.nan))


def unit_looks(looks: Tensor) -> Tensor | None:
    """Unit descriptors (N, D) of the rows' looks, NaN where there is none; None where no frame has any.

    The product of two is their cosine, which for square roots of histograms is Bhattacharyya's coefficient.
    """
    if not looks.shape[1]:
        return None

    def unit(some: Tensor) -> Tensor:
        values = some.numpy().astype(np.float64)
        norm = np.linalg.norm(values, axis=-1, keepdims=True)
        return torch.from_numpy(np.where(norm > 1e-12, values / np.maximum(norm, 1e-12), np.nan))

    return mapped(unit, looks)
