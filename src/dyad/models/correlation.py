"""How alike the features of two images are, read around where each pixel is believed to have gone (RAFT, section 3.2).

Each pixel of the first image looks at (2 radius + 1)² places around its target in the second, at `levels` resolutions,
each half the one before. The product of features is linear, so that halving the second image's features gives the same
as halving the products. All policies compute the same:

* `AllPairs` multiplies all pixels with all once: quickest for small images, memory quadratic in pixels.
* `OnTheFly` multiplies, at each look, square tiles of pixels with the part of the second image that the tile looks at:
  memory linear in pixels, forward and backward.
* `Auto` takes the first where it needs little memory, else the second.
"""

from dataclasses import dataclass
from itertools import accumulate, product
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Size = tuple[int, int]


class Lookup(Protocol):
    """Reads products at targets (N, 2, H, W), x and y in pixels of the features.

    Returns (N, levels (2 radius + 1)², H, W); within a level the offset in y runs fastest. Differentiable in the
    features and the targets; 0 where a place lies outside the image.
    """

    def __call__(self, targets: Tensor, /) -> Tensor: ...


class Correlation(Protocol):
    """Makes a lookup of the features (N, C, H, W) of two images; `channels` says how much it returns a pixel."""

    @property
    def channels(self) -> int: ...

    def __call__(self, first: Tensor, second: Tensor, /) -> Lookup: ...


@dataclass(frozen=True)
class AllPairs:
    """All products at once. Of 1024x436 px they take 0.2 GB, of 1920x1080 px 5.7 GB."""

    levels: int = 4
    radius: int = 4

    @property
    def channels(self) -> int:
        return self.levels * (2 * self.radius + 1) ** 2

    def __call__(self, first: Tensor, second: Tensor) -> Lookup:
        with torch.autocast(first.device.type, enabled=False):
            rows, pyramid = _features(first, second, self.levels)
            products = rows @ pyramid.values

        def lookup(targets: Tensor) -> Tensor:
            places = _places(targets, pyramid.sizes, self.radius)
            index, inside = _index(places.corner, pyramid.sizes, 2 * self.radius + 2)
            read = products.gather(2, index.flatten(2)).view(index.shape) * inside
            return _between(read, places.share, targets.shape)

        return lookup


@dataclass(frozen=True)
class OnTheFly:
    """Products computed when they are looked at, and again for the gradient; `tile` px is the side of a tile."""

    levels: int = 4
    radius: int = 4
    tile: int = 16

    @property
    def channels(self) -> int:
        return self.levels * (2 * self.radius + 1) ** 2

    def __call__(self, first: Tensor, second: Tensor) -> Lookup:
        with torch.autocast(first.device.type, enabled=False):
            rows, pyramid = _features(first, second, self.levels)

        def lookup(targets: Tensor) -> Tensor:
            places = _places(targets, pyramid.sizes, self.radius)
            side = 2 * self.radius + 2
            corner = places.corner.unflatten(1, targets.shape[-2:])
            with torch.autocast(targets.device.type, enabled=False):
                read = _TiledProducts.apply(rows, pyramid.values, corner, pyramid.sizes, side, self.tile)
            return _between(read, places.share, targets.shape)

        return lookup


@dataclass(frozen=True)
class Auto:
    """All products at once where they take at most `most_bytes`, which 1024x768 px stay below; else on the fly."""

    levels: int = 4
    radius: int = 4
    most_bytes: int = 1 << 30

    @property
    def channels(self) -> int:
        return self.levels * (2 * self.radius + 1) ** 2

    def __call__(self, first: Tensor, second: Tensor) -> Lookup:
        # Floats of the first level, and a third more for all that follow.
        needed = 4 * len(first) * (first.shape[-2] * first.shape[-1]) ** 2 * 4 // 3
        policy = AllPairs if needed <= self.most_bytes else OnTheFly
        return policy(levels=self.levels, radius=self.radius)(first, second)


