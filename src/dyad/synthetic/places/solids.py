"""Simple bodies as triangles: boxes, cylinders, balls and flat sheets, and what is put together from them.

Faces turn anticlockwise when seen from outside. Texture coordinates are metres along the surface, so that bricks are
as large on a small wall as on a large one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Solid:
    """A mesh in the world (y up, m).

    Attributes:
        points: (V, 3) float64 m. faces: (F, 3) int32. texture: (V, 3) float32 m along the surface.
        closed: whether the inside can never be seen.
    """

    points: NDArray[np.float64]
    faces: NDArray[np.int32]
    texture: NDArray[np.float32]
    closed: bool = True

    def placed(self, position: Vector, yaw: float = 0.0) -> "Solid":
        """Turned by `yaw` rad around the vertical, then moved."""
        return Solid(self.points @ turned(yaw).T + np.asarray(position), self.faces, self.texture, self.closed)

    def tilted(self, angle: float) -> "Solid":
        """Leant over to +z by `angle` rad around the x axis."""
        cos, sin = np.cos(angle), np.sin(angle)
        lean = np.array(((1, 0, 0), (0, cos, -sin), (0, sin, cos)))
        return Solid(self.points @ lean.T, self.faces, self.texture, self.closed)

    def spread(self, factors: Vector) -> "Solid":
        """Stretched along each axis; factors above 0."""
        return Solid(self.points * factors, self.faces, self.texture, self.closed)

    def lowered(self, height: float) -> "Solid":
        """With its texture `height` m lower, so that a side of that height has its top edge at 0, as pictures want."""
        return Solid(self.points, self.faces, self.texture - np.array((0, height, 0), np.float32), self.closed)

    def circle(self) -> tuple[NDArray[np.float64], float]:
        """Middle (2,) x z and radius m of a circle on the floor that holds all of it."""
        flat = self.points[:, (0, 2)]
        middle = (flat.min(0) + flat.max(0)) / 2
        return middle, float(np.linalg.norm(flat - middle, axis=1).max())


def turned(yaw: float) -> NDArray[np.float64]:
    """(3, 3) rotation by `yaw` rad around the vertical: takes +z to (sin yaw, 0, cos yaw)."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array(((cos, 0, sin), (0, 1, 0), (-sin, 0, cos)))


