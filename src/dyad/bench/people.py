"""How well people are found in single images whose keypoints are known: COCO-format files, frames of MuPoTS-3D."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.bench.people_material import Album, Picture, find_albums
from dyad.bench.plain import plain
from dyad.core.detections import Detections
from dyad.core.protocols import Detector
from dyad.core.skeleton import Skeleton
from dyad.evaluation.boxes import area_of, iou, share_inside
from dyad.evaluation.matching import match
from dyad.evaluation.oks import oks, sigma_of, sigmas
from dyad.evaluation.pose3d import median_error
from dyad.geometry.boxes import box_of

HEIGHT_EDGES = (0.0, 80.0, 160.0, 320.0, np.inf)
OVERLAP_EDGES = (0.0, 0.1, 0.3, 1.01)


@dataclass(frozen=True)
class _Person:
    """One person to be found: box height px, largest IoU with another person, OKS (NaN if not found), and the errors
    (k,) px of the labelled joints (none if not found)."""

    height: float
    overlap: float
    similarity: float
    errors: NDArray[np.float64]


@dataclass(frozen=True)
class _Nobody:
    """One detection of nobody: box height px, largest IoU with an annotated person."""

    height: float
    overlap: float


@dataclass(frozen=True)
class _Result:
    """One image: everyone to be found, and who was found who is not there."""

    people: tuple[_Person, ...]
    false: tuple[_Nobody, ...]


def bench_people(
    folder: str | Path, *, detector: Detector, at_least: float = 0.5, min_score: float = 0.0
) -> dict[str, Any]:
    """Run a detector on every annotated image of a folder: `{"mean": {"recall", "precision", "oks", …}, "files": {…}}`.

    Images are those of `people_material.find_albums`.

    People are matched one-to-one by OKS of at least `at_least`. `recall` is over all people with a labelled joint,
    `precision` over all detections of at least `min_score`, both 0..1; `oks` is the mean over matched people;
    `median_error_px` and `median_error_percent` (of the box height) are over their labelled joints. `mean` takes the
    people of all files together; `files` has the same per file; `by_height` (px) and `by_overlap` (largest IoU with
    another annotated person) say where people are lost. A detection of nobody counts there by its own height and its
    largest IoU with an annotated person.

    Joints are compared by name. Those which the detector's skeleton cannot give do not count, nor do those whose σ
    nobody knows; one that it can give but did not counts as wrong. Crowds and people without a labelled joint are
    not to be found; a detection that lies for the most part in the box of one is no error (in a crowd many, else one).
    σ and area: `evaluation.oks`, the file's area, or 0.53 × box.

    Raises BadInput where the folder holds no COCO-format keypoint file with images, and no clip of MuPoTS-3D.
    """
    seen: dict[str, Detections] = {}
    files: dict[str, list[_Result]] = {}
    for album in find_albums(folder):
        results = files.setdefault(album.name, [])
        for picture in album.pictures:
            if picture.key not in seen:
                found = next(iter(detector(picture.video())))
                seen[picture.key] = found[found.scores >= min_score]
            results.append(_compare(album, picture, seen[picture.key], at_least))
    table = {name: _summary(results) for name, results in files.items()}
    return plain({"mean": _summary([r for results in files.values() for r in results]), "files": table})


def compare_people(folder: str | Path, detectors: Mapping[str, Detector], **policy: float) -> dict[str, Any]:
    """`bench_people` of several detectors: `{"people": {name: its result}}`."""
    return {"people": {name: bench_people(folder, detector=one, **policy) for name, one in detectors.items()}}


def as_text(compared: Mapping[str, Any]) -> str:
    """What `compare_people` gives as a table: recall, precision and OKS by height and overlap."""
    means = {name: result["mean"] for name, result in compared["people"].items()}
    first = next(iter(means.values()))
    rows = [("all", first["people"], list(means.values()))]
    for key, what in (("by_height", "height {} px"), ("by_overlap", "overlap {}")):
        for k, part in enumerate(first[key]):
            low, high = part["from"], part["to"]
            last = k == len(first[key]) - 1
            span = f"from {low:g}" if last else f"{low:g} to {high:g}"
            rows.append((what.format(span), part["people"], [mean[key][k] for mean in means.values()]))
    lines = [f"{'recall, precision, OKS':<24}{'people':>8}" + "".join(f"{name:>24}" for name in means)]
    for what, people, parts in rows:
        cells = [" ".join("   -" if v is None else f"{v:.2f}" for v in _three(part)) for part in parts]
        lines.append(f"{what:<24}{people:>8}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def _three(part: Mapping[str, Any]) -> tuple[float | None, ...]:
    return part["recall"], part["precision"], part["oks"]


def _compare(album: Album, image: Picture, found: Detections, at_least: float) -> _Result:
    names = album.skeleton.names
    predicted = found.convert(album.skeleton).xy.double().numpy()
    given = np.array([_comparable(name, found.skeleton) for name in names])
    xy = np.array([person.xy for person in image.people]).reshape(-1, len(given), 2)[:, given]
    boxes = np.array([person.box for person in image.people]).reshape(-1, 4)
    area = area_of(boxes, np.array([person.area for person in image.people]))
    wanted = np.array([not p.ignored for p in image.people], dtype=bool) & np.isfinite(xy).all(-1).any(-1)

    sigma = sigmas([name for name, use in zip(names, given, strict=True) if use])
    pairs = match(oks(xy[wanted], predicted[:, given], area=area[wanted], sigma=sigma), at_least=at_least)
    crowd = np.array([p.crowd for p in image.people], dtype=bool)
    left = np.setdiff1d(np.arange(len(found)), pairs.predicted)
    unmatched = box_of(found.xy[left].double().numpy())
    unmatched = unmatched[~_forgiven(unmatched, boxes[~wanted], crowd[~wanted])]
    near = iou(unmatched, boxes).max(-1, initial=0.0)
    false = tuple(_Nobody(float(b[3] - b[1]), float(o)) for b, o in zip(unmatched, near, strict=True))
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
    return _Result(tuple(people), false)


def _comparable(joint: str, skeleton: Skeleton) -> bool:
    """Whether a skeleton gives this joint and annotators' spread on it is known."""
    try:
        sigma_of(joint)
    except KeyError:
        return False
    probe = skeleton.convert(torch.zeros(len(skeleton), 1), Skeleton.of_names((joint,)))
    return bool(probe.isfinite().all())


