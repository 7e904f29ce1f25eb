"""Sunlight: which points have a body between them and the sun."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from dyad.synthetic.figures import Figure
from dyad.synthetic.tracing import Array, Solids

_SHADOW_STEP = 0.025
_SHADOW_BIAS = 0.05
_SOFT = 1.0


@dataclass(frozen=True)
class Shadow:
    """How far towards the sun the first surface is, over a plane square to its direction."""

    distance: Array
    soft: Array
    corner: Array
    axes: Array

    @classmethod
    def of(cls, figures: list[Figure], sun: Array) -> "Shadow":
        across = np.cross(sun, (0.0, 0.0, 1.0))
        across /= np.linalg.norm(across)
        axes = np.stack((across, np.cross(sun, across), sun)).astype(np.float32)
        if not figures:
            blank = np.full((2, 2), -np.inf, np.float32)
            return cls(blank, np.zeros((2, 2), np.float32), np.zeros(2, np.float32), axes)
        boxes = [
            (one.solids, part, *_square(one.solids, part, axes)) for one in figures for part in range(len(one.solids))
        ]
        corner = np.min([low for _, _, low, _ in boxes], 0)[:2] - 6 * _SHADOW_STEP
        far = np.max([high for _, _, _, high in boxes], 0)[:2] + 6 * _SHADOW_STEP
        width, height = np.ceil((far - corner) / _SHADOW_STEP).astype(int)
        distance = np.full((height, width), -np.inf, np.float32)
        for solids, part, low, high in boxes:
            left, top = np.floor((low[:2] - corner) / _SHADOW_STEP).astype(int)
            right, bottom = np.ceil((high[:2] - corner) / _SHADOW_STEP).astype(int) + 1
            box = np.s_[top:bottom, left:right]
            rows, columns = (v.astype(np.float32) for v in np.mgrid[box])
            x, y = corner[0] + columns * _SHADOW_STEP, corner[1] + rows * _SHADOW_STEP
            start = np.stack([x * axes[0, i] + y * axes[1, i] + high[2] * axes[2, i] for i in range(3)])
            t = solids.hit(part, start.astype(np.float32), -axes[2])
            distance[box] = np.maximum(distance[box], high[2] - t)
        soft = gaussian_filter((distance > -np.inf).astype(np.float32), _SOFT)
        return cls(distance, soft, corner.astype(np.float32), axes)

    def darkness(self, points: Array, *, blur: bool) -> Array:
        """Share (N,) of the sun that is hidden at points (N, 3); `blur` for points that no part of a body touches."""
        flat = points @ self.axes.T
        place = ((flat[:, :2] - self.corner) / np.float32(_SHADOW_STEP))[:, ::-1]
        inside = ((place > -1) & (place < np.array(self.distance.shape))).all(1)
        out = np.zeros(len(points), np.float32)
        if blur:
            out[inside] = map_coordinates(self.soft, place[inside].T, order=1, mode="constant")
            return out
        # A share of the four nearest samples: hard comparisons, then blended, so that edges stay where they are.
        place, depth = place[inside], flat[inside, 2] + np.float32(_SHADOW_BIAS)
        low = np.floor(place).astype(np.int64)
        part = place - low
        total = np.zeros(len(place), np.float32)
        rows, columns = self.distance.shape
        for down in (0, 1):
            for across in (0, 1):
                j, i = np.clip(low[:, 0] + down, 0, rows - 1), np.clip(low[:, 1] + across, 0, columns - 1)
                weight = np.abs(1 - down - part[:, 0]) * np.abs(1 - across - part[:, 1])
                total += weight * (self.distance[j, i] > depth)
        out[inside] = np.clip(total, 0, 1)
        return out


def _square(solids: Solids, part: int, axes: Array) -> tuple[Array, Array]:
    """Lowest and highest coordinates (3,) along the axes (3, 3) of what holds a part."""
    ends, radii = solids.balls(part)
    flat = ends @ axes.T
    return (flat - radii[:, None]).min(0), (flat + radii[:, None]).max(0)
