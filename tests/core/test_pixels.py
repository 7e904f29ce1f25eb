"""Conversions that are prepared once are those that are prepared anew for every frame."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from dyad.core.pixels import converted, resized, thumbnail, upright_rgb

SIZES = ((64, 48), (33, 47), (320, 180))
FORMATS = ("rgb24", "yuv420p", "yuvj420p", "yuv444p10le", "gray", "nv12")


def frames() -> list[av.VideoFrame]:
    """Noise in many sizes and formats, of two standards of colour, one after the other."""
    random, made = np.random.default_rng(0), []
    for (width, height), kind, space in product(SIZES, FORMATS, (Colorspace.ITU601, Colorspace.ITU709)):
        image = random.integers(0, 255, (height, width, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=kind)
        frame.colorspace, frame.color_range = space, ColorRange.JPEG if len(made) % 3 else ColorRange.MPEG
        made.append(frame)
    return made


def anew(frame: av.VideoFrame) -> tuple[bytes, bytes, bytes]:
    small = frame.reformat(20, 10, "rgb24", interpolation="AREA")
    tv = frame.reformat(32, 32, "yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    return frame.to_ndarray(format="rgb24").tobytes(), small.to_ndarray().tobytes(), tv.to_ndarray().tobytes()


def kept(frame: av.VideoFrame) -> tuple[bytes, bytes, bytes]:
    small = converted(frame, width=20, height=10, format="rgb24", interpolation="AREA")
    tv = converted(frame, width=32, height=32, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    return upright_rgb(frame).tobytes(), small.to_ndarray().tobytes(), tv.to_ndarray().tobytes()


def test_frames_of_many_kinds_come_out_as_from_av_itself() -> None:
    given = frames()
    wanted = [anew(frame) for frame in given]
    assert len({one[0] for one in wanted}) == len(given)
    # Again and again, so that every conversion meets one that was prepared for it or for another.
    for _ in range(3):
        assert [kept(frame) for frame in given] == wanted


def test_threads_do_not_share_what_is_prepared() -> None:
    given = frames()[:6]
    wanted = [anew(frame) for frame in given] * 40
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(kept, given * 40)) == wanted


def test_images_shrink_by_means_of_areas() -> None:
    image = np.zeros((36, 64, 3), np.uint8)
    image[:, 32:] = 200
    assert resized(image, 2, 1)[0, :, 0].tolist() == [0, 200]
    assert thumbnail(av.VideoFrame.from_ndarray(image, format="rgb24")).shape == (36, 64, 3)
