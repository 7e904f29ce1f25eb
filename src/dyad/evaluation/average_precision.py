"""Average precision and recall of people found in images, by the similarity of their keypoints.

The rules are those of the COCO keypoint challenge (https://cocodataset.org/#keypoints-eval), to the last tie:

* In each image the 20 best-scored detections take, best first, the most similar true person still free whose similarity
  (`evaluation.oks`) reaches the threshold; equal scores keep their order, of equal people the later one is taken.
* A person who is ignored (a crowd, nobody's joints labelled, an area outside the range asked for) is taken only when no
  other fits; whoever takes it counts neither as right nor as wrong. A crowd may be taken many times. Without labelled
  joints the distance is that to the box, doubled about its middle in each direction.
* Over all images detections are sorted by score; precision, made monotone from the right, is read at recalls 0, 0.01, …
  1 and averaged: AP at one threshold. AP is the mean over thresholds 0.50, 0.55, … 0.95, AR that of the final recalls.
* For medium (32² to 96² px²) and large (96² on) people, a detection that nobody matches counts only if the area of the
  box round its joints is in the range.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dyad.core.detections import Detections
from dyad.core.skeleton import COCO17, Skeleton
from dyad.evaluation.boxes import area_of
from dyad.evaluation.oks import oks, sigmas
from dyad.geometry.boxes import box_of

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
CROWDPOSE_JOINTS = (
    *(f"{side}_{joint}" for joint in _LIMBS for side in ("left", "right")),
    "head_top",
    "neck",
)
"""The fourteen joints of CrowdPose: COCO's below the face, head top and neck, each with its σ of `evaluation.oks`."""

_RECALLS = np.linspace(0, 1, 101)
_ALL, _MEDIUM, _LARGE = (0.0, 1e5**2), (32.0**2, 96.0**2), (96.0**2, 1e5**2)


class TruePerson(Protocol):
    """One annotated person: joints (J,2) px with NaN where not labelled, box (4,) x0 y0 x1 y1, area px² or NaN.

    Whoever is `ignored` need not be found, and is no fault if found; a `crowd` is more than one person.
    """

    @property
    def xy(self) -> NDArray[np.float64]: ...
    @property
    def box(self) -> NDArray[np.float64]: ...
    @property
    def area(self) -> float: ...
    @property
    def ignored(self) -> bool: ...
    @property
    def crowd(self) -> bool: ...


class TrueImage(Protocol):
    """Everyone annotated in an image, and how entangled they are (0..1, NaN where nobody says)."""

    @property
    def people(self) -> Sequence[TruePerson]: ...
    @property
    def crowd_index(self) -> float: ...


@dataclass(frozen=True)
class Scores:
    """Average precision and recall, 0..1; NaN where there is nobody to be found.

    `ap50` and `ap75` are at one similarity; `_medium` and `_large` over people of these areas.
    """

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float


@dataclass(frozen=True)
class CrowdScores:
    """`all` images together, and the average precision over images that are easy, medium and hard by crowd index."""

    all: Scores
    ap_easy: float
    ap_medium: float
    ap_hard: float


class _Matched(NamedTuple):
    """One image in one range of areas: scores (D,) descending, hit and skipped (T,D), number of people to be found."""

    scores: NDArray[np.float64]
    hit: NDArray[np.bool_]
    skipped: NDArray[np.bool_]
    people: int


