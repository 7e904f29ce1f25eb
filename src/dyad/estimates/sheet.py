"""What one file says of people, in the file's own frame numbers, before it is tied to a recording."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.estimates.contents import numbers

Floats = NDArray[np.float64]

# A box that a file does not give: that of the joints, and so much of its sides beyond.
_MARGIN = 0.1


@dataclass(frozen=True)
class Advice:
    """How the refinement of poses by flow should be set for these estimates.

    Attributes:
        mode: "2d" where there is no 3D to rely on.
        weak_camera: the estimator has a weak-perspective camera of its own, which is refined along with the poses.
        motion: whether the term that keeps motion steady helps; the paper leaves it out for estimators that look at
            many frames themselves.
        lifted: the 3D was made from these very 2D joints, so that what lies between them for good is nobody's error.
        note: why, in a sentence.
    """

    mode: Literal["3d", "2d"] = "3d"
    weak_camera: bool = False
    motion: bool = True
    lifted: bool = False
    note: str = ""

    @classmethod
    def of_mean(cls, every: "Sequence[Advice]") -> "Advice":
        """For the mean of several estimates: in 3D where any is; of those a weak camera where all have one, and the
        term on motion where it helps any, whose jitter the mean has a share of.
        """
        if all(each is every[0] for each in every):
            return every[0]
        solid = [each for each in every if each.mode == "3d"] or every
        return cls(
            mode=solid[0].mode,
            weak_camera=all(each.weak_camera for each in solid),
            motion=any(each.motion for each in solid),
            note=f"The mean of {len(every)} estimates.",
        )


OWN = Advice(lifted=True, note="Tracks of our own.")
ONLY_2D = Advice("2d", motion=False, note="The file holds 2D joints alone.")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """N people, one a frame and person, as a reader takes them from a file; `cleaned` makes the values ours.

    Attributes:
        number: (N,) int64 frame as the file counts. counted: what it counts from; None where nothing tells.
        numbers: frames that the file is about, also those without people; None: those with people.
        xy: (N, J, 2) px, NaN or (0, 0) where missing; None where the file holds no 2D.
        confidence: (N, J), about 0 to 1; None: 1 for every joint with a place.
        xyz: (N, J, 3) m in the axes of the camera, about any point; None without 3D.
        person: (N,) identities, None where the file has none. box: (N, 4) px x0 y0 x1 y1, NaN where not given.
        score: (N,) that this is a person; None: the mean confidence.
    """

    skeleton: Skeleton
    number: NDArray[np.int64]
    counted: int | None = None
    numbers: NDArray[np.int64] | None = None
    xy: Floats | None = None
    confidence: Floats | None = None
    xyz: Floats | None = None
    person: NDArray[np.int64] | None = None
    box: Floats | None = None
    score: Floats | None = None
    advice: Advice = field(default=ONLY_2D)

    def __len__(self) -> int:
        return len(self.number)


@dataclass
class Rows:
    """Collects people one by one, as JSON lists them, all of one skeleton."""

    skeleton: Skeleton
    frames: list[int] = field(default_factory=list)
    points: list[Floats] = field(default_factory=list)
    people: list[int | None] = field(default_factory=list)
    boxes: list[Floats] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def add(
        self,
        frame: int,
        points: Floats,
        *,
        person: int | None = None,
        box: Floats | None = None,
        score: float | None = None,
    ) -> None:
        """One person: points (J, 3) of x, y px and confidence."""
        self.frames.append(frame)
        self.points.append(points)
        self.people.append(person)
        self.boxes.append(np.full(4, np.nan) if box is None else box)
        self.scores.append(np.nan if score is None else score)

    def sheet(self, *, counted: int | None = None, numbers: Sequence[int] | None = None) -> Sheet:
        """All that was added; `counted` and `numbers` as in `Sheet`. Identities count only if everybody has one."""
        joints, rows = len(self.skeleton), len(self.frames)
        points = np.stack(self.points) if rows else np.zeros((0, joints, 3))
        known = [person for person in self.people if person is not None]
        return Sheet(
            skeleton=self.skeleton,
            number=np.array(self.frames, np.int64),
            counted=counted,
            numbers=None if numbers is None else np.unique(np.array(numbers, np.int64)),
            xy=points[..., :2],
            confidence=points[..., 2],
            person=np.array(known, np.int64) if len(known) == rows else None,
            box=np.stack(self.boxes) if rows else np.zeros((0, 4)),
            score=np.array(self.scores, np.float64),
        )


@dataclass(frozen=True)
class Cleaned:
    """A sheet's values by the conventions of `Tracks`: NaN where missing, confidences from 0 to 1, rows with joints."""

    kept: NDArray[np.int64]
    xy: Floats
    confidence: Floats
    xyz: Floats | None
    box: Floats
    score: Floats


