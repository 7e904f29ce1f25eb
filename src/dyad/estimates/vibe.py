"""VIBE's and PARE's results of a person as .npz: the arrays that their `*_output.pkl` holds, one file a person.

The format: https://github.com/mkocabas/VIBE/blob/master/doc/demo.md. A folder holds several people, each as the file
`ID.npz`. Of 49 joints the last 24 are taken, in metres about the pelvis; pixels are by the weak-perspective camera
`orig_cam` of the whole image, or by `pred_cam` and `bboxes`.
"""

from pathlib import Path

import numpy as np

from dyad.core.errors import BadInput
from dyad.estimates.bootstrap import whole_numbers
from dyad.estimates.contents import Arrays, Contents, Folder, open_contents, trailing_number
from dyad.estimates.sheet import Advice, Floats, Sheet
from dyad.estimates.skeletons import SPIN24

_JOINTS, _FIRST = 49, 25
_ADVICE = Advice(
    weak_camera=True,
    note="Regressed from a body model with a weak-perspective camera; the 2D joints are its own, so give detections.",
)


def fits(contents: Contents) -> bool:
    """Whether this is an .npz of a person as VIBE and PARE tell of one, or a folder of such."""
    if isinstance(contents, Folder):
        files = [file for file in contents.files if file.suffix == ".npz"]
        return bool(files) and all(_is_person(file) for file in files[:1])
    return isinstance(contents, Arrays) and contents.shapes.get("joints3d", ())[1:] == (_JOINTS, 3)


def read(contents: Contents, size: tuple[int, int]) -> Sheet:
    """Everyone in the files, placed in an image of `size` (width, height) px. BadInput where they are not VIBE's."""
    files = [f for f in contents.files if f.suffix == ".npz"] if isinstance(contents, Folder) else [contents.path]
    if not files or not isinstance(contents, Folder | Arrays):
        raise BadInput(f"{contents.path} holds no .npz of VIBE or PARE")
    people = [trailing_number(file.name) for file in files]
    if len(files) > 1 and (None in people or len(set(people)) < len(people)):
        raise BadInput(f"{contents.path}: files of several people are named by whole numbers, such as 1.npz")
    sheets = [_person(file, person or 0, size) for file, person in zip(files, people, strict=True)]

    def joined(name: str) -> Floats:
        return np.concatenate([getattr(sheet, name) for sheet in sheets])

    return Sheet(
        skeleton=SPIN24,
        number=joined("number").astype(np.int64),
        xy=joined("xy"),
        xyz=joined("xyz"),
        person=joined("person").astype(np.int64),
        box=joined("box"),
        counted=0,
        advice=_ADVICE,
    )


def _is_person(file: Path) -> bool:
    try:
        return fits(open_contents(file))
    except BadInput:
        return False


def _person(file: Path, person: int, size: tuple[int, int]) -> Sheet:
    arrays = open_contents(file)
    if not isinstance(arrays, Arrays):
        raise BadInput(f"{file} is no .npz file")
    xyz = arrays.read("joints3d", (None, _JOINTS, 3))[:, _FIRST:]
    count = len(xyz)
    box = np.full((count, 4), np.nan)
    if "bboxes" in arrays:
        middle, side = np.split(arrays.read("bboxes", (count, 4)), 2, -1)
        box = np.concatenate((middle - side / 2, middle + side / 2), -1)
    scale, shift = _camera(arrays, count, size)
    # From -1 to 1 over the image, whose first pixel's centre is at 0 here and half a pixel inside there.
    plane = scale[:, None] * (xyz[..., :2] + shift[:, None])
    xy = (plane + 1) * (np.array(size) / 2) - 0.5
    xy[~(np.abs(xy) < 1e6).all(-1)] = np.nan
    number = whole_numbers(arrays.read("frame_ids", (count,)), f"{file}, frame_ids,")
    return Sheet(skeleton=SPIN24, number=number, xy=xy, xyz=xyz, person=np.full(count, person), box=box)


def _camera(arrays: Arrays, count: int, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Scale and shift (N, 2) that lead metres to -1..1 over the whole image."""
    if "orig_cam" in arrays:
        camera = arrays.read("orig_cam", (count, 4))
        return camera[:, :2], camera[:, 2:]
    for name in ("pred_cam", "bboxes"):
        if name not in arrays:
            raise BadInput(f"{arrays.path} lacks {name}, and orig_cam, which would do without")
    camera, box = arrays.read("pred_cam", (count, 3)), arrays.read("bboxes", (count, 4))
    half = np.array(size) / 2
    scale = camera[:, :1] * box[:, 2:3] / np.array(size)
    with np.errstate(divide="ignore", invalid="ignore"):
        return scale, (box[:, :2] - half) / half / scale + camera[:, 1:]
