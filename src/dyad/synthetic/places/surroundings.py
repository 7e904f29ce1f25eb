"""Where people are: a room or a place outdoors, with things that stand about, under a sky or before a photograph."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.synthetic.places.buildings import Area, house, room
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.furniture import Piece, Pieces, random_piece
from dyad.synthetic.places.solids import Solid, ball, joined, sheet
from dyad.synthetic.rendering.lighting import Sky
from dyad.synthetic.rendering.looks import Fabric, Material, Picture
from dyad.synthetic.rendering.materials import Stuffs

FIRST_THING = 100
"""Identity of the first thing; ground, walls and houses are 0 and people 1, 2, 3 …"""

_IMAGES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"))
_LARGEST = 1280
"""Longer side in px of a picture; finer ones would only cost memory."""
_GROUND = 300.0
_FROM_CAMERA = 1.1
_FROM_PEOPLE = 0.22
_MOST_HIDDEN = 0.16
"""Nothing tall before the people fills more than this share of the image's width, nothing low more than thrice that."""


@dataclass(frozen=True, eq=False)
class Thing:
    """What never moves: a solid in the world, what it is made of, whose pixels these are, and whether it shades."""

    solid: Solid
    material: Material
    identity: int = 0
    casts_shadow: bool = True


@dataclass(frozen=True, eq=False)
class Surroundings:
    """All that is not a person.

    Attributes:
        things: solids that stand still. sky: what is seen past all of them. heading: yaw in rad towards the middle of
        the sky's picture, as a camera's.
    """

    things: Sequence[Thing] = ()
    sky: Sky = field(default=Sky())
    heading: float = 0.0


@dataclass(frozen=True)
class Pictures:
    """A folder of the user's images, as backgrounds and as pictures on walls. BadInput where there are none."""

    folder: Path

    def __post_init__(self) -> None:
        if not self.files:
            raise BadInput(f"the folder {self.folder} holds no images (PNG, JPEG and the like) to use as backgrounds")

    @property
    def files(self) -> list[Path]:
        try:
            return sorted(p for p in Path(self.folder).iterdir() if p.suffix.lower() in _IMAGES)
        except OSError as error:
            raise BadInput(f"cannot read the folder {self.folder}: {error.strerror}") from error

    def pick(self, rng: np.random.Generator) -> Picture:
        """One of them."""
        # Decoding needs the video library, which a machine that only trains may lack.
        from dyad.core.decoding import read_image
        from dyad.core.pixels import resized

        files = self.files
        image = read_image(files[int(rng.integers(len(files)))])
        shrink = min(1.0, _LARGEST / max(image.shape[:2]))
        height, width = (max(1, round(shrink * n)) for n in image.shape[:2])
        return Picture(image if shrink == 1 else resized(image, width, height))


def indoors(
    people: NDArray, path: CameraPath, rng: np.random.Generator, pictures: Pictures | None = None
) -> tuple[list[Thing], Area]:
    """A room around people (N, 2) x z and a camera."""
    area = _area(people, path, rng)
    area = area.grown(*rng.uniform(0.5, 2.5, 2), rng.uniform(0.5, 1.5), rng.uniform(0.6, 3.5))
    height = max(rng.uniform(2.4, 3.6), float(path.position[:, 1].max()) + 0.4)
    stuffs = Stuffs(rng, pictures.pick(rng) if pictures else None)
    pieces = room(area, height, rng)
    return _built(pieces, stuffs), area