class _Pyramid(NamedTuple):
    """Features (N, C, sum of H W) of all levels one after the other, and each one's (H, W)."""

    values: Tensor
    sizes: tuple[Size, ...]


def _features(first: Tensor, second: Tensor, levels: int) -> tuple[Tensor, _Pyramid]:
    """The first image's features (N, H W, C), divided by the root of C, and the second's pyramid."""
    if min(second.shape[-2:]) < 2 ** (levels - 1):
        raise ValueError(
            f"features of {second.shape[-1]}x{second.shape[-2]} cannot be halved {levels - 1} times: "
            f"give images of at least {8 * 2 ** (levels - 1)} px a side"
        )
    maps = [second.float()]
    for _ in range(levels - 1):
        maps.append(F.avg_pool2d(maps[-1], 2))
    rows = (first.float() * first.shape[1] ** -0.5).flatten(2).transpose(1, 2)
    sizes = tuple((int(m.shape[-2]), int(m.shape[-1])) for m in maps)
    return rows.contiguous(), _Pyramid(torch.cat([m.flatten(2) for m in maps], -1), sizes)


class _Places(NamedTuple):
    """Where windows of whole pixels begin, (N, H W, levels, 2) x and y, and how far beyond that the targets lie, 0..1.

    A window has one column and row more than there are offsets, since all lie equally far between two pixels.
    """

    corner: Tensor
    share: Tensor


def _places(targets: Tensor, sizes: tuple[Size, ...], radius: int) -> _Places:
    scale = targets.new_tensor([0.5**level for level in range(len(sizes))])
    at = targets.float().flatten(2).transpose(1, 2)[:, :, None] * scale[:, None]
    # A target so far outside that its window is empty may as well lie nearer: its index stays a small number.
    far = at.new_tensor([(width, height) for height, width in sizes]) + (radius + 1)
    low = at.detach().floor()
    corner = low.clamp(min=-radius - 2).minimum(far).long() - radius
    return _Places(corner, at - low)


def _index(corner: Tensor, sizes: tuple[Size, ...], side: int) -> tuple[Tensor, Tensor]:
    """Position (N, H W, levels, side x, side y) in the pyramid of each pixel of the windows, and which lie inside."""
    starts = [0, *accumulate(height * width for height, width in sizes)][:-1]
    height, width, start = corner.new_tensor([(*s, n) for s, n in zip(sizes, starts, strict=True)])[..., None].unbind(1)
    x, y = (corner[..., k, None] + torch.arange(side, device=corner.device) for k in (0, 1))
    inside = ((x >= 0) & (x < width))[..., None] & ((y >= 0) & (y < height))[..., None, :]
    column = x.clamp(min=0).minimum(width - 1)
    row = y.clamp(min=0).minimum(height - 1) * width + start
    return column[..., None] + row[..., None, :], inside


def _between(read: Tensor, share: Tensor, shape: torch.Size) -> Tensor:
    """Windows (N, H W, levels, side, side) read between their pixels, as (N, channels, H, W)."""
    read = torch.lerp(read[..., :-1, :], read[..., 1:, :], share[..., 0, None, None])
    read = torch.lerp(read[..., :-1], read[..., 1:], share[..., 1, None, None])
    return read.flatten(2).transpose(1, 2).unflatten(2, shape[-2:])


class _Tile(NamedTuple):
    """A part of the first image and, at one level, the part of the second that its windows touch.

    Slices: `image`, `rows`, `columns` of (N, H, W), `down`, `across` of the level's map.
    """

    level: int
    image: int
    rows: slice
    columns: slice
    down: slice
    across: slice


