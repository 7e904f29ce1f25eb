import contextlib
import io
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.detections import Detections
from dyad.core.skeleton import BODY17, COCO17, Skeleton
from dyad.datasets.coco import find_coco
from dyad.datasets.crowdpose import CROWDPOSE14
from dyad.evaluation.average_precision import CROWDPOSE_JOINTS, AveragePrecision, CrowdPoseAP, Scores
from dyad.evaluation.oks import sigmas

NOSE = ("nose",)
FAR = 1e7


@dataclass(frozen=True)
class Person:
    xy: np.ndarray
    box: np.ndarray
    area: float
    ignored: bool = False
    crowd: bool = False


@dataclass(frozen=True)
class Image:
    people: tuple[Person, ...]
    crowd_index: float = float("nan")


def person(xy: np.ndarray, **more: Any) -> Person:
    box = np.concatenate([xy.min(0), xy.max(0)]) if np.isfinite(xy).all() else np.array([0.0, 0, 100, 200])
    return Person(**{"xy": xy, "box": box, "area": 0.5 * float(np.prod(box[2:] - box[:2])), **more})


def found(xy: np.ndarray, scores: list[float], joints: tuple[str, ...] = COCO17.names) -> Detections:
    points = torch.from_numpy(np.asarray(xy, dtype=np.float64).reshape(len(scores), len(joints), 2))
    n = len(scores)
    confidence = torch.ones(n, len(joints))
    given = torch.tensor(scores, dtype=torch.float64)
    return Detections(0, 0.0, torch.zeros(n, 4), given, points, confidence, Skeleton.of_names(joints))


def body(x: float, height: float = 200.0, seed: int = 0) -> np.ndarray:
    """Joints (17,2) px in a box half as wide as tall."""
    return np.random.default_rng(seed).uniform(0, 1, (17, 2)) * (height / 2, height) + (x, 50)


def test_precision_is_read_at_101_recalls() -> None:
    """Right, wrong, right of two people: precision 1 up to recall 0.50, 2/3 from 0.51 on."""
    truth = Image((person(body(0)), person(body(500, seed=1))))
    answers = found(np.array([body(0), body(FAR), body(500, seed=1)]), [0.9, 0.8, 0.7])
    scores = AveragePrecision()([(truth, answers)])
    expected = (51 + 50 * 2 / 3) / 101
    assert (scores.ap, scores.ap50, scores.ap75) == pytest.approx((expected,) * 3, abs=1e-12)
    assert scores.ar == 1


def test_similarity_of_072_passes_five_thresholds_of_ten() -> None:
    area = 1e4
    distance = np.sqrt(-np.log(0.72) * 2 * area * (2 * sigmas(NOSE)[0]) ** 2)
    truth = Image((Person(np.zeros((1, 2)), np.array([0, 0, 100, 100.0]), area),))
    answers = found(np.array([[[distance, 0]]]), [1.0], NOSE)
    scores = AveragePrecision(joints=NOSE)([(truth, answers)])
    assert (scores.ap, scores.ap50, scores.ap75) == pytest.approx((0.5, 1, 0))
    assert scores.ap_large == pytest.approx(0.5)
    assert np.isnan(scores.ap_medium)
    assert (scores.ar, scores.ar50, scores.ar75) == pytest.approx((0.5, 1, 0))


def test_the_better_scored_of_two_takes_the_person() -> None:
    truth = Image((person(body(0)),))
    first = AveragePrecision()([(truth, found(np.array([body(0), body(0)]), [0.6, 0.5]))])
    assert first.ap == 1
    # The better score is a miss at high thresholds and takes nobody there; at low ones it takes the person.
    off = body(0) + 30
    turned = AveragePrecision()([(truth, found(np.array([off, body(0)]), [0.6, 0.5]))])
    assert turned.ar == 1
    assert 0.5 <= turned.ap < 1


@pytest.mark.parametrize(("crowd", "expected"), [(True, 1.0), (False, 0.5)])
def test_a_crowd_takes_many_and_an_ignored_person_one(crowd: bool, expected: float) -> None:
    """Two of three detections lie near a region; the one that it does not take is wrong, and comes first."""
    there, alone = body(500), body(0)
    region = Person(np.full((17, 2), np.nan), np.array([480.0, 0, 700, 300]), 5e4, ignored=True, crowd=crowd)
    answers = found(np.array([there, body(500, seed=2), alone]), [0.9, 0.8, 0.7])
    got = AveragePrecision()([(Image((region, person(alone))), answers)])
    assert (got.ap, got.ar) == pytest.approx((expected, 1))


