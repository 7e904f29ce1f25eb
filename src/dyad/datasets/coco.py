"""Images with the keypoints of people in COCO's format, of any skeleton (COCO, CrowdPose, OCHuman, own files)."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput

_LOG = logging.getLogger(__name__)

# Other names of joints that skeletons here call differently.
_ALIASES = {"thorax": "neck", "mid_hip": "pelvis", "root": "pelvis"}
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "head_top")


@dataclass(frozen=True)
class CocoPerson:
    """One annotated person.

    Attributes:
        xy: (J,2) px, NaN where not labelled. visible: (J,) labelled and not hidden.
        box: (4,) px x0 y0 x1 y1. area: px² of the outline, NaN where the file does not say.
        ignored: a crowd, or nobody's keypoints are labelled: not to be found, yet no error to find.
        crowd: the box holds an unknown number of people.
    """

    xy: NDArray[np.float64]
    visible: NDArray[np.bool_]
    box: NDArray[np.float64]
    area: float
    ignored: bool
    crowd: bool


@dataclass(frozen=True)
class CocoImage:
    """An image on disk and everyone annotated in it; nobody is normal."""

    path: Path
    people: tuple[CocoPerson, ...]


@dataclass(frozen=True)
class CocoFile:
    """One annotation file: names of its J joints, the images that were found, and how many were not."""

    path: Path
    joints: tuple[str, ...]
    images: tuple[CocoImage, ...]
    missing: int


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
        file = _read(path, content)
        if not file.images:
            _LOG.warning("%s: none of its %d images is beside or below it, left out", path, file.missing)
            continue
        found += 1
        yield file
    if not found:
        raise BadInput(f"{folder} holds no COCO-format keypoint file with its images beside or below it")


def read_coco(path: str | Path) -> CocoFile:
    """Read one file. Raises BadInput if it is not COCO-format with keypoints, or contradicts itself."""
    path = Path(path)
    content = _content(path)
    if content is None:
        raise BadInput(f"{path} is not a COCO-format keypoint file: images, annotations and a category with keypoints")
    return _read(path, content)


def _content(path: Path) -> dict[str, Any] | None:
    """The file's content if it is COCO-format and has keypoints, else None."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
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


def _read(path: Path, content: dict[str, Any]) -> CocoFile:
    category = _category(content)
    if category is None:
        raise BadInput(f"{path}: no category has keypoints")
    try:
        joints = tuple(joint_name(name) for name in category["keypoints"])
        # Where a file labels no other point of the head, its "head" is the top: so in CrowdPose.
        if "head" in joints and not set(_FACE) & set(joints):
            joints = tuple("head_top" if name == "head" else name for name in joints)
        annotations: dict[Any, list[CocoPerson]] = {}
        for entry in content["annotations"]:
            if entry.get("category_id", category.get("id")) == category.get("id"):
                annotations.setdefault(entry["image_id"], []).append(_person(entry, len(joints)))
        below = _Below(path.parent)
        images = []
        for entry in content["images"]:
            image = below.find(str(entry["file_name"]))
            if image is not None:
                images.append(CocoImage(image, tuple(annotations.get(entry["id"], ()))))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{path} contradicts COCO's format: {type(error).__name__} {error}") from error
    return CocoFile(path, joints, tuple(images), len(content["images"]) - len(images))


def _person(entry: dict[str, Any], joints: int) -> CocoPerson:
    values = np.array(entry.get("keypoints") or [0] * (3 * joints), dtype=np.float64)
    if values.size != 3 * joints:
        raise ValueError(f"annotation {entry.get('id')} has {values.size} keypoint values, expected {3 * joints}")
    points = values.reshape(joints, 3)
    labelled = (points[:, 2] > 0) & np.isfinite(points).all(-1)
    crowd = bool(entry.get("iscrowd") or 0)
    xy = np.where(labelled[:, None], points[:, :2], np.nan)
    area = entry.get("area")
    return CocoPerson(
        xy=xy,
        visible=labelled & (points[:, 2] >= 2),
        box=_box(entry.get("bbox"), xy[labelled]),
        area=float(area) if area else float("nan"),
        ignored=crowd or not labelled.any(),
        crowd=crowd,
    )


def _box(bbox: list[float] | None, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """x0 y0 x1 y1 from COCO's x y width height; from the labelled joints (n,2) where the file has no box."""
    if bbox is not None:
        x, y, width, height = (float(value) for value in bbox)
        return np.array([x, y, x + width, y + height])
    if not len(points):
        return np.full(4, np.nan)
    return np.concatenate([points.min(0), points.max(0)])


class _Below:
    """Finds images in a folder and below it: where the file says, else anywhere by the last part of the name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_name: dict[str, Path] | None = None

    def find(self, file_name: str) -> Path | None:
        relative = Path(file_name.replace("\\", "/"))
        stated = self._folder / relative
        if not relative.is_absolute() and ".." not in relative.parts and stated.is_file():
            return stated
        if self._by_name is None:
            found = sorted(path for path in self._folder.rglob("*") if path.is_file())
            self._by_name = {path.name: path for path in reversed(found)}
        return self._by_name.get(relative.name)
