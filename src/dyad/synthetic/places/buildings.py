"""Rooms seen from inside and houses seen from outside, as pieces by the stuff that they are made of."""

from dataclasses import dataclass

import numpy as np

from dyad.synthetic.places.furniture import Pieces
from dyad.synthetic.places.solids import Solid, box, joined, sheet


@dataclass(frozen=True)
class Area:
    """A rectangle of the floor in axes of its own: u to the right and v ahead, of a viewer who faces `yaw`; m, rad."""

    u: tuple[float, float]
    v: tuple[float, float]
    yaw: float

    @classmethod
    def around(cls, points: np.ndarray, yaw: float) -> "Area":
        """The least that holds points (N, 2) x z."""
        own = points @ _axes(yaw).T
        (u0, v0), (u1, v1) = own.min(0).tolist(), own.max(0).tolist()
        return cls((u0, u1), (v0, v1), yaw)

    def grown(self, left: float, right: float, back: float, ahead: float) -> "Area":
        return Area((self.u[0] - left, self.u[1] + right), (self.v[0] - back, self.v[1] + ahead), self.yaw)

    @property
    def size(self) -> tuple[float, float]:
        return self.u[1] - self.u[0], self.v[1] - self.v[0]

    def inside(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Which points (…, 2) x z lie inside by at least `margin` m."""
        own = points @ _axes(self.yaw).T
        low, high = np.array((self.u[0], self.v[0])) + margin, np.array((self.u[1], self.v[1])) - margin
        return np.asarray(((own >= low) & (own <= high)).all(-1))

    def spot(self, u: float, v: float) -> tuple[float, float]:
        """Place x, z in the world."""
        x, z = np.array((u, v)) @ _axes(self.yaw)
        return float(x), float(z)

    def placed(self, solid: Solid) -> Solid:
        """A solid drawn with x = u and z = -v, in the world."""
        return solid.placed((0.0, 0.0, 0.0), self.yaw)


def _axes(yaw: float) -> np.ndarray:
    """Rows right and ahead in x z."""
    return np.array(((np.cos(yaw), -np.sin(yaw)), (-np.sin(yaw), -np.cos(yaw))))


def room(area: Area, height: float, rng: np.random.Generator) -> Pieces:
    """Floor, ceiling and four walls around an area, with skirting, doors, windows and pictures."""
    width, depth = area.size
    (u0, u1), (v0, v1) = area.u, area.v
    # Each wall: its left lower corner as seen from inside, and the way along it.
    walls = (
        ((u0, 0.0, -v1), (1.0, 0.0, 0.0), width),
        ((u1, 0.0, -v1), (0.0, 0.0, 1.0), depth),
        ((u1, 0.0, -v0), (-1.0, 0.0, 0.0), width),
        ((u0, 0.0, -v0), (0.0, 0.0, -1.0), depth),
    )
    pieces: Pieces = [
        (sheet((u0, 0, -v0), (width, 0, 0), (0, 0, -depth), (8, 8)), "floor"),
        (sheet((u0, height, -v1), (width, 0, 0), (0, 0, depth), (4, 4)), "ceiling"),
    ]
    for number, (corner, along, length) in enumerate(walls):
        way = np.asarray(along) * length
        pieces.append((sheet(corner, _three(way), (0, height, 0), (6, 3)), "wall" if number != 1 else "other wall"))
        pieces += [
            (_on_wall(corner, along, 0.0, length, 0.0, 0.09, 0.015), "paint"),
            *_hung(corner, along, length, height, rng),
        ]
    return [(area.placed(solid), kind) for solid, kind in pieces]


def _hung(corner: tuple, along: tuple, length: float, height: float, rng: np.random.Generator) -> Pieces:
    """What hangs on a wall, side by side."""
    pieces: Pieces = []
    at = rng.uniform(0.2, 1.5)
    while at < length - 0.9:
        kind = rng.uniform()
        if kind < 0.2 and at + 1.0 < length:
            wide = 0.9
            pieces.append((_on_wall(corner, along, at, wide, 0.0, 2.08, 0.03), "wood"))
            pieces.append((_on_wall(corner, along, at + 0.06, wide - 0.12, 0.02, 2.0, 0.045), "paint"))
        elif kind < 0.45 and at + 1.6 < length:
            wide, tall = rng.uniform(0.8, 1.5), min(rng.uniform(0.9, 1.5), height - 1.1)
            pieces.append((_on_wall(corner, along, at - 0.05, wide + 0.1, 0.85, tall + 0.1, 0.03), "paint"))
            pieces.append((_on_wall(corner, along, at, wide, 0.9, tall, 0.035), "window"))
        elif kind < 0.8:
            wide, tall = rng.uniform(0.3, 0.85), rng.uniform(0.3, 0.9)
            low = rng.uniform(1.1, max(1.15, height - tall - 0.4))
            pieces.append((_on_wall(corner, along, at - 0.03, wide + 0.06, low - 0.03, tall + 0.06, 0.02), "wood"))
            canvas = _on_wall(corner, along, at, wide, low, tall, 0.025)
            pieces.append((canvas.lowered(tall), "picture"))
        else:
            wide = 0.3
        at += wide + rng.uniform(0.2, 1.6)
    return pieces


def _on_wall(corner: tuple, along: tuple, at: float, wide: float, low: float, tall: float, thick: float) -> Solid:
    """A flat box on a wall: `at` m along it, its lower edge `low` m above the floor."""
    way = np.asarray(along)
    out = np.cross(way, (0.0, 1.0, 0.0))
    middle = np.asarray(corner) + (at + wide / 2) * way + (thick / 2) * out
    yaw = float(np.arctan2(out[0], out[2]))
    return box(wide, tall, thick).placed((float(middle[0]), low, float(middle[2])), yaw)


def house(width: float, height: float, depth: float, rng: np.random.Generator) -> Pieces:
    """A block with rows of windows on the front (+z) and the sides."""
    pieces: Pieces = [(box(width, height, depth), ("brick", "plaster", "plaster", "concrete")[int(rng.integers(4))])]
    storey, bay = rng.uniform(2.7, 3.4), rng.uniform(1.8, 3.2)
    wide, tall = rng.uniform(0.45, 0.7) * bay, rng.uniform(0.4, 0.62) * storey
    frames, panes = [], []
    for length, yaw, out in ((width, 0.0, depth / 2), (depth, np.pi / 2, width / 2), (depth, -np.pi / 2, width / 2)):
        for i in range(int(length / bay)):
            for j in range(int(height / storey)):
                x = (i + 0.5) * length / int(length / bay) - length / 2
                y = j * storey + 0.9
                door = j == 0 and i % 3 == 1
                y, high = (0.0, 2.1) if door else (y, tall)
                frames.append(_flat(x, y - 0.06 * (not door), wide + 0.12, high + 0.12, 0.03, out, yaw))
                panes.append(_flat(x, y, wide, high, 0.045, out, yaw))
    if frames:
        pieces += [(joined(frames), "paint"), (joined(panes), "glass")]
    roof = box(width + 0.5, 0.25, depth + 0.5).placed((0, height, 0))
    plinth = box(width + 0.06, 0.5, depth + 0.06)
    return [*pieces, (roof, "stone"), (plinth, "stone")]


def _flat(x: float, y: float, wide: float, tall: float, thick: float, out: float, yaw: float) -> Solid:
    piece = box(wide, tall, thick)
    moved = Solid(piece.points + np.array((x, y, out + thick / 2)), piece.faces, piece.texture)
    return moved.placed((0.0, 0.0, 0.0), yaw)


def _three(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
