import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dyad.core.camera import Camera
from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Tracks
from dyad.datasets.coco import read_coco
from dyad.evaluation.average_precision import AveragePrecision
from dyad.export.coco import coco_of_tracks, coco_results, write_coco

SIZE = (120, 90)
JOINTS = len(COCO17)


def tracks(**changes) -> Tracks:
    """Persons 3 and 8 in frame 2, person 3 alone in frame 6, nobody in frame 4."""
    xy = torch.rand(3, JOINTS, 2, generator=torch.Generator().manual_seed(0)) * 60 + 10
    confidence = torch.ones(3, JOINTS)
    confidence[:, COCO17.index("left_wrist")] = 0.25
    confidence[:, COCO17.index("right_wrist")] = 0
    xy[:, COCO17.index("left_ear")] = torch.nan
    rows = {
        "frame": torch.tensor([2, 2, 6]),
        "person": torch.tensor([3, 8, 3]),
        "xy": xy,
        "confidence": confidence,
        "box": torch.tensor([[5.0, 6, 55, 76], [40, 10, 90, 60], [7, 8, 47, 68]]),
        "frames": torch.tensor([2, 4, 6]),
        "video": "clip.mp4",
    }
    return Tracks.of_rows(skeleton=COCO17, camera=Camera.guess(SIZE), **{**rows, **changes})


def mask(frame: int) -> torch.Tensor:
    """Who is seen where: person 3's number is 4, that of 8 is 9."""
    seen = torch.zeros(SIZE[::-1], dtype=torch.int16)
    seen[10:70, 6:50] = 4
    if frame == 2:
        seen[20:60, 40:80] = 9
    return seen


MASKS = [mask(frame) for frame in (2, 4, 6)]


def test_what_is_written_is_what_our_reader_reads(tmp_path: Path) -> None:
    people = tracks()
    path = tmp_path / "out" / "people.json"
    write_coco(path, coco_of_tracks(people, file_name="images/{frame:04d}.png"))
    for frame in (2, 4, 6):
        place = tmp_path / "out" / "images" / f"{frame:04d}.png"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", SIZE).save(place)
    file = read_coco(path)
    assert (file.skeleton, file.missing) == (COCO17, 0)
    assert [image.path.stem for image in file.images] == ["0002", "0004", "0006"]
    assert [(len(i.people), i.size) for i in file.images] == [(2, SIZE), (0, SIZE), (1, SIZE)]
    person = file.images[0].people[0]
    row = people.xy[0].double().numpy()
    blank = COCO17.indices("left_ear", "right_wrist")
    assert np.isnan(person.xy[blank]).all()
    others = np.setdiff1d(np.arange(JOINTS), blank)
    assert np.abs(person.xy[others] - row[others]).max() <= 0.00501
    assert [n for n, v in zip(COCO17.names, person.visible, strict=True) if not v] == [
        "left_ear",
        "left_wrist",
        "right_wrist",
    ]
    assert person.box.tolist() == [5, 6, 55, 76]
    assert person.area == pytest.approx(0.53 * 50 * 70)
    assert not person.ignored


def test_identities_and_frames_are_written_beside() -> None:
    content = coco_of_tracks(tracks(), first_image=10, first_annotation=100)
    assert [(a["id"], a["image_id"], a["track_id"]) for a in content["annotations"]] == [
        (100, 10, 3),
        (101, 10, 8),
        (102, 12, 3),
    ]
    assert [(i["id"], i["frame_id"], i["file_name"]) for i in content["images"]] == [
        (10, 2, "000002.jpg"),
        (11, 4, "000004.jpg"),
        (12, 6, "000006.jpg"),
    ]
    (category,) = content["categories"]
    assert category["keypoints"] == list(COCO17.names)
    assert [1, 2] in category["skeleton"]


