"""How well people are found in single images whose keypoints are known: any folder with COCO-format files."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.bench.plain import plain
from dyad.core.detections import Detections
from dyad.core.protocols import Detector
from dyad.core.skeleton import Skeleton
from dyad.core.video import Video
from dyad.datasets.coco import CocoFile, CocoImage, find_coco
from dyad.evaluation.boxes import area_of, box_of, iou, share_inside
from dyad.evaluation.matching import match
from dyad.evaluation.oks import oks, sigma_of, sigmas
from dyad.evaluation.pose3d import median_error

HEIGHT_EDGES = (0.0, 50.0, 100.0, 200.0, 400.0, np.inf)
OVERLAP_EDGES = (0.0, 0.05, 0.2, 0.4, 1.01)


@dataclass(frozen=True)
class _Person:
    """One person to be found: box height px, largest IoU with another person, OKS (NaN if not found), and the errors
    (k,) px of the labelled joints (none if not found)."""

    height: float
    overlap: float
    similarity: float
    errors: NDArray[np.float64]


@dataclass(frozen=True)
class _Result:
    """One image: everyone to be found, and how many were found who are not there."""

    people: tuple[_Person, ...]
    false: int


def bench_people(
    folder: str | Path, *, detector: Detector, at_least: float = 0.5, min_score: float = 0.0
) -> dict[str, Any]:
    """Run a detector on every annotated image of a folder: `{"mean": {"recall", "precision", "oks", …}, "files": {…}}`.

    People are matched one-to-one by OKS of at least `at_least`. `recall` is over all people with a labelled joint,
    `precision` over all detections of at least `min_score`, both 0..1; `oks` is the mean over matched people;
    `median_error_px` and `median_error_percent` (of the box height) are over their labelled joints. `mean` takes the
    people of all files together; `files` has the same per file; `by_height` (px) and `by_overlap` (largest IoU with
    another annotated person) say where people are lost.

    Joints are compared by name. Those which the detector's skeleton cannot give do not count, nor do those whose σ
    nobody knows; one that it can give but did not counts as wrong. Crowds and people without a labelled joint are
    not to be found; a detection that lies for the most part in the box of one is no error (in a crowd many, else one).
    σ and area: `evaluation.oks`, the file's area, or 0.53 × box.

    Raises BadInput where the folder holds no COCO-format keypoint file with images.
    """
    seen: dict[Path, Detections] = {}
    files: dict[str, list[_Result]] = {}
    for file in find_coco(folder):
        results = files.setdefault(str(file.path.relative_to(folder)), [])
        for image in file.images:
            if image.path not in seen:
                seen[image.path] = _detect(detector, image.path, min_score)
            results.append(_compare(file, image, seen[image.path], at_least))
    table = {name: _summary(results) for name, results in files.items()}
    return plain({"mean": _summary([r for results in files.values() for r in results]), "files": table})


def _detect(detector: Detector, path: Path, min_score: float) -> Detections:
    """Everyone in one image."""
    found = next(iter(detector(Video(path))))
    return found[found.scores >= min_score]


def _compare(file: CocoFile, image: CocoImage, found: Detections, at_least: float) -> _Result:
    converted = found.convert(Skeleton.of_names(file.joints, file.path.stem))
    predicted = converted.xy.double().numpy()
    given = np.array([_comparable(name, found.skeleton) for name in file.joints])
    xy = np.array([person.xy for person in image.people]).reshape(-1, len(given), 2)[:, given]
    boxes = np.array([person.box for person in image.people]).reshape(-1, 4)
    area = area_of(boxes, np.array([person.area for person in image.people]))
    wanted = np.array([not p.ignored for p in image.people], dtype=bool) & np.isfinite(xy).all(-1).any(-1)

    sigma = sigmas([name for name, use in zip(file.joints, given, strict=True) if use])
    pairs = match(oks(xy[wanted], predicted[:, given], area=area[wanted], sigma=sigma), at_least=at_least)
    crowd = np.array([p.crowd for p in image.people], dtype=bool)
    left = np.setdiff1d(np.arange(len(found)), pairs.predicted)
    forgiven = _forgiven(box_of(found.xy[left].double().numpy()), boxes[~wanted], crowd[~wanted])
    others = iou(boxes, boxes)
    np.fill_diagonal(others, 0.0)
    overlap = others.max(-1, initial=0.0)[wanted]
    height = (boxes[:, 3] - boxes[:, 1])[wanted]
    people = []
    partner = {int(t): (int(p), float(s)) for t, p, s in zip(*pairs, strict=True)}
    for i, joints in enumerate(xy[wanted]):
        row, similarity = partner.get(i, (None, np.nan))
        distance = np.empty(0) if row is None else np.linalg.norm(predicted[row][given] - joints, axis=-1)
        people.append(_Person(float(height[i]), float(overlap[i]), similarity, distance[np.isfinite(distance)]))
    return _Result(tuple(people), len(left) - forgiven)


def _comparable(joint: str, skeleton: Skeleton) -> bool:
    """Whether a skeleton gives this joint and annotators' spread on it is known."""
    try:
        sigma_of(joint)
    except KeyError:
        return False
    probe = skeleton.convert(torch.zeros(len(skeleton), 1), Skeleton.of_names((joint,)))
    return bool(probe.isfinite().all())


def _forgiven(left: NDArray[np.float64], ignored: NDArray[np.float64], crowd: NDArray[np.bool_]) -> int:
    """How many boxes (n,4) lie at least half in an ignored one (m,4); one that is no crowd forgives only once."""
    inside = share_inside(left, ignored)
    in_crowd = np.any(inside[:, crowd] >= 0.5, axis=-1, keepdims=True)
    single = match(np.where(in_crowd, np.nan, inside[:, ~crowd]), at_least=0.5)
    return int(in_crowd.sum()) + len(single.truth)


def _summary(results: Sequence[_Result]) -> dict[str, Any]:
    people = [person for result in results for person in result.people]
    false = sum(result.false for result in results)
    whole = _scores(people)
    hits = sum(np.isfinite(person.similarity) for person in people)
    return {
        "recall": whole["recall"],
        "precision": hits / (hits + false) if hits + false else np.nan,
        **whole,
        "detections": int(hits + false),
        "images": len(results),
        "by_height": _bins(people, [person.height for person in people], HEIGHT_EDGES),
        "by_overlap": _bins(people, [person.overlap for person in people], OVERLAP_EDGES),
    }


def _bins(people: Sequence[_Person], values: Sequence[float], edges: Sequence[float]) -> list[dict[str, Any]]:
    """Scores of the people whose value lies in each half-open bin [from, to)."""
    bins = []
    for low, high in pairwise(edges):
        inside = [person for person, value in zip(people, values, strict=True) if low <= value < high]
        bins.append({"from": low, "to": high, **_scores(inside)})
    return bins


def _scores(people: Sequence[_Person]) -> dict[str, Any]:
    similarity = np.array([person.similarity for person in people])
    found = np.isfinite(similarity)
    pixels = np.concatenate([np.empty(0), *(person.errors for person in people)])
    percent = np.concatenate([np.empty(0), *(100 * person.errors / person.height for person in people)])
    return {
        "people": len(people),
        "recall": float(found.mean()) if len(people) else np.nan,
        "oks": float(similarity[found].mean()) if found.any() else np.nan,
        "median_error_px": median_error(pixels),
        "median_error_percent": median_error(percent),
    }
