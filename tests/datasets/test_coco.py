import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.core.skeleton import COCO17
from dyad.datasets.coco import find_coco, joint_name, read_coco

JOINTS = ["nose", "Left Shoulder", "rightShoulder", "neck"]


def annotation(image: int = 1, **changes: Any) -> dict[str, Any]:
    """One person with three of four joints labelled."""
    base = {
        "id": 5,
        "image_id": image,
        "category_id": 1,
        "keypoints": [10, 20, 2, 30, 40, 1, 0, 0, 0, 50.5, 60.5, 2],
        "bbox": [5, 6, 50, 60],
        "num_keypoints": 3,
    }
    return {k: v for k, v in {**base, **changes}.items() if v is not None}


def write(
    folder: Path, annotations: list[dict[str, Any]], *, file_name: str = "a.jpg", name: str = "x.json", **more
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "images": [{"id": 1, "file_name": file_name, "width": 100, "height": 90}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": JOINTS}],
        **more,
    }
    (folder / name).write_text(json.dumps(content))
    return folder / name


def test_a_person_is_read_with_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    file = read_coco(write(tmp_path, [annotation(area=123.0, iscrowd=0)]))
    assert file.joints == ("nose", "left_shoulder", "right_shoulder", "neck")
    (person,) = file.images[0].people
    assert person.xy[[0, 1, 3]].tolist() == [[10, 20], [30, 40], [50.5, 60.5]]
    assert np.isnan(person.xy[2]).all()
    assert person.visible.tolist() == [True, False, False, True]
    assert person.box.tolist() == [5, 6, 55, 66]
    assert (person.area, person.ignored, person.crowd) == (123, False, False)


def test_absent_area_crowd_flag_and_box_are_tolerated(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    file = read_coco(write(tmp_path, [annotation(bbox=None, num_keypoints=None)]))
    (person,) = file.images[0].people
    assert np.isnan(person.area)
    assert person.box.tolist() == [10, 20, 50.5, 60.5]
    assert not person.ignored


def test_crowds_and_people_without_labels_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    blank = annotation(keypoints=[0] * 12, num_keypoints=0)
    boxed = annotation(keypoints=None)
    file = read_coco(write(tmp_path, [annotation(iscrowd=1), blank, boxed, annotation()]))
    assert [(p.ignored, p.crowd) for p in file.images[0].people] == [
        (True, True),
        (True, False),
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ("a.jpg", "a.jpg"),
        ("val/a.jpg", "val/a.jpg"),
        ("a.jpg", "images/deep/a.jpg"),
        ("/far/away/a.jpg", "images/a.jpg"),
    ],
)
def test_images_are_found_beside_or_below(tmp_path: Path, stated: str, place: str) -> None:
    image = tmp_path / place
    image.parent.mkdir(parents=True, exist_ok=True)
    image.touch()
    assert read_coco(write(tmp_path, [], file_name=stated)).images[0].path == image


def test_an_image_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    file = read_coco(write(tmp_path / "sub", [], file_name="../a.jpg"))
    assert (file.images, file.missing) == ((), 1)


def test_every_file_with_images_is_found_and_other_json_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("one", "two/deep"):
        write(tmp_path / folder, [annotation()])
        (tmp_path / folder / "a.jpg").touch()
    write(tmp_path / "three", [annotation()], file_name="nowhere.jpg")
    write(tmp_path / "four", [], categories=[{"id": 1, "name": "cat"}])
    (tmp_path / "results.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "settings.json").write_text('{"images": 3}')
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with caplog.at_level(logging.WARNING):
        found = [str(file.path.relative_to(tmp_path)) for file in find_coco(tmp_path)]
    assert found == ["one/x.json", "two/deep/x.json"]
    assert "three" in caplog.text


def test_images_without_people_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert read_coco(write(tmp_path, [])).images[0].people == ()


def test_other_categories_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    categories = [
        {"id": 7, "name": "horse", "keypoints": ["muzzle"]},
        {"id": 1, "name": "person", "keypoints": JOINTS},
    ]
    file = read_coco(write(tmp_path, [annotation(), annotation(category_id=7)], categories=categories))
    assert file.joints[0] == "nose"
    assert len(file.images[0].people) == 1


def test_names_are_brought_to_one_spelling() -> None:
    assert {joint_name(n) for n in ("Left Ankle", "left-ankle", "leftAnkle", " left_ankle")} == {"left_ankle"}
    assert joint_name("thorax") == "neck"


def test_the_head_of_a_file_without_a_face_is_its_top(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    for joints, expected in ((["head", "neck"], "head_top"), (["head", "nose"], "head")):
        category = {"id": 1, "name": "person", "keypoints": joints}
        assert read_coco(write(tmp_path, [], categories=[category])).joints[0] == expected


def test_contradictions_are_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(BadInput, match="3 keypoint values, expected 12"):
        read_coco(write(tmp_path, [annotation(keypoints=[1, 2, 2])]))
    with pytest.raises(BadInput, match="image_id"):
        read_coco(write(tmp_path, [annotation(image_id=None)]))
    with pytest.raises(BadInput, match="holds no COCO-format"):
        list(find_coco(tmp_path / "nowhere"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(BadInput, match="not a COCO-format"):
        read_coco(tmp_path / "list.json")


def test_the_real_files_hold_the_people_they_should(real: Path) -> None:
    if not (real / "images").is_dir():
        pytest.skip("no image sample")
    files = {file.path.parent.name: file for file in find_coco(real / "images")}
    people = {name: sum(not p.ignored for i in f.images for p in i.people) for name, f in files.items()}
    assert {name: len(f.images) for name, f in files.items()} == {"coco": 4, "crowdpose": 2, "ochuman": 3}
    assert people == {"coco": 12, "crowdpose": 4, "ochuman": 5}
    assert files["coco"].joints == COCO17.names
    assert files["crowdpose"].joints[-2:] == ("head_top", "neck")