def outdoors(
    people: NDArray, path: CameraPath, rng: np.random.Generator, pictures: Pictures | None = None
) -> tuple[list[Thing], Area]:
    """Open ground around people (N, 2) x z and a camera; houses behind and beside it in most cases."""
    area = _area(people, path, rng)
    area = area.grown(*rng.uniform(2, 8, 2), 3.0, rng.uniform(2, 12))
    stuffs = Stuffs(rng, pictures.pick(rng) if pictures else None)
    things = _built([(_ground(area), "ground")], stuffs)
    if rng.uniform() < 0.75:
        at = area.u[0] - rng.uniform(0, 15)
        while at < area.u[1] + 15:
            width, depth = rng.uniform(6, 16), rng.uniform(6, 10)
            back = area.v[1] + rng.uniform(0.5, 4)
            block = house(width, rng.uniform(3.5, 12), depth, rng)
            spot = (at + width / 2, 0.0, -(back + depth / 2))
            things += _built([(area.placed(s.placed(spot)), kind) for s, kind in block], stuffs.anew())
            at += width + rng.choice((0.0, rng.uniform(1, 8)))
    elif rng.uniform() < 0.75:
        things += _built([(area.placed(joined(_hedge(area, rng))), "leaf")], stuffs)
    for side in (-1, 1):
        if rng.uniform() < 0.4:
            length, depth = area.size[1] * rng.uniform(0.4, 0.9), rng.uniform(5, 9)
            u = area.u[0] - depth / 2 - 0.5 if side < 0 else area.u[1] + depth / 2 + 0.5
            v = area.v[1] - length / 2 - rng.uniform(0, 2)
            block = house(max(length, 4.0), rng.uniform(3.5, 10), depth, rng)
            faced = [(s.placed((0, 0, 0), -side * np.pi / 2).placed((u, 0.0, -v)), kind) for s, kind in block]
            things += _built([(area.placed(s), kind) for s, kind in faced], stuffs.anew())
    return things, area


def before(
    picture: Picture, people: NDArray, path: CameraPath, rng: np.random.Generator
) -> tuple[list[Thing], Area, float]:
    """Open ground that a picture stands behind, in the colours of what is lowest in it, and the share of the picture
    that should lie below the horizon: ground hides it there, as it hides what a camera sees below its own height."""
    area = _area(people, path, rng)
    area = area.grown(*rng.uniform(2, 8, 2), 3.0, rng.uniform(2, 12))
    sunk = float(rng.uniform(0.3, 0.5))
    strip = picture.image[-max(1, round(sunk * len(picture.image))) :].reshape(-1, 3) / 255
    dull, bright = np.quantile(strip, (0.35, 0.65), axis=0).tolist()
    kind = ("asphalt", "grass", "plaster", "noise")[int(rng.integers(4))]
    colours = ((dull[0], dull[1], dull[2]), (bright[0], bright[1], bright[2]))
    size, seed = float(rng.uniform(0.3, 1.0)), int(rng.integers(4096))
    material = Material(Fabric(*colours, kind, size, seed, float(rng.uniform(0.4, 0.9))))
    return [Thing(_ground(area), material, 0, casts_shadow=False)], area, sunk


def _ground(area: Area) -> Solid:
    half = _GROUND / 2
    x, z = area.spot(*((a + b) / 2 for a, b in (area.u, area.v)))
    return sheet((-half, 0, half), (_GROUND, 0, 0), (0, 0, -_GROUND), (30, 30)).placed((x, 0, z), area.yaw)


def furnish(
    area: Area,
    people: NDArray,
    path: CameraPath,
    rng: np.random.Generator,
    *,
    count: int,
    hiding: int,
    inside: bool,
    pictures: Pictures | None = None,
    first: int = 0,
) -> list[Thing]:
    """Up to `count` things that nobody walks through, up to `hiding` of them on lines of sight to people.

    `people` (N, 2) x z are places where somebody's joint is at some time; `first` things are there already.
    """
    stuffs = Stuffs(rng, pictures.pick(rng) if pictures else None)
    camera = path.position[:, (0, 2)]
    taken: list[tuple[NDArray, float]] = []
    things: list[Thing] = []
    for number in range(count):
        piece = random_piece(rng, indoors=inside)
        for _ in range(25):
            position, yaw = _spot(area, people, camera, rng, hide=number < hiding)
            if _is_free(piece, position, yaw, area, people, camera, taken, inside) and not _in_the_way(
                piece, position, people, path
            ):
                taken.append((position, piece.radius))
                spot = (float(position[0]), 0.0, float(position[1]))
                made = stuffs.anew()
                things += [
                    Thing(solid.placed(spot, yaw), made(kind), FIRST_THING + first + len(taken) - 1)
                    for solid, kind in piece.pieces
                ]
                break
    return things


def _built(pieces: Pieces, stuffs: Stuffs) -> list[Thing]:
    """Ground, walls and houses: nobody's pixels, and no shadows, which would keep all light out of a room."""
    things = []
    for kind in dict.fromkeys(kind for _, kind in pieces):
        same = [solid for solid, of in pieces if of == kind]
        # No two pictures on a wall are the same.
        if kind == "picture":
            things += [Thing(s, stuffs.canvas(*_front(s)), 0, casts_shadow=False) for s in same]
        else:
            things.append(Thing(joined(same), stuffs(kind), 0, casts_shadow=False))
    return things


