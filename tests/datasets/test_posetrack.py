import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dyad.core.errors import BadInput
from dyad.core.skeleton import POSETRACK17
from dyad.datasets.posetrack import find_posetrack_clips, posetrack_split, read_posetrack
from dyad.estimates.reading import read_people

NAME = "000342_mpii_test"
BASE = 10003420000
KEYPOINTS = [{"neck": "head_bottom"}.get(name, name) for name in POSETRACK17.names]
"""As the files name them."""


def joints(person: int, frame: int) -> np.ndarray:
    """Joints (17,3) whose ears are not labelled, as in the data set."""
    points = np.random.default_rng(person).uniform(5, 60, (17, 2)).round(2) + frame
    state = np.array([float("ear" not in name) for name in POSETRACK17.names])
    return np.concatenate([points * state[:, None], state[:, None]], -1)


def annotation(person: int, frame: int, **changes: Any) -> dict[str, Any]:
    entry = {
        "id": 100 * (BASE + frame) + person,
        "image_id": BASE + frame,
        "track_id": person,
        "category_id": 1,
        "keypoints": joints(person, frame).ravel().tolist(),
        "scores": [],
        "bbox": [10.5, 20, 30, 40],
        "bbox_head": [12, 20, 6, 8],
    }
    return {k: v for k, v in {**entry, **changes}.items() if v is not None}


