"""Small clips in four containers, and damaged copies of them, each made again by its number."""

from pathlib import Path

import av
import numpy as np

from dyad.synthetic.demo import demo_clip

# Container and codec; the two mp4 files have their index at the end and at the start.
FORMATS = {
    "tail.mp4": ("libx264", {"bf": "2", "g": "8"}, {}),
    "head.mp4": ("libx264", {"bf": "0", "g": "4"}, {"movflags": "faststart"}),
    "clip.mkv": ("libx264", {"bf": "2", "g": "8"}, {}),
    "clip.avi": ("mpeg4", {"bf": "1", "g": "6"}, {}),
    "clip.webm": ("libvpx", {"g": "6"}, {}),
}


def make_clips(folder: Path) -> list[Path]:
    """Less than half a second of two people who walk, small, in every format."""
    drawn = demo_clip(3, size=(256, 144), seconds=0.4, fps=24, people=2)
    images = np.concatenate([chunk.images for chunk in drawn.video.chunks(8)])
    paths = []
    for name, (codec, options, container_options) in FORMATS.items():
        paths.append(folder / name)
        with av.open(str(paths[-1]), "w", container_options=container_options) as container:
            stream = container.add_stream(codec, rate=24, options=options)
            stream.height, stream.width = images.shape[1:3]
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 1_000_000
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    return paths


def corrupted(clips: list[bytes], number: int) -> bytes:
    """Copy `number`: one to three wounds to the clip whose turn it is."""
    random = np.random.default_rng(number)
    data = bytearray(clips[number % len(clips)])
    for _ in range(random.integers(1, 4)):
        wound = _WOUNDS[random.integers(len(_WOUNDS))]
        data = bytearray(wound(data, clips, random))
    return bytes(data)


def _flip(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """Single bytes anywhere."""
    return _flipped(data, 0, len(data), random)


def _flip_head(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """Single bytes where the header lies."""
    return _flipped(data, 0, min(len(data), 1200), random)


def _flip_tail(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """Single bytes where the index lies, if it is at the end."""
    return _flipped(data, max(0, len(data) - 1500), len(data), random)


def _flipped(data: bytearray, start: int, stop: int, random: np.random.Generator) -> bytearray:
    for _ in range(int(2 ** random.uniform(0, 7)) if stop > start else 0):
        data[random.integers(start, stop)] ^= int(random.integers(1, 256))
    return data


def _noise(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """A block of noise or of one byte."""
    start, stop = _span(data, random)
    fill = random.bytes(stop - start) if random.random() < 0.7 else bytes([random.integers(256)]) * (stop - start)
    data[start:stop] = fill
    return data


def _cut(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """The end is gone."""
    return data[: random.integers(len(data) + 1)]


def _drop(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """A piece in the middle is gone."""
    start, stop = _span(data, random)
    return data[:start] + data[stop:]


def _repeat(data: bytearray, _: list[bytes], random: np.random.Generator) -> bytearray:
    """A piece comes twice."""
    start, stop = _span(data, random)
    return data[:stop] + data[start:]


def _splice(data: bytearray, clips: list[bytes], random: np.random.Generator) -> bytearray:
    """The rest is another file's, from about the same place or from anywhere."""
    other = clips[random.integers(len(clips))]
    here = int(random.integers(len(data) + 1))
    there = min(here, len(other)) if random.random() < 0.5 else int(random.integers(len(other)))
    return data[:here] + other[there:]


def _span(data: bytearray, random: np.random.Generator) -> tuple[int, int]:
    start = int(random.integers(len(data) + 1))
    return start, min(len(data), start + int(2 ** random.uniform(0, 13)))


_WOUNDS = (_flip, _flip, _flip_head, _flip_tail, _noise, _cut, _drop, _repeat, _splice)
