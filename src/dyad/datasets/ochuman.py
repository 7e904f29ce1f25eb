"""OCHuman: 4,731 images of people who hide each other, for testing; nobody may train on it.

Two layouts of the annotations, with the images in `images/`: `ochuman.json` (one list of images, each with its people)
and COCO's format, `ochuman_coco_format_{val,test}_range_0.00_1.00.json`, which results are published on.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.datasets.coco import (
    MALFORMED,
    CocoFile,
    CocoImage,
    CocoPerson,
    Images,
    fault,
    joint_name,
    person_of,
    read_coco,
    size_of,
)
from dyad.datasets.reading import read_json

_TRUNK = "right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist"
_LEGS = "right_hip right_knee right_ankle left_hip left_knee left_ankle"
OCHUMAN19 = tuple(f"{_TRUNK} {_LEGS} head_top neck right_ear left_ear nose right_eye left_eye".split())
"""Joints of `ochuman.json` in order, where the file does not name them; its "head" is the top of the head."""

# Visibility in ochuman.json: 0 missing, 1 visible, 2 hidden by the own body, 3 hidden by others.
_VISIBLE = 1


def ochuman_split(folder: str | Path, split: str = "val") -> CocoFile:
    """`val` or `test` from the files in COCO's format, or `all` from `ochuman.json`.

    All images come, also those not on disk (`present` says it). Raises BadInput where the file is not there or
    malformed.
    """
    if split == "all":
        return read_ochuman(Path(folder) / "ochuman.json")
    pattern = f"ochuman_coco_format_{split}_range_0.00_1.00.json"
    for place in (Path(folder), Path(folder) / "annotations"):
        if (place / pattern).is_file():
            return read_coco(place / pattern, images=folder, keep_missing=True)
    raise BadInput(f"no OCHuman annotations at {Path(folder) / pattern}; docs/datasets.md says how to get them")


def read_ochuman(path: str | Path, *, images: str | Path | None = None) -> CocoFile:
    """Read `ochuman.json`. `overlap` of a person is its `max_iou`, `area` that of its outline.

    People without keypoints are `ignored`; images that are not on disk come with `present` False. Raises BadInput.
    """
    path = Path(path)
    content = read_json(path)
    try:
        joints = _joints(content)
        where = Images(path, images)
        found = []
        for entry in content["images"]:
            place, present = where.place(str(entry["file_name"]))
            people = tuple(_person(person, len(joints)) for person in entry["annotations"])
            number = entry.get("image_id", entry["file_name"])
            found.append(CocoImage(place, people, number, size_of(entry), present=present))
        if not joints or not all(joints):
            raise ValueError("a joint has no name")
        skeleton = Skeleton.of_names(joints, "ochuman19", "clicked")
    except MALFORMED as error:
        raise BadInput(f"{path} does not hold what ochuman.json holds: {fault(error)}") from error
    return CocoFile(path, joints, tuple(found), sum(not image.present for image in found), skeleton)


def _joints(content: Any) -> tuple[str, ...]:
    """Names of the joints, spelled as here. "head" is the top although the face has points, so it is set here."""
    names = content.get("keypoint_names")
    if not names:
        return OCHUMAN19
    return tuple("head_top" if joint_name(name) == "head" else joint_name(name) for name in names)


def _person(entry: dict[str, Any], joints: int) -> CocoPerson:
    x0, y0, x1, y1 = (float(value) for value in entry["bbox"])
    if x1 < x0 or y1 < y0:
        raise ValueError(f"a bbox is x0 y0 x1 y1 with x0 <= x1 and y0 <= y1, got {entry['bbox']}")
    person = person_of({"keypoints": entry.get("keypoints"), "bbox": [x0, y0, x1 - x0, y1 - y0]}, joints)
    state = np.array(entry.get("keypoints") or [0] * (3 * joints), dtype=np.float64).reshape(joints, 3)[:, 2]
    outline = entry.get("segms")
    overlap = entry.get("max_iou")
    return replace(
        person,
        visible=np.isfinite(person.xy).all(-1) & (state == _VISIBLE),
        area=_outlined(outline) if outline else float("nan"),
        overlap=float("nan") if overlap is None else float(overlap),
    )


def _outlined(segments: dict[str, Any]) -> float:
    """Area px² within the outer polygons less that of the holes; NaN where nothing is left."""
    outer = sum(_polygon(np.array(ring, dtype=np.float64)) for ring in segments.get("outer") or [])
    inner = sum(_polygon(np.array(ring, dtype=np.float64)) for ring in segments.get("inner") or [])
    area = outer - inner
    return float(area) if 0 < area < np.inf else float("nan")


def _polygon(ring: NDArray[np.float64]) -> float:
    """Area of a polygon x y x y … by the trapezoids under its sides."""
    x, y = ring.reshape(-1, 2).T
    return float(abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2)
