"""CrowdPose: 20,000 images of people who overlap, with fourteen joints and a number for how entangled an image is.

Layout: `json/crowdpose_{train,val,trainval,test}.json` (COCO's format, without areas) and `images/*.jpg`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.datasets.coco import CocoFile, read_coco

CROWDPOSE14 = Skeleton(
    "crowdpose14",
    (
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "head_top",
        "neck",
    ),
    (
        "neck",
        "neck",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "neck",
        "neck",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "neck",
        "",
    ),
    "clicked",
)
"""The joints in the files' order. Their "head" is the top of the head."""


def crowdpose_split(folder: str | Path, split: str = "test") -> CocoFile:
    """One split: train, val, trainval or test. All images come, also those not on disk (`present` says it).

    Raises BadInput where the file is not there, has other joints, or lacks the `crowdIndex` of an image.
    """
    name = f"crowdpose_{split}.json"
    places = [Path(folder) / part / name for part in ("json", "annotations", "")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise BadInput(f"no CrowdPose annotations at {places[0]}; docs/datasets.md says how to get them")
    file = read_coco(path, keep_missing=True)
    if file.joints != CROWDPOSE14.names:
        raise BadInput(f"{path} should have the joints {', '.join(CROWDPOSE14.names)}, got {', '.join(file.joints)}")
    for image in file.images:
        if not np.isfinite(image.crowd_index):
            raise BadInput(f"{path}: image {image.id} has no crowdIndex, by which CrowdPose is divided")
    return replace(file, skeleton=CROWDPOSE14)
