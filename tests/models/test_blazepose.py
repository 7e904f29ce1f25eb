import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.models.blazepose import BlazePoseDetector, BlazePoseLandmarks, anchor_centres, region_around
from dyad.models.weights import BLAZEPOSE_DETECTOR, BLAZEPOSE_LANDMARKS

from .blazepose_material import SHARED_ROWS, annotated_people, as_batch, cut, drawn, read_image

# What the original runtime gives for the drawn figure; how it was made is in the file.
ORIGINAL = json.loads((Path(__file__).parent / "data" / "blazepose_original_runtime.json").read_text())


@pytest.fixture(scope="module")
def detector(blazepose_folder: Path) -> BlazePoseDetector:
    return BlazePoseDetector.from_file(blazepose_folder / BLAZEPOSE_DETECTOR.file)


@pytest.fixture(scope="module")
def landmarks(blazepose_folder: Path) -> BlazePoseLandmarks:
    return BlazePoseLandmarks.from_file(blazepose_folder / BLAZEPOSE_LANDMARKS.file)


def test_anchors() -> None:
    anchors = anchor_centres(224, 224)
    assert anchors.shape == (2254, 2)
    assert anchors[:2].tolist() == [[3.5, 3.5]] * 2
    assert anchors[2].tolist() == [11.5, 3.5]  # x runs first
    assert anchors[-6:].tolist() == [[207.5, 207.5]] * 6
    assert anchor_centres(64, 96).amax(0).tolist() == [91.5, 59.5]


def test_detector_agrees_with_the_original(detector: BlazePoseDetector) -> None:
    with torch.inference_mode():
        found = detector(as_batch(drawn(224)))
    pick = ORIGINAL["anchors"]
    logits, values = np.array(ORIGINAL["detector_logits"]), np.array(ORIGINAL["detector_values"])
    np.testing.assert_allclose(found.scores[0, pick], 1 / (1 + np.exp(-logits)), atol=5e-4)
    anchors = anchor_centres(224, 224)[pick].numpy()
    boxes = found.boxes[0, pick].numpy()
    np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:]) / 2, anchors + values[:, 0:2], atol=5e-3)
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], values[:, 2:4], atol=5e-3)
    for place, points in enumerate((found.hips, found.rim, found.shoulders, found.upper_rim)):
        columns = slice(4 + 2 * place, 6 + 2 * place)
        np.testing.assert_allclose(points[0, pick], anchors + values[:, columns], atol=5e-3)


def test_landmarks_agree_with_the_original(landmarks: BlazePoseLandmarks) -> None:
    with torch.inference_mode():
        found = landmarks(as_batch(drawn(256)))
    original = np.array(ORIGINAL["landmarks"]).reshape(39, 5)
    edge = np.array([0.5, 0.5, 0.0])  # the original counts pixels from the edge of the crop
    np.testing.assert_allclose(found.xyz[0], original[:33, :3] - edge, atol=5e-3)
    np.testing.assert_allclose(found.hips[0], original[33, :2] - 0.5, atol=5e-3)
    np.testing.assert_allclose(found.rim[0], original[34, :2] - 0.5, atol=5e-3)
    np.testing.assert_allclose(found.visibility[0], 1 / (1 + np.exp(-original[:33, 3])), atol=1e-3)
    np.testing.assert_allclose(found.presence[0], 1 / (1 + np.exp(-original[:33, 4])), atol=1e-3)
    np.testing.assert_allclose(found.world[0], np.array(ORIGINAL["world"]).reshape(39, 3)[:33], atol=1e-4)
    assert found.score.item() == pytest.approx(ORIGINAL["score"], abs=1e-4)