def cleaned(sheet: Sheet) -> Cleaned:
    """Values of the rows that have a joint; missing 2D is NaN with confidence 0."""
    shape = (len(sheet), len(sheet.skeleton))
    xy = np.full((*shape, 2), np.nan) if sheet.xy is None else sheet.xy
    known = np.isfinite(xy).all(-1) & (xy != 0).any(-1)
    xy = np.where(known[..., None], xy, np.nan)
    confidence = np.ones(shape) if sheet.confidence is None else sheet.confidence
    confidence = np.where(known, np.clip(np.nan_to_num(confidence), 0.0, 1.0), 0.0)
    xyz = None
    if sheet.xyz is not None:
        xyz = np.where(np.isfinite(sheet.xyz).all(-1, keepdims=True), sheet.xyz, np.nan)
    some = known.any(-1) | (np.isfinite(xyz).all(-1).any(-1) if xyz is not None else False)
    kept = np.flatnonzero(some)
    box = np.full((len(sheet), 4), np.nan) if sheet.box is None else sheet.box
    # A box without an area is none.
    fit = np.isfinite(box).all(-1, keepdims=True) & (box[:, 2:] > box[:, :2]).all(-1, keepdims=True)
    box = np.where(fit, box, boxes_of(xy))
    share = confidence.sum(-1) / np.maximum(known.sum(-1), 1)
    score = share if sheet.score is None else np.where(np.isfinite(sheet.score), sheet.score, share)
    return Cleaned(
        kept,
        xy[kept],
        confidence[kept],
        None if xyz is None else xyz[kept],
        box[kept],
        np.clip(score[kept], 0.0, 1.0),
    )


def boxes_of(xy: Floats) -> Floats:
    """Boxes (N, 4) px around joints (N, J, 2), with a margin; NaN where fewer than two joints span one."""
    known = np.isfinite(xy)
    low = np.where(known, xy, np.inf).min(1, initial=np.inf)
    high = np.where(known, xy, -np.inf).max(1, initial=-np.inf)
    box = np.full((len(xy), 4), np.nan)
    some = (high > low).all(-1)
    side = (high - low)[some]
    box[some] = np.concatenate([low[some] - _MARGIN * side, high[some] + _MARGIN * side], -1)
    return box


def triples(value: Any, what: str) -> Floats:
    """Points (J, 3) of x, y and confidence, written flat or as triples; BadInput for anything else."""
    array = numbers(value, what, (None,)) if _flat(value) else numbers(value, what, (None, 3))
    if array.size % 3:
        raise BadInput(f"{what} should hold x, y and confidence of each joint, got {array.size} numbers")
    return array.reshape(-1, 3)


def corners(value: Any, what: str) -> Floats:
    """A box (4,) x0 y0 x1 y1 of x y width height."""
    x, y, width, height = numbers(value, what, (4,))
    return np.array([x, y, x + width, y + height])


def optional(entry: dict[str, Any], name: str, what: str) -> float | None:
    """A number of an entry, None where it is not there."""
    value = entry.get(name)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return None if value is None else float(numbers(value, f"{what}, {name},", ()))


def entries(value: Any, what: str) -> list[dict[str, Any]]:
    """A list of JSON objects; BadInput for anything else."""
    if not isinstance(value, list):
        raise BadInput(f"{what} should be a list of objects, got {type(value).__name__}")
    odd = next((type(entry).__name__ for entry in value if not isinstance(entry, dict)), None)
    if odd is not None:
        raise BadInput(f"{what} should be a list of objects, one of them is {odd}")
    return value


def _flat(value: Any) -> bool:
    return not isinstance(value, list) or not value or not isinstance(value[0], list)
