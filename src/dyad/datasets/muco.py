"""MuCo-3DHP: pictures composed of people from MPI-INF-3DHP, as `MuCo-3DHP.json` and its images.

(Mehta et al., 3DV 2018. The MATLAB scripts of the data set compose the images; the JSON file, distributed by the
authors of RootNet, states for each image its camera and for each person 21 joints.)
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, about
from dyad.core.skeleton import MUPOTS17, Skeleton
from dyad.core.video import Video
from dyad.datasets.reading import FARTHEST, chosen, numbers, read_json
from dyad.datasets.truth import truth_tracks

_ENDS = {
    "right_hand": "right_wrist",
    "left_hand": "left_wrist",
    "right_toe": "right_ankle",
    "left_toe": "left_ankle",
}
MUCO21 = Skeleton("muco21", (*MUPOTS17.names, *_ENDS), (*MUPOTS17.parent_names, *_ENDS.values()), "captured")


def read_muco(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip of one frame for each image of `MuCo-3DHP.json`, by the image's number; its name is the image's path.

    People who are listed nowhere leave an image without rows. A joint is visible or hidden as `keypoints_vis` says.
    Raises BadInput for files that are missing, damaged, or contradict themselves.
    """
    chosen(split, ("train",), "MuCo-3DHP")
    folder = Path(folder)
    path = next((p for p in (folder / "MuCo-3DHP.json", folder / "annotations/MuCo-3DHP.json") if p.is_file()), None)
    if path is None:
        raise BadInput(f"{folder} holds no MuCo-3DHP.json; docs/datasets.md says where it is expected")
    content = read_json(path)
    people: dict[int, list[dict[str, Any]]] = {}
    try:
        for entry in content["annotations"]:
            people.setdefault(int(entry["image_id"]), []).append(entry)
        images = sorted(content["images"], key=lambda image: int(image["id"]))
        strange = sorted(set(people) - {int(image["id"]) for image in images})
        if strange:
            raise BadInput(f"{path}: somebody is in image {strange[0]}, which is not listed")
        for image in images:
            yield _picture(path, folder, image, people.get(int(image["id"]), []))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise BadInput(f"{path} is not as MuCo-3DHP.json is: {type(error).__name__} {error}") from error


def _picture(path: Path, folder: Path, image: dict[str, Any], people: list[dict[str, Any]]) -> Clip:
    what = f"{path}, image {image['id']}"
    focal = numbers(image["f"], f"{what}, f", (2,), limit=1e5)
    centre = numbers(image["c"], f"{what}, c", (2,), limit=1e5)
    size = int(image["width"]), int(image["height"])
    with about(what):
        camera = Camera(size, torch.from_numpy(focal), torch.from_numpy(centre), source="file")
    xyz, xy, hidden = np.empty((len(people), 21, 3)), np.empty((len(people), 21, 2)), np.empty((len(people), 21))
    for at, entry in enumerate(people):
        xyz[at] = numbers(entry["keypoints_cam"], f"{what}, keypoints_cam", (21, 3), limit=FARTHEST * 1000) / 1000
        xy[at] = numbers(entry["keypoints_img"], f"{what}, keypoints_img", (21, 2))
        hidden[at] = numbers(entry["keypoints_vis"], f"{what}, keypoints_vis", (21,), flat=True) == 0
    truth = truth_tracks(
        skeleton=MUCO21,
        camera=camera,
        frame=np.zeros(len(people), dtype=np.int64),
        person=np.arange(len(people)),
        xyz=xyz,
        xy=xy,
        hidden=hidden.astype(bool),
        frames=np.zeros(1, dtype=np.int64),
        video=str(image["file_name"]),
    )
    file = _image(folder, str(image["file_name"]))
    return Clip(Video(file, camera=camera) if file else None, truth)


def _image(folder: Path, name: str) -> Path | None:
    """The image's file, if it lies inside the folder."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise BadInput(f"MuCo-3DHP.json names the image {name}, which lies outside its folder")
    # os.path's answers "no" where pathlib's raises: for names too long.
    return next((p for p in (folder / relative, folder / "images" / relative) if os.path.isfile(p)), None)