class _Curve(NamedTuple):
    """Precision (T,101) and final recall (T,); NaN where there is nobody to be found."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AveragePrecision:
    """COCO's scores, with the defaults of its keypoint challenge.

    Attributes:
        joints: names of the J joints in which truth is given, and of which similarity is the mean. A detection lacks
            those that its skeleton cannot give: they count as wrong.
        counted: those of `joints` that count, all if None. With fewer than all the result is not COCO's: say so.
        thresholds: similarities at which precision is measured; 0.5 and 0.75 should be among them.
        most: detections that count in an image.
        outlined: take the area of a person's outline where it is known; else always 0.53 × box, as CrowdPose does.
    """

    joints: tuple[str, ...] = COCO17.names
    counted: tuple[str, ...] | None = None
    thresholds: tuple[float, ...] = tuple(np.linspace(0.5, 0.95, 10).tolist())
    most: int = 20
    outlined: bool = True

    def __call__(self, images: Iterable[tuple[TrueImage, Detections]]) -> Scores:
        """Score the detections of each image; images in the order of their ids give COCO's order of equal scores.

        Raises ValueError where a person has another number of joints, KeyError for a joint without σ.
        """
        curves = self._curves([self._matched(image.people, found) for image, found in images])
        half, three_quarters = self._at(0.5), self._at(0.75)
        every, medium, large = curves
        return Scores(
            ap=_mean(every.precision),
            ap50=_mean(every.precision[half]),
            ap75=_mean(every.precision[three_quarters]),
            ap_medium=_mean(medium.precision),
            ap_large=_mean(large.precision),
            ar=_mean(every.recall),
            ar50=_mean(every.recall[half]),
            ar75=_mean(every.recall[three_quarters]),
            ar_medium=_mean(medium.recall),
            ar_large=_mean(large.recall),
        )

    def _at(self, threshold: float) -> NDArray[np.bool_]:
        return np.isclose(self.thresholds, threshold, rtol=0, atol=1e-9)

    def _curves(self, images: Sequence[tuple[_Matched, ...]]) -> list[_Curve]:
        if not images:
            images = [self._matched((), Detections.none(0, 0.0, Skeleton.of_names(self.joints)))]
        return [_curve(matched) for matched in zip(*images, strict=True)]

    def _matched(self, people: Sequence[TruePerson], found: Detections) -> tuple[_Matched, ...]:
        """One image, for all, medium and large areas."""
        for person in people:
            if np.shape(person.xy) != (len(self.joints), 2):
                raise ValueError(f"a person's joints should be ({len(self.joints)}, 2), got {np.shape(person.xy)}")
        names = self.joints if self.counted is None else self.counted
        use = Skeleton.of_names(self.joints).indices(*names)
        scores = found.scores.double().numpy()
        best = np.argsort(-scores, kind="stable")[: self.most]
        xy = found.convert(Skeleton.of_names(names, source="clicked")).xy.double().numpy()[best]
        true_xy = np.array([p.xy for p in people], dtype=np.float64).reshape(-1, len(self.joints), 2)[:, use]
        boxes = np.array([p.box for p in people], dtype=np.float64).reshape(-1, 4)
        area = area_of(boxes, np.array([p.area for p in people], dtype=np.float64) if self.outlined else None)
        ignored = np.array([p.ignored or p.crowd for p in people], dtype=bool)
        crowd = np.array([p.crowd for p in people], dtype=bool)
        blank = np.logical_not(np.isfinite(true_xy).all(-1).any(-1))
        # Whose counted joints are all unlabelled cannot be found, whatever the rest of the joints says.
        ignored |= blank
        similarity = np.where(
            np.expand_dims(blank, 1),
            _near_box(boxes, xy, area, sigmas(names)),
            oks(true_xy, xy, area=area, sigma=sigmas(names)),
        )
        corners = box_of(xy)
        sides = np.nan_to_num(corners[:, 2:] - corners[:, :2]).prod(-1)
        result = []
        for low, high in (_ALL, _MEDIUM, _LARGE):
            out = ignored | (area < low) | (area > high)
            hit, skipped = _assign(similarity, out, crowd, np.array(self.thresholds))
            skipped |= ~hit & ((sides < low) | (sides > high))
            result.append(_Matched(scores[best], hit & ~skipped, skipped, int((~out).sum())))
        return tuple(result)


@dataclass(frozen=True, kw_only=True)
class CrowdPoseAP:
    """CrowdPose's scores: COCO's with fourteen joints and areas of 0.53 × box, besides by crowd index.

    Attributes:
        easy_below, hard_from: crowd index below which an image is easy, and from which on it is hard. The published
            evaluation code divides at 0.2 and 0.8, as all published tables do; the paper says 0.1 and 0.8.
    """

    easy_below: float = 0.2
    hard_from: float = 0.8
    rule: AveragePrecision = AveragePrecision(joints=CROWDPOSE_JOINTS, outlined=False)

    def __call__(self, images: Iterable[tuple[TrueImage, Detections]]) -> CrowdScores:
        """Score the detections of each image. An image without a crowd index counts only among all."""
        images = list(images)
        index = np.array([image.crowd_index for image, _ in images], dtype=np.float64)
        parts = (
            index < self.easy_below,
            (index >= self.easy_below) & (index < self.hard_from),
            index >= self.hard_from,
        )
        aps = [self.rule([images[i] for i in np.nonzero(part)[0]]).ap for part in parts]
        return CrowdScores(self.rule(images), *aps)


def _near_box(
    boxes: NDArray[np.float64], xy: NDArray[np.float64], area: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Similarity (G,P) of people (P,J,2) with whoever is in boxes (G,4): 1 within the box and its size all round."""
    side = boxes[:, 2:] - boxes[:, :2]
    low, high = (boxes[:, :2] - side)[:, None, None], (boxes[:, 2:] + side)[:, None, None]
    off = np.maximum(low - xy[None], 0) + np.maximum(xy[None] - high, 0)
    spread = 2 * (area[:, None, None] + np.spacing(1)) * (2 * sigma) ** 2
    each = np.exp(-(off**2).sum(-1) / spread)
    return np.nan_to_num(each).mean(-1)


