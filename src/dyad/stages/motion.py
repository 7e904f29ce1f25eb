"""Whether the camera moves, seen in the background."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from dyad.core.pixels import resized

# Longer side of the images that are compared, and side and distance of the tiles they are cut into, px.
_WIDTH = 256
_TILE = 32
_STRIDE = 24
# Grey levels a tile must vary by (standard deviation) to show where it goes, and how high its correlation's peak must
# be (1 is a pure shift) to be believed.
_TEXTURE = 4.0
_PEAK = 0.25
_FEWEST = 4


@dataclass(frozen=True)
class Motion:
    """What one frame showed: px of the image the background moved since the last frame and since the anchor frame.

    NaN where there was nothing to see: the first frame, after a cut, no texture, people everywhere.
    """

    step: float
    drift: float


@dataclass(frozen=True)
class _View:
    """A small grey image (h, w), the mask of what is outside every box, and px of the image per px of the small one."""

    grey: NDArray[np.float32]
    free: NDArray[np.bool_]
    scale: float


class CameraMotion:
    """Watches the background frame by frame; `moving` says whether the camera moves.

    Frames are compared in small tiles by phase correlation, those on people left out; the median tile is the
    background. Noise makes steps between frames whatever the camera does, so the verdict rests on how far the
    background is from an anchor frame up to `reach` frames back.

    Args:
        threshold: drift as a share of the image's diagonal that is motion; 0.0015 is 3 px in full HD.
        share: share of the frames that must have it.
        reach: frames that an anchor serves.
    """

    def __init__(self, *, threshold: float = 0.0015, share: float = 0.3, reach: int = 15) -> None:
        self._threshold = threshold
        self._share = share
        self._reach = reach
        self._last: _View | None = None
        self._anchor: _View | None = None
        self._age = 0
        self._diagonal = 1.0
        self._sum = 0.0
        self._count = 0
        self._judged = self._drifted = 0

    def update(self, image: NDArray[np.uint8], boxes: ArrayLike = (), *, cut: bool = False) -> Motion:
        """Take the next frame (H, W, 3) uint8 with the boxes (N, 4) x0 y0 x1 y1 px of its people."""
        height, width = image.shape[:2]
        self._diagonal = float(np.hypot(width, height))
        view = _reduced(image, boxes)
        last, anchor = self._last, self._anchor
        self._last = view
        if cut or last is None or anchor is None or last.grey.shape != view.grey.shape:
            self._anchor, self._age = view, 0
            return Motion(float("nan"), float("nan"))
        step = view.scale * shift(last.grey, view.grey, last.free & view.free)
        drift = view.scale * shift(anchor.grey, view.grey, anchor.free & view.free) if self._age else step
        self._age += 1
        # Where the anchor is out of sight, the steps must tell.
        if np.isnan(drift):
            drift = step
        if not np.isnan(step):
            self._sum += step / self._diagonal
            self._count += 1
        if not np.isnan(drift):
            self._judged += 1
            self._drifted += drift > self._threshold * self._diagonal
        if self._age >= self._reach or drift > 0.05 * self._diagonal:
            self._anchor, self._age = view, 0
        return Motion(step, drift)

    @property
    def moving(self) -> bool:
        """Whether the camera moves, by all frames so far; False while nothing is known."""
        return self._drifted > self._share * self._judged

    @property
    def typical(self) -> float:
        """Mean motion of the background from frame to frame, as a share of the image's diagonal; NaN if unknown."""
        return self._sum / self._count if self._count else float("nan")


def shift(first: NDArray[np.float32], second: NDArray[np.float32], free: NDArray[np.bool_]) -> float:
    """Median length (px) of the motion of the tiles from one grey image (h, w) to another; NaN if too few show any.

    `free` (h, w) marks the pixels that count. Lengths rather than directions: a turn or a zoom is a motion, too.
    """
    coarse = _peaks(first[None] - first.mean(), second[None] - second.mean())
    dx, dy = (int(v) for v in np.rint(coarse[0][0])) if coarse[1][0] > 0.5 * _PEAK else (0, 0)
    height, width = first.shape
    # The part that both images show, after the shift of the whole.
    y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
    side = min(_TILE, height, width)
    if y1 - y0 < side or x1 - x0 < side:
        return float("nan")
    tiles = [
        _tiles(values, side)
        for values in (first[y0:y1, x0:x1], second[y0 + dy : y1 + dy, x0 + dx : x1 + dx], free[y0:y1, x0:x1])
    ]
    a, b, seen = tiles
    good = (seen.mean((-2, -1)) > 0.9) & (a.std((-2, -1)) > _TEXTURE) & (b.std((-2, -1)) > _TEXTURE)
    if good.sum() < min(_FEWEST, len(good)) or not good.any():
        return float("nan")
    moves, peaks = _peaks(
        a[good] - a[good].mean((-2, -1), keepdims=True), b[good] - b[good].mean((-2, -1), keepdims=True)
    )
    sure = peaks > _PEAK
    if sure.sum() < min(_FEWEST, len(good)):
        return float("nan")
    return float(np.median(np.hypot(*(moves[sure] + (dx, dy)).T)))


def _peaks(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Motions (n, 2) px and heights (n,) 0..1 of the phase correlation's peaks of image pairs (n, h, w)."""
    h, w = first.shape[1:]
    window = np.outer(np.hanning(h + 2)[1:-1], np.hanning(w + 2)[1:-1]).astype(np.float32)
    product = np.conj(fft.rfft2(first * window)) * fft.rfft2(second * window)
    # Damped whitening: frequencies that hold only noise have no say.
    magnitude = np.abs(product)
    damped = magnitude + 0.02 * magnitude.max((-2, -1), keepdims=True) + 1e-6
    # A pure shift has all its energy in one peak: the one that the magnitudes alone would make.
    highest = fft.irfft2(magnitude / damped, (h, w))[:, 0, 0]
    surface = fft.irfft2(product / damped, (h, w)) / highest[:, None, None].clip(1e-6)
    flat = surface.reshape(len(surface), -1)
    top = flat.argmax(1)
    rows, columns = np.divmod(top, w)
    n = np.arange(len(flat))

    def offset(before: NDArray, peak: NDArray, after: NDArray) -> NDArray:
        bend = before - 2 * peak + after
        return np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0).clip(-0.5, 0.5)

    peak = flat[n, top]
    y = rows + offset(surface[n, (rows - 1) % h, columns], peak, surface[n, (rows + 1) % h, columns])
    x = columns + offset(surface[n, rows, (columns - 1) % w], peak, surface[n, rows, (columns + 1) % w])
    moves = np.stack(((x + w / 2) % w - w / 2, (y + h / 2) % h - h / 2), -1)
    return moves, peak


def _tiles(values: NDArray, side: int) -> NDArray:
    return sliding_window_view(values, (side, side))[::_STRIDE, ::_STRIDE].reshape(-1, side, side)


def _reduced(image: NDArray[np.uint8], boxes: ArrayLike) -> _View:
    height, width = image.shape[:2]
    scale = max(1.0, max(height, width) / _WIDTH)
    w, h = max(1, round(width / scale)), max(1, round(height / scale))
    grey = resized(image, w, h).astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    free = np.ones((h, w), bool)
    for x0, y0, x1, y1 in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
        if np.isfinite((x0, y0, x1, y1)).all():
            rows = slice(max(0, int(y0 / scale)), max(0, int(np.ceil(y1 / scale)) + 1))
            free[rows, max(0, int(x0 / scale)) : max(0, int(np.ceil(x1 / scale)) + 1)] = False
    return _View(grey, free, scale)
