"""PoseTrack17's `annolist`, which DCPose's evaluation writes, and the JSON of DCPose's demo.

The first: one entry an image with `annorect`, whose points have the ids of PoseTrack's evaluation
(https://github.com/leonid-pishchulin/poseval). The second: `Info`, one entry an image with `candidates`, whose
`keypoints` are 17 times x, y and score; the demo cuts places to whole pixels.
"""

from typing import Any

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import POSETRACK17, Skeleton
from dyad.estimates.alphapose import frame_numbers
from dyad.estimates.contents import Contents, Json, numbers, whole
from dyad.estimates.sheet import Floats, Rows, Sheet, corners, entries, optional, triples

_POINTS = Skeleton.of_names(
    (
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
        "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "nose", "head_top",
    ),
    "posetrack15",
    "clicked",
)  # fmt: skip


def fits(contents: Contents) -> bool:
    """Whether this is PoseTrack17's `annolist`, or what DCPose's demo writes."""
    value = contents.value if isinstance(contents, Json) else None
    return isinstance(value, dict) and ("annolist" in value or "Info" in value)


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the file. BadInput where it is neither."""
    value = contents.value if isinstance(contents, Json) else None
    if not isinstance(value, dict):
        raise BadInput(f"{contents.path} is no JSON object, expected `annolist` or `Info`")
    what = str(contents.path)
    return _annolist(value["annolist"], what) if "annolist" in value else _info(value.get("Info"), what)


def _annolist(value: Any, what: str) -> Sheet:
    images = entries(value, f"{what}, annolist,")
    names = [_only(image.get("image"), f"{what}, image {at},").get("name") for at, image in enumerate(images)]
    number = frame_numbers(names, what)
    rows = Rows(_POINTS)
    for frame, image in zip(number, images, strict=True):
        for at, person in enumerate(entries(image.get("annorect") or [], f"{what}, frame {frame}, annorect,")):
            where = f"{what}, frame {frame}, person {at},"
            inner = person.get("annopoints")
            # Nobody's points are written as an empty list.
            listed = _only(inner, where).get("point") if inner else []
            points = np.zeros((len(_POINTS), 3))
            for point in entries(listed or [], where):
                joint = whole(point.get("id"), f"{where} a point's id", high=len(_POINTS))
                score = optional(point, "score", where)
                place = [optional(point, axis, where) for axis in ("x", "y")]
                if None not in place:
                    points[joint] = (*(v or 0.0 for v in place), 1.0 if score is None else score)
            identity = person.get("track_id")
            rows.add(
                frame,
                points,
                person=None if identity is None else whole(identity, f"{where} track_id,", high=1 << 53),
                box=_box(person, where),
                score=optional(person, "score", where),
            )
    return rows.sheet(numbers=number)


def _info(value: Any, what: str) -> Sheet:
    images = entries(value, f"{what}, Info,")
    number = frame_numbers([image.get("image_path") for image in images], what)
    rows = Rows(POSETRACK17)
    for frame, image in zip(number, images, strict=True):
        for at, person in enumerate(entries(image.get("candidates") or [], f"{what}, frame {frame}, candidates,")):
            where = f"{what}, frame {frame}, person {at},"
            points = triples(person.get("keypoints"), f"{where} keypoints,")
            if len(points) != len(POSETRACK17):
                raise BadInput(f"{where} has {len(points)} joints, expected the 17 of PoseTrack")
            box = person.get("det_bbox")
            identity = person.get("track_id")
            rows.add(
                frame,
                points,
                person=None if identity is None else whole(identity, f"{where} track_id,", high=1 << 53),
                box=corners(box, f"{where} det_bbox,") if box else None,
                score=optional(person, "det_score", where),
            )
    return rows.sheet(numbers=number)


def _box(person: dict[str, Any], where: str) -> Floats | None:
    sides = [optional(person, side, where) for side in ("x1", "y1", "x2", "y2")]
    return None if None in sides else numbers(sides, f"{where} box,", (4,))


def _only(value: Any, what: str) -> dict[str, Any]:
    """The object in a list of one, or alone."""
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(inner, dict):
        raise BadInput(f"{what} should hold one object")
    return inner