def test_batch_equals_singles_and_shapes(landmarks: BlazePoseLandmarks, detector: BlazePoseDetector) -> None:
    noise = np.random.default_rng(1).random((3, 256, 256, 3)).astype(np.float32)
    batch = as_batch(drawn(256), *noise[:2])
    with torch.inference_mode():
        together, alone = landmarks(batch), [landmarks(one[None]) for one in batch]
        proposals, single = detector(batch), detector(batch[1:2])
    for name, value in together._asdict().items():
        apart = torch.cat([getattr(one, name) for one in alone])
        torch.testing.assert_close(value, apart, atol=2e-2 if name in ("xyz", "hips", "rim") else 2e-3, rtol=0)
    assert together.xyz.shape == together.world.shape == (3, 33, 3)
    assert together.score.shape == (3,)
    for name, value in proposals._asdict().items():
        torch.testing.assert_close(value[1:2], getattr(single, name), atol=2e-2, rtol=0)
    count = 32 * 32 * 2 + 16 * 16 * 2 + 8 * 8 * 6
    assert proposals.scores.shape == (3, count)
    assert proposals.boxes.shape == (3, count, 4)


def test_empty_batch_of_crops(landmarks: BlazePoseLandmarks) -> None:
    found = landmarks(torch.zeros(0, 3, 256, 256))
    assert found.xyz.shape == (0, 33, 3)
    assert found.score.shape == (0,)


def test_proposals_move_with_the_person(detector: BlazePoseDetector) -> None:
    figure = as_batch(drawn(224))
    canvas = torch.full((2, 3, 352, 480), 0.5)
    canvas[0, :, 32:256, 64:288] = figure
    canvas[1, :, 96:320, 192:416] = figure
    with torch.inference_mode():
        found = detector(canvas)
    best = found.scores.argmax(1)
    assert found.scores.amax(1).min() > 0.6
    rows = torch.arange(2)
    for points in (found.hips, found.rim, found.shoulders):
        moved = points[rows, best].diff(dim=0)[0]
        torch.testing.assert_close(moved, torch.tensor([128.0, 64.0]), atol=3.0, rtol=0)


def test_proposal_leads_to_the_figure(detector: BlazePoseDetector, landmarks: BlazePoseLandmarks) -> None:
    image = as_batch(drawn(224))
    with torch.inference_mode():
        found = detector(image)
        best = found.scores[0].argmax()
        region = region_around(found.hips[0, best], found.rim[0, best])
        crop = cut(image[0], (float(region.centre[0]), float(region.centre[1])), float(region.side), 256)
        person = landmarks(crop[None])
    assert person.score.item() > 0.9
    assert abs(region.angle.item()) < 0.15
    joints = (person.xyz[0, :, :2] + 0.5) * region.side / 256 - 0.5 + region.centre - region.side / 2
    for name, drawn_at in {
        "left shoulder": (0.57, 0.28),
        "right wrist": (0.33, 0.54),
        "left knee": (0.56, 0.72),
    }.items():
        at = joints[SHARED_ROWS[name][0]]
        assert torch.dist(at, torch.tensor(drawn_at) * 224).item() < 0.07 * 224, name


def test_region_turns_with_the_body() -> None:
    hips = torch.tensor([[10.0, 20.0]]).expand(4, 2)
    rim = hips + torch.tensor([[0.0, -8.0], [8.0, 0.0], [0.0, 8.0], [-8.0, 0.0]])
    region = region_around(hips, rim)
    torch.testing.assert_close(region.side, torch.full((4,), 20.0))
    torch.testing.assert_close(region.angle.abs(), torch.tensor([0.0, 0.5, 1.0, 0.5]) * torch.pi)
    assert region.angle[1] > 0 > region.angle[3]


def test_gradients_reach_the_image(landmarks: BlazePoseLandmarks, detector: BlazePoseDetector) -> None:
    crop = as_batch(drawn(256)).requires_grad_()
    found = landmarks(crop)
    wrist = found.xyz[0, SHARED_ROWS["left wrist"][0], 0]
    (slope,) = torch.autograd.grad(wrist, crop)
    assert torch.isfinite(slope).all()
    with torch.no_grad():  # a small step along the gradient must move the wrist as the gradient says
        step = slope / slope.norm() * 0.02
        ahead, behind = (landmarks(crop + sign * step).xyz[0, SHARED_ROWS["left wrist"][0], 0] for sign in (1.0, -1.0))
    assert (ahead - behind).item() == pytest.approx(0.04 * slope.norm().item(), rel=0.15)
    image = as_batch(drawn(224)).requires_grad_()
    (slope,) = torch.autograd.grad(detector(image).scores.sum(), image)
    assert torch.isfinite(slope).all()
    assert slope.abs().max() > 0


