"""Optical flow as colours: the direction is the hue, the speed how saturated it is.

The code of colours is that of Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011: no
motion is white, and unknown is black. A small wheel in a corner says what the colours mean.
"""

from collections.abc import Generator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.core.files import whole_file
from dyad.core.flow import Flow
from dyad.export.letters import letters
from dyad.export.video import ClipWriter, clip_writer

Image = NDArray[np.uint8]

# Colours around the wheel, as many between one pure hue and the next as the eye can tell apart.
_HUES = (
    ((255, 0, 0), 15),
    ((255, 255, 0), 6),
    ((0, 255, 0), 4),
    ((0, 255, 255), 11),
    ((0, 0, 255), 13),
    ((255, 0, 255), 6),
)
_BEYOND = 0.75
"""How bright motions are that are faster than the scale ends."""
_TYPICAL = 99.0
_LEAST = 1.0


def colours_of(flow: Flow, *, full: float) -> Image:
    """Flow (…, 2, H, W) as RGB images (…, H, W, 3) uint8; motion of `full` px has the purest colour, faster is darker.

    Unknown flow is black. BadUsage for a `full` that is no finite number above 0.
    """
    if not 0 < full < np.inf:
        raise BadUsage(f"colours end at a motion above 0 px and of finite size, got {full}")
    uv = flow.numpy()
    known = np.isfinite(uv).all(-1, keepdims=True)
    u, v = np.moveaxis(np.where(known, uv, 0) / np.float32(full), -1, 0)
    wheel = _wheel()
    # Red is to the right; with y down, the hues follow the clock.
    turn = np.mod(np.arctan2(v, u) / (2 * np.pi), 1.0) * len(wheel)
    low = np.floor(turn).astype(np.int64)
    share = (turn - low)[..., None].astype(np.float32)
    hue = (1 - share) * wheel[low % len(wheel)] + share * wheel[(low + 1) % len(wheel)]
    speed = np.hypot(u, v)[..., None]
    colour = np.where(speed <= 1, 1 - speed * (1 - hue), _BEYOND * hue)
    return np.rint(255 * np.where(known, colour, 0)).astype(np.uint8)


def scale_of(flow: Flow) -> float:
    """Px at which the colours of this flow should end: all but the fastest hundredth are within, rounded up."""
    speed = np.linalg.norm(flow.numpy(), axis=-1)
    speed = speed[np.isfinite(speed)]
    fast = max(_LEAST, float(np.percentile(speed, _TYPICAL)) if speed.size else _LEAST)
    unit = 10 ** np.floor(np.log10(fast))
    # Within float rounding of a step, that step.
    return float(unit * next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * unit >= fast * (1 - 1e-6)))


def with_legend(image: Image, full: float) -> Image:
    """A copy of the image (H, W, 3) with the wheel in its lower right corner, and how many px its rim stands for.

    Images too small for it stay as they are.
    """
    out = image.copy()
    radius = max(10, round(0.07 * min(image.shape[:2])))
    zoom = max(1, round(radius / 12))
    # In figures alone, also where others would write 1e+06.
    figure = np.format_float_positional(full, precision=3, fractional=False, trim="-")
    text = np.kron(letters(f"{figure} px"), np.ones((zoom, zoom), bool))
    high, wide = 2 * radius + 1 + zoom * 3 + len(text), max(2 * radius + 1, text.shape[1]) + 4 * zoom
    if high + 2 * zoom > image.shape[0] or wide > image.shape[1]:
        return out
    patch = np.zeros((high + 2 * zoom, wide, 3), np.uint8)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float32)
    disc = colours_of(Flow.from_numpy(np.stack((x, y), -1)), full=radius)
    left = (wide - 2 * radius - 1) // 2
    within = np.hypot(x, y)[..., None] <= radius
    patch[zoom : zoom + 2 * radius + 1, left : left + 2 * radius + 1] = np.where(within, disc, 0)
    top, left = zoom * 3 + 2 * radius + 1, (wide - text.shape[1]) // 2
    patch[top : top + len(text), left : left + text.shape[1]] = np.where(text[..., None], 255, 0)
    out[-len(patch) :, -wide:] = patch
    return out


class FlowVideo:
    """Colours flows one by one; made by `flow_video`."""

    def __init__(self, writer: ClipWriter, full: float, legend: bool) -> None:
        self._writer = writer
        self._full = full
        self._legend = legend

    def write(self, flow: Flow, time: float) -> None:
        """Append a flow (2, H, W) that is shown from `time` (s) on; times must ascend."""
        image = colours_of(flow, full=self._full)
        self._writer.write(with_legend(image, self._full) if self._legend else image, time)


@contextmanager
def flow_video(path: str | Path, *, full: float, legend: bool = True, quality: int = 18) -> Generator[FlowVideo]:
    """Open `path` (.mp4) for writing; it appears under its name only once it is whole.

    Args:
        full: px of motion at which colours are purest.
        quality: x264's constant rate factor.
    """
    with clip_writer(path, quality=quality) as writer:
        yield FlowVideo(writer, full, legend)


def write_flow_image(path: str | Path, flow: Flow, *, full: float, legend: bool = True) -> None:
    """Write a flow (2, H, W) as a PNG of its colours."""
    image = colours_of(flow, full=full)
    with whole_file(path) as partial:
        partial.write_bytes(_png(with_legend(image, full) if legend else image))


def _wheel() -> NDArray[np.float32]:
    """Colours (55, 3), 0..1, around the wheel, from red on."""
    parts: list[NDArray[np.float64]] = []
    for (colour, count), (following, _) in zip(_HUES, (*_HUES[1:], _HUES[0]), strict=True):
        share = np.arange(count)[:, None] / count
        parts.append((1 - share) * np.array(colour) + share * np.array(following))
    return (np.concatenate(parts) / 255).astype(np.float32)


def _png(image: Image) -> bytes:
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = image.shape[1], image.shape[0], "rgb24"
    codec.time_base = Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))
