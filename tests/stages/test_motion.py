"""A camera that moves is noticed, one that stands is not, whatever the people do."""

import numpy as np
import pytest

from dyad.core.pixels import resized
from dyad.core.video import Video
from dyad.stages.motion import CameraMotion

BOX = (60, 40, 160, 200)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Band-limited texture (480, 900, 3)."""
    rng = np.random.default_rng(0)
    out = np.zeros((480, 900, 3))
    for cells in (6, 20, 60):
        out += resized(rng.integers(60, 200, (cells, 2 * cells, 3), np.uint8), 900, 480).astype(float) / 3
    return out.astype(np.uint8)


def watch(images, boxes=(), **cuts) -> CameraMotion:
    motion = CameraMotion()
    for image in images:
        motion.update(image, boxes, **cuts)
    return motion


def crop(scene, x, y=100, width=320, height=240):
    return scene[y : y + height, x : x + width]


@pytest.mark.parametrize("speed", [1, 2, 7, 20])
def test_a_pan_is_measured(scene, speed):
    motion = watch([crop(scene, speed * k) for k in range(20)])
    assert motion.moving
    assert motion.typical * 400 == pytest.approx(speed, rel=0.1)


def test_noise_and_light_are_no_motion(scene):
    rng = np.random.default_rng(1)
    images = [(crop(scene, 50) * (0.8 + 0.01 * k) + rng.normal(0, 2, (240, 320, 3))).clip(0, 255) for k in range(20)]
    motion = watch([image.astype(np.uint8) for image in images])
    assert not motion.moving
    assert motion.typical < 0.0005


def test_people_are_left_out(scene):
    """A large person walks before a still background: only the boxes tell who moves."""
    images = []
    for k in range(20):
        image = crop(scene, 50).copy()
        image[20:230, 10:300] = crop(scene, 300 + 6 * k, 200, 290, 210)
        images.append(image)
    assert watch(images).moving
    assert not watch(images, [(10, 20, 300, 230)]).moving


def test_a_zoom_is_motion(scene):
    sizes = [(round(320 * 0.99**k), round(240 * 0.99**k)) for k in range(20)]
    images = [
        resized(scene[240 - h // 2 : 240 - h // 2 + h, 450 - w // 2 : 450 - w // 2 + w], 320, 240) for w, h in sizes
    ]
    assert watch(images).moving


def test_cuts_and_emptiness_are_no_motion(scene):
    motion = CameraMotion()
    for k in range(20):
        seen = motion.update(crop(scene, 50 + 250 * (k // 5 % 2)), cut=k % 5 == 0)
        assert np.isnan(seen.step) == (k % 5 == 0)
    assert not motion.moving
    for empty in (np.full((240, 320, 3), 90, np.uint8), np.zeros((2, 2, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)):
        motion = watch([empty] * 4)
        assert not motion.moving
        assert np.isnan(motion.typical)
    assert not CameraMotion().moving


@pytest.mark.parametrize(
    ("name", "moving"),
    [
        ("video/3dpw_two_person_40f.mp4", True),
        ("video/mmpose_street_5f.mp4", True),
        ("video/ntu_two_person_hug.avi", False),
        ("video/pets2009_200f.mp4", False),
        ("mupots/TS01_374px.mp4", False),
        ("mupots/TS06_374px.mp4", False),
    ],
)
def test_real_clips(real, name, moving):
    motion = CameraMotion()
    for chunk in Video(real / name, frames=slice(0, 72)).chunks(8):
        for image, cut in zip(chunk.images, chunk.cut, strict=True):
            motion.update(image, cut=bool(cut))
    assert motion.moving == moving
