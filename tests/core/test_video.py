"""Videos of every sort, made on the spot: what comes out, when, and what is said of what cannot be read."""

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.video import Video

SIZE = (64, 48)


def ramp(k: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frame k: its number as grey on the left, four coloured corners to the right of it."""
    width, height = size
    image = np.full((height, width, 3), 4 * k % 256, np.uint8)
    image[: height // 2, width // 2 :] = (200, 30, 30)
    image[height // 2 :, width // 2 :] = (30, 30, 200)
    return image


def encode(path: Path, images, *, codec="libx264", fmt="yuv420p", fps=25, times=None, source="rgb24", rotate=0, **opts):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"crf": "8", "g": "10", **opts})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = fmt
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotate:
            stream.set_display_rotation(rotate)
        for k, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format=source)
            if times is not None:
                frame.pts, frame.time_base = round(times[k] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(video: Video, n: int = 7):
    chunks = list(video.chunks(n))
    return [np.concatenate([getattr(c, name) for c in chunks]) for name in ("indices", "times", "images", "cut")]


def number(images: np.ndarray) -> list[int]:
    """The frame numbers that `ramp` drew."""
    return [round(float(image[2:-2, 2:20].mean()) / 4) for image in images]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k) for k in range(60)])


def test_frames_come_in_order_with_exact_times(clip):
    video = Video(clip)
    indices, times, images, cut = read(video)
    assert video.size == SIZE
    assert video.fps == 25
    assert video.name == "clip.mp4"
    assert (len(video), video.expected) == (60, 60)
    assert indices.tolist() == list(range(60)) == number(images)
    np.testing.assert_allclose(times, np.arange(60) / 25, atol=1e-9)
    assert images.dtype == np.uint8
    assert not cut.any()
    assert video.camera.guessed
    assert video.camera.size == SIZE
    assert video.report.complete
    assert not video.report.damaged


def test_times_are_known_before_and_equal_those_of_the_chunks(clip):
    fresh, used = Video(clip), Video(clip)
    assert fresh.times.tolist() == read(used)[1].tolist() == used.times.tolist()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "webm", "mov", "ts"])
def test_random_access_equals_sequential(tmp_path, suffix):
    codec = {"avi": "mpeg4", "webm": "libvpx"}.get(suffix, "libx264")
    noise = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    path = encode(tmp_path / f"c.{suffix}", [ramp(k) // 2 + noise for k in range(40)], codec=codec, bf="2")
    images = read(Video(path))[2]
    video = Video(path)
    for k in (25, 3, 39, 0, 17, -1):
        np.testing.assert_array_equal(video[k], images[k])
    np.testing.assert_array_equal(video[12:19], images[12:19])
    np.testing.assert_array_equal(video[30:5:-6], images[30:5:-6])
    assert video[5:5].shape == (0, 48, 64, 3)
    with pytest.raises(IndexError):
        video[40]


def test_seeking_decodes_little(tmp_path):
    path = encode(tmp_path / "long.mp4", [ramp(k % 60) for k in range(200)])
    source = Video(path)._source
    source.times()
    assert next(source._after_seek(195, None)).index == 195


@pytest.mark.parametrize(("frames", "every"), [(slice(10, 20), 1), (slice(None, 7), 3), (slice(50, 999), 4), (None, 7)])
def test_range_and_stride_keep_source_indices(clip, frames, every):
    video = Video(clip, frames=frames, every=every)
    expected = np.arange(60)[frames or slice(None)][::every]
    indices, times, images, _ = read(video)
    assert indices.tolist() == expected.tolist() == video.indices.tolist() == number(images)
    np.testing.assert_allclose(times, expected / 25, atol=1e-9)
    assert number(video[:]) == expected.tolist()
    assert video.expected == len(expected) == len(video)
    assert video.fps == pytest.approx(25 / every)


def test_a_range_beyond_the_end_is_bad_input(clip):
    video = Video(clip, frames=slice(100, 200))
    with pytest.raises(BadInput, match="100:200"):
        list(video.chunks(4))
    with pytest.raises(BadInput, match="100:200"):
        _ = video.times


@pytest.mark.parametrize("options", [{"frames": slice(5, 5)}, {"frames": slice(-3, 9)}, {"every": 0}, {"fps": 0.0}])
def test_senseless_selections_are_bad_usage(clip, options):
    with pytest.raises(BadUsage):
        Video(clip, **options)


def test_variable_rate_keeps_its_times(tmp_path):
    times = np.cumsum([0, 0.04, 0.04, 0.1, 0.033, 0.5, 0.04, 0.04, 0.2, 0.04])
    video = Video(encode(tmp_path / "vfr.mkv", [ramp(k) for k in range(10)], times=times))
    np.testing.assert_allclose(read(video)[1], times, atol=0.00051)
    assert video.fps == pytest.approx(25, rel=0.03)


def test_avi_with_b_frames_has_ascending_times(real):
    """AVI hands out decoding times; they belong to the frames in order."""
    video = Video(real / "video" / "ntu_two_person_hug.avi")
    np.testing.assert_allclose(video.times, np.arange(72) / 30, atol=1e-9)


def test_raw_stream_takes_the_given_rate(tmp_path):
    path = encode(tmp_path / "raw.h264", [ramp(k) for k in range(20)])
    np.testing.assert_allclose(Video(path, fps=10).times, np.arange(20) / 10)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path, degrees):
    path = encode(tmp_path / "r.mp4", [ramp(8)] * 3, rotate=degrees)
    upright = np.rot90(ramp(8), degrees // 90)
    video = Video(path)
    assert video.size == upright.shape[1::-1]
    assert np.abs(video[1].astype(int) - upright).mean() < 6


def test_grey_and_odd_pixel_formats(tmp_path):
    grey = Video(
        encode(tmp_path / "g.mkv", [ramp(k)[..., 0] for k in range(5)], codec="ffv1", fmt="gray", source="gray")
    )
    image = read(grey)[2][3]
    np.testing.assert_array_equal(image, np.repeat(ramp(3)[..., :1], 3, -1))
    deep = Video(encode(tmp_path / "d.mkv", [ramp(k) for k in range(5)], codec="ffv1", fmt="yuv444p10le"))
    assert np.abs(read(deep)[2][3].astype(int) - ramp(3)).max() < 6


@pytest.mark.parametrize(("suffix", "codec", "fmt"), [("mov", "qtrle", "argb"), ("png", "png", "rgba")])
def test_transparency_lies_over_black(tmp_path, suffix, codec, fmt):
    rgba = np.dstack((ramp(20), np.full(SIZE[::-1], 255, np.uint8)))
    rgba[:10, :, 3] = 0
    rgba[10:20, :, 3] = 128
    path = encode(tmp_path / f"a.{suffix}", [rgba], codec=codec, fmt=fmt, source="rgba")
    image = Video(path)[0].astype(int)
    assert (image[:10] == 0).all()
    assert np.abs(image[10:20] - ramp(20)[10:20] * (128 / 255)).max() <= 1
    np.testing.assert_array_equal(image[20:], ramp(20)[20:])


def test_transparent_webm_decodes(tmp_path):
    rgba = np.dstack((ramp(20), np.full(SIZE[::-1], 255, np.uint8)))
    path = encode(tmp_path / "a.webm", [rgba] * 3, codec="libvpx-vp9", fmt="yuva420p", source="rgba")
    assert np.abs(Video(path)[1].astype(int) - ramp(20)).mean() < 6


@pytest.mark.parametrize("size", [(2, 2), (1, 1), (3, 5)])
def test_tiny_and_single(tmp_path, size):
    image = ramp(9, size)
    video = Video(encode(tmp_path / "t.mkv", [image], codec="ffv1", fmt="bgr0"))
    _, times, images, cut = read(video)
    assert (video.size, video.fps, times.tolist(), cut.tolist()) == (size, 30, [0.0], [False])
    np.testing.assert_array_equal(images[0], image)


def test_8k_still(tmp_path):
    image = np.zeros((4320, 7680, 3), np.uint8)
    image[100:200, 7000:7100] = (10, 200, 30)
    av.VideoFrame.from_ndarray(image, format="rgb24").save(str(tmp_path / "still.png"))
    video = Video(tmp_path / "still.png")
    chunk = next(video.chunks(64))
    assert (video.size, video.fps, len(chunk)) == ((7680, 4320), 30, 1)
    np.testing.assert_array_equal(chunk.images[0], image)


def test_frames_of_another_size_are_brought_to_the_first(tmp_path):
    """A raw H.264 stream that changes its size: two streams joined."""
    parts = [encode(tmp_path / f"{w}.h264", [ramp(9, (w, h))] * 6) for w, h in ((64, 48), (96, 80))]
    joined = tmp_path / "joined.h264"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = Video(joined)
    images = read(video)[2]
    assert images.shape[1:] == (48, 64, 3)
    assert np.abs(images[-1].astype(int) - ramp(9)).mean() < 12
    assert video.report.resized == 6
    assert "another size" in str(video.report)


# --- folders, arrays -----------------------------------------------------------------------------------------------


def test_folder_in_natural_order(tmp_path):
    for k in range(12):
        av.VideoFrame.from_ndarray(ramp(k), format="rgb24").save(str(tmp_path / f"frame_{k}.png"))
    (tmp_path / "notes.txt").write_text("not an image")
    video = Video(tmp_path, fps=10, every=2, frames=slice(1, None))
    indices, times, images, _ = read(video)
    assert indices.tolist() == number(images) == [1, 3, 5, 7, 9, 11]
    np.testing.assert_allclose(times, indices / 10)
    np.testing.assert_array_equal(video[2], ramp(5))
    assert video.name == tmp_path.name
    assert Video(tmp_path).fps == 30


def test_folder_errors_name_the_file(tmp_path):
    with pytest.raises(BadInput, match="no images"):
        Video(tmp_path)
    for k, size in enumerate([SIZE, SIZE, (32, 48)]):
        av.VideoFrame.from_ndarray(ramp(k, size), format="rgb24").save(str(tmp_path / f"{k}.png"))
    with pytest.raises(BadInput, match=r"2\.png is 32x48"):
        read(Video(tmp_path))
    (tmp_path / "1.png").write_bytes(b"nothing of an image")
    with pytest.raises(BadInput, match=r"1\.png"):
        read(Video(tmp_path))


def test_arrays():
    colour = np.stack([ramp(k) for k in range(6)])
    np.testing.assert_array_equal(read(Video(colour, fps=5))[2], colour)
    assert Video(colour, fps=5).times.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    grey = Video(colour[..., 0])
    np.testing.assert_array_equal(grey[4], np.repeat(colour[4, ..., :1], 3, -1))
    assert len(Video(colour[0])) == 1
    opaque = np.concatenate((colour, np.full((*colour.shape[:3], 1), 255, np.uint8)), -1)
    np.testing.assert_array_equal(Video(opaque)[:], colour)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 2), np.uint8), np.zeros((0, 8, 8, 3), np.uint8)]
)
def test_bad_arrays(bad):
    with pytest.raises(BadInput, match="array"):
        Video(bad)


def test_cameras_fit_or_are_refused(clip):
    given = Camera.from_focal((128, 96), 100.0)
    assert Video(clip, camera=given).camera.focal.tolist() == [50.0, 50.0]
    with pytest.raises(BadInput, match="64x48"):
        Video(clip, camera=Camera.from_focal((48, 64), 100.0))


# --- what cannot be read, or not wholly ----------------------------------------------------------------------------


def audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le" if path.suffix == ".wav" else "aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def giant_png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


UNREADABLE = {
    "empty.mp4": b"",
    "text.mp4": b"This is no video.\n" * 50,
    "text.txt": b"Some players would draw this text as a video.\n" * 50,
    "coloured.ans": b"\x1b[31mred\x1b[0m text\n" * 50,
    "list.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.ts\n",
    "list.ffconcat": b"ffconcat version 1.0\nfile other.mp4\n",
    "zeros.mp4": bytes(100_000),
    "noise.mkv": np.random.default_rng(0).bytes(100_000),
    "giant.png": giant_png(60_000),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files_are_bad_input(tmp_path, name):
    (tmp_path / name).write_bytes(UNREADABLE[name])
    with pytest.raises(BadInput) as caught:
        Video(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absurd_sizes_are_refused_before_memory_is_taken(tmp_path, clip):
    with pytest.raises(BadInput, match="16384"):
        Video(np.broadcast_to(np.uint8(0), (1, 20_000, 20_000, 3)))
    data = clip.read_bytes()
    # avc1: ... width, height as two 16-bit numbers, also in the track header as fixed point
    huge = data.replace(struct.pack(">HH", *SIZE), struct.pack(">HH", 60_000, 60_000))
    assert huge != data
    (tmp_path / "huge.mp4").write_bytes(huge)
    # The stream itself knows better than the box around it.
    assert Video(tmp_path / "huge.mp4").size == SIZE
    lossless = encode(tmp_path / "huge.avi", [ramp(0)], codec="ffv1", fmt="bgr0")
    lossless.write_bytes(lossless.read_bytes().replace(struct.pack("<II", *SIZE), struct.pack("<II", 60_000, 50_000)))
    with pytest.raises(BadInput, match="huge"):
        Video(lossless)


@pytest.mark.parametrize("name", ["sound.m4a", "sound.wav"])
def test_audio_only(tmp_path, name):
    with pytest.raises(BadInput, match="audio"):
        Video(audio_only(tmp_path / name))


def test_missing_files_and_pipes(tmp_path):
    with pytest.raises(BadInput, match="there is no file"):
        Video(tmp_path / "nowhere.mp4")
    with pytest.raises(BadInput, match="there is no file"):
        Video("http://127.0.0.1:9/x.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(BadInput, match="regular file"):
        Video(tmp_path / "pipe.mp4")


def test_no_moov(tmp_path, clip):
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(BadInput, match="whole"):
        Video(tmp_path / "cut.mp4")


@pytest.mark.parametrize("suffix", ["mkv", "avi", "mp4"])
def test_truncated_files_keep_what_decodes_and_say_how_much(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 90, (60, 48, 64, 3), np.uint8)
    path = tmp_path / f"whole.{suffix}"
    with av.open(str(path), "w", container_options={"movflags": "faststart"} if suffix == "mp4" else {}) as container:
        stream = container.add_stream("mjpeg", rate=30)
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuvj420p"
        for image in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    whole = Video(path)
    assert len(read(whole)[0]) == 60
    assert not whole.report.truncated
    data = path.read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
    cut = Video(tmp_path / f"cut.{suffix}")
    images = read(cut)[2]
    assert 20 < len(images) < 40
    np.testing.assert_array_equal(images[:20], whole[:20])
    assert cut.report.truncated
    assert cut.report.damaged
    assert cut.report.expected == pytest.approx(60, abs=1)
    assert cut.report.kept == pytest.approx(len(images) / 60, abs=0.05)
    assert "ends early" in str(cut.report)


def test_corrupt_middle_recovers_the_rest(tmp_path, clip):
    data = bytearray(encode(tmp_path / "c.mp4", [ramp(k) for k in range(60)], g="6").read_bytes())
    middle = len(data) // 2
    data[middle - 150 : middle + 150] = np.random.default_rng(1).bytes(300)
    (tmp_path / "c.mp4").write_bytes(data)
    video = Video(tmp_path / "c.mp4")
    indices, times, images, _ = read(video)
    assert 30 < len(indices) < 60
    assert indices.tolist() == list(range(len(indices)))
    assert (np.diff(times) > 0).all()
    assert number(images)[-1] == 59
    assert video.report.errors > 0
    assert times[-1] == pytest.approx(59 / 25, abs=0.002)
    again = Video(tmp_path / "c.mp4")
    assert again.times.tolist() == times.tolist()
    np.testing.assert_array_equal(again[len(indices) // 2], images[len(indices) // 2])


def test_an_abandoned_iteration_closes_its_file(clip):
    for _ in range(20):
        chunks = Video(clip).chunks(2)
        next(chunks)
        del chunks
    if Path("/proc/self/fd").is_dir():
        names = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if fd.isdigit() and os.path.exists(f"/proc/self/fd/{fd}")
        ]
        assert str(clip) not in names
