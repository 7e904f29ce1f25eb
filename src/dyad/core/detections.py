"""Everyone found in one frame, without identity."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton


@dataclass(frozen=True)
class Detections:
    """N people in one frame; N = 0 is normal.

    Attributes:
        frame: index of the frame in its source; time: its presentation time in s.
        boxes: (N, 4) px x0 y0 x1 y1.
        scores: (N,) 0..1, probability that this is a person found right.
        xy: (N, J, 2) px.
        confidence: (N, J) 0..1.
        skeleton: names of the J joints.
        xyz: (N, J, 3) m in the camera frame, or None from an estimator of 2D joints.
        appearance: (N, D) small description of the looks, for finding a person again, or None.
        cut: whether a hard cut lies between the previous frame and this one.
    """

    frame: int
    time: float
    boxes: Tensor
    scores: Tensor
    xy: Tensor
    confidence: Tensor
    skeleton: Skeleton
    xyz: Tensor | None = None
    appearance: Tensor | None = None
    cut: bool = False

    def __post_init__(self) -> None:
        people, joints = len(self.boxes), len(self.skeleton)
        expected = {
            "boxes": (people, 4),
            "scores": (people,),
            "xy": (people, joints, 2),
            "confidence": (people, joints),
            "xyz": (people, joints, 3),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                raise BadInput(f"detections of frame {self.frame}: {name} should be {shape}, got {tuple(value.shape)}")
        if self.appearance is not None and len(self.appearance) != people:
            raise BadInput(f"detections of frame {self.frame}: appearance describes {len(self.appearance)} of {people}")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, chosen: Tensor) -> "Detections":
        """The people that a mask or an index tensor (M,) picks."""
        return replace(
            self,
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            xy=self.xy[chosen],
            confidence=self.confidence[chosen],
            xyz=None if self.xyz is None else self.xyz[chosen],
            appearance=None if self.appearance is None else self.appearance[chosen],
        )

    @classmethod
    def none(cls, frame: int, time: float, skeleton: Skeleton, *, cut: bool = False) -> "Detections":
        """Nobody in this frame."""
        j = len(skeleton)
        empty = torch.zeros
        return cls(frame, time, empty(0, 4), empty(0), empty(0, j, 2), empty(0, j), skeleton, empty(0, j, 3), None, cut)

    def convert(self, target: Skeleton) -> "Detections":
        """The same people with another skeleton's joints."""
        return replace(
            self,
            xy=self.skeleton.convert(self.xy, target),
            confidence=self.skeleton.convert_confidence(self.confidence, target),
            xyz=None if self.xyz is None else self.skeleton.convert(self.xyz, target),
            skeleton=target,
        )
