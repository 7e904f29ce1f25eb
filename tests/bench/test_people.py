import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dyad.bench.people import bench_people
from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, COCO17, Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.coco import find_coco

WIDTHS = (300, 301)


def person(x: float, y: float, height: float, *, seed: int = 0) -> np.ndarray:
    """Joints (17,2) px scattered over a box half as wide as tall."""
    return np.random.default_rng(seed).uniform(0.05, 0.95, (17, 2)) * (height / 2, height) + (x, y)


@dataclass(frozen=True)
class Listed:
    """A detector that knows its answers by the width of the image."""

    answers: dict[int, list[np.ndarray]]
    skeleton: Skeleton = COCO17
    score: float = 1.0

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterator[Detections]:
        people = self.answers.get(video.size[0], [])
        n = len(people)
        if not n:
            yield Detections.none(0, 0.0, self.skeleton)
            return
        xy = torch.from_numpy(np.array(people)).float()
        boxes = torch.cat([xy.amin(1), xy.amax(1)], -1)
        yield Detections(
            0, 0.0, boxes, torch.full((n,), self.score), xy, torch.ones(n, len(self.skeleton)), self.skeleton
        )


def labelled(xy: np.ndarray, box: list[float], image: int, **more: Any) -> dict[str, Any]:
    keypoints = np.concatenate([xy, np.full((len(xy), 1), 2.0)], -1).ravel().tolist()
    return {"id": 1, "image_id": image, "category_id": 1, "keypoints": keypoints, "bbox": box, **more}


def write(folder: Path, annotations: list[dict[str, Any]], joints: tuple[str, ...] = COCO17.names) -> None:
    folder.mkdir(exist_ok=True)
    for width in WIDTHS:
        Image.new("RGB", (width, 200)).save(folder / f"{width}.png")
    content = {
        "images": [{"id": i, "file_name": f"{width}.png"} for i, width in enumerate(WIDTHS)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(joints)}],
    }
    (folder / "people.json").write_text(json.dumps(content))


TALL, SMALL = person(10, 10, 160), person(200, 20, 40, seed=1)
TWO = [labelled(TALL, [10, 10, 80, 160], 0), labelled(SMALL, [200, 20, 20, 40], 1)]


