import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dyad.core.errors import BadInput
from dyad.datasets.crowdpose import CROWDPOSE14, crowdpose_split
from dyad.datasets.truth import HIDDEN

NAMES = [*CROWDPOSE14.names[:12], "head", "neck"]


def write(folder: Path, *, names: list[str] = NAMES, crowd_index: float | None = 0.33, split: str = "test") -> Path:
    """Two images, of which the first is there: one whole person, one of whom only hidden joints are labelled."""
    points = np.random.default_rng(0).integers(1, 80, (2, len(names), 2))
    state = np.full((2, len(names), 1), 2)
    state[1] = 1
    keypoints = np.concatenate([points, state], -1).reshape(2, -1).tolist()
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 90, "height": 100, "crowdIndex": crowd_index} for i in (7, 8)]
    if crowd_index is None:
        images = [{k: v for k, v in image.items() if k != "crowdIndex"} for image in images]
    content = {
        "images": images,
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 30, 40], "iscrowd": 0, "keypoints": keypoints[k]}
            | {"num_keypoints": len(names) * (1 - k)}
            for k in (0, 1)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": names}],
    }
    (folder / "json").mkdir(exist_ok=True, parents=True)
    (folder / "images").mkdir(exist_ok=True)
    Image.new("RGB", (90, 100)).save(folder / "images" / "7.jpg")
    path = folder / "json" / f"crowdpose_{split}.json"
    path.write_text(json.dumps(content))
    return path


def test_the_layout_of_the_data_set_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    file = crowdpose_split(tmp_path)
    assert file.joints == CROWDPOSE14.names == file.skeleton.names
    assert [(i.id, i.present, i.crowd_index) for i in file.images] == [(7, True, 0.33), (8, False, 0.33)]
    assert file.images[0].path == tmp_path / "images" / "7.jpg"
    assert file.missing == 1
    whole, hidden = file.images[0].people
    assert np.isnan(whole.area)
    assert (whole.ignored, hidden.ignored) == (False, True), "who has no visible joint does not count"


def test_clips_hold_hidden_people_too(tmp_path: Path) -> None:
    write(tmp_path)
    first, second = crowdpose_split(tmp_path).clips()
    assert first.video is not None
    assert first.video[0].shape == (100, 90, 3)
    assert first.truth.confidence.tolist() == [[1.0] * 14, [HIDDEN] * 14]
    assert second.video is None
    assert (len(second.truth), second.truth.frames.tolist()) == (0, [0])


def test_skeleton_is_a_tree_from_the_neck() -> None:
    assert CROWDPOSE14.root == "neck"
    assert {CROWDPOSE14.names[i] for p, i in CROWDPOSE14.bones if CROWDPOSE14.names[p] == "left_hip"} == {"left_knee"}
    assert CROWDPOSE14.hops().isfinite().all()


def test_what_is_not_crowdpose_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no CrowdPose annotations"):
        crowdpose_split(tmp_path)
    write(tmp_path, crowd_index=None)
    with pytest.raises(BadInput, match="crowdIndex"):
        crowdpose_split(tmp_path)
    write(tmp_path, names=NAMES[:13])
    with pytest.raises(BadInput, match="should have the joints"):
        crowdpose_split(tmp_path)
