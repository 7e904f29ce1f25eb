"""Images with the keypoints of people in COCO's format, of any skeleton (COCO, CrowdPose, OCHuman, own files).

COCO itself: `annotations/person_keypoints_{train,val}2017.json` with the images in `train2017/` and `val2017/`.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.sizes import check_size
from dyad.core.skeleton import COCO17, Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.reading import read_json
from dyad.datasets.truth import HIDDEN, VISIBLE

_LOG = logging.getLogger(__name__)

FARTHEST = 1e6
"""px; coordinates beyond it are no places in an image."""

# Other names of joints that skeletons here call differently.
_ALIASES = {"thorax": "neck", "head_bottom": "neck", "mid_hip": "pelvis", "root": "pelvis"}
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "head_top")
# Data sets keep annotations in a folder of their own, with the images beside that folder.
_ANNOTATION_FOLDERS = ("annotations", "json")
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError)
"""What code that reads a file's fields raises where the file does not hold what it should."""


@dataclass(frozen=True)
class CocoPerson:
    """One annotated person.

    Attributes:
        xy: (J,2) px, NaN where not labelled. visible: (J,) labelled and not hidden.
        box: (4,) px x0 y0 x1 y1. area: px² of the outline, NaN where the file does not say.
        ignored: a crowd, or nobody's keypoints count by the file: not to be found, yet no error to find.
        crowd: the box holds an unknown number of people.
        overlap: largest IoU with another person's box, where the file says it (OCHuman), else NaN.
    """

    xy: NDArray[np.float64]
    visible: NDArray[np.bool_]
    box: NDArray[np.float64]
    area: float
    ignored: bool
    crowd: bool
    overlap: float = float("nan")


@dataclass(frozen=True)
class CocoImage:
    """An image and everyone annotated in it; nobody is normal.

    Attributes:
        path: the image on disk; where it should be, if it is not `present`.
        id: its number in the file. size: (width, height) px, None where the file does not say.
        crowd_index: 0..1, how entangled its people are (CrowdPose), NaN where the file does not say.
    """

    path: Path
    people: tuple[CocoPerson, ...]
    id: int | str = 0
    size: tuple[int, int] | None = None
    crowd_index: float = float("nan")
    present: bool = True

    def clip(self, skeleton: Skeleton) -> Clip:
        """This image as a video of one frame, with the people of whom a joint is labelled, numbered from 0.

        Crowds are left out: nobody knows how many they are. Raises BadInput where the size of the image is neither
        in the file nor to be read, or where the two differ.
        """
        video = Video(self.path) if self.present else None
        size = self.size or (video.size if video else None)
        if size is None:
            raise BadInput(f"{self.path} is not there and its annotations do not say its size: one of them is needed")
        if video and video.size != size:
            raise BadInput(
                f"{self.path} is {video.size[0]}x{video.size[1]} px, its annotations say {size[0]}x{size[1]}"
            )
        people = [p for p in self.people if not p.crowd and np.isfinite(p.xy).all(-1).any()]
        n, joints = len(people), len(skeleton)
        visible = np.array([p.visible for p in people], dtype=bool).reshape(n, joints)
        xy = np.array([p.xy for p in people]).reshape(n, joints, 2)
        confidence = np.where(visible, VISIBLE, np.where(np.isfinite(xy).all(-1), HIDDEN, 0.0))
        truth = Tracks.of_rows(
            skeleton=skeleton,
            camera=Camera.guess(size),
            frame=torch.zeros(n),
            person=torch.arange(n),
            xy=torch.from_numpy(xy),
            confidence=torch.from_numpy(confidence),
            box=torch.from_numpy(np.array([p.box for p in people]).reshape(n, 4)),
            frames=torch.zeros(1),
            video=self.path.name,
        )
        return Clip(video, truth)


@dataclass(frozen=True)
class CocoFile:
    """One annotation file: names of its J joints, its images, and how many images are not on disk."""

    path: Path
    joints: tuple[str, ...]
    images: tuple[CocoImage, ...]
    missing: int
    skeleton: Skeleton

    def clips(self) -> Iterator[Clip]:
        """Every image as a clip of one frame, see `CocoImage.clip`."""
        for image in self.images:
            yield image.clip(self.skeleton)