def test_finding_everyone_exactly(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    report = bench_people(tmp_path, detector=Listed({300: [TALL], 301: [SMALL]}))
    mean = report["mean"]
    assert (mean["recall"], mean["precision"]) == (1, 1)
    assert mean["oks"] == pytest.approx(1)
    assert mean["median_error_px"] == pytest.approx(0, abs=1e-4)
    assert report["files"]["people.json"] == mean
    assert (mean["people"], mean["images"]) == (2, 2)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_known_shift_is_the_median_error(tmp_path: Path) -> None:
    write(tmp_path, TWO[:1])
    mean = bench_people(tmp_path, detector=Listed({300: [TALL + np.array([1.2, 1.6])]}))["mean"]
    assert mean["median_error_px"] == pytest.approx(2, abs=1e-4)
    assert mean["median_error_percent"] == pytest.approx(100 * 2 / 160, abs=1e-4)
    assert 0.5 < mean["oks"] < 1


def test_missed_and_invented_people(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    mean = bench_people(tmp_path, detector=Listed({300: [TALL, person(190, 10, 150, seed=3)]}))["mean"]
    assert (mean["recall"], mean["precision"], mean["detections"]) == (0.5, 0.5, 2)
    bins = {(b["from"], b["to"]): (b["people"], b["recall"]) for b in mean["by_height"]}
    assert bins[(0, 80)] == (1, 0)
    assert bins[(160, 320)] == (1, 1)
    assert bins[(320, None)] == (0, None)
    # Who is not there is about 135 px tall, and overlaps with nobody.
    precision = {(b["from"], b["to"]): b["precision"] for b in mean["by_height"]}
    assert precision == {(0, 80): None, (80, 160): 0, (160, 320): 1, (320, None): None}
    assert [b["precision"] for b in mean["by_overlap"]] == [0.5, None, None]


def test_two_detections_of_one_person_are_one_hit_and_one_error(tmp_path: Path) -> None:
    write(tmp_path, TWO[:1])
    mean = bench_people(tmp_path, detector=Listed({300: [TALL, TALL + 0.5]}))["mean"]
    assert (mean["recall"], mean["precision"]) == (1, 0.5)
    assert mean["oks"] == pytest.approx(1)


def test_nobody_found(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    mean = bench_people(tmp_path, detector=Listed({}))["mean"]
    assert (mean["recall"], mean["precision"], mean["oks"]) == (0, None, None)


def test_detections_below_the_score_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    report = bench_people(tmp_path, detector=Listed({300: [TALL]}, score=0.4), min_score=0.5)
    assert (report["mean"]["recall"], report["mean"]["detections"]) == (0, 0)


def test_crowds_and_unlabelled_people_are_neither_missed_nor_errors(tmp_path: Path) -> None:
    blank = labelled(TALL * 0, [180, 0, 90, 190], 0)
    blank["keypoints"] = [0] * 51
    ghosts = [person(190, 10, 150, seed=s) for s in (3, 4)]
    for ignored, false in ((blank, 1), (labelled(TALL, [180, 0, 90, 190], 0, iscrowd=1), 0), (None, 2)):
        write(tmp_path, [TWO[0], *([ignored] if ignored else [])])
        mean = bench_people(tmp_path, detector=Listed({300: [TALL, *ghosts]}))["mean"]
        assert (mean["recall"], mean["people"]) == (1, 1)
        assert mean["precision"] == pytest.approx(1 / (1 + false))


def test_keypoints_go_by_name(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(17)
    write(tmp_path, [labelled(TALL[order], [10, 10, 80, 160], 0)], tuple(COCO17.names[i] for i in order))
    assert bench_people(tmp_path, detector=Listed({300: [TALL]}))["mean"]["oks"] == pytest.approx(1)


def test_joints_that_the_detector_cannot_give_do_not_count(tmp_path: Path) -> None:
    """body17 has no eyes and ears; a file's own "antenna" is known to nobody."""
    joints = (*COCO17.names, "antenna")
    write(tmp_path, [labelled(np.concatenate([TALL, [[0.0, 0]]]), [10, 10, 80, 160], 0)], joints)
    known = COCO17.convert(torch.from_numpy(TALL), BODY17).numpy()
    mean = bench_people(tmp_path, detector=Listed({300: [known]}, skeleton=BODY17))["mean"]
    assert mean["oks"] == pytest.approx(1)
    missing = TALL.copy()
    missing[COCO17.index("nose")] = np.nan
    mean = bench_people(tmp_path, detector=Listed({300: [missing]}))["mean"]
    assert mean["oks"] == pytest.approx(16 / 17)


def test_overlap_is_with_the_most_overlapping_neighbour(tmp_path: Path) -> None:
    other = TALL + np.array([40, 0])
    write(tmp_path, [TWO[0], labelled(other, [50, 10, 80, 160], 0), TWO[1]])
    bins = bench_people(tmp_path, detector=Listed({300: [TALL], 301: [SMALL]}))["mean"]["by_overlap"]
    found = {b["from"]: (b["people"], b["recall"]) for b in bins if b["people"]}
    assert found == {0.0: (1, 1), 0.3: (2, 0.5)}


def test_the_mean_is_over_all_people_of_all_files(tmp_path: Path) -> None:
    write(tmp_path / "a", [TWO[0]] + [labelled(TALL + np.array([60, 0]), [70, 10, 80, 160], 0)] * 2)
    write(tmp_path / "b", TWO[1:])
    report = bench_people(tmp_path, detector=Listed({301: [SMALL]}))
    assert {name: row["recall"] for name, row in report["files"].items()} == {"a/people.json": 0, "b/people.json": 1}
    assert report["mean"]["recall"] == 0.25


def test_a_folder_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no COCO-format"):
        bench_people(tmp_path, detector=Listed({}))


def test_the_truth_of_real_images_scores_everything(real: Path) -> None:
    if not (real / "images").is_dir():
        pytest.skip("no image sample")

    for file in find_coco(real / "images"):
        skeleton = Skeleton.of_names(file.joints)
        # images come in the order of the file
        answers = iter([[np.nan_to_num(p.xy) for p in i.people if not p.ignored] for i in file.images])

        def knows(
            video: Video, prior: Tracks | None = None, answers=answers, skeleton=skeleton
        ) -> Iterator[Detections]:
            assert video[0].shape[:2] == video.size[::-1]
            return Listed({video.size[0]: next(answers)}, skeleton)(video)

        mean = bench_people(file.path.parent, detector=knows)["mean"]
        assert (mean["recall"], mean["precision"]) == (1, 1)
        assert mean["oks"] == pytest.approx(1)