def test_areas_come_from_masks() -> None:
    content = coco_of_tracks(tracks(), masks=MASKS)
    assert [a["area"] for a in content["annotations"]] == [60 * 44 - 40 * 10, 40 * 40, 60 * 44]
    assert content["annotations"][1]["bbox"] == [40, 20, 40, 40]
    hidden = coco_of_tracks(tracks(), masks=[m * (m != 9) for m in MASKS])
    assert [a["track_id"] for a in hidden["annotations"]] == [3, 3]
    with pytest.raises(BadInput, match=r"mask of frame 2 .*\(90, 120\)"):
        coco_of_tracks(tracks(), masks=[torch.zeros(SIZE)] * 3)
    with pytest.raises(BadInput, match="each of 3 frames, got 1"):
        coco_of_tracks(tracks(), masks=MASKS[:1])


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_run_lengths_paint_the_mask_again(height: int, width: int, seed: int) -> None:
    seen = np.random.default_rng(seed).integers(0, 2, (height, width))
    seen[0, 0] |= not seen.any()
    one = tracks()[torch.tensor([0])].with_(camera=Camera.guess((width, height)), person=torch.tensor([0]))
    one = one.with_(frames=one.frame, times=one.time)
    (annotation,) = coco_of_tracks(one, masks=[torch.from_numpy(seen)])["annotations"]
    counts = annotation["segmentation"]["counts"]
    painted = np.repeat(np.arange(len(counts)) % 2, counts).reshape(annotation["segmentation"]["size"], order="F")
    assert (painted == seen).all()
    assert annotation["area"] == seen.sum()


def test_another_skeleton_goes_by_name() -> None:
    body = tracks().convert(BODY17)
    content = coco_of_tracks(body, skeleton=COCO17)
    keypoints = np.array(content["annotations"][0]["keypoints"]).reshape(-1, 3)
    for name in COCO17.names:
        missing = "eye" in name or "ear" in name or name == "right_wrist"
        assert (keypoints[COCO17.index(name), 2] == 0) == missing


def test_filled_rows_and_missing_boxes() -> None:
    people = tracks(filled=torch.tensor([True, False, False]), box=torch.full((3, 4), torch.nan))
    content = coco_of_tracks(people)
    assert [a["track_id"] for a in content["annotations"]] == [8, 3]
    known = people.xy[people.frame == 6][0]
    known = known[known.isfinite().all(-1)]
    x, y, width, height = content["annotations"][1]["bbox"]
    assert (x, y) == pytest.approx(known.amin(0).tolist(), abs=0.01)
    assert (x + width, y + height) == pytest.approx(known.amax(0).tolist(), abs=0.02)


@pytest.mark.parametrize("pattern", ["frame.jpg", "{}.jpg", "{frame}{other}", "{frame:q}", "{", "{frame.x}"])
def test_a_pattern_that_names_no_frame_is_refused(pattern: str) -> None:
    with pytest.raises(BadUsage, match="pattern"):
        coco_of_tracks(tracks(), file_name=pattern)
    assert coco_of_tracks(tracks(), file_name=lambda f: f"x{f}")["images"][0]["file_name"] == "x2"


def detections(people: Tracks, frame: int) -> Detections:
    rows = torch.nonzero(people.frame == frame)[:, 0]
    found = people.xy[rows]
    return Detections(frame, 0.0, people.box[rows], torch.full((len(rows),), 0.5), found, found[..., 0] * 0 + 1, COCO17)


def test_results_have_no_gaps() -> None:
    (first, second) = coco_results([(1, detections(tracks(), 2)), (2, detections(tracks(), 4))])
    assert (first["image_id"], first["category_id"], first["score"]) == (1, 1, 0.5)
    assert first["keypoints"][3 * COCO17.index("left_ear") :][:3] == [0, 0, 0]
    assert len(second["keypoints"]) == 3 * JOINTS
    assert json.loads(json.dumps([first, second], allow_nan=False)) == [first, second]


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_pycocotools_reads_both_and_agrees(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    people = tracks()
    content = coco_of_tracks(people, masks=MASKS)
    write_coco(tmp_path / "truth.json", content)
    shaken = people.with_(xy=people.xy.nan_to_num() + torch.linspace(0, 9, 3)[:, None, None])
    found = [(image["id"], detections(shaken, image["frame_id"])) for image in content["images"]]
    write_coco(tmp_path / "results.json", coco_results(found))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(tmp_path / "truth.json")
        judge = cocoeval.COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
        for annotation in content["annotations"]:
            expected = MASKS[annotation["image_id"] - 1].numpy() == annotation["track_id"] + 1
            assert (truth.annToMask(truth.anns[annotation["id"]]) == expected).all()
    images = read_coco(tmp_path / "truth.json", keep_missing=True).images
    ours = AveragePrecision()([(image, f) for image, (_, f) in zip(images, found, strict=True)])
    assert 0 < ours.ap < 1
    assert (ours.ap, ours.ar, ours.ap_medium) == pytest.approx(
        (judge.stats[0], judge.stats[5], judge.stats[3]), abs=1e-9
    )