def joint_name(name: str) -> str:
    """A joint's name in the spelling of this package: `Left Shoulder` and `leftShoulder` are `left_shoulder`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    plain = re.sub(r"[\s\-]+", "_", spaced).lower()
    return _ALIASES.get(plain, plain)


def find_coco(folder: str | Path) -> Iterator[CocoFile]:
    """Every COCO-format keypoint file in a folder and below it, by path, of which at least one image is there.

    Other JSON is passed over. Raises BadInput where there is no such file, or where one contradicts itself.
    """
    found = 0
    for path in sorted(Path(folder).rglob("*.json")):
        content = _content(path)
        if content is None:
            continue
        file = _read(path, content, Images(path), keep_missing=False)
        if not file.images:
            _LOG.warning("%s: none of its %d images is beside or below it, left out", path, file.missing)
            continue
        found += 1
        yield file
    if not found:
        raise BadInput(f"{folder} holds no COCO-format keypoint file with its images beside or below it")


def read_coco(path: str | Path, *, images: str | Path | None = None, keep_missing: bool = False) -> CocoFile:
    """Read one file. Raises BadInput if it is not COCO-format with keypoints, or contradicts itself.

    Images are looked for in the folder `images`, else beside and below the file and, where its folder is named
    `annotations` or `json`, beside and below that folder. Those that are not on disk are left out (`missing` counts
    them), or come with `present` False if `keep_missing`.
    """
    path = Path(path)
    content = _content(path)
    if content is None:
        raise BadInput(f"{path} is not a COCO-format keypoint file: images, annotations and a category with keypoints")
    return _read(path, content, Images(path, images), keep_missing=keep_missing)


def coco_split(folder: str | Path, split: str = "val2017") -> CocoFile:
    """COCO as it is unpacked: `annotations/person_keypoints_SPLIT.json` with its images in `SPLIT/`.

    All images come, also those that are not on disk (`present` says it). Raises BadInput where the file is not there
    or does not have COCO's 17 joints.
    """
    path = Path(folder) / "annotations" / f"person_keypoints_{split}.json"
    if not path.is_file():
        raise BadInput(f"no COCO keypoints at {path}; unpack annotations_trainval2017.zip in {folder}")
    file = read_coco(path, keep_missing=True)
    if file.joints != COCO17.names:
        raise BadInput(f"{path} should have COCO's joints {', '.join(COCO17.names)}, got {', '.join(file.joints)}")
    return replace(file, skeleton=COCO17)


def fault(error: Exception) -> str:
    """What one of `MALFORMED` says, in one line that is not long whatever the file holds."""
    said = " ".join(str(error).split())[:300]
    if isinstance(error, KeyError):
        return f"{said} is missing"
    return said if type(error) is ValueError else f"{type(error).__name__}, {said}"


def size_of(entry: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) px of an image's entry, None where it does not say. Raises what `MALFORMED` lists."""
    if entry.get("width") is None or entry.get("height") is None:
        return None
    width, height = int(entry["width"]), int(entry["height"])
    try:
        check_size(width, height, str(entry.get("file_name"))[:80])
    except BadInput as error:
        raise ValueError(str(error)) from error
    return width, height


def person_of(entry: dict[str, Any], joints: int) -> CocoPerson:
    """One annotation of a file whose people have so many joints; raises what `MALFORMED` lists."""
    values = np.array(entry.get("keypoints") or [0] * (3 * joints), dtype=np.float64)
    if values.size != 3 * joints:
        raise ValueError(f"annotation {entry.get('id')!s:.40} has {values.size} keypoint values, expected {3 * joints}")
    points = values.reshape(joints, 3)
    labelled = (points[:, 2] > 0) & np.isfinite(points).all(-1)
    if (np.abs(points[labelled, :2]) > FARTHEST).any():
        raise ValueError(f"annotation {entry.get('id')!s:.40} has a keypoint more than {FARTHEST:.0e} px away")
    crowd = bool(entry.get("iscrowd") or 0)
    xy = np.where(labelled[:, None], points[:, :2], np.nan)
    area = float(entry.get("area") or "nan")
    # CrowdPose counts visible joints only, so that a person of labelled but hidden joints does not count.
    counted = entry.get("num_keypoints")
    return CocoPerson(
        xy=xy,
        visible=labelled & (points[:, 2] >= 2),
        box=_box(entry.get("bbox"), xy[labelled]),
        area=area if 0 < area < np.inf else float("nan"),
        ignored=crowd or not labelled.any() or (counted is not None and int(counted) == 0),
        crowd=crowd,
    )


def corners(bbox: Any) -> NDArray[np.float64]:
    """x0 y0 x1 y1 of COCO's x y width height, also where a side is negative; ValueError or TypeError for no box."""
    x, y, width, height = (float(value) for value in bbox)
    if not (np.abs([x, y, width, height]) <= FARTHEST).all():
        raise ValueError(f"a bbox is x y width height in px, got {bbox}")
    return np.array([min(x, x + width), min(y, y + height), max(x, x + width), max(y, y + height)])