def _forgiven(left: NDArray[np.float64], ignored: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which boxes (n,4) lie at least half in an ignored one (m,4); one that is no crowd forgives only once."""
    inside = share_inside(left, ignored)
    in_crowd = np.any(inside[:, crowd] >= 0.5, axis=-1, keepdims=True)
    single = match(np.where(in_crowd, np.nan, inside[:, ~crowd]), at_least=0.5)
    forgiven = in_crowd[:, 0].copy()
    forgiven[single.truth] = True
    return forgiven


def _summary(results: Sequence[_Result]) -> dict[str, Any]:
    people = [person for result in results for person in result.people]
    false = [nobody for result in results for nobody in result.false]
    return {
        **_scores(people, false),
        "detections": int(sum(np.isfinite(person.similarity) for person in people) + len(false)),
        "images": len(results),
        "by_height": _bins(people, false, "height", HEIGHT_EDGES),
        "by_overlap": _bins(people, false, "overlap", OVERLAP_EDGES),
    }


def _bins(people: Sequence[_Person], false: Sequence[_Nobody], by: str, edges: Sequence[float]) -> list[dict[str, Any]]:
    """Scores of those whose `by` lies in each half-open bin [from, to)."""
    bins = []
    for low, high in pairwise(edges):
        inside = [person for person in people if low <= getattr(person, by) < high]
        nobody = [one for one in false if low <= getattr(one, by) < high]
        bins.append({"from": low, "to": high, **_scores(inside, nobody)})
    return bins


def _scores(people: Sequence[_Person], false: Sequence[_Nobody]) -> dict[str, Any]:
    similarity = np.array([person.similarity for person in people])
    found = np.isfinite(similarity)
    pixels = np.concatenate([np.empty(0), *(person.errors for person in people)])
    percent = np.concatenate([np.empty(0), *(100 * person.errors / person.height for person in people)])
    return {
        "people": len(people),
        "recall": float(found.mean()) if len(people) else np.nan,
        "precision": float(found.sum() / (found.sum() + len(false))) if found.any() or false else np.nan,
        "oks": float(similarity[found].mean()) if found.any() else np.nan,
        "median_error_px": median_error(pixels),
        "median_error_percent": median_error(percent),
    }
