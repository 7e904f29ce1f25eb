"""Single images with people whose joints are known: COCO-format files, and frames of MuPoTS-3D's clips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.core.video import Video
from dyad.datasets.coco import CocoPerson, find_coco
from dyad.datasets.mupots import MupotsSequence, find_mupots

EVERY = 25
"""Of a MuPoTS clip each so many frames one is looked at, 0.8 s apart."""


@dataclass(frozen=True)
class Picture:
    """An image and everyone annotated in it, in its px. `key` is the same for the same image; `video` has it alone."""

    key: str
    video: Callable[[], Video]
    people: tuple[CocoPerson, ...]


@dataclass(frozen=True)
class Album:
    """Pictures whose people have the same joints."""

    name: str
    skeleton: Skeleton
    pictures: tuple[Picture, ...]


def find_albums(folder: str | Path, *, every: int = EVERY) -> Iterator[Album]:
    """Every COCO-format keypoint file below a folder, and the clips of MuPoTS-3D in it, of which each `every`-th frame
    counts. Raises BadInput where the folder holds neither."""
    clips = list(find_mupots(folder)) if any(Path(folder).glob("TS*.npz")) else []
    try:
        for file in find_coco(folder):
            pictures = (Picture(str(image.path), partial(Video, image.path), image.people) for image in file.images)
            skeleton = Skeleton.of_names(file.joints, file.path.stem, file.skeleton.source)
            yield Album(str(file.path.relative_to(folder)), skeleton, tuple(pictures))
    except BadInput:
        # Clips alone are enough; what is wrong with a file there is worth a word in any case.
        if not clips or any(Path(folder).rglob("*.json")):
            raise
    yield from (Album(clip.name, clip.skeleton, tuple(_frames(clip, every))) for clip in clips)


def _frames(sequence: MupotsSequence, every: int) -> Iterator[Picture]:
    path = sequence.clip
    if path is None:
        return
    scale = sequence.scale(Video(path).size[0])
    for frame in range(every // 2, len(sequence.xy), every):
        people = []
        for person in np.flatnonzero(sequence.valid[frame]).tolist():
            xy = (sequence.xy[frame, person] + 0.5) / scale - 0.5
            visible = ~sequence.occluded[frame, person]
            box = np.concatenate((np.nanmin(xy, 0), np.nanmax(xy, 0)))
            people.append(CocoPerson(xy, visible, box, float("nan"), ignored=False, crowd=False))
        video = partial(Video, path, frames=slice(frame, frame + 1))
        yield Picture(f"{path}:{frame}", video, tuple(people))