class Images:
    """Finds the images of an annotation file: where the file says, else anywhere by the last part of the name."""

    def __init__(self, file: Path, folder: str | Path | None = None) -> None:
        beside = file.parent
        if folder is not None:
            self._roots = (Path(folder),)
        elif beside.name in _ANNOTATION_FOLDERS:
            self._roots = (beside, beside.parent)
        else:
            self._roots = (beside,)
        # person_keypoints_val2017.json has its images in val2017.
        split = file.stem.rpartition("_")[2]
        self._usual = [root / part for root in self._roots for part in ("", split, "images", f"images/{split}")]
        self._by_name: dict[str, Path] | None = None

    def place(self, file_name: str) -> tuple[Path, bool]:
        """Where the image is, or where it should be, and whether it is there. ValueError for what is no file's name."""
        relative = Path(file_name.replace("\\", "/"))
        if "\0" in file_name or not relative.name:
            raise ValueError(f"an image has the file_name {file_name!r}")
        if not relative.is_absolute() and ".." not in relative.parts:
            for folder in self._usual:
                # os.path's answers "no" where pathlib's raises: for names too long.
                if os.path.isfile(folder / relative):
                    return folder / relative, True
        if self._by_name is None:
            found = [path for root in self._roots for path in sorted(root.rglob("*")) if path.is_file()]
            self._by_name = {path.name: path for path in reversed(found)}
        found = self._by_name.get(relative.name)
        return (found, True) if found else (self._roots[-1] / relative.name, False)


def _content(path: Path) -> dict[str, Any] | None:
    """The file's content if it is COCO-format and has keypoints, else None."""
    try:
        content = read_json(path)
    except BadInput:
        _LOG.info("%s cannot be read as JSON: passed over", path)
        return None
    if not isinstance(content, dict):
        return None
    if not all(isinstance(content.get(part), list) for part in ("images", "annotations", "categories")):
        return None
    return content if _category(content) is not None else None


def _category(content: dict[str, Any]) -> dict[str, Any] | None:
    """The category with keypoints; where several have them (animals), that of people."""
    having = [entry for entry in content["categories"] if isinstance(entry, dict) and entry.get("keypoints")]
    people = [entry for entry in having if entry.get("name") == "person"]
    return (people or having or [None])[0]


def _read(path: Path, content: dict[str, Any], where: Images, *, keep_missing: bool) -> CocoFile:
    category = _category(content)
    if category is None:
        raise BadInput(f"{path}: no category has keypoints")
    try:
        joints = tuple(joint_name(name) for name in category["keypoints"])
        # Where a file labels no other point of the head, its "head" is the top: so in CrowdPose.
        if "head" in joints and not set(_FACE) & set(joints):
            joints = tuple("head_top" if name == "head" else name for name in joints)
        if not all(joints):
            raise ValueError("a joint has no name")
        if len(set(joints)) != len(joints):
            raise ValueError(f"a joint is named twice: {', '.join(joints)}")
        annotations: dict[Any, list[CocoPerson]] = {}
        for entry in content["annotations"]:
            if entry.get("category_id", category.get("id")) == category.get("id"):
                annotations.setdefault(entry["image_id"], []).append(person_of(entry, len(joints)))
        images = []
        for entry in content["images"]:
            place, present = where.place(str(entry["file_name"]))
            people, crowding = tuple(annotations.get(entry["id"], ())), entry.get("crowdIndex")
            crowd_index = float("nan") if crowding is None else float(crowding)
            images.append(CocoImage(place, people, entry["id"], size_of(entry), crowd_index, present))
    except MALFORMED as error:
        raise BadInput(f"{path} contradicts COCO's format: {fault(error)}") from error
    missing = sum(not image.present for image in images)
    if missing:
        _LOG.info("%s: %d of its %d images are not on disk", path, missing, len(images))
    kept = tuple(image for image in images if image.present or keep_missing)
    skeleton = COCO17 if joints == COCO17.names else Skeleton.of_names(joints, path.stem, "clicked")
    return CocoFile(path, joints, kept, missing, skeleton)


def _box(bbox: list[float] | None, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The stated box, else that of the labelled joints (n,2)."""
    if bbox is not None:
        return corners(bbox)
    if not len(points):
        return np.full(4, np.nan)
    return np.concatenate([points.min(0), points.max(0)])
