"""Small trees in the layout of the real data sets, with people who walk in them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from dyad.core.camera import Camera
from dyad.core.skeleton import COCO17
from dyad.datasets.jta import JTA22
from dyad.datasets.muco import MUCO21

from ..datasets import test_human36m
from ..datasets.walking import pixels, walk

CAMERA = Camera.from_focal((160, 120), 240.0)
CROWD = (130.0, 90.0, 20.0, 20.0)
"""x, y, width, height px of a crowd in each image of `coco`."""


def _image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(colours).save(path)


def coco(folder: Path, images: int = 4) -> None:
    """`annotations/person_keypoints_train2017.json` and its images: two people each, and a crowd."""
    listed, people = [], []
    for number in range(1, images + 1):
        name = f"{number:012d}.jpg"
        _image(folder / "train2017" / name, number)
        listed.append({"id": number, "file_name": name, "width": 160, "height": 120})
        for one in pixels(CAMERA, walk(COCO17, frames=1, people=2, seed=number))[0]:
            points = np.concatenate((one, np.full((17, 1), 2)), -1)
            points[3] = 0
            box = [*one.min(0), *np.ptp(one, 0)]
            people.append({"image_id": number, "keypoints": points.ravel().tolist(), "bbox": box, "num_keypoints": 16})
        people.append({"image_id": number, "keypoints": [0] * 51, "bbox": CROWD, "iscrowd": 1, "num_keypoints": 0})
    for number, person in enumerate(people):
        person |= {"id": number, "category_id": 1, "area": 100.0}
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.names)}
    (folder / "annotations").mkdir(parents=True)
    content = {"images": listed, "annotations": people, "categories": [category]}
    (folder / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(content))


def muco(folder: Path, images: int = 4) -> None:
    """`MuCo-3DHP.json` and its images, two people each."""
    listed, people = [], []
    for number in range(images):
        name = f"unaugmented_set/0/{number:06d}.jpg"
        _image(folder / name, number)
        camera = {"f": CAMERA.focal.tolist(), "c": CAMERA.centre.tolist()}
        listed.append({"id": number, "file_name": name, "width": 160, "height": 120, **camera})
        for one in walk(MUCO21, frames=1, people=2, seed=number)[0]:
            told = {"keypoints_cam": (one * 1000).tolist(), "keypoints_img": pixels(CAMERA, one).tolist()}
            people.append({"id": len(people), "image_id": number, **told, "keypoints_vis": [True] * 21})
    folder.mkdir(exist_ok=True)
    (folder / "MuCo-3DHP.json").write_text(json.dumps({"images": listed, "annotations": people}))


def human36m(folder: Path) -> None:
    """The two files of VideoPose3D."""
    folder.mkdir(parents=True)
    test_human36m.write(folder)


def jta(folder: Path, sequences: int = 2) -> None:
    """`annotations/train/seq_N.json`, two people and four frames each."""
    camera = Camera.from_json({"size": [1920, 1080], "focal": 1158.0, "centre": [960.0, 540.0]})
    for number in range(sequences):
        xyz = walk(JTA22, frames=4, people=2, seed=number)
        xy = pixels(camera, xyz)
        rows = [
            [frame + 1, person, joint, *xy[frame, person, joint], *xyz[frame, person, joint], 0, int(joint == 6)]
            for frame in range(4)
            for person in range(2)
            for joint in range(22)
        ]
        path = folder / "annotations" / "train" / f"seq_{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows))
