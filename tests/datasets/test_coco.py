import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dyad.core.errors import BadInput
from dyad.core.skeleton import COCO17
from dyad.datasets.coco import CocoFile, coco_split, find_coco, joint_name, read_coco
from dyad.datasets.ochuman import read_ochuman
from dyad.datasets.posetrack import PoseTrackSequence, read_posetrack
from dyad.datasets.truth import HIDDEN

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


def test_a_person_whose_keypoints_do_not_count_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (person,) = read_coco(write(tmp_path, [annotation(num_keypoints=0)])).images[0].people
    assert person.ignored


def coco_tree(folder: Path, *, size: tuple[int, int] = (100, 90), joints: tuple[str, ...] = COCO17.names) -> None:
    """COCO as it is unpacked, with one of two images on disk."""
    (folder / "val2017").mkdir(exist_ok=True)
    Image.new("RGB", size).save(folder / "val2017" / "000000000785.jpg")
    keypoints = [value for i in range(len(joints)) for value in (10 + i, 20 + i, i % 3)]
    people = [
        annotation(785, keypoints=keypoints, area=99.5, iscrowd=0),
        annotation(785, keypoints=[1] * 51, num_keypoints=17, iscrowd=1, area=7.0),
    ]
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 100, "height": 90} for i in (785, 1000)]
    category = {"id": 1, "name": "person", "keypoints": list(joints)}
    name = "person_keypoints_val2017.json"
    write(folder / "annotations", people, name=name, images=images, categories=[category])


def test_the_layout_of_coco_is_read(tmp_path: Path) -> None:
    coco_tree(tmp_path)
    file = coco_split(tmp_path, "val2017")
    assert file.skeleton == COCO17
    assert [(i.id, i.present, i.size, len(i.people)) for i in file.images] == [
        (785, True, (100, 90), 2),
        (1000, False, (100, 90), 0),
    ]
    assert file.images[0].path == tmp_path / "val2017" / "000000000785.jpg"
    assert file.images[0].people[0].area == 99.5
    assert [len(f.images) for f in find_coco(tmp_path)] == [1]


def test_an_image_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    coco_tree(tmp_path)
    first, second = coco_split(tmp_path).clips()
    assert first.video is not None
    assert first.video[0].shape == (90, 100, 3)
    assert (len(first.video), first.name) == (1, "000000000785.jpg")
    truth = first.truth
    assert (truth.frame.tolist(), truth.person.tolist()) == ([0], [0]), "a crowd is nobody in particular"
    assert truth.confidence[0, :3].tolist() == [0, HIDDEN, 1]
    assert truth.xy[0, 0].isnan().all()
    assert truth.xy[0, 1].tolist() == [11, 21]
    assert truth.box[0].tolist() == [5, 6, 55, 66]
    assert truth.xyz.isnan().all()
    assert (second.video, second.truth.camera.size, len(second.truth)) == (None, (100, 90), 0)


def test_an_image_of_another_size_than_annotated_is_said(tmp_path: Path) -> None:
    coco_tree(tmp_path, size=(90, 100))
    with pytest.raises(BadInput, match="90x100 px, its annotations say 100x90"):
        next(coco_split(tmp_path).clips())


def test_a_split_that_is_absent_or_of_other_joints_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no COCO keypoints at .*train2017"):
        coco_split(tmp_path, "train2017")
    coco_tree(tmp_path, joints=COCO17.names[::-1])
    with pytest.raises(BadInput, match="should have COCO's joints"):
        coco_split(tmp_path)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=5),
    st.just("x" * 5000),
    st.lists(st.integers(-3, 3), max_size=4),
    st.just({}),
)


def damaged(value: Any, data: st.DataObject) -> Any:
    """The value with one part, at any depth, replaced by junk or taken away."""
    parts = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not parts or data.draw(st.integers(0, 5)) == 0:
        return data.draw(JUNK)
    part = data.draw(st.sampled_from(parts))
    if data.draw(st.integers(0, 9)) == 0:
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if k != part}
        return [v for k, v in enumerate(value) if k != part]
    changed = value.copy()
    changed[part] = damaged(value[part], data)
    return changed


def use(file: CocoFile | PoseTrackSequence) -> None:
    """Make every clip of it."""
    for clip in file.clips() if isinstance(file, CocoFile) else [file.clip()]:
        assert not clip.truth.xy.isinf().any()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    Image.new("RGB", (100, 90)).save(tmp_path / "a.jpg")
    coco = json.loads(write(tmp_path, [annotation(area=3, iscrowd=0)]).read_text())
    keypoints = [1, 2, 2] * 17
    person = annotation(keypoints=keypoints, track_id=1, bbox_head=[1, 2, 3, 4])
    image = {"id": 1, "file_name": "images/a.jpg", "width": 100, "height": 90}
    image |= {"ignore_regions_x": [[1, 2, 3]], "ignore_regions_y": [[1, 2, 4]]}
    category = {"id": 1, "keypoints": [n if "eye" not in n else f"head_{n[:4]}" for n in COCO17.names]}
    category["keypoints"] = ["head_bottom", "head_top", *(n for n in COCO17.names if "eye" not in n)]
    posetrack = {"images": [image], "annotations": [person], "categories": [category]}
    one = {"bbox": [1, 2, 3, 4], "keypoints": [1, 2, 3] * 19, "segms": {"outer": [[1, 2, 3, 4, 5, 7]], "inner": []}}
    ochuman = {"images": [{"image_id": "1", "file_name": "a.jpg", "width": 100, "height": 90, "annotations": [one]}]}
    content, read = data.draw(
        st.sampled_from([(coco, read_coco), (posetrack, read_posetrack), (ochuman, read_ochuman)])
    )
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(content))
    use(read(path))
    path.write_text(json.dumps(damaged(content, data)))
    said = ""
    try:
        use(read(path))
    except BadInput as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 800


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe\x00", b"3"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    for read in (read_coco, read_posetrack, read_ochuman):
        with pytest.raises(BadInput):
            read(path)


def test_the_real_files_hold_the_people_they_should(real: Path) -> None:
    if not (real / "images").is_dir():
        pytest.skip("no image sample")
    files = {file.path.parent.name: file for file in find_coco(real / "images")}
    people = {name: sum(not p.ignored for i in f.images for p in i.people) for name, f in files.items()}
    assert {name: len(f.images) for name, f in files.items()} == {"coco": 4, "crowdpose": 2, "ochuman": 3}
    assert people == {"coco": 12, "crowdpose": 4, "ochuman": 5}
    assert files["coco"].joints == COCO17.names
    assert files["crowdpose"].joints[-2:] == ("head_top", "neck")
    for name, file in files.items():
        for image, clip in zip(file.images, file.clips(), strict=True):
            assert clip.video is not None, "each size is the stated one, or the clip would not come"
            labelled = [p for p in image.people if not p.crowd and np.isfinite(p.xy).any()]
            assert len(clip.truth) == len(labelled), name
    assert {i.crowd_index for i in files["crowdpose"].images} != {np.nan}
