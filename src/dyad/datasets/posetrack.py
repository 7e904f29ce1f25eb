"""PoseTrack18: videos of several people with 2D joints, identities and regions that do not count.

Layout: `annotations/{train,val}/SEQUENCE.json` (some copies put `posetrack_data/` before it), images in
`images/{train,val}/SEQUENCE/000000.jpg` and so on, which the files name from the folder above.
"""

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.skeleton import POSETRACK17, Skeleton
from dyad.core.sources import DEFAULT_FPS
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.coco import MALFORMED, corners, fault, joint_name, person_of, size_of
from dyad.datasets.reading import read_json
from dyad.datasets.stills import Stills
from dyad.datasets.truth import VISIBLE

_LOG = logging.getLogger(__name__)

# A head's size in PCKh is 0.6 of its box's diagonal: near the length of MPII's head segment.
_HEAD_OF_DIAGONAL = 0.6


@dataclass(frozen=True)
class PoseTrackSequence:
    """F frames of one video, N person-frames in the order of the file.

    Attributes:
        name: such as `000342_mpii_test`. files: F images; present: whether all of them are on disk.
        labelled: (F,) whether someone annotated the frame; the others say nothing of who is there.
        regions: F tuples of polygons (K,2) px; people inside were not annotated, and do not count.
        frame: (N,) 0..F-1. person: (N,) identity. xy: (N,17,2) px, NaN where not labelled, as ears
            always are; the files do not tell visible joints from hidden ones.
        box: (N,4) px x0 y0 x1 y1, NaN where not given. head: (N,4) the same of the head.
        size: (width, height) px, None where the file does not say.
    """

    name: str
    files: tuple[Path, ...]
    present: bool
    labelled: NDArray[np.bool_]
    regions: tuple[tuple[NDArray[np.float64], ...], ...]
    frame: NDArray[np.int64]
    person: NDArray[np.int64]
    xy: NDArray[np.float64]
    box: NDArray[np.float64]
    head: NDArray[np.float64]
    size: tuple[int, int] | None
    skeleton: Skeleton = POSETRACK17

    @property
    def head_size(self) -> NDArray[np.float64]:
        """(N,) px, 0.6 of the head box's diagonal, as PCKh takes it; NaN without a head box."""
        return _HEAD_OF_DIAGONAL * np.hypot(*(self.head[:, 2:] - self.head[:, :2]).T)

    def ignored(self, frame: int, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (…,2) px of a frame lie in a region that does not count."""
        inside = np.zeros(np.shape(xy)[:-1], dtype=bool)
        for polygon in self.regions[frame]:
            inside |= _inside(np.asarray(xy, dtype=np.float64), polygon)
        return inside

    def clip(self, *, fps: float = DEFAULT_FPS) -> Clip:
        """The video with its truth, which has rows of annotated frames only: `truth.frames` are those.

        The files state no rate: `fps` does. Raises BadInput where the images' size is neither stated nor to be read.
        """
        source = Stills(self.files, name=self.name, fps=fps) if self.present else None
        video = Video(source) if source else None
        size = self.size or (source.size if source else None)
        if size is None:
            raise BadInput(f"the images of {self.name} are not there, nor does its annotation file say their size")
        known = np.isfinite(self.xy).all(-1)
        truth = Tracks.of_rows(
            skeleton=self.skeleton,
            camera=Camera.guess(size),
            frame=torch.from_numpy(self.frame),
            person=torch.from_numpy(self.person),
            xy=torch.from_numpy(self.xy),
            confidence=torch.from_numpy(np.where(known, VISIBLE, 0.0)),
            box=torch.from_numpy(self.box),
            frames=torch.from_numpy(np.nonzero(self.labelled)[0]),
            fps=fps,
            video=self.name,
        )
        return Clip(video, truth)


def posetrack_split(folder: str | Path, split: str = "val") -> Iterator[PoseTrackSequence]:
    """Every sequence of a split (train or val), by name. Raises BadInput where there is none or one is malformed."""
    root = Path(folder)
    places = [root / part / "annotations" / split for part in ("", "posetrack_data")]
    files = [path for place in places for path in sorted(place.glob("*.json"))]
    if not files:
        raise BadInput(f"no PoseTrack18 annotations at {places[0]}/*.json; docs/datasets.md says how to get them")
    for path in files:
        above = path.parent.parent.parent
        yield read_posetrack(path, images=above if (above / "images").is_dir() else root)


def read_posetrack(path: str | Path, *, images: str | Path | None = None) -> PoseTrackSequence:
    """Read the file of one sequence; its images are named from the folder `images`, else from above `annotations`.

    Raises BadInput for anything but a PoseTrack18 file.
    """
    path = Path(path)
    root = Path(images) if images is not None else path.parent.parent.parent
    content = read_json(path)
    try:
        return _read(path, root, content)
    except MALFORMED as error:
        raise BadInput(f"{path} is no annotation file of PoseTrack18: {fault(error)}") from error


def find_posetrack_clips(folder: str | Path, split: str = "val", *, fps: float = DEFAULT_FPS) -> Iterator[Clip]:
    """The sequences of a split as clips, see `PoseTrackSequence.clip`."""
    for sequence in posetrack_split(folder, split):
        yield sequence.clip(fps=fps)


def _read(path: Path, root: Path, content: Any) -> PoseTrackSequence:
    entries = sorted(content["images"], key=lambda entry: _number(str(entry["file_name"])))
    if not entries:
        raise ValueError("it lists no images")
    place = {entry["id"]: index for index, entry in enumerate(entries)}
    if len(place) != len(entries):
        raise ValueError("two images have one id")
    joints = tuple(joint_name(name) for name in _keypoints(content["categories"]))
    if set(joints) != set(POSETRACK17.names) or len(joints) != len(POSETRACK17):
        raise ValueError(f"its joints should be {', '.join(POSETRACK17.names)}, got {', '.join(joints)}")
    order = [joints.index(name) for name in POSETRACK17.names]

    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for entry in content["annotations"]:
        if entry.get("track_id") is None:
            raise KeyError("track_id")
        if entry["image_id"] not in place:
            raise ValueError(f"an annotation is of image {entry['image_id']!s:.40}, which is not listed")
        key = place[entry["image_id"]], int(entry["track_id"])
        if key in rows:
            raise ValueError(f"track {key[1]} has two annotations in image {entry['image_id']}")
        rows[key] = entry
    people = [person_of(entry, len(joints)) for entry in rows.values()]
    n, number = len(rows), len(joints)
    # Files of the test set say nothing and hold no annotations; a frame with people is labelled whatever it says.
    labelled = np.array([bool(entry.get("is_labeled", False)) for entry in entries])
    frame = np.array([key[0] for key in rows], dtype=np.int64)
    labelled[frame] = True
    files = tuple(_file(root, str(entry["file_name"])) for entry in entries)
    present = all(os.path.isfile(file) for file in files)
    if not present:
        _LOG.info("%s: its images are not all below %s", path, root)
    return PoseTrackSequence(
        name=path.stem,
        files=files,
        present=present,
        labelled=labelled,
        regions=tuple(_regions(entry) for entry in entries),
        frame=frame,
        person=np.array([key[1] for key in rows], dtype=np.int64),
        xy=np.array([p.xy for p in people]).reshape(n, number, 2)[:, order],
        box=np.array([p.box for p in people]).reshape(n, 4),
        head=np.array([_head(entry) for entry in rows.values()]).reshape(n, 4),
        size=next((size for entry in entries if (size := size_of(entry))), None),
    )


def _keypoints(categories: Any) -> list[str]:
    named = [entry["keypoints"] for entry in categories if entry.get("keypoints")]
    if not named:
        raise ValueError("no category names its keypoints")
    return named[0]


def _number(file_name: str) -> tuple[int, str]:
    digits = re.findall(r"\d+", Path(file_name).stem)
    # More digits than any counter has are a name, not a number.
    return (int(digits[-1]) if digits and len(digits[-1]) < 19 else -1), file_name


def _file(root: Path, file_name: str) -> Path:
    relative = Path(file_name.replace("\\", "/"))
    if relative.is_absolute() or ".." in relative.parts or "\0" in file_name or not relative.name:
        raise ValueError(f"an image has the file_name {file_name!r}, expected one below {root}")
    return root / relative


def _regions(entry: dict[str, Any]) -> tuple[NDArray[np.float64], ...]:
    """Polygons (K,2) px of an image; one alone may come without its list."""
    xs, ys = entry.get("ignore_regions_x") or [], entry.get("ignore_regions_y") or []
    if xs and not isinstance(xs[0], list):
        xs, ys = [xs], [ys]
    polygons = []
    for x, y in zip(xs, ys, strict=True):
        polygon = np.array([x, y], dtype=np.float64).T
        if polygon.ndim != 2 or not np.isfinite(polygon).all():
            raise ValueError(f"an ignore region should hold as many finite x as y, got {x} and {y}")
        polygons.append(polygon)
    return tuple(polygons)


def _head(entry: dict[str, Any]) -> NDArray[np.float64]:
    if not entry.get("bbox_head"):
        return np.full(4, np.nan)
    return corners(entry["bbox_head"])


def _inside(xy: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points (…,2) lie in a polygon (K,2): a ray to the right meets its sides an odd number of times."""
    x, y = xy[..., None, 0], xy[..., None, 1]
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return (crosses & (x < at)).sum(-1) % 2 == 1
