"""MMPose 1.x: the demos' `--save-predictions` and the inferencer's `predictions/NAME.json`.

Demos write `meta_info` with the joints' names and `instance_info`, of a video one entry a frame counted from 1;
inferencers write a list of frames counted from 0, without names. Of an image both write the people alone. 3D comes with
depth as its second coordinate, x negated, z up, and the lowest joint at height 0, without the 2D it was lifted from.
"""

from typing import Any

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.estimates.contents import Contents, Json, numbers, whole
from dyad.estimates.sheet import Advice, Floats, Rows, Sheet, entries
from dyad.estimates.skeletons import H36M17, of_count, of_names

_LIFTED = Advice(note="Poses that were lifted from 2D, placed where they appear.")


def fits(contents: Contents) -> bool:
    """Whether this is JSON as MMPose's demos or its inferencer write it."""
    value = contents.value if isinstance(contents, Json) else None
    if isinstance(value, dict):
        return "instance_info" in value
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and ("instances" in first or "keypoint_scores" in first)


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the file, in 2D or 3D. BadInput where it is not MMPose's, or its people differ in their joints."""
    if not isinstance(contents, Json):
        raise BadInput(f"{contents.path} is no JSON file, expected MMPose's predictions")
    what, value = str(contents.path), contents.value
    meta = value.get("meta_info") if isinstance(value, dict) else None
    listed = entries(value.get("instance_info") if isinstance(value, dict) else value, what)
    frames = [{"frame_id": 0, "instances": listed}] if listed and "keypoints" in listed[0] else listed
    image = frames is not listed
    people: list[tuple[int, dict[str, Any]]] = []
    number = []
    for at, frame in enumerate(frames):
        number.append(whole(frame.get("frame_id"), f"{what}, entry {at}, frame_id,"))
        people += [(number[-1], e) for e in entries(frame.get("instances"), f"{what}, entry {at}, instances,")]
    points = [_points(entry, f"{what}, person {at},") for at, (_, entry) in enumerate(people)]
    joints, dims = points[0].shape if points else (0, 2)
    if any(found.shape != (joints, dims) for found in points):
        raise BadInput(f"{what} holds people of {joints} joints in {dims}D and others; expected one kind")
    skeleton = _skeleton(meta, joints, dims, what)
    rows = Rows(skeleton)
    for (frame, entry), found, at in zip(people, points, range(len(people)), strict=True):
        score = numbers(entry.get("keypoint_scores"), f"{what}, person {at}, keypoint_scores,", (joints,))
        flat = np.column_stack([found[:, :2], score])[: len(skeleton)]
        rows.add(frame, flat, box=_box(entry, f"{what}, person {at}, bbox,"))
    counted = 0 if image or meta is None else 1
    sheet = rows.sheet(counted=counted, numbers=number)
    return sheet if dims == 2 else _lifted(sheet, points, len(skeleton))


def _points(entry: dict[str, Any], what: str) -> Floats:
    points = numbers(entry.get("keypoints"), f"{what} keypoints,", (None, None))
    if points.shape[1] not in (2, 3):
        raise BadInput(f"{what} has keypoints of {points.shape[1]} coordinates, expected 2 or 3")
    return points


def _box(entry: dict[str, Any], what: str) -> Floats | None:
    """MMPose wraps the corners in a list of one."""
    box = entry.get("bbox")
    if not box:
        return None
    found = numbers(box[0] if isinstance(box, list) and len(box) == 1 else box, what, (4,))
    return found if (found != 0).any() else None


def _skeleton(meta: Any, joints: int, dims: int, what: str) -> Skeleton:
    named = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if isinstance(named, dict) and (not joints or len(named) == joints):
        names = [named.get(str(at)) for at in range(len(named))]
        if names and all(isinstance(name, str) for name in names):
            human36m = isinstance(meta, dict) and meta.get("dataset_name") == "h36m"
            return of_names([str(name) for name in names], what, human36m=human36m)
    if not joints:
        raise BadInput(f"{what} lists nobody, and does not tell of which joints")
    return H36M17 if (dims, joints) == (3, 17) else of_count(joints, what)


def _lifted(sheet: Sheet, points: list[Floats], joints: int) -> Sheet:
    shown = np.stack(points)[:, :joints]
    xyz = np.stack((-shown[..., 0], -shown[..., 2], shown[..., 1]), -1)
    return Sheet(
        skeleton=sheet.skeleton,
        number=sheet.number,
        counted=sheet.counted,
        numbers=sheet.numbers,
        xyz=xyz,
        box=sheet.box,
        advice=_LIFTED,
    )