def _assign(
    similarity: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    crowd: NDArray[np.bool_],
    thresholds: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which detections (T,P) got somebody of `similarity` (G,P), and which of these somebody who is ignored."""
    people, found = similarity.shape
    hit, skipped = np.zeros((2, len(thresholds), found), dtype=bool)
    if not people:
        return hit, skipped
    least = np.minimum(thresholds, 1 - 1e-10)[:, None]
    free = np.ones((len(thresholds), people), dtype=bool)
    rows = np.arange(len(thresholds))
    for d in range(found):
        fits = free & (similarity[:, d] >= least)
        regular = fits & ~ignored
        fits = np.where(regular.any(-1, keepdims=True), regular, fits)
        # The last of equals: argmax takes the first, so look from behind.
        person = people - 1 - np.where(fits, similarity[:, d], -1.0)[:, ::-1].argmax(-1)
        hit[:, d] = fits.any(-1)
        skipped[:, d] = hit[:, d] & ignored[person]
        free[rows, person] &= ~hit[:, d] | crowd[person]
    return hit, skipped


def _curve(images: Sequence[_Matched]) -> _Curve:
    people = sum(image.people for image in images)
    scores = np.concatenate([image.scores for image in images])
    order = np.argsort(-scores, kind="stable")
    hit, skipped = (np.concatenate([getattr(i, name) for i in images], axis=1)[:, order] for name in ("hit", "skipped"))
    precision = np.zeros((len(hit), len(_RECALLS)))
    if not people:
        return _Curve(np.full_like(precision, np.nan), np.full(len(hit), np.nan))
    right, wrong = np.cumsum(hit, axis=1, dtype=float), np.cumsum(~hit & ~skipped, axis=1, dtype=float)
    recall = right / people
    # Before the first one that counts precision is 0, not 0/0.
    each = np.divide(right, right + wrong, out=np.zeros_like(right), where=right + wrong > 0)
    monotone = np.maximum.accumulate(each[:, ::-1], axis=1)[:, ::-1]
    for row, (values, reached) in enumerate(zip(monotone, recall, strict=True)):
        place = np.searchsorted(reached, _RECALLS, side="left")
        inside = place < len(values)
        precision[row, inside] = values[place[inside]]
    return _Curve(precision, recall[:, -1] if recall.shape[1] else np.zeros(len(hit)))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")
