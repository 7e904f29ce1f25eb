"""The imperfect camera: off it does nothing, on it does what it says, and it never moves a thing."""

import io

import numpy as np
import pytest

from dyad.core.errors import BadUsage
from dyad.synthetic.rendering.blur import motion_blur, soften
from dyad.synthetic.rendering.jpeg import jpeg
from dyad.synthetic.rendering.lens import Lens


@pytest.fixture
def image() -> np.ndarray:
    """A smooth image with a bright square in it, of a size that is no multiple of 16."""
    y, x = np.mgrid[:50, :70]
    image = np.stack((40 + x, 60 + y, 90 + 0.5 * (x + y)), -1)
    image[18:30, 24:40] = (220, 200, 180)
    return image.astype(np.uint8)


def middle(image: np.ndarray) -> np.ndarray:
    """Middle (x, y) of what is bright."""
    bright = image.mean(-1) > 150
    return np.argwhere(bright).mean(0)[::-1]


def test_no_faults_change_nothing(image: np.ndarray) -> None:
    flow = np.ones((*image.shape[:2], 2), np.float32)
    depth = np.ones(image.shape[:2], np.float32)
    np.testing.assert_array_equal(Lens()(image, 3, flow=flow, depth=depth), image)
    none = Lens.random(np.random.default_rng(0), strength=0)
    np.testing.assert_array_equal(none(image, 3, flow=flow, depth=depth), image)


@pytest.mark.parametrize("quality", [95, 60, 20])
def test_jpeg_is_what_an_encoder_does(image: np.ndarray, quality: int) -> None:
    pillow = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pillow.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2)
    theirs = np.asarray(pillow.open(file)).astype(float)
    ours = jpeg(image, quality).astype(float)
    loss = np.abs(theirs - image).mean()
    # Decoders differ in how they enlarge colours; brightness is the same but for rounding.
    weights = (0.299, 0.587, 0.114)
    assert np.abs((ours - theirs) @ weights).mean() < 0.6
    assert np.abs(ours - image).mean() == pytest.approx(loss, rel=0.35, abs=0.3)


def test_noise_is_new_in_each_frame_and_the_same_again(image: np.ndarray) -> None:
    lens = Lens(shot=6, read=2, seed=(5,))
    np.testing.assert_array_equal(lens(image, 4), lens(image, 4))
    assert (lens(image, 4) != lens(image, 5)).mean() > 0.5
    assert (lens(image, 4) != Lens(shot=6, read=2, seed=(6,))(image, 4)).mean() > 0.5


def test_noise_has_the_strength_it_says() -> None:
    lens = Lens(shot=8, read=3)
    for level in (20, 128, 200):
        noisy = lens(np.full((80, 80, 3), level, np.uint8))
        assert noisy.std() == pytest.approx(np.sqrt(9 + 64 * level / 255), rel=0.05)


def test_noise_is_white_and_all_but_normal() -> None:
    noise = Lens(read=20)(np.full((200, 200, 3), 128, np.uint8), 7).astype(float) - 128
    assert abs(noise.mean()) < 0.3
    share = [(np.abs(noise) < k * 20).mean() for k in (1, 2, 3)]
    np.testing.assert_allclose(share, (0.683, 0.954, 0.997), atol=0.03)
    for other in (np.roll(noise, 1, 0), np.roll(noise, 1, 1), np.roll(noise, 1, 2)):
        assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.01
    again = Lens(read=20)(np.full((200, 200, 3), 128, np.uint8), 8).astype(float) - 128
    assert abs(np.corrcoef(noise.ravel(), again.ravel())[0, 1]) < 0.01


def test_exposure_gain_and_tint_change_the_light(image: np.ndarray) -> None:
    assert Lens(exposure=0.5)(image).mean() > image.mean() * 1.1
    assert Lens(exposure=-0.5)(image).mean() < image.mean() * 0.9
    assert Lens(tint=(1.2, 1, 0.8))(image)[..., 2].mean() < image[..., 2].mean() * 0.9
    rolling = Lens(gain=(0.4, 2.0), fps=10)
    means = [rolling(image, frame).mean() for frame in range(20)]
    assert max(means) > 1.15 * min(means)
    assert max(abs(np.diff(means))) < 0.1 * image.mean()
    corner = Lens(vignette=0.5)(image)
    assert corner[0, 0].mean() < 0.7 * image[0, 0].mean()
    assert corner[25, 35].mean() == pytest.approx(image[25, 35].mean(), rel=0.02)
    rows = Lens(flicker=(0.1, 20.0))(np.full((80, 40, 3), 100, np.uint8)).mean((1, 2))
    assert rows.max() > 106
    assert rows.min() < 94


def test_noise_jpeg_and_exposure_keep_things_where_they_are(image: np.ndarray) -> None:
    for lens in (Lens(shot=4, read=2), Lens(quality=40), Lens(exposure=0.3), Lens(soft=1.0)):
        np.testing.assert_allclose(middle(lens(image)), middle(image), atol=0.5)


def test_softness_keeps_the_light_and_widens_a_point() -> None:
    dark = np.zeros((31, 31, 3), np.uint8)
    dark[15, 15] = 255
    soft = soften(np.maximum(dark, 10), 1.5).astype(float) - 10
    x = np.mgrid[-15:16, -15:16][1]
    weight = np.maximum(soft[..., 0], 0)
    assert weight.sum() == pytest.approx(245, rel=0.1)
    assert np.sqrt((weight * x**2).sum() / weight.sum()) == pytest.approx(1.5, rel=0.15)


def test_a_square_that_moves_is_smeared_along_its_way_only() -> None:
    image = np.full((40, 60, 3), 50, np.uint8)
    image[15:25, 20:40] = 200
    flow = np.zeros((40, 60, 2), np.float32)
    flow[15:25, 20:40, 0] = 8
    depth = np.full((40, 60), 5, np.float32)
    depth[15:25, 20:40] = 2
    blurred = motion_blur(image, flow, depth, 1.0).astype(int)
    still = (blurred == image).all(-1)
    assert still[:14].all()
    assert still[26:].all()
    assert still[15:25, 26:34].all()
    assert 60 < blurred[20, 18, 0] < 190, "the moving square shows over the ground beside it"
    assert 60 < blurred[20, 21, 0] < 190, "the ground shows through the square's end"
    assert np.abs(np.diff(blurred[20, 12:30, 0])).max() < 60, "the edge has become a slope"
    # What stands in front stays sharp where something moves behind it.
    behind = motion_blur(image, np.where(flow == 0, 0, 0) + (flow == 0) * np.float32((8, 0)), depth, 1.0).astype(int)
    assert (behind[15:25, 21:39] == 200).all()


def test_still_images_are_not_blurred(image: np.ndarray) -> None:
    flow = np.zeros((*image.shape[:2], 2), np.float32)
    np.testing.assert_array_equal(motion_blur(image, flow, np.ones(image.shape[:2], np.float32), 1.0), image)


def test_random_lenses_follow_their_generator_and_differ() -> None:
    one, again, other = (Lens.random(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_impossible_faults_are_refused() -> None:
    with pytest.raises(BadUsage, match="quality"):
        Lens(quality=0)
    with pytest.raises(BadUsage, match="shutter"):
        Lens(shutter=2)