def test_a_region_reaches_its_own_size_beyond_its_box() -> None:
    region = Person(np.full((1, 2), np.nan), np.array([100.0, 100, 110, 120]), 200.0, ignored=True)
    truth = Image((region, Person(np.zeros((1, 2)), np.array([0, 0, 10, 20.0]), 200.0)))
    for x, y, expected in ((90, 80, 1.0), (120, 140, 1.0), (80, 80, 0.5), (90, 70, 0.5)):
        answers = found(np.array([[[x, y]], [[0, 0]]]), [0.9, 0.8], NOSE)
        assert AveragePrecision(joints=NOSE)([(truth, answers)]).ap == pytest.approx(expected)


def test_only_the_best_twenty_of_an_image_count() -> None:
    truth = Image((person(body(0)),))
    strangers = [body(FAR)] * 20
    late = found(np.array([*strangers, body(0)]), [0.9] * 20 + [0.1])
    assert AveragePrecision()([(truth, late)]).ar == 0
    assert AveragePrecision(most=21)([(truth, late)]).ar == 1


def test_people_out_of_the_range_of_areas_are_ignored() -> None:
    tall, small = body(0, 400), body(1000, 100)
    people = Image((person(tall), person(small)))
    scores = AveragePrecision()([(people, found(np.array([tall]), [1.0]))])
    assert (scores.ap_large, scores.ap_medium) == pytest.approx((1, 0))
    assert scores.ar == 0.5


def test_false_people_count_only_among_those_of_their_size() -> None:
    tall, small = body(0, 400), body(1000, 100)
    ghosts = np.array([body(FAR, 100), tall, small])
    scores = AveragePrecision()([(Image((person(tall), person(small))), found(ghosts, [0.9, 0.8, 0.7]))])
    assert (scores.ap_large, scores.ap_medium, scores.ap) == pytest.approx((1, 0.5, 2 / 3))


def test_a_joint_that_the_detector_cannot_give_is_wrong_unless_left_out() -> None:
    xy = body(0)
    truth = Image((person(xy),))
    known = COCO17.convert(torch.from_numpy(xy), BODY17).numpy()
    answers = found(known, [1.0], BODY17.names)
    # 13 of 17 joints: a similarity of 0.76.
    assert AveragePrecision()([(truth, answers)]).ap == pytest.approx(0.6)
    limbs = tuple(name for name in COCO17.names if "eye" not in name and "ear" not in name)
    assert AveragePrecision(counted=limbs)([(truth, answers)]).ap == 1


def test_joints_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        AveragePrecision(joints=NOSE)([(Image((person(body(0)),)), found(np.zeros((0, 1, 2)), [], NOSE))])


def test_crowdpose_divides_by_crowd_index_and_takes_its_own_area() -> None:
    xy = np.random.default_rng(0).uniform(0, 100, (14, 2))
    right, wrong = found(xy, [0.9], CROWDPOSE_JOINTS), found(xy + FAR, [0.5], CROWDPOSE_JOINTS)
    images = [
        (Image((person(xy),), index), right if good else wrong)
        for index, good in ((0.0, True), (0.19, True), (0.2, False), (0.79, True), (0.8, False))
    ]
    scores = CrowdPoseAP()(images)
    assert (scores.ap_easy, scores.ap_medium, scores.ap_hard) == pytest.approx((1, 51 / 101, 0))
    assert scores.all.ar == pytest.approx(0.6)
    paper = CrowdPoseAP(easy_below=0.1)(images)
    assert (paper.ap_easy, paper.ap_medium) == pytest.approx((1, 67 / 101))
    # Whatever the file says of the area, it is 0.53 × box.
    shifted = found(xy + 3, [0.9], CROWDPOSE_JOINTS)
    big, small = (CrowdPoseAP()([(Image((person(xy, area=a),)), shifted)]).all.ap for a in (1e9, 1e-9))
    assert big == small > 0


