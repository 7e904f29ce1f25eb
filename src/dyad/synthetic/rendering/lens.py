"""The imperfect camera: what a real lens, sensor and encoder do to a perfect picture, none of which moves a thing."""

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.synthetic.rendering.blur import motion_blur, soften
from dyad.synthetic.rendering.jpeg import jpeg

_PER_BYTE = np.float32(1 / np.sqrt(4 * (256**2 - 1) / 12))
"""What the sum of four random bytes has to be multiplied by for a standard deviation of 1."""


@dataclass(frozen=True)
class Lens:
    """Faults of a camera; every default is none, so that `Lens()` gives the picture back as it is.

    Attributes:
        shutter: share of the time between frames during which light is gathered, 0 to 1: motion blur.
        soft: spread of a point in px.
        exposure: stops by which everything is too bright (or too dark, below 0).
        tint: factors of red, green and blue: a wrong white balance.
        vignette: share of light lost in the corners.
        gain: rolling gain, (stops, s): the exposure goes up and down by so much in so long, as an automatic one does.
        flicker: (share, rows): brightness waves over the rows, from lamps on mains current, and moves with time.
        shot, read: noise in grey levels: at full brightness, where it grows as the root of the light, and in the dark.
        quality: of the JPEG, 1 to 100; None leaves it out.
        fps: frames a second, for what changes over time. seed: of the noise.
    """

    shutter: float = 0.0
    soft: float = 0.0
    exposure: float = 0.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0
    gain: tuple[float, float] = (0.0, 1.0)
    flicker: tuple[float, float] = (0.0, 100.0)
    shot: float = 0.0
    read: float = 0.0
    quality: int | None = None
    fps: float = 30.0
    seed: tuple[int, ...] = field(default=(0,))

    def __post_init__(self) -> None:
        if not 0 <= self.shutter <= 1 or self.soft < 0 or self.shot < 0 or self.read < 0 or self.vignette < 0:
            raise BadUsage(f"a lens takes shutter 0 to 1 and soft, shot, read and vignette from 0 up, got {self}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise BadUsage(f"the quality of JPEG goes from 1 to 100, got {self.quality}")

    @classmethod
    def random(cls, rng: np.random.Generator, *, fps: float = 30.0, strength: float = 1.0) -> "Lens":
        """Faults as they are found in the wild, some of them in most cameras; `strength` scales them, 0 is none."""
        draws = rng.uniform(size=8)
        quality = int(rng.integers(30, 97))
        # Noise is mostly small, and large where little light comes in.
        noise = strength * float(np.exp(rng.normal(0.6, 0.7)))
        lens = cls(
            shutter=float(min(1, strength * rng.uniform(0.1, 0.9))) if draws[0] < 0.6 else 0.0,
            soft=strength * float(rng.uniform(0.3, 1.1)) if draws[1] < 0.5 else 0.0,
            exposure=strength * float(rng.normal(0, 0.35)),
            tint=_tuple3(np.exp(strength * rng.normal(0, 0.03, 3))),
            vignette=strength * float(rng.uniform(0, 0.4)) if draws[2] < 0.5 else 0.0,
            gain=(strength * float(rng.uniform(0, 0.3)), float(rng.uniform(1, 8))) if draws[3] < 0.4 else (0.0, 1.0),
            flicker=(strength * float(rng.uniform(0.01, 0.06)), float(rng.uniform(60, 600)))
            if draws[4] < 0.15
            else (0.0, 100.0),
            shot=min(2.0 * noise, 20.0) if draws[5] < 0.85 else 0.0,
            read=min(0.7 * noise, 8.0) if draws[5] < 0.85 else 0.0,
            quality=(min(100, round(100 - strength * (100 - quality))) if draws[6] < 0.7 else None),
            fps=fps,
            seed=tuple(int(v) for v in rng.integers(1 << 31, size=2)),
        )
        return lens if strength > 0 else cls(fps=fps)

    def __call__(
        self,
        image: NDArray[np.uint8],
        frame: int = 0,
        *,
        flow: NDArray[np.float32] | None = None,
        depth: NDArray[np.float32] | None = None,
    ) -> NDArray[np.uint8]:
        """The picture (H, W, 3) that comes out of the camera for the perfect one that went in.

        `flow` (H, W, 2) px to the next frame and `depth` (H, W) m give the motion blur; without them there is none.
        """
        if self.shutter > 0 and flow is not None and depth is not None:
            image = motion_blur(image, flow, depth, self.shutter)
        if self.soft > 0.2:
            image = soften(image, self.soft)
        if self._changes_light:
            image = self._exposed(image, frame)
        return image if self.quality is None else jpeg(image, self.quality)

    @property
    def _changes_light(self) -> bool:
        same = self.exposure == 0 and self.tint == (1.0, 1.0, 1.0) and self.vignette == 0
        return not (same and self.gain[0] == 0 and self.flicker[0] == 0 and self.shot == 0 and self.read == 0)

    def _exposed(self, image: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
        """Brightness, colour and noise."""
        height = len(image)
        time = frame / self.fps
        start = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, 2)
        stops = self.exposure + self.gain[0] * np.sin(2 * np.pi * time / self.gain[1] + start[0])
        # Pixels hold about the root of the light (gamma 2.2): a stop is a factor of 2 ** (1 / 2.2).
        rows = np.arange(height, dtype=np.float32)
        phase = 2 * np.pi * (rows / self.flicker[1] + 7.3 * time) + start[1]
        down = 2.0 ** (stops / 2.2) * (1 + self.flicker[0] * np.sin(phase))
        return _sensed(
            image,
            down.astype(np.float32),
            np.asarray(self.tint, np.float32),
            np.float32(self.vignette),
            np.float32(self.shot**2 / 255),
            np.float32(self.read**2),
            np.random.SeedSequence((*self.seed, frame)).generate_state(1)[0],
        )


@njit(cache=True, nogil=True)
def _sensed(image, down, tint, vignette, shot, read, key):
    """An image with the brightness of each row (H,), tint (3,), vignette, and noise whose variance is
    `read` + `shot` times the level."""
    height, width = image.shape[:2]
    out = np.empty_like(image)
    noisy = shot > 0 or read > 0
    for i in range(height):
        y = np.float32(2 * i + 1) / height - 1
        for j in range(width):
            x = np.float32(2 * j + 1) / width - 1
            away = np.float32(0.5) * (x * x + y * y)
            light = down[i] * (1 - vignette * away * np.sqrt(away))
            for k in range(3):
                level = image[i, j, k] * light * tint[k]
                if noisy:
                    bits = _scrambled(np.uint32(3 * (i * width + j) + k) ^ key)
                    # The sum of four random bytes is all but normal.
                    total = (bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24 & 255)
                    level += np.sqrt(read + shot * max(level, np.float32(0))) * (np.float32(total) - 510) * _PER_BYTE
                out[i, j, k] = np.uint8(min(max(np.rint(level), np.float32(0)), np.float32(255)))
    return out


@njit(cache=True, nogil=True, inline="always")
def _scrambled(value):
    """A number of 32 bits turned into one that looks random (the mixer `lowbias32` of C. Wellons)."""
    value = np.uint32(value)
    value = np.uint32(value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)
    value = np.uint32(value)
    value = np.uint32(value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    value = np.uint32(value)
    return np.uint32(value ^ (value >> np.uint32(16)))


def _tuple3(values: NDArray) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue
