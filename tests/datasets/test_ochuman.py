import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dyad.core.errors import BadInput
from dyad.core.skeleton import COCO17
from dyad.datasets.ochuman import OCHUMAN19, ochuman_split, read_ochuman

SQUARE = [10, 10, 50, 10, 50, 60, 10, 60]
HOLE = [20, 20, 30, 20, 30, 30, 20, 30]


def annotation(**changes: Any) -> dict[str, Any]:
    keypoints = [value for i in range(19) for value in (10 + i, 20 + i, i % 4)]
    segments = {"outer": [SQUARE], "inner": [HOLE]}
    return {"bbox": [10, 10, 50, 60], "keypoints": keypoints, "segms": segments, "max_iou": 0.7, **changes}


def write(folder: Path, people: list[dict[str, Any]], **more: Any) -> Path:
    (folder / "images").mkdir(exist_ok=True, parents=True)
    Image.new("RGB", (80, 70)).save(folder / "images" / "000817.jpg")
    image = {"image_id": "000817", "file_name": "000817.jpg", "width": 80, "height": 70, "annotations": people}
    path = folder / "ochuman.json"
    path.write_text(json.dumps({"images": [image], **more}))
    return path


def test_a_person_is_read_with_what_the_file_says(tmp_path: Path) -> None:
    write(tmp_path, [annotation()])
    file = ochuman_split(tmp_path, "all")
    (image,) = file.images
    assert (image.id, image.size, image.present) == ("000817", (80, 70), True)
    (person,) = image.people
    missing = np.arange(19) % 4 == 0
    assert np.isnan(person.xy[missing]).all()
    assert person.xy[1].tolist() == [11, 21]
    assert person.visible.tolist() == (np.arange(19) % 4 == 1).tolist(), "2 and 3 are hidden, by the body and by others"
    assert person.box.tolist() == [10, 10, 50, 60]
    assert (person.area, person.overlap, person.ignored) == (2000 - 100, 0.7, False)


def test_people_without_keypoints_or_outline(tmp_path: Path) -> None:
    write(tmp_path, [annotation(keypoints=None), annotation(segms=None)])
    blank, plain = ochuman_split(tmp_path, "all").images[0].people
    assert blank.ignored
    assert np.isnan(plain.area)
    (clip,) = ochuman_split(tmp_path, "all").clips()
    assert clip.video is not None
    assert len(clip.truth) == 1
    labelled = clip.truth.convert(COCO17).xy[0].isfinite().all(-1).tolist()
    assert labelled == [OCHUMAN19.index(name) % 4 != 0 for name in COCO17.names]


def test_names_in_the_file_come_before_ours(tmp_path: Path) -> None:
    names = ["head", "nose", *(name for name in OCHUMAN19 if name not in ("head_top", "nose"))]
    file = read_ochuman(write(tmp_path, [], keypoint_names=names))
    assert file.joints[:2] == ("head_top", "nose")
    assert set(file.joints) == set(OCHUMAN19) > set(COCO17.names)


def test_files_in_cocos_format_are_read(tmp_path: Path) -> None:
    write(tmp_path, [])
    content = {
        "images": [{"id": 3, "file_name": "000817.jpg", "width": 80, "height": 70}],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 5, "keypoints": [1, 2, 2] * 17}
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}],
    }
    (tmp_path / "ochuman_coco_format_test_range_0.00_1.00.json").write_text(json.dumps(content))
    file = ochuman_split(tmp_path, "test")
    assert file.skeleton == COCO17
    assert file.images[0].path == tmp_path / "images" / "000817.jpg"
    assert file.images[0].people[0].area == 5


@pytest.mark.parametrize(
    "people",
    [
        [annotation(bbox=[10, 10, 5, 60])],
        [annotation(bbox=None)],
        [annotation(keypoints=[1, 2, 3])],
        [annotation(segms={"outer": [[1, 2, 3]]})],
        [annotation(segms=[1])],
        [3],
        None,
    ],
)
def test_what_is_malformed_is_refused(tmp_path: Path, people: Any) -> None:
    with pytest.raises(BadInput, match=r"does not hold what ochuman\.json holds"):
        read_ochuman(write(tmp_path, people))


def test_an_absent_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no OCHuman annotations at .*val"):
        ochuman_split(tmp_path, "val")
    with pytest.raises(BadInput, match="there is no file"):
        ochuman_split(tmp_path, "all")