def test_landmarks_on_photos(landmarks: BlazePoseLandmarks, real: Path) -> None:
    people = annotated_people(real / "images" / "coco")
    assert len(people) == 12
    with torch.inference_mode():
        found = landmarks(torch.stack([person.crop for person in people]))
    errors = []
    for person, xyz in zip(people, found.xyz.numpy(), strict=True):
        apart = [np.linalg.norm(xyz[SHARED_ROWS[name][0], :2] - at) for name, at in person.joints.items()]
        errors.append(np.median(apart) / person.size)
    # Measured: median 0.035 of the person's size, worst 0.11 (people who overlap).
    assert np.median(errors) < 0.045
    assert np.max(errors) < 0.15
    assert found.score.min() > 0.4


def test_mirrored_crops_give_mirrored_landmarks(landmarks: BlazePoseLandmarks, real: Path) -> None:
    """Holds the half pixel: in a crop of 256 pixels x mirrors to 255 - x."""
    scales = (1.35, 1.5, 1.65)
    people = [one for scale in scales for one in annotated_people(real / "images" / "coco", scale=float(scale))]
    crops = torch.stack([person.crop for person in people])
    with torch.inference_mode():
        plain, mirrored = landmarks(crops), landmarks(crops.flip(-1))
    sides = [(name, name.replace("left", "right")) for name in SHARED_ROWS if name.startswith("left")]
    left = [SHARED_ROWS[name][0] for name, _ in sides]
    right = [SHARED_ROWS[name][0] for _, name in sides]
    sums = torch.cat(
        [plain.xyz[:, left, 0] + mirrored.xyz[:, right, 0], plain.xyz[:, right, 0] + mirrored.xyz[:, left, 0]]
    )
    close = (sums - 255).abs() < 8
    assert close.float().mean() > 0.8
    assert sums[close].mean().item() == pytest.approx(255, abs=0.4)
    shoulder, hip = SHARED_ROWS["left shoulder"][0], SHARED_ROWS["left hip"][0]
    heads = (plain.world[:, shoulder, 1] - plain.world[:, hip, 1]).median()
    assert -0.7 < heads.item() < -0.3  # y points down, in metres


def test_best_proposal_of_a_photo_lies_on_a_person(detector: BlazePoseDetector, real: Path) -> None:
    image = read_image(real / "images" / "coco" / "000000000785.jpg")
    side = max(image.shape[1:])
    square = cut(image, ((image.shape[2] - 1) / 2, (image.shape[1] - 1) / 2), side, 224)
    with torch.inference_mode():
        found = detector(square[None])
    best = found.scores[0].argmax()
    corner = torch.tensor([image.shape[2] - side, image.shape[1] - side]) / 2
    hips = (found.hips[0, best] + 0.5) * side / 224 + corner
    assert found.scores[0, best] > 0.9
    assert torch.dist(hips, torch.tensor([408.5, 208.5])) < 30


def test_wrong_shapes_are_refused(landmarks: BlazePoseLandmarks, detector: BlazePoseDetector) -> None:
    with pytest.raises(ValueError, match="divisible by 32"):
        detector(torch.zeros(1, 3, 100, 224))
    with pytest.raises(ValueError, match=r"\(N,3,256,256\)"):
        landmarks(torch.zeros(1, 3, 224, 224))
    with pytest.raises(ValueError, match="wants"):
        landmarks(torch.zeros(3, 256, 256))


def test_the_wrong_file_is_refused(blazepose_folder: Path) -> None:
    with pytest.raises(ValueError, match="not the BlazePose network"):
        BlazePoseDetector.from_file(blazepose_folder / BLAZEPOSE_LANDMARKS.file)
    with pytest.raises(ValueError, match="not the BlazePose network"):
        BlazePoseLandmarks.from_file(blazepose_folder / BLAZEPOSE_DETECTOR.file)