def test_crowdpose_numbers_are_those_of_its_evaluation_code() -> None:
    """Computed once by xtcocotools 1.14.3, `keypoints_crowd` without areas, which rounds the last three."""
    images = []
    for seed in range(354, 360):
        rng = np.random.default_rng(seed)
        for image, answers in world(seed, tied=seed % 2 == 1):
            people = [replace(p, xy=p.xy[: len(CROWDPOSE_JOINTS)]) for p in image.people]
            people = [replace(p, ignored=p.crowd or not np.isfinite(p.xy).any()) for p in people]
            xy = answers.xy.numpy()[:, : len(CROWDPOSE_JOINTS)]
            crowded = Image(tuple(people), float(rng.uniform()))
            images.append((crowded, found(xy, answers.scores.tolist(), CROWDPOSE_JOINTS)))
    scores = CrowdPoseAP()(images)
    got = [scores.all.ap, scores.all.ap50, scores.all.ap75, scores.all.ar, scores.all.ar50, scores.all.ar75]
    assert got == pytest.approx([0.2165925, 0.33593653, 0.19049977, 0.45365854, 0.53658537, 0.43902439], abs=1e-8)
    assert (scores.ap_easy, scores.ap_medium, scores.ap_hard) == pytest.approx((0.2469, 0.2349, 0.1733), abs=5e-5)


def test_crowdpose_sigmas_are_the_published_ones() -> None:
    published = [0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79]
    assert CROWDPOSE14.names == CROWDPOSE_JOINTS
    assert (10 * sigmas(CROWDPOSE_JOINTS)).tolist() == pytest.approx(published)