def content(annotations: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Four frames of which 1 and 2 are labelled; frame 1 has a region that does not count."""
    images = [
        {
            "file_name": f"images/val/{NAME}/{frame:06d}.jpg",
            "id": BASE + frame,
            "frame_id": BASE + frame,
            "vid_id": "000342",
            "nframes": 4,
            "is_labeled": frame in (1, 2),
        }
        for frame in (3, 0, 1, 2)
    ]
    images[2] |= {"ignore_regions_x": [[0, 20, 20, 0]], "ignore_regions_y": [[0, 0, 10, 10]]}
    category = {"id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": [[16, 14]]}
    return {"images": images, "annotations": annotations, "categories": [category], **changes}


def write(folder: Path, value: Any, *, pictures: int = 4) -> Path:
    path = folder / "annotations" / "val" / f"{NAME}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    place = folder / "images" / "val" / NAME
    place.mkdir(parents=True, exist_ok=True)
    for frame in range(pictures):
        Image.new("RGB", (96, 80), (60 * frame, 0, 0)).save(place / f"{frame:06d}.jpg")
    return path


TWO = [annotation(4, 1), annotation(4, 2), annotation(9, 2)]


def test_a_sequence_is_read_in_the_order_of_its_frames(tmp_path: Path) -> None:
    write(tmp_path, content(TWO))
    (sequence,) = posetrack_split(tmp_path, "val")
    assert (sequence.name, sequence.present, len(sequence.files)) == (NAME, True, 4)
    assert [file.stem for file in sequence.files] == ["000000", "000001", "000002", "000003"]
    assert sequence.labelled.tolist() == [False, True, True, False]
    assert (sequence.frame.tolist(), sequence.person.tolist()) == ([1, 2, 2], [4, 4, 9])
    ears = POSETRACK17.indices("left_ear", "right_ear")
    assert np.isnan(sequence.xy[:, ears]).all()
    nose = POSETRACK17.index("nose")
    assert np.allclose(sequence.xy[1, nose], joints(4, 2)[nose, :2])
    assert sequence.box[0].tolist() == [10.5, 20, 40.5, 60]
    assert sequence.head_size.tolist() == pytest.approx([6.0] * 3), "0.6 of the diagonal of 6 by 8"


def test_the_clip_has_truth_for_labelled_frames_only(tmp_path: Path) -> None:
    write(tmp_path, content([*TWO[:1], annotation(9, 1)]))
    (clip,) = find_posetrack_clips(tmp_path, "val", fps=25)
    assert clip.video is not None
    assert (len(clip.video), clip.video.fps, clip.name) == (4, 25, NAME)
    assert clip.video[3][0, 0, 0] > clip.video[1][0, 0, 0]
    assert clip.truth.frames.tolist() == [1, 2], "frame 2 was labelled and is empty"
    assert clip.truth.people == [4, 9]
    assert clip.truth.time.tolist() == pytest.approx([1 / 25] * 2)
    assert clip.truth.confidence.sum(-1).tolist() == [15, 15]
    assert clip.truth.xyz.isnan().all()


def test_an_estimate_of_the_same_joints_is_judged_on_all_that_are_labelled(tmp_path: Path) -> None:
    write(tmp_path, content(TWO))
    clip = next(posetrack_split(tmp_path)).clip()
    demo = {"image_path": "000001.jpg", "candidates": [{"keypoints": joints(4, 1).tolist(), "det_score": 1.0}]}
    path = tmp_path / "dcpose.json"
    path.write_text(json.dumps({"Info": [demo]}))
    found = read_people(path, camera=clip.truth.camera).rows.convert(clip.truth.skeleton)
    labelled = clip.truth.confidence[0] > 0
    assert int(labelled.sum()) == 15
    assert torch.equal(found.xy[0, labelled], clip.truth.xy[0, labelled])


def test_without_images_the_stated_size_is_needed(tmp_path: Path) -> None:
    write(tmp_path, content(TWO), pictures=3)
    (sequence,) = posetrack_split(tmp_path)
    assert not sequence.present
    with pytest.raises(BadInput, match="size"):
        sequence.clip()
    value = content(TWO)
    value["images"][0] |= {"width": 96, "height": 80}
    write(tmp_path, value, pictures=0)
    clip = next(posetrack_split(tmp_path)).clip()
    assert (clip.video, clip.truth.camera.size) == (None, (96, 80))


def test_points_in_regions_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, content(TWO))
    (sequence,) = posetrack_split(tmp_path)
    points = np.array([[5.0, 5], [19, 9], [21, 5], [5, 11], [np.nan, 5]])
    assert sequence.ignored(1, points).tolist() == [True, True, False, False, False]
    assert not sequence.ignored(2, points).any()


def test_a_region_may_have_a_bay(tmp_path: Path) -> None:
    value = content(TWO)
    value["images"][2] |= {"ignore_regions_x": [[0, 30, 30, 20, 20, 10, 10, 0]]}
    value["images"][2] |= {"ignore_regions_y": [[0, 0, 30, 30, 10, 10, 30, 30]]}
    write(tmp_path, value)
    points = np.array([[5.0, 20], [15, 20], [25, 20], [15, 5]])
    assert next(posetrack_split(tmp_path)).ignored(1, points).tolist() == [True, False, True, True]


def test_joints_come_by_name(tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(17)
    keypoints = joints(4, 1)[order].ravel().tolist()
    category = {"id": 1, "name": "person", "keypoints": [KEYPOINTS[i] for i in order]}
    write(tmp_path, content([annotation(4, 1, keypoints=keypoints)], categories=[category]))
    known = joints(4, 1)
    (sequence,) = posetrack_split(tmp_path)
    labelled = known[:, 2] > 0
    assert np.allclose(sequence.xy[0][labelled], known[labelled, :2])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "no annotation file"),
        ({}, "images"),
        (content([annotation(1, 7)]), "not listed"),
        (content([annotation(1, 1, track_id=None)]), "track_id"),
        (content([annotation(1, 1), annotation(1, 1)]), "two annotations"),
        (content([annotation(1, 1, keypoints=[1, 2])]), "expected 51"),
        (content([annotation(1, 1, bbox=[1, 2])]), "no annotation file"),
        (content([], images=[]), "no images"),
        (content([], images=[{"id": 1, "file_name": "../../secret.jpg"}]), "secret"),
        (content([], categories=[{"id": 1, "keypoints": ["nose"]}]), "joints should be"),
        (content([], categories=[{"id": 1}]), "keypoints"),
        (
            content([], images=[{"id": 1, "file_name": "a", "ignore_regions_x": [[1]], "ignore_regions_y": [[1, 2]]}]),
            "inhomogeneous",
        ),
    ],
)
def test_what_is_malformed_is_said(tmp_path: Path, value: Any, said: str) -> None:
    path = write(tmp_path, value)
    with pytest.raises(BadInput, match=said):
        read_posetrack(path)


def test_an_absent_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no PoseTrack18 annotations"):
        list(posetrack_split(tmp_path, "train"))