def joined(solids: Sequence[Solid]) -> Solid:
    """Several as one."""
    starts = np.cumsum([0, *(len(s.points) for s in solids)])
    faces = [s.faces + start for s, start in zip(solids, starts[:-1], strict=True)]
    return Solid(
        np.concatenate([s.points for s in solids]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([s.texture for s in solids]),
        all(s.closed for s in solids),
    )


def sheet(corner: Vector, along: Vector, up: Vector, cells: tuple[int, int] = (1, 1)) -> Solid:
    """A flat parallelogram from `corner`, seen from the side that `along` × `up` points to, cut into cells."""
    corner_, along_, up_ = (np.asarray(v, np.float64) for v in (corner, along, up))
    u, v = np.meshgrid(np.linspace(0, 1, cells[0] + 1), np.linspace(0, 1, cells[1] + 1))
    u, v = u.reshape(-1, 1), v.reshape(-1, 1)
    points = corner_ + u * along_ + v * up_
    row = cells[0] + 1
    start = (np.arange(cells[1])[:, None] * row + np.arange(cells[0])).ravel()
    faces = np.concatenate(
        [np.stack((start, start + 1, start + row + 1), 1), np.stack((start, start + row + 1, start + row), 1)]
    )
    texture = np.concatenate((u * np.linalg.norm(along_), v * np.linalg.norm(up_), np.zeros_like(u)), 1)
    return Solid(points, faces.astype(np.int32), texture.astype(np.float32), closed=False)


def box(width: float, height: float, depth: float) -> Solid:
    """A box that stands on the floor around the origin; sizes along x, y and z. No two sides share a vertex."""
    points, faces, share, axes = _unit_box()
    sizes = np.array((width, height, depth))
    # Each side shows another stretch of the pattern.
    texture = share * np.append(sizes, 0.0)[axes] + np.repeat(np.arange(6), 4)[:, None] * 1.37
    return Solid(points * sizes, faces, texture.astype(np.float32))


@lru_cache(maxsize=1)
def _unit_box() -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Points (24, 3) and faces (12, 3) of a box of size 1, four a side; how far (24, 3) each point lies along the
    texture of its side, and which axis (24, 3), 3 for none, that runs along."""
    sides = (
        (sheet((-0.5, 0, 0.5), (1, 0, 0), (0, 1, 0)), (0, 1, 3)),
        (sheet((0.5, 0, -0.5), (-1, 0, 0), (0, 1, 0)), (0, 1, 3)),
        (sheet((0.5, 0, 0.5), (0, 0, -1), (0, 1, 0)), (2, 1, 3)),
        (sheet((-0.5, 0, -0.5), (0, 0, 1), (0, 1, 0)), (2, 1, 3)),
        (sheet((-0.5, 1, 0.5), (1, 0, 0), (0, 0, -1)), (0, 2, 3)),
        (sheet((-0.5, 0, -0.5), (1, 0, 0), (0, 0, 1)), (0, 2, 3)),
    )
    whole = joined([side for side, _ in sides])
    axes = np.repeat(np.array([axes for _, axes in sides]), 4, axis=0)
    return whole.points, whole.faces, whole.texture.astype(np.float64), axes


def cylinder(radius: float, height: float, top: float | None = None, sides: int = 16) -> Solid:
    """A column that stands on the floor around the origin; `top` is its radius above, if another."""
    top = radius if top is None else top
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    around = np.stack((np.sin(angle), np.zeros_like(angle), np.cos(angle)), 1)
    lift = np.array((0.0, height, 0.0))
    points = np.concatenate((around * radius, around * top + lift, around * top + lift, around * radius))
    i, n = np.arange(sides), sides + 1
    wall = np.concatenate((np.stack((i, i + 1, i + 1 + n), 1), np.stack((i, i + 1 + n, i + n), 1)))
    j = np.arange(1, sides - 1)
    lid = 2 * n + np.stack((0 * j, j, j + 1), 1)
    foot = 3 * n + np.stack((0 * j, j + 1, j), 1)
    length = angle * max(radius, top)
    rim = np.stack((length, 0 * length, 0 * length), 1)
    flat = around[:, (0, 2, 1)]
    texture = np.concatenate((rim, rim + np.array((0, height, 0)), flat * top, flat * radius))
    return Solid(points, np.concatenate((wall, lid, foot)).astype(np.int32), texture.astype(np.float32))


def ball(radius: float, rings: int = 10, rough: NDArray[np.float64] | None = None) -> Solid:
    """A ball around the origin; `rough` (rings + 1, 2 rings) scales the radius point by point."""
    columns = 2 * rings
    down = np.linspace(0, np.pi, rings + 1)[:, None]
    angle = np.linspace(0, 2 * np.pi, columns + 1)
    unit = np.stack((np.sin(down) * np.sin(angle), np.cos(down) + 0 * angle, np.sin(down) * np.cos(angle)), -1)
    size = np.full((rings + 1, columns), radius) if rough is None else radius * rough
    size = np.concatenate((size, size[:, :1]), 1)
    size[0], size[-1] = size[0].mean(), size[-1].mean()
    points = (unit * size[..., None]).reshape(-1, 3)
    i, j = (v.ravel() for v in np.meshgrid(np.arange(rings), np.arange(columns), indexing="ij"))
    a, n = i * (columns + 1) + j, columns + 1
    faces = np.concatenate((np.stack((a, a + n, a + n + 1), 1), np.stack((a, a + n + 1, a + 1), 1)))
    texture = np.stack(np.broadcast_arrays(angle * radius, -down * radius, 0 * down), -1).reshape(-1, 3)
    return Solid(points, faces.astype(np.int32), texture.astype(np.float32))