def _front(canvas: Solid) -> tuple[float, float]:
    """Width and height in m of a box's first side."""
    wide, tall, _ = np.ptp(canvas.texture[:4], axis=0).tolist()
    return wide, tall


def _hedge(area: Area, rng: np.random.Generator) -> list[Solid]:
    """A row of trees and bushes at the far side, so that the ground does not end at the sky."""
    away, tall = area.v[1] + rng.uniform(4, 20), rng.uniform(1.2, 5)
    width = area.size[0] + 1.2 * (away - area.v[0])
    middle, solids = (area.u[0] + area.u[1]) / 2, []
    for u in np.linspace(middle - width / 2, middle + width / 2, 40).tolist():
        height = tall * rng.uniform(0.6, 1.2)
        rough = np.clip(1 + 0.25 * rng.standard_normal((7, 12)), 0.5, 1.6)
        lump = ball(0.5, 6, rough).spread((width / 40 * rng.uniform(1.6, 2.6), height, 2.0))
        solids.append(lump.placed((u, 0.42 * height, -away + rng.uniform(-1, 1))))
    return solids


def _area(people: NDArray, path: CameraPath, rng: np.random.Generator) -> Area:
    right = path.rotation[:, 0].mean(0)
    yaw = float(np.arctan2(-right[2], right[0]) + rng.normal(0, 0.15))
    camera = path.position[:, (0, 2)]
    ahead = camera[:1] + 2.0 * np.array((-np.sin(yaw), -np.cos(yaw)))
    return Area.around(np.concatenate((people, camera, ahead)), yaw)


def _spot(
    area: Area, people: NDArray, camera: NDArray, rng: np.random.Generator, *, hide: bool
) -> tuple[NDArray, float]:
    """A place on the way from the camera to somebody, or anywhere, most likely near the edge of the area."""
    if hide:
        somebody, stand = people[int(rng.integers(len(people)))], camera[int(rng.integers(len(camera)))]
        position = stand + rng.uniform(0.35, 0.85) * (somebody - stand) + rng.normal(0, 0.25, 2)
        return position, float(rng.uniform(-np.pi, np.pi))
    share = rng.beta(0.6, 0.6, 2)
    u, v = (a + s * (b - a) for s, (a, b) in zip(share, (area.u, area.v), strict=True))
    quarter = float(rng.integers(4)) * np.pi / 2 + area.yaw + rng.normal(0, 0.05)
    return np.array(area.spot(u, v)), float(quarter)


def _is_free(
    piece: Piece,
    position: NDArray,
    yaw: float,
    area: Area,
    people: NDArray,
    camera: NDArray,
    taken: Sequence[tuple[NDArray, float]],
    inside: bool,
) -> bool:
    if (
        piece.covers(people, position, yaw, _FROM_PEOPLE).any()
        or piece.covers(camera, position, yaw, _FROM_CAMERA).any()
    ):
        return False
    if any(np.linalg.norm(position - other) < piece.radius + radius for other, radius in taken):
        return False
    w, d = piece.half
    corners = np.array([(x, z) for x in (-w, w) for z in (-d, d)])
    cos, sin = np.cos(yaw), np.sin(yaw)
    corners = position + corners @ np.array(((cos, -sin), (sin, cos)))
    return bool(area.inside(corners, 0.05 if inside else -4.0).all())


def _in_the_way(piece: Piece, position: NDArray, people: NDArray, path: CameraPath) -> bool:
    """Whether it would hide too much: wide in the image, as tall as the view, and nearer than the people."""
    away = np.linalg.norm(path.position[:, (0, 2)] - position, axis=1).min()
    nearest = np.linalg.norm(people[:, None] - path.position[:: max(1, len(path) // 8), (0, 2)], axis=-1).min()
    share = 2 * piece.radius * float(path.camera.focal[0]) / max(away - piece.radius, 0.2) / path.camera.size[0]
    limit = _MOST_HIDDEN if piece.height > 0.7 * path.position[0, 1] else 3 * _MOST_HIDDEN
    return bool(away < nearest + 1 and share > limit)
