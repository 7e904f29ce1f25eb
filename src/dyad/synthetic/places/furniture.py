"""Things that stand about and hide people: tables, chairs, sofas, shelves, plants, pillars, trees, lamps, benches.

Each maker gives the pieces of one thing around the origin of the floor, front to +z, each piece with the kind of stuff
that it is made of.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.places.solids import Solid, ball, box, cylinder, joined, turned

Pieces = list[tuple[Solid, str]]


@dataclass(frozen=True, eq=False)
class Piece:
    """One thing: its pieces by stuff, and the rectangle of the floor that it takes, half sizes in m along x and z."""

    pieces: Pieces
    half: tuple[float, float]

    def covers(self, points: NDArray, position: NDArray, yaw: float, margin: float) -> NDArray[np.bool_]:
        """Which points (…, 2) x z of the floor lie within `margin` m of it where it stands."""
        own = (points - position) @ turned(yaw)[np.ix_((0, 2), (0, 2))]
        return (np.abs(own) <= np.asarray(self.half) + margin).all(-1)

    @property
    def radius(self) -> float:
        """Of a circle that holds it, m."""
        return float(np.hypot(*self.half))

    @property
    def height(self) -> float:
        return max(float(solid.points[:, 1].max()) for solid, _ in self.pieces)


def random_piece(rng: np.random.Generator, *, indoors: bool) -> Piece:
    """Any thing that fits a room, or a street."""
    makers = INDOORS if indoors else OUTDOORS
    pieces = _by_stuff(makers[int(rng.integers(len(makers)))](rng))
    reach = np.max([np.abs(solid.points).max(0) for solid, _ in pieces], 0)
    return Piece(pieces, (float(reach[0]), float(reach[2])))


def _by_stuff(pieces: Pieces) -> Pieces:
    kinds = dict.fromkeys(kind for _, kind in pieces)
    return [(joined([solid for solid, of in pieces if of == kind]), kind) for kind in kinds]


def _legs(width: float, depth: float, height: float, thick: float) -> list[Solid]:
    corners = [(x, z) for x in (-1, 1) for z in (-1, 1)]
    w, d = width / 2 - thick, depth / 2 - thick
    return [box(thick, height, thick).placed((x * w, 0.0, z * d)) for x, z in corners]


def table(rng: np.random.Generator) -> Pieces:
    width, depth, height = rng.uniform(0.8, 2.0), rng.uniform(0.6, 1.0), rng.uniform(0.68, 0.78)
    pieces = [(box(width, 0.04, depth).placed((0, height - 0.04, 0)), "wood")]
    pieces += [(leg, "wood") for leg in _legs(width, depth, height - 0.04, rng.uniform(0.04, 0.08))]
    for _ in range(int(rng.integers(0, 4))):
        spot = (float(rng.uniform(-0.35, 0.35) * width), height, float(rng.uniform(-0.3, 0.3) * depth))
        size = rng.uniform(0.08, 0.3, 3)
        pieces.append((box(*size.tolist()).placed(spot, float(rng.uniform(0, 3))), "paint"))
    return pieces


def chair(rng: np.random.Generator) -> Pieces:
    width, seat, back = rng.uniform(0.4, 0.52), rng.uniform(0.42, 0.48), rng.uniform(0.4, 0.55)
    pieces = [(box(width, 0.05, width).placed((0, seat - 0.05, 0)), "fabric")]
    pieces += [(leg, "wood") for leg in _legs(width, width, seat - 0.05, 0.035)]
    pieces.append((box(width, back, 0.04).placed((0, seat, -width / 2 + 0.02)), "fabric"))
    return pieces


def sofa(rng: np.random.Generator) -> Pieces:
    width, depth = rng.uniform(1.3, 2.2), rng.uniform(0.8, 0.95)
    parts = [
        box(width, 0.42, depth),
        box(width, 0.42, 0.2).placed((0, 0.42, -depth / 2 + 0.1)),
        box(0.18, 0.62, depth).placed((width / 2 - 0.09, 0, 0.001)),
        box(0.18, 0.62, depth).placed((-width / 2 + 0.09, 0, 0.001)),
    ]
    pieces = [(part, "fabric") for part in parts]
    for x in (-0.25, 0.25):
        cushion = box(0.42, 0.14, 0.42).tilted(-1.2).placed((x * width, 0.45, -depth / 2 + 0.42))
        pieces.append((cushion, "print"))
    return pieces


def shelf(rng: np.random.Generator) -> Pieces:
    width, height, depth = rng.uniform(0.6, 1.4), rng.uniform(0.8, 2.1), rng.uniform(0.28, 0.42)
    sides = [box(0.03, height, depth).placed((x * (width / 2 - 0.015), 0, 0)) for x in (-1, 1)]
    pieces = [(side, "wood") for side in sides]
    pieces.append((box(width, height, 0.02).placed((0, 0, -depth / 2 + 0.01)), "wood"))
    count = max(2, round(height / 0.38))
    for level in range(count + 1):
        y = level * (height - 0.03) / count
        pieces.append((box(width - 0.06, 0.03, depth).placed((0, y, 0)), "wood"))
        x = -width / 2 + 0.05
        while level < count and x < width / 2 - 0.12:
            thick, tall = rng.uniform(0.03, 0.16), rng.uniform(0.15, 0.28)
            if rng.uniform() < 0.8:
                book = box(thick, tall, 0.2).placed((float(x + thick / 2), float(y + 0.03), 0.0))
                pieces.append((book, ("paint", "print", "fabric")[int(rng.integers(3))]))
            x += thick + 0.004
    return pieces


def cupboard(rng: np.random.Generator) -> Pieces:
    width, height, depth = rng.uniform(0.5, 1.6), rng.uniform(0.7, 2.0), rng.uniform(0.4, 0.6)
    pieces: Pieces = [(box(width, height, depth), "wood")]
    doors = max(1, round(width / 0.5))
    for k in range(doors):
        x = (k + 0.5) / doors * width - width / 2
        pieces.append((box(width / doors - 0.03, height - 0.1, 0.02).placed((x, 0.05, depth / 2 + 0.01)), "paint"))
        handle = box(0.02, 0.14, 0.03).placed((x + 0.38 * width / doors, height / 2, depth / 2 + 0.03))
        pieces.append((handle, "metal"))
    return pieces


def _foliage(rng: np.random.Generator, radius: float, lumps: int) -> list[Solid]:
    leaves = []
    for _ in range(lumps):
        place = rng.normal(0, 0.42 * radius, 3)
        size = radius * rng.uniform(0.45, 0.75)
        rough = 1 + 0.22 * rng.standard_normal((9, 16))
        leaves.append(ball(float(size), 8, np.clip(rough, 0.5, 1.6)).placed(tuple(place.tolist())))
    return leaves


def plant(rng: np.random.Generator) -> Pieces:
    pot, height = rng.uniform(0.12, 0.24), rng.uniform(0.25, 0.45)
    radius = rng.uniform(0.25, 0.5)
    pieces: Pieces = [(cylinder(float(0.8 * pot), float(height), float(pot)), "paint")]
    middle = (0.0, float(height + 0.8 * radius), 0.0)
    pieces += [(leaf.placed(middle), "leaf") for leaf in _foliage(rng, float(radius), 7)]
    return pieces


def lamp(rng: np.random.Generator) -> Pieces:
    height = rng.uniform(1.3, 1.8)
    return [
        (cylinder(0.15, 0.03), "metal"),
        (cylinder(0.015, float(height), sides=8), "metal"),
        (cylinder(0.22, 0.3, 0.14).placed((0, float(height - 0.1), 0)), "paint"),
    ]


def pillar(rng: np.random.Generator) -> Pieces:
    height, size = rng.uniform(2.6, 4.0), rng.uniform(0.12, 0.3)
    column = cylinder(float(size), float(height), sides=24)
    if rng.uniform() < 0.5:
        column = box(float(1.8 * size), float(height), float(1.8 * size))
    return [(column, "stone"), (box(float(2.6 * size), 0.12, float(2.6 * size)), "stone")]


def screen(rng: np.random.Generator) -> Pieces:
    """A partition on two feet."""
    width, height = rng.uniform(0.8, 1.8), rng.uniform(1.1, 1.8)
    feet = [(box(0.05, 0.04, 0.5).placed((x * width * 0.4, 0, 0)), "metal") for x in (-1, 1)]
    return [(box(width, height - 0.04, 0.05).placed((0, 0.04, 0)), "print"), *feet]


def crates(rng: np.random.Generator) -> Pieces:
    pieces, y = [], 0.0
    size = rng.uniform(0.35, 0.6)
    for _ in range(int(rng.integers(1, 4))):
        crate = box(size, 0.8 * size, size).placed(
            (float(rng.uniform(-0.05, 0.05)), y, 0.0), float(rng.uniform(0, 0.5))
        )
        pieces.append((crate, "wood"))
        y += 0.8 * size
    return pieces


def tree(rng: np.random.Generator) -> Pieces:
    trunk, height, radius = rng.uniform(0.1, 0.22), rng.uniform(1.8, 3.0), rng.uniform(0.9, 1.7)
    pieces: Pieces = [(cylinder(float(trunk), float(height + 0.5 * radius), float(0.6 * trunk)), "bark")]
    crown = (0.0, float(height + 0.9 * radius), 0.0)
    pieces += [(leaf.placed(crown), "leaf") for leaf in _foliage(rng, float(radius), 9)]
    return pieces


def bush(rng: np.random.Generator) -> Pieces:
    radius = float(rng.uniform(0.3, 0.7))
    return [(leaf.placed((0.0, 0.6 * radius, 0.0)), "leaf") for leaf in _foliage(rng, radius, 7)]


def bench(rng: np.random.Generator) -> Pieces:
    width = float(rng.uniform(1.2, 1.9))
    slats = [box(width, 0.03, 0.1).placed((0, 0.43, z)) for z in (-0.17, -0.05, 0.07, 0.19)]
    slats += [box(width, 0.1, 0.03).placed((0, y, -0.24)) for y in (0.55, 0.7)]
    feet = [box(0.06, 0.43, 0.45).placed((x * width * 0.4, 0, 0)) for x in (-1, 1)]
    feet += [box(0.06, 0.4, 0.05).placed((x * width * 0.4, 0.42, -0.2)) for x in (-1, 1)]
    return [*((slat, "wood") for slat in slats), *((foot, "metal") for foot in feet)]


def street_lamp(rng: np.random.Generator) -> Pieces:
    height = float(rng.uniform(3.0, 5.0))
    return [
        (cylinder(0.12, 0.5, 0.08), "metal"),
        (cylinder(0.06, height, 0.045, sides=10), "metal"),
        (ball(0.2, 8).placed((0, height, 0)), "paint"),
    ]


def bollard(rng: np.random.Generator) -> Pieces:
    return [(cylinder(float(rng.uniform(0.06, 0.12)), float(rng.uniform(0.7, 1.0))), "metal")]


def dustbin(rng: np.random.Generator) -> Pieces:
    height = float(rng.uniform(0.7, 1.1))
    return [(cylinder(0.22, height, 0.27), "paint"), (cylinder(0.28, 0.06).placed((0, height, 0)), "metal")]


def fence(rng: np.random.Generator) -> Pieces:
    width, height = float(rng.uniform(1.5, 3.0)), float(rng.uniform(0.7, 1.2))
    rails = [box(width, 0.06, 0.03).placed((0, share * height, 0.03)) for share in (0.3, 0.8)]
    posts = [box(0.08, height, 0.03).placed((x, 0, 0)) for x in np.arange(-width / 2 + 0.05, width / 2, 0.18).tolist()]
    return [(part, "wood") for part in (*rails, *posts)]


def low_wall(rng: np.random.Generator) -> Pieces:
    width, height = float(rng.uniform(1.0, 3.0)), float(rng.uniform(0.4, 1.0))
    return [(box(width, height, 0.3), "brick"), (box(width + 0.06, 0.06, 0.38).placed((0, height, 0)), "stone")]


def car(rng: np.random.Generator) -> Pieces:
    length, width = float(rng.uniform(3.6, 4.5)), float(rng.uniform(1.6, 1.8))
    body = box(length, 0.5, width).placed((0, 0.28, 0))
    cabin = box(0.55 * length, 0.5, 0.88 * width).placed((-0.04 * length, 0.78, 0))
    points = cabin.points.copy()
    # The cabin narrows towards the roof.
    points[:, (0, 2)] *= np.where(points[:, 1:2] > 1.0, (0.78, 0.88), (1.0, 1.0))
    cabin = Solid(points, cabin.faces, cabin.texture)
    roof = box(0.42 * length, 0.03, 0.78 * width).placed((-0.04 * length, 1.275, 0))
    upright = np.array(((1, 0, 0), (0, 0, 1), (0, -1, 0)))
    wheel = cylinder(0.31, 0.2)
    wheel = Solid(wheel.points @ upright.T, wheel.faces, wheel.texture)
    hub = cylinder(0.17, 0.22)
    hub = Solid(hub.points @ upright.T, hub.faces, hub.texture)
    # Wheels stand out a little beyond the body, which would hide their upper halves.
    spots = [(x * length * 0.31, 0.31, z * (width / 2 - 0.06)) for x in (-1, 1) for z in (-1, 1)]
    wheels = [wheel.placed((x, y, z + 0.1)) for x, y, z in spots]
    hubs = [hub.placed((x, y, z + 0.11)) for x, y, z in spots]
    wheeled = [(joined(wheels), "rubber"), (joined(hubs), "metal")]
    return [(body, "gloss"), (roof, "gloss"), (cabin, "glass"), *wheeled]


Maker = Callable[[np.random.Generator], Pieces]

INDOORS: tuple[Maker, ...] = (table, chair, sofa, shelf, cupboard, plant, lamp, pillar, screen, crates, chair, table)
OUTDOORS: tuple[Maker, ...] = (
    tree, bush, bench, street_lamp, bollard, dustbin, fence, low_wall, car, pillar, crates, bush, tree,
)  # fmt: skip
