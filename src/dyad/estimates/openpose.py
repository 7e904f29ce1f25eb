"""OpenPose's `--write_json`: a folder of `NAME_000000000012_keypoints.json`, one a frame.

The format: https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md. 25 joints are of the
model BODY_25, 18 of the model COCO. A `person_id` of -1, OpenPose's own, is no identity.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import OPENPOSE18
from dyad.estimates.alphapose import frame_numbers
from dyad.estimates.contents import Contents, Folder, Json, open_contents, whole
from dyad.estimates.sheet import Rows, Sheet, entries, triples
from dyad.estimates.skeletons import OPENPOSE25

_KEYS = ("pose_keypoints_2d", "pose_keypoints")
_SKELETONS = {18: OPENPOSE18, 25: OPENPOSE25}
_ENDING = "_keypoints.json"


def fits(contents: Contents) -> bool:
    """Whether this is a folder of OpenPose's files, or one of them."""
    if isinstance(contents, Folder):
        return any(file.name.endswith(_ENDING) for file in contents.files)
    return isinstance(contents, Json) and isinstance(contents.value, dict) and "people" in contents.value


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the files. BadInput where they are not OpenPose's, or of other models than BODY_25 and COCO."""
    files = [file for file in contents.files if file.name.endswith(_ENDING)] if isinstance(contents, Folder) else []
    files = [contents.path] if isinstance(contents, Json) else files
    if not files:
        raise BadInput(f"{contents.path} holds no files of OpenPose, such as clip_000000000000_keypoints.json")
    names = [file.name.removesuffix(_ENDING).removesuffix(".json") for file in files]
    number = frame_numbers([f"{name}.json" for name in names], str(contents.path))
    rows: Rows | None = None
    for frame, file in zip(number, files, strict=True):
        for at, (person, points) in enumerate(_people(contents, file)):
            skeleton = _SKELETONS.get(len(points))
            if skeleton is None:
                raise BadInput(f"{file}, person {at}, has {len(points)} joints, expected 25 (BODY_25) or 18 (COCO)")
            rows = rows or Rows(skeleton)
            if skeleton is not rows.skeleton:
                raise BadInput(f"{file}, person {at}, has {len(points)} joints, those before {len(rows.skeleton)}")
            rows.add(frame, points, person=person)
    rows = rows or Rows(OPENPOSE25)
    _check_scale(rows, size, contents.path)
    return rows.sheet(numbers=number)


def _people(contents: Contents, file: Path) -> list[tuple[int | None, np.ndarray]]:
    opened = contents if isinstance(contents, Json) else open_contents(file)
    content: Any = opened.value if isinstance(opened, Json) else None
    if not isinstance(content, dict):
        raise BadInput(f"{file} is no file of OpenPose: it holds no object")
    found = []
    for at, entry in enumerate(entries(content.get("people"), f"{file}, people,")):
        key = next((key for key in _KEYS if entry.get(key)), None)
        if key is None:
            continue
        given = entry.get("person_id")
        person = (
            None if given in (None, -1, [-1], []) else whole(given, f"{file}, person {at}, person_id,", high=1 << 53)
        )
        found.append((person, triples(entry[key], f"{file}, person {at}, {key},")))
    return found


def _check_scale(rows: Rows, size: tuple[int, int], path: Path) -> None:
    """Coordinates may have been written as shares of the image."""
    points = [p[p[:, 2] > 0, :2] for p in rows.points]
    every = np.concatenate(points) if points else np.zeros((0, 2))
    if len(every) and np.nanmax(np.abs(every), initial=0.0) <= 1 and max(size) > 16:
        raise BadInput(f"{path} gives places from 0 to 1: run OpenPose with --keypoint_scale 0, which gives pixels")
