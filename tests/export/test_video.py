"""Written videos are whole, show each image at its time, and never stay half done."""

import av
import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.core.video import Video
from dyad.export.video import clip_writer


def images(n: int, width: int = 64, height: int = 48) -> np.ndarray:
    out = np.zeros((n, height, width, 3), np.uint8)
    for k in range(n):
        out[k] = 8 * k
        out[k, : height // 2, width // 2 :] = (200, 40, 60)
    return out


def test_round_trip(tmp_path):
    source = images(20)
    with clip_writer(tmp_path / "v.mp4") as writer:
        for k, image in enumerate(source):
            writer.write(image, k / 12.5)
    video = Video(tmp_path / "v.mp4")
    assert video.fps == pytest.approx(12.5, rel=1e-3)
    np.testing.assert_allclose(video.times, np.arange(20) / 12.5, atol=0.0006)
    assert np.abs(video[:].astype(int) - source).mean() < 4
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_times_survive(tmp_path):
    times = 5 + np.cumsum([0, 0.04, 0.1, 1 / 3, 0.001, 0.5])
    with clip_writer(tmp_path / "v.mp4") as writer:
        for image, time in zip(images(6), times, strict=True):
            writer.write(image, time)
    np.testing.assert_allclose(Video(tmp_path / "v.mp4").times, times - 5, atol=1e-5)


@pytest.mark.parametrize(("size", "kept"), [((65, 49), (66, 50)), ((3, 2), (4, 2)), ((1, 1), (2, 2)), ((1, 5), (2, 6))])
def test_odd_sides_become_even(tmp_path, size, kept):
    with clip_writer(tmp_path / "v.mp4") as writer:
        writer.write(images(1, *size)[0], 0.0)
    assert Video(tmp_path / "v.mp4").size == kept


def test_it_plays_while_it_loads(tmp_path):
    with clip_writer(tmp_path / "v.mp4") as writer:
        for k, image in enumerate(images(5)):
            writer.write(image, k / 30)
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert (container.streams.video[0].codec_context.name, container.streams.video[0].pix_fmt) == (
            "h264",
            "yuv420p",
        )
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failure_and_the_old_file_stays(tmp_path, failure):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"old")

    def fail():
        with clip_writer(path) as writer:
            writer.write(images(1)[0], 0.0)
            raise failure

    with pytest.raises(failure):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_bad_frames_are_refused(tmp_path):
    def write(*frames):
        with clip_writer(tmp_path / "v.mp4") as writer:
            for frame in frames:
                writer.write(*frame)

    good = images(1)[0]
    for bad in (
        [],
        [(good, 0.0), (good[:40], 1.0)],
        [(good.astype(float), 0.0)],
        [(good, 1.0), (good, 1.0)],
        [(good, 1.0), (good, 0.5)],
    ):
        with pytest.raises(BadInput):
            write(*bad)
    assert list(tmp_path.iterdir()) == []
