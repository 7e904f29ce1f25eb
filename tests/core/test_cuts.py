"""Hard cuts between real clips are found, and nothing else is taken for one."""

from itertools import permutations

import av
import numpy as np
import pytest

from dyad.core.cuts import CutDetector, newness
from dyad.core.pixels import THUMBNAIL, resized, thumbnail
from dyad.core.video import Video


def cuts(thumbnails) -> list[int]:
    detector, said = CutDetector(), []
    for image in thumbnails:
        said += detector.push(image)
    said += detector.flush()
    assert len(said) == len(thumbnails)
    return [k for k, cut in enumerate(said) if cut]


@pytest.fixture(scope="module")
def clips(real) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted([*real.glob("video/*.*"), *real.glob("mupots/*.mp4")]):
        with av.open(str(path)) as container:
            container.streams.video[0].thread_type = "AUTO"
            found[path.name] = np.stack(
                [thumbnail(f) for _, f in zip(range(150), container.decode(video=0), strict=False)]
            )
    return found


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A wide image with structure at every scale, (300, 800, 3)."""
    rng = np.random.default_rng(4)
    image = np.zeros((300, 800, 3))
    for cells in (4, 8, 16, 40):
        noise = rng.normal(0, 30, (cells, 2 * cells, 3))
        grown = resized((noise.clip(-100, 100) + 128).astype(np.uint8), 800, 300)
        image += grown.astype(float) - 128
    return (image + 128).clip(0, 255).astype(np.uint8)


def view(scene: np.ndarray, x: float, y: float = 30, width: int = 400, height: int = 225) -> np.ndarray:
    return resized(scene[int(y) : int(y) + height, int(x) : int(x) + width], *THUMBNAIL)


def test_no_cut_within_real_clips(clips):
    assert {name: cuts(images) for name, images in clips.items()} == {name: [] for name in clips}


def test_every_cut_between_real_clips(clips):
    rng = np.random.default_rng(0)
    for a, b in permutations(clips, 2):
        first, second = (clips[name][: rng.integers(5, 20)] for name in (a, b))
        assert cuts([*first, *second]) == [len(first)], (a, b)


def test_cuts_follow_one_another(clips):
    parts = [images[:4] for images in clips.values()]
    assert cuts(np.concatenate(parts)) == list(range(4, 4 * len(parts), 4))


def test_newness_is_symmetric_in_meaning(scene):
    here, there = view(scene, 0), view(scene[:, ::-1].copy(), 350)
    assert newness(here, here) == 0
    assert newness(here, view(scene, 12)) < 0.15
    assert newness(here, there) > 0.35
    assert newness(here, (here * 0.5).astype(np.uint8)) < 0.1


@pytest.mark.parametrize("speed", [2, 10, 25, 45, 80])
def test_pans_are_no_cuts(scene, speed):
    x = 400 - np.abs((np.arange(40) * speed) % 800 - 400)
    assert cuts([view(scene, v) for v in x]) == []


def test_shakes_and_zooms_are_no_cuts(scene):
    rng = np.random.default_rng(1)
    assert cuts([view(scene, *p) for p in rng.uniform((150, 10), (210, 60), (40, 2))]) == []
    sizes = 400 * 0.96 ** np.arange(25)
    assert cuts([view(scene, 400 - s / 2, 140 - 9 * s / 32, int(s), int(9 * s / 16)) for s in sizes]) == []


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("level", [0, 90, 255])
def test_flashes_are_no_cuts(scene, frames, level):
    images = [view(scene, 100 + k) for k in range(30)]
    for k in range(15, 15 + frames):
        images[k] = np.full_like(images[k], level)
    assert cuts(images) == []
    assert cuts([images[0]] * 3 + [(images[0] * 0.3).astype(np.uint8)] * 8) == []


def test_flat_images_do_no_harm():
    black, red = (np.full((36, 64, 3), colour, np.uint8) for colour in (0, (200, 0, 0)))
    assert cuts([black] * 20) == []
    assert cuts([black]) == []
    assert cuts([red] * 2) == []


def test_a_video_marks_its_cuts(clips):
    names = list(clips)
    images = np.concatenate([clips[names[0]][:20], clips[names[-1]][:21]])
    flags = np.concatenate([c.cut for c in Video(images).chunks(6)])
    assert np.flatnonzero(flags).tolist() == [20]
    # A cut lies before a selected frame wherever in between it was, and none before the first.
    later = Video(images, every=6)
    assert np.concatenate([c.cut for c in later.chunks(2)]).tolist() == [False, False, False, False, True, False, False]
    assert not np.concatenate([c.cut for c in Video(images, frames=slice(20, None)).chunks(6)]).any()
