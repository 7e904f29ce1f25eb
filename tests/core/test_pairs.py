"""Pairs of consecutive frames, in chunks of any size, and none across a cut."""

import numpy as np
import pytest

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.core.pairs import pairs
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Video


def two_shots(frames: int = 12, cut: int = 6) -> np.ndarray:
    """Two different still scenes, one after the other."""
    random = np.random.default_rng(0)
    low = random.integers(0, 256, (2, 4, 6, 3))
    scenes = np.repeat(np.repeat(low, 12, 1), 12, 2).astype(np.uint8)
    return np.stack([scenes[int(t >= cut)] for t in range(frames)])


@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_every_frame_meets_the_next(n):
    video = Video(two_shots(), frames=slice(1, 12), every=2)
    found = [(int(a), int(b)) for first, second in pairs(video, n, across_cuts=True)
             for a, b in zip(first.indices, second.indices, strict=True)]  # fmt: skip
    assert found == [(1, 3), (3, 5), (5, 7), (7, 9), (9, 11)]
    for first, second in pairs(video, n, across_cuts=True):
        assert len(first) == len(second) <= n
        assert all(
            np.array_equal(image, video[(i - 1) // 2]) for image, i in zip(first.images, first.indices, strict=True)
        )
    kept = [int(i) for first, _ in pairs(video, n) for i in first.indices]
    assert kept == [1, 3, 7, 9]


def test_a_single_frame_has_no_pair():
    assert list(pairs(Video(two_shots(1)), 4)) == []


def test_a_clip_checks_that_its_parts_fit():
    video = Video(np.zeros((3, 8, 10, 3), np.uint8))
    flow = Flow(np.zeros((2, 2, 8, 10), np.float32))
    truth = Tracks.of_rows(frame=[0], person=[0], frames=[0, 1, 2], skeleton=BODY17, camera=video.camera)
    clip = Clip(video, truth, flow, backward=flow, masks=[np.zeros((8, 10))] * 3)
    assert clip.whole() == (video, truth)
    assert clip.size == (10, 8)
    assert Clip(video, None).name == "array"
    with pytest.raises(BadInput, match="a video or a truth"):
        Clip(None, None)
    with pytest.raises(BadInput, match="no truth of people"):
        Clip(video, None).whole()
    with pytest.raises(BadInput, match="no video"):
        Clip(None, truth).whole()
    with pytest.raises(BadInput, match="the flow of 3, the masks of 2"):
        Clip(video, None, flow, masks=[0, 0])
    with pytest.raises(BadInput, match="the truth of 3, the flow of 2"):
        Clip(video, truth, flow[:1])