def _tiles(corner: Tensor, grid: Size, sizes: tuple[Size, ...], side: int, tile: int) -> list[_Tile]:
    """Tiles that see anything; `corner` (N, H, W, levels, 2)."""
    flat = corner.flatten(3).permute(0, 3, 1, 2).float()
    high = F.max_pool2d(flat, tile, ceil_mode=True)
    low = -F.max_pool2d(-flat, tile, ceil_mode=True)
    # One transfer for all: on a GPU each would wait for the device.
    ends = torch.stack((low, high), 2).unflatten(1, (len(sizes), 2)).permute(0, 4, 5, 1, 2, 3).long().tolist()
    found = []
    for image, part in enumerate(ends):
        for (i, line), (level, (height, width)) in product(enumerate(part), enumerate(sizes)):
            for j, cell in enumerate(line):
                (x0, x1), (y0, y1) = cell[level]
                across, down = slice(max(x0, 0), min(x1 + side, width)), slice(max(y0, 0), min(y1 + side, height))
                if across.start < across.stop and down.start < down.stop:
                    rows = slice(i * tile, min((i + 1) * tile, grid[0]))
                    columns = slice(j * tile, min((j + 1) * tile, grid[1]))
                    found.append(_Tile(level, image, rows, columns, down, across))
    return found


class _TiledProducts(torch.autograd.Function):
    """Windows (N, H W, levels, side, side) of products of rows (N, H W, C) with a pyramid (N, C, sum of H W)."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, values: Tensor, corner: Tensor, sizes: tuple[Size, ...], side: int, tile: int
    ) -> Tensor:
        grid = (corner.shape[1], corner.shape[2])
        ctx.save_for_backward(rows, values, corner)
        ctx.rest = (sizes, side, tiles := _tiles(corner, grid, sizes, side, tile))
        out = rows.new_zeros((len(rows), *grid, len(sizes), side, side))
        first, maps = rows.unflatten(1, grid), _maps(values, sizes)
        for t in tiles:
            index, inside = _index_in(t, corner, side)
            products = _rows_of(t, first) @ maps[t.level][t.image, :, t.down, t.across].flatten(1)
            read = products.gather(1, index) * inside
            part = out[t.image, t.rows, t.columns, t.level]
            part.copy_(read.view(part.shape))
        return out.flatten(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        rows, values, corner = ctx.saved_tensors
        sizes, side, tiles = ctx.rest
        grid = (corner.shape[1], corner.shape[2])
        first, maps, gradient = rows.unflatten(1, grid), _maps(values, sizes), gradient.unflatten(1, grid)
        to_rows, to_values = torch.zeros_like(rows), torch.zeros_like(values)
        to_first, to_maps = to_rows.unflatten(1, grid), _maps(to_values, sizes)
        for t in tiles:
            index, inside = _index_in(t, corner, side)
            seen = maps[t.level][t.image, :, t.down, t.across]
            arrived = gradient[t.image, t.rows, t.columns, t.level].reshape(index.shape) * inside
            products = arrived.new_zeros((len(index), seen.shape[1] * seen.shape[2])).scatter_add_(1, index, arrived)
            part = to_first[t.image, t.rows, t.columns]
            part += (products @ seen.flatten(1).T).view(part.shape)
            to_maps[t.level][t.image, :, t.down, t.across] += (_rows_of(t, first).T @ products).view(seen.shape)
        return to_rows, to_values, None, None, None, None


def _maps(values: Tensor, sizes: tuple[Size, ...]) -> list[Tensor]:
    """Views (N, C, H, W) of the levels of a pyramid."""
    parts = values.split([height * width for height, width in sizes], -1)
    return [part.unflatten(-1, size) for part, size in zip(parts, sizes, strict=True)]


def _rows_of(tile: _Tile, first: Tensor) -> Tensor:
    """The features (pixels, C) of a tile out of (N, H, W, C)."""
    return first[tile.image, tile.rows, tile.columns].flatten(0, 1)


def _index_in(tile: _Tile, corner: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Position (pixels, side side) of the windows' pixels in the part of the map that the tile sees, and which lie in
    it: what is inside the image is."""
    at = corner[tile.image, tile.rows, tile.columns, tile.level].flatten(0, 1)
    size = (tile.down.stop - tile.down.start, tile.across.stop - tile.across.start)
    origin = at.new_tensor((tile.across.start, tile.down.start))
    index, inside = _index((at - origin)[:, None], (size,), side)
    return index.flatten(1), inside.flatten(1)
