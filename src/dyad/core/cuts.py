"""Hard cuts: where one frame shows another scene than the one before."""

from collections import deque

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

Thumbnail = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_CHROMA_WEIGHT = 2.0

# Twelve tiles, each searched for within an eighth of the image's width: farther, chance finds something alike anywhere.
_TILES = (3, 4)
_SEARCH = 8
# Grey levels: contrast that counts as noise, contrast that counts in full, mean change that no cut stays below.
_NOISE = 10.0
_CONTRAST = 10.0
_STILL = 4.0


class CutDetector:
    """Decides, with a few frames of delay, whether a hard cut precedes a frame.

    Two frames are of one scene if most tiles of the one are found again near their place in the other, whatever the
    brightness: pans, shakes, zooms and people who move leave that so. A flash or a passing obstacle does not, so a
    frame that looks new is a cut only if those after it do not look like those before it. Where frames are restless all
    the time, as in a whip pan, a cut must stand out from its neighbours.

    Args:
        lookahead: frames that a decision waits for; a flash may last this many.
        threshold: share 0..1 of the image that must be new. Between frames of one real clip half a second apart 0.22
            was the most seen, between frames of clips from different places 0.34 the least.
        ratio: how many times the newness of the frames around it a cut must have.
        memory: number of frames whose median newness is the usual one.
    """

    def __init__(self, *, lookahead: int = 3, threshold: float = 0.26, ratio: float = 1.5, memory: int = 9) -> None:
        self._lookahead = lookahead
        self._threshold = threshold
        self._ratio = ratio
        self._usual: deque[float] = deque(maxlen=memory)
        self._before: deque[Thumbnail] = deque(maxlen=lookahead + 1)
        self._waiting: deque[Thumbnail] = deque()

    def push(self, thumbnail: Thumbnail) -> list[bool]:
        """Take the next frame (36, 64, 3) uint8; return the decisions that are now due, in order of frames."""
        self._waiting.append(thumbnail)
        return [self._decide()] if len(self._waiting) > self._lookahead else []

    def flush(self) -> list[bool]:
        """The decisions on the frames that still wait, at the end."""
        return [self._decide() for _ in range(len(self._waiting))]

    def _decide(self) -> bool:
        frame = self._waiting.popleft()
        new = newness(self._before[-1], frame) if self._before else 0.0
        cut = new > self._threshold and self._stands_out(new, frame) and self._lasts(frame)
        if cut:
            self._before.clear()
            self._usual.clear()
        elif self._before:
            self._usual.append(new)
        self._before.append(frame)
        return cut

    def _stands_out(self, new: float, frame: Thumbnail) -> bool:
        around = [float(np.median(self._usual)), self._usual[-1]] if self._usual else []
        if self._waiting:
            around.append(newness(frame, self._waiting[0]))
        return new > self._ratio * max(around, default=0.0)

    def _lasts(self, frame: Thumbnail) -> bool:
        after = (frame, *self._waiting)
        return all(newness(old, later) > self._threshold for old in self._before for later in after)


def newness(first: Thumbnail, second: Thumbnail) -> float:
    """Share 0..1 of `second` (h, w, 3) that `first` does not show: 0 for one scene however it moves, high for two."""
    if np.abs(first.astype(np.int16) - second).mean() < _STILL:
        return 0.0
    found, contrast = _traced(_planes(first), _planes(second))
    weight = np.minimum(1.0, contrast / _CONTRAST)
    total = float(weight.sum())
    return float((weight * (1 - found)).sum()) / total if total else 0.0


def _planes(image: Thumbnail) -> NDArray[np.float32]:
    """(3, h, w) luma and two colour differences, these weighing more since the light changes them less."""
    pixels = image.astype(np.float32)
    luma = pixels @ _LUMA
    return np.stack((luma, _CHROMA_WEIGHT * (pixels[..., 0] - luma), _CHROMA_WEIGHT * (pixels[..., 2] - luma)))


def _traced(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per tile of `second` (3, h, w): its best correlation 0..1 with any place nearby in `first`, and its contrast."""
    (rows, columns), s = _TILES, _SEARCH
    h, w = first.shape[1] // rows, first.shape[2] // columns
    # (rows, columns, 3, ·, ·): the tiles, and around each the part of the first image where it may be found
    tiles = sliding_window_view(second, (h, w), axis=(1, 2))[:, ::h, ::w][:, :rows, :columns].transpose(1, 2, 0, 3, 4)
    padded = np.pad(first, ((0, 0), (s, s), (s, s)), mode="edge")
    near = sliding_window_view(padded, (h + 2 * s, w + 2 * s), axis=(1, 2))[:, ::h, ::w]
    near = near[:, :rows, :columns].transpose(1, 2, 0, 3, 4)
    # The light of a tile may change, its colour not: only the luma is taken from its mean.
    level = tiles[:, :, 0].mean((-2, -1))
    tiles = tiles - np.stack((level, 0 * level, 0 * level), -1)[..., None, None]
    near = near - np.stack((level, 0 * level, 0 * level), -1)[..., None, None]
    power = np.square(tiles).sum((-3, -2, -1))

    shape = near.shape[-2:]
    product = fft.rfft2(near, shape) * np.conj(fft.rfft2(tiles, shape))
    likeness = fft.irfft2(product.sum(-3), shape)[..., : 2 * s + 1, : 2 * s + 1]
    energy = _box_sums(np.square(near).sum(-3), h, w) - np.square(_box_sums(near[:, :, 0], h, w)) / (h * w)
    floor = np.maximum(energy, 0) * power[..., None, None] + _NOISE**2 * h * w
    best = (likeness / np.sqrt(floor)).max((-2, -1))
    return np.clip(best, 0, 1), np.sqrt(power / (h * w))


def _box_sums(values: NDArray[np.float32], h: int, w: int) -> NDArray[np.float64]:
    """Sums over every h x w window of the last two axes."""
    total = np.zeros((*values.shape[:-2], values.shape[-2] + 1, values.shape[-1] + 1))
    total[..., 1:, 1:] = values.astype(np.float64).cumsum(-2).cumsum(-1)
    return total[..., h:, w:] - total[..., :-h, w:] - total[..., h:, :-w] + total[..., :-h, :-w]
