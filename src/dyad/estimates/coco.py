"""COCO keypoints: results (a list of people with `image_id`) and annotations (`images`, `annotations`, `categories`).

The formats: https://cocodataset.org/#format-results and #format-data. PoseTrack18's files are annotations with
`track_id` and, from estimators, `scores` a joint; Dyad's own export is one too. In results `image_id` is the frame.
"""

from typing import Any

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.estimates.alphapose import frame_numbers
from dyad.estimates.contents import Contents, Json, numbers, whole
from dyad.estimates.sheet import Floats, Rows, Sheet, corners, entries, optional, triples
from dyad.estimates.skeletons import of_count, of_names

_HIDDEN = 0.5
"""Confidence of a joint that annotators labelled without seeing it."""


def fits(contents: Contents) -> bool:
    """Whether this is COCO's JSON: a list of results, or annotations with their images."""
    value = contents.value if isinstance(contents, Json) else None
    if isinstance(value, dict):
        return isinstance(value.get("images"), list) and isinstance(value.get("annotations"), list)
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and "keypoints" in first and "image_id" in first


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the file. BadInput where it is not COCO's, or its people have joints that are not known."""
    if not isinstance(contents, Json):
        raise BadInput(f"{contents.path} is no JSON file, expected COCO keypoints")
    what = str(contents.path)
    if isinstance(contents.value, dict):
        return _annotations(contents.value, what)
    people = entries(contents.value, what)
    if not people:
        raise BadInput(f"{what} lists nobody, and so does not tell of which joints")
    points = [triples(entry.get("keypoints"), f"{what}, person {at}, keypoints,") for at, entry in enumerate(people)]
    rows = Rows(of_count(len(points[0]), what))
    number = frame_numbers([entry.get("image_id") for entry in people], what)
    _fill(rows, people, points, number, len(points[0]), what)
    return rows.sheet()


def _annotations(content: dict[str, Any], what: str) -> Sheet:
    images = entries(content.get("images"), f"{what}, images,")
    people = [e for e in entries(content.get("annotations"), f"{what}, annotations,") if e.get("keypoints")]
    number = frame_numbers([image.get("file_name", image.get("id")) for image in images], f"{what}, images")
    frame = {_key(image.get("id")): n for image, n in zip(images, number, strict=True)}
    strange = [entry for entry in people if _key(entry.get("image_id")) not in frame]
    if strange:
        raise BadInput(f"{what}: an annotation is of image {strange[0].get('image_id')!r:.40}, which is not listed")
    joints, skeleton = _joints(content, people, what)
    rows = Rows(skeleton)
    points = [triples(entry["keypoints"], f"{what}, annotation {at}, keypoints,") for at, entry in enumerate(people)]
    for at, entry in enumerate(people):
        if entry.get("scores") is not None:
            points[at] = points[at].copy()
            points[at][:, 2] = numbers(entry["scores"], f"{what}, annotation {at}, scores,", (len(points[at]),))
        else:
            points[at] = seen(points[at])
    _fill(rows, people, points, [frame[_key(entry.get("image_id"))] for entry in people], joints, what)
    return rows.sheet(numbers=number)


def _fill(
    rows: Rows, people: list[dict[str, Any]], points: list[Floats], number: list[int], joints: int, what: str
) -> None:
    for at, (entry, found) in enumerate(zip(people, points, strict=True)):
        if len(found) != joints:
            raise BadInput(f"{what}, person {at}, has {len(found)} joints, expected {joints}")
        identity = entry.get("track_id")
        rows.add(
            number[at],
            found[: len(rows.skeleton)],
            person=None if identity is None else whole(identity, f"{what}, person {at}, track_id,", high=1 << 53),
            box=corners(entry["bbox"], f"{what}, person {at}, bbox,") if entry.get("bbox") else None,
            score=optional(entry, "score", f"{what}, person {at}"),
        )


def _joints(content: dict[str, Any], people: list[dict[str, Any]], what: str) -> tuple[int, Skeleton]:
    """How many joints people have, and which: those that the file names, else by their number."""
    for category in entries(content.get("categories") or [], f"{what}, categories,"):
        names = category.get("keypoints")
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            return len(names), of_names(names, what)
    if not people:
        raise BadInput(f"{what} lists nobody, and so does not tell of which joints")
    joints = len(triples(people[0]["keypoints"], what))
    return joints, of_count(joints, what)


def seen(points: Floats) -> Floats:
    """Points whose third number may be COCO's visibility: 2 visible, 1 hidden, 0 not labelled."""
    flags = points[:, 2]
    if not (np.isin(flags, (0, 1, 2)).all() and (flags == 2).any()):
        return points
    return np.column_stack([points[:, :2], np.where(flags == 2, 1.0, _HIDDEN * flags)])


def _key(value: object) -> object:
    return value if isinstance(value, str | int) else repr(value)[:60]
