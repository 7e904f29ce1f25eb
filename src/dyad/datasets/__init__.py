"""Readers of the data sets of the field: one file each, and one name for each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dyad.core.clip import Clip
from dyad.core.errors import BadUsage
from dyad.datasets.coco import coco_split
from dyad.datasets.crowdpose import crowdpose_split
from dyad.datasets.flyingchairs import read_flyingchairs
from dyad.datasets.flyingthings import read_flyingthings3d
from dyad.datasets.human36m import read_human36m
from dyad.datasets.jta import read_jta
from dyad.datasets.kitti import read_kitti
from dyad.datasets.middlebury import read_middlebury
from dyad.datasets.mpi_inf_3dhp import read_mpi_inf_3dhp
from dyad.datasets.muco import read_muco
from dyad.datasets.mupots_official import read_mupots_official
from dyad.datasets.ochuman import ochuman_split
from dyad.datasets.panoptic import read_panoptic
from dyad.datasets.posetrack import find_posetrack_clips
from dyad.datasets.reading import chosen
from dyad.datasets.sintel import read_sintel
from dyad.datasets.threedpw import read_3dpw


def _of_splits(clips: Callable[[str | Path, str], Iterator[Clip]], name: str, *splits: str) -> Callable[..., Any]:
    """A reader out of one that needs a split: the first of these if none is named."""

    def read(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
        yield from clips(folder, *chosen(split or splits[0], splits, name))

    return read


READERS: dict[str, Callable[..., Iterator[Clip]]] = {
    "3dpw": read_3dpw,
    "coco": _of_splits(lambda *place: coco_split(*place).clips(), "COCO", "val2017", "train2017"),
    "crowdpose": _of_splits(
        lambda *place: crowdpose_split(*place).clips(), "CrowdPose", "test", "train", "val", "trainval"
    ),
    "flyingchairs": read_flyingchairs,
    "flyingthings3d": read_flyingthings3d,
    "human36m": read_human36m,
    "jta": read_jta,
    "kitti": read_kitti,
    "middlebury": read_middlebury,
    "mpi-inf-3dhp": read_mpi_inf_3dhp,
    "muco": read_muco,
    "mupots": read_mupots_official,
    "ochuman": _of_splits(lambda *place: ochuman_split(*place).clips(), "OCHuman", "val", "test", "all"),
    "panoptic": read_panoptic,
    "posetrack18": _of_splits(find_posetrack_clips, "PoseTrack18", "val", "train"),
    "sintel": read_sintel,
}


def read_dataset(name: str, folder: str | Path, *, split: str | None = None, **options: Any) -> Iterator[Clip]:
    """The clips of a data set, by the reader of this name.

    Without `split` all that the folder holds is read; of COCO, CrowdPose, OCHuman and PoseTrack18 the split that is
    used for testing. `options` go to the reader, whose docstring names them. Raises BadUsage for a name or a split
    that there is not; BadInput where the folder does not hold the data set.
    """
    if name not in READERS:
        raise BadUsage(f"there is no reader of {name!r}; there are {', '.join(sorted(READERS))}")
    return READERS[name](folder, split=split, **options)
