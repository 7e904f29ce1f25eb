"""Pictures of figures: a depth buffer over rounded cones, sun with shadows, and a backdrop behind."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from dyad.synthetic.backdrop import Viewpoint, backdrop
from dyad.synthetic.figures import Figure, Material
from dyad.synthetic.paint import albedo
from dyad.synthetic.shading import drawn_over, folded
from dyad.synthetic.shadows import Shadow
from dyad.synthetic.tracing import Array, Solids

_SUN = np.array((1.0, 0.95, 0.86), np.float32)
_SKY = np.array((0.42, 0.48, 0.58), np.float32)
_BOUNCE = np.array((0.30, 0.28, 0.25), np.float32)
_EXPOSURE = 1.25
_GRAIN = 0.008


@dataclass(frozen=True)
class Drawing:
    """What is seen in a frame.

    Attributes:
        image: (H, W, 3) RGB uint8. depth: (H, W) m along the camera's axis, inf where no person is.
        person: (H, W) int16, position of the figure that is seen, -1 where none is.
    """

    image: NDArray
    depth: Array
    person: NDArray


@dataclass(frozen=True)
class Studio:
    """Draws figures, given in camera coordinates, before a backdrop.

    Args:
        view: the camera. seed: of backdrop, light and grain. finer: sub-pixels along each axis.
    """

    view: Viewpoint
    seed: int = 0
    finer: int = 2

    def __call__(self, figures: list[Figure], *, frame: int = 0) -> Drawing:
        """One picture; `frame` picks the grain."""
        depth, owner = self._buffers(figures)
        sun = Shadow.of(figures, self._sun)
        image, ground = self._empty
        image = image.copy()
        image[ground] *= self._shade(sun)[:, None]
        fine, (top, left) = self._shaded(figures, depth, owner, sun)
        if fine is not None:
            n = self.finer
            mean = _mean(fine, n)
            place = np.s_[top // n : top // n + mean.shape[0], left // n : left // n + mean.shape[1]]
            image[place] = image[place] * (1 - mean[..., 3:]) + mean[..., :3]
        middle = np.s_[self.finer // 2 :: self.finer, self.finer // 2 :: self.finer]
        # With an even number of sub-pixels none lies on the pixel's centre; the one below and right stands for it.
        return Drawing(self._developed(image, frame), depth[middle].copy(), _people(figures, owner[middle]))

    @cached_property
    def _sun(self) -> Array:
        """Unit vector towards the sun, in camera coordinates: high, behind the camera and to one side."""
        rng = np.random.default_rng((self.seed, 1))
        turn, high = rng.choice((-1, 1)) * rng.uniform(0.5, 1.1), np.radians(rng.uniform(42, 58))
        world = np.array((np.sin(turn) * np.cos(high), np.sin(high), np.cos(turn) * np.cos(high)))
        return (self.view.rotation @ world).astype(np.float32)

    @cached_property
    def _rays(self) -> Array:
        """(H n, W n, 3) viewing rays with z = 1 of the sub-pixels' centres."""
        width, height = self.view.camera.size
        n = self.finer
        x, y = ((np.arange(size * n) + 0.5) / n - 0.5 for size in (width, height))
        grid = torch.from_numpy(np.stack(np.meshgrid(x, y), -1))
        return self.view.camera.rays(grid).float().numpy()

    @cached_property
    def _planes(self) -> Array:
        """(3, H n, W n) the same rays, each coordinate for itself."""
        return np.ascontiguousarray(np.moveaxis(self._rays, -1, 0))

    @cached_property
    def _empty(self) -> tuple[Array, NDArray]:
        n = self.finer
        fine, ground = backdrop(self.view, self._rays, seed=self.seed)
        return _mean(fine, n) * (0.95 * _SUN), ground[::n, ::n]

    @cached_property
    def _ground(self) -> Array:
        """(N, 3) points of the ground, in camera coordinates, that the pixels marked in `_empty` see."""
        rays = self._rays[:: self.finer, :: self.finer][self._empty[1]]
        plane = self.view.floor().astype(np.float32)
        return rays * (-plane[3] / np.minimum(rays @ plane[:3], -1e-4))[:, None]

    def _buffers(self, figures: list[Figure]) -> tuple[Array, NDArray]:
        """Depth of the sub-pixels, and which part (counted through all figures) each sees."""
        rays = self._planes
        depth = np.full(rays.shape[1:], np.inf, np.float32)
        owner = np.full(rays.shape[1:], -1, np.int32)
        first = 0
        focal, centre = self.view.camera.focal.numpy() * self.finer, self.view.camera.centre.numpy()
        centre = (centre + 0.5) * self.finer - 0.5
        for one in figures:
            for part in range(len(one.solids)):
                box = _box(one.solids, part, focal, centre, depth.shape)
                if box is None:
                    continue
                t = one.solids.hit(part, np.zeros(3, np.float32), rays[:, *box])
                nearer = (t < depth[box]) & (t > 0)
                np.copyto(depth[box], t, where=nearer)
                owner[box][nearer] = first + part
            first += len(one.solids)
        return depth, owner

    def _shade(self, sun: Shadow) -> Array:
        """(N,) light that reaches the ground's pixels relative to no one standing there."""
        return 1 - 0.62 * sun.darkness(self._ground, blur=True)

    def _shaded(
        self, figures: list[Figure], depth: Array, owner: NDArray, sun: Shadow
    ) -> tuple[Array | None, tuple[int, int]]:
        """Premultiplied colour and cover (h, w, 4) of the sub-pixels in the box of all people, and the box's corner."""
        rows, columns = (np.nonzero((owner >= 0).any(axis))[0] for axis in (1, 0))
        if not len(rows):
            return None, (0, 0)
        n = self.finer
        top, left = rows[0] // n * n, columns[0] // n * n
        bottom, right = -(-(rows[-1] + 1) // n) * n, -(-(columns[-1] + 1) // n) * n
        box = np.s_[top:bottom, left:right]
        owner, rays, depth = owner[box], self._rays[box], depth[box]
        out = np.zeros((*owner.shape, 4), np.float32)
        up = (self.view.rotation @ np.array((0.0, 1.0, 0.0))).astype(np.float32)
        plane = self.view.floor().astype(np.float32)
        first = 0
        for one in figures:
            rows, columns = np.nonzero((owner >= first) & (owner < first + len(one.solids)))
            if len(rows):
                part, far = owner[rows, columns] - first, depth[rows, columns]
                points = rays[rows, columns] * far[:, None]
                normal, local = one.solids.surface(part, points)
                colour = albedo(one, part, points, local)
                scale = self.view.camera.focal[0].item() * n / float(np.median(far))
                normal = drawn_over(one, part, normal, rows, columns, scale)
                normal = folded(one, part, normal, local)
                height = points @ plane[:3] + plane[3]
                out[rows, columns, :3] = self._lit(one.material[part], colour, normal, points, height, up, sun)
                out[rows, columns, 3] = 1
            first += len(one.solids)
        return out, (int(top), int(left))

    def _lit(
        self, material: NDArray, colour: Array, normal: Array, points: Array, height: Array, up: Array, sun: Shadow
    ) -> Array:
        facing = normal @ self._sun
        skin = (material == Material.SKIN) | (material == Material.FACE)
        wrap = np.where(skin, 0.25, 0.10)
        direct = np.clip((facing + wrap) / (1 + wrap), 0, 1) * (1 - 0.85 * sun.darkness(points, blur=False))
        upward = 0.5 + 0.5 * (normal @ up)
        ambient = _BOUNCE + (_SKY - _BOUNCE) * upward[:, None]
        view = points / np.linalg.norm(points, axis=-1, keepdims=True)
        rim = 1 - np.clip(-(view * normal).sum(-1), 0, 1)
        ambient = (
            ambient * (1 - 0.45 * rim**2 * (upward < 0.9))[:, None] * np.clip(0.75 + 0.5 * height, 0.75, 1)[:, None]
        )
        half = self._sun - view
        half /= np.linalg.norm(half, axis=-1, keepdims=True)
        gloss = np.where(material == Material.HAIR, 0.10, np.where(skin, 0.06, 0.015))
        shine = gloss * np.clip((half * normal).sum(-1), 0, 1) ** 18 * direct
        return colour * (ambient + (0.95 * direct)[:, None] * _SUN) + shine[:, None]

    def _developed(self, image: Array, frame: int) -> NDArray:
        """Linear light to 8 bit with the eye's gamma and a little grain."""
        tone = np.clip(image * _EXPOSURE, 0, None)
        tone = np.clip(tone / (1 + 0.18 * tone), 0, 1) ** np.float32(1 / 2.2)
        rng = np.random.default_rng((self.seed, frame, 2))
        down, across = (int(v) for v in rng.integers(0, 256, 2))
        height, width = tone.shape[:2]
        tone = tone + np.roll(self._grain, (down, across), (0, 1))[:height, :width, None]
        return (np.clip(tone, 0, 1) * 255 + 0.5).astype(np.uint8)

    @cached_property
    def _grain(self) -> Array:
        width, height = self.view.camera.size
        grain = np.random.default_rng((self.seed, 3)).normal(0, _GRAIN, (height, width))
        return gaussian_filter(grain, 0.4).astype(np.float32)


def _box(
    solids: Solids, part: int, focal: NDArray, centre: NDArray, shape: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Rows and columns of an image (H, W) in which a part may be seen; None if outside or too near."""
    ends, radii = solids.balls(part)
    near, far = ends[:, 2] - radii, ends[:, 2] + radii
    if near.min() < 0.1:
        return None
    # A ball's outline lies within that of the cube around it, whose nearest and farthest faces bound it.
    low, high = ends[:, :2] - radii[:, None], ends[:, :2] + radii[:, None]
    low = np.minimum(low / near[:, None], low / far[:, None]).min(0) * focal + centre
    high = np.maximum(high / near[:, None], high / far[:, None]).max(0) * focal + centre
    left, top = (max(int(v), 0) for v in low)
    right, bottom = (min(int(v) + 2, size) for v, size in zip(high, (shape[1], shape[0]), strict=True))
    return np.s_[top:bottom, left:right] if right > left and bottom > top else None


def _mean(fine: Array, n: int) -> Array:
    """Mean over blocks of n x n sub-pixels of (H n, W n, C)."""
    total = sum(fine[down::n, across::n] for down in range(n) for across in range(n))
    return np.asarray(total) / np.float32(n * n)


def _people(figures: list[Figure], owner: NDArray) -> NDArray:
    ends = np.cumsum([len(one.solids) for one in figures]) if figures else np.zeros(0, int)
    return np.where(owner >= 0, np.searchsorted(ends, owner, side="right"), -1).astype(np.int16)