def world(seed: int, *, tied: bool = False) -> list[tuple[Image, Detections]]:
    """Images with up to six people near each other, some ignored, and detections near them or nowhere."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(int(rng.integers(1, 6))):
        people, answers = [], []
        for _ in range(int(rng.integers(0, 7))):
            xy = rng.uniform(0, 1, (17, 2)) * rng.uniform(20, 250) * (0.5, 1) + rng.uniform(0, 300, 2)
            xy = xy.round(1)
            crowd, blank = rng.uniform(size=2) < (0.1, 0.15)
            box = np.concatenate([xy.min(0), xy.max(0)]) + rng.uniform(0, 5, 4) * (-1, -1, 1, 1)
            labelled = (rng.uniform(size=17) < 0.8) & ~blank
            seen = np.where(labelled[:, None], xy, np.nan)
            area = float(rng.uniform(0.3, 0.7) * np.prod(box[2:] - box[:2]))
            people.append(Person(seen, box, area, bool(crowd or not labelled.any()), bool(crowd)))
            for _ in range(int(rng.integers(0, 4))):
                answers.append(xy + rng.normal(0, 1, (17, 2)) * rng.choice([0, 1, 5, 20]))
        answers += [rng.uniform(0, 300, (17, 2)) for _ in range(int(rng.integers(0, 4)))]
        scores = rng.uniform(0, 1, len(answers))
        images.append((Image(tuple(people)), found(np.array(answers), (scores.round(1) if tied else scores).tolist())))
    return images


SEEDS = st.integers(0, 2**32 - 1)


def same(first: Scores, second: Scores) -> bool:
    return bool(np.allclose(astuple(first), astuple(second), rtol=0, atol=1e-12, equal_nan=True))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_truth_scores_1_and_silence_0(seed: int) -> None:
    images = [image for image, _ in world(seed)]
    told = [
        found(
            np.array([np.nan_to_num(p.xy) for p in i.people if not p.ignored]),
            [0.5] * sum(not p.ignored for p in i.people),
        )
        for i in images
    ]
    silent = [found(np.zeros((0, 17, 2)), []) for _ in images]
    right, nothing = (AveragePrecision()(list(zip(images, f, strict=True))) for f in (told, silent))
    anyone = any(not p.ignored for image in images for p in image.people)
    for name, value in asdict(right).items():
        assert np.isnan(value) if not anyone else np.isnan(value) or value == pytest.approx(1)
        assert np.isnan(value) == np.isnan(asdict(nothing)[name])
        assert np.isnan(value) or asdict(nothing)[name] == 0


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_no_order_of_people_detections_or_images_matters(seed: int, random) -> None:
    """Where nothing is equal: of two regions round a detection, which is both times 1, COCO takes the later one."""
    base, mixed = [], []
    for image, answers in world(seed):
        people = [p for p in image.people if np.isfinite(p.xy).any()]
        order = list(range(len(answers)))
        base.append((replace(image, people=tuple(people)), answers))
        random.shuffle(people)
        random.shuffle(order)
        mixed.append((replace(image, people=tuple(people)), answers[torch.tensor(order, dtype=torch.long)]))
    random.shuffle(mixed)
    assert same(AveragePrecision()(base), AveragePrecision()(mixed))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 30))
def test_false_people_scored_below_all_change_nothing(seed: int, number: int) -> None:
    images = world(seed)
    more = []
    for image, answers in images:
        ghosts = np.concatenate([answers.xy.numpy(), np.full((number, 17, 2), FAR)])
        more.append((image, found(ghosts, [*answers.scores.tolist(), *[-1.0] * number])))
    assert same(AveragePrecision()(images), AveragePrecision()(more))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_a_false_person_scored_above_all_never_helps(seed: int) -> None:
    images = world(seed)
    image, answers = images[0]
    ghost = found(np.concatenate([np.full((1, 17, 2), FAR), answers.xy.numpy()]), [2.0, *answers.scores.tolist()])
    worse, base = (AveragePrecision(most=100)([(image, a), *images[1:]]) for a in (ghost, answers))
    assert np.isnan(base.ap) or worse.ap <= base.ap
    assert np.isnan(base.ar) or worse.ar == base.ar


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.2, 5), st.floats(-1e3, 1e3))
def test_scaling_and_shifting_an_image_changes_nothing_over_all_areas(seed: int, scale: float, shift: float) -> None:
    def moved(p: Person) -> Person:
        return replace(p, xy=p.xy * scale + shift, box=p.box * scale + shift, area=p.area * scale**2)

    images = world(seed)
    other = [
        (replace(i, people=tuple(moved(p) for p in i.people)), replace(a, xy=a.xy * scale + shift)) for i, a in images
    ]
    base, changed = AveragePrecision()(images), AveragePrecision()(other)
    assert (changed.ap, changed.ar) == pytest.approx((base.ap, base.ar), nan_ok=True)


def test_nobody_anywhere_is_no_number() -> None:
    nobody = found(np.zeros((0, 17, 2)), [])
    for images in ([], [(Image(()), nobody)], [(Image(()), found(body(0), [0.9]))]):
        assert np.isnan(astuple(AveragePrecision()(images))).all()
        assert np.isnan(CrowdPoseAP(rule=AveragePrecision())(images).ap_easy)


def test_the_truth_of_real_images_scores_1(real: Path) -> None:
    if not (real / "images").is_dir():
        pytest.skip("no image sample")
    seen = 0
    for file in find_coco(real / "images"):
        pairs = []
        for image in file.images:
            told = [np.nan_to_num(p.xy) for p in image.people if not p.ignored]
            pairs.append((image, found(np.array(told), [0.5] * len(told), file.joints)))
        scores = AveragePrecision(joints=file.joints)(pairs)
        assert (scores.ap, scores.ar) == (1, 1), file.path
        if "head_top" in file.joints:
            assert set(file.joints) == set(CROWDPOSE_JOINTS)
            assert CrowdPoseAP()(pairs).all.ap == 1
        seen += 1
    assert seen == 3


def reference(images: list[tuple[Image, Detections]]) -> list[float]:
    """The ten numbers of pycocotools."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    truth: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "person"}],
    }
    results = []
    for number, (image, answers) in enumerate(images, 1):
        truth["images"].append({"id": number})
        for p in image.people:
            labelled = np.isfinite(p.xy).all(-1)
            keypoints = np.concatenate([np.nan_to_num(p.xy), 2.0 * labelled[:, None]], -1).ravel().tolist()
            x, y, x1, y1 = p.box.tolist()
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": keypoints,
                    "num_keypoints": int(labelled.sum()),
                    "bbox": [x, y, x1 - x, y1 - y],
                    "area": p.area,
                    "iscrowd": int(p.crowd),
                }
            )
        for xy, score in zip(answers.xy.numpy(), answers.scores.tolist(), strict=True):
            keypoints = np.concatenate([xy, np.ones((17, 1))], -1).ravel().tolist()
            results.append({"image_id": number, "category_id": 1, "keypoints": keypoints, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        known.dataset = {**truth, "info": {}}
        known.createIndex()
        judge = cocoeval.COCOeval(known, known.loadRes(results), "keypoints")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float("nan") if value == -1 else float(value) for value in judge.stats]


@pytest.mark.parametrize("seed", range(40))
def test_every_number_is_that_of_pycocotools(seed: int) -> None:
    images = [pair for part in range(3) for pair in world(3 * seed + part, tied=seed % 2 == 1)]
    expected = reference(images)
    assert list(astuple(AveragePrecision()(images))) == pytest.approx(expected, abs=1e-12, nan_ok=True)
