"""Where the demonstration takes place: a hall, or a square beside a lawn, in colours that let people stand out."""

import numpy as np

from dyad.synthetic.places.buildings import Area, house, room
from dyad.synthetic.places.furniture import Maker, bench, bush, plant, shelf, sofa, street_lamp, tree
from dyad.synthetic.places.solids import sheet
from dyad.synthetic.places.surroundings import FIRST_THING, Surroundings, Thing
from dyad.synthetic.rendering.lighting import Light, Sky
from dyad.synthetic.rendering.looks import Colour, Fabric, Material

Random = np.random.Generator
Stage = tuple[Surroundings, Light]
DEEP = 10.4
"""Nobody goes farther than this from the camera, m."""


def hall(rng: Random) -> Stage:
    """A wide room with a wooden floor, seen from one of its ends; lamps at its ceiling."""
    wall = ((0.80, 0.77, 0.70), (0.70, 0.75, 0.73), (0.74, 0.76, 0.80))[int(rng.integers(3))]
    made = _stuffs(rng, wall) | {"floor": _fabric((0.60, 0.46, 0.33), (0.50, 0.37, 0.26), "wood", 0.16, 0.5)}
    built = room(Area((-5.9, 5.9), (-3.0, DEEP + 0.8), 0.0), 3.3, rng)
    things = [Thing(solid, made[kind], casts_shadow=False) for solid, kind in built]
    back = -DEEP - 0.2
    for maker, x, z, yaw in (
        (sofa, 3.4, back, 0.0),
        (plant, 5.2, back, 0.0),
        (shelf, -3.6, back, 0.0),
        (plant, -5.2, back + 0.3, 0.0),
        (plant, 3.9, -5.9, 0.0),
    ):
        things += _placed(maker, rng, made, x, z, yaw, len(things))
    light = Light.of_world(
        float(rng.choice((-1.0, 1.0)) * rng.uniform(0.4, 1.0)),
        float(rng.uniform(1.0, 1.2)),
        sun=(0.58, 0.55, 0.50),
        sky=(0.50, 0.50, 0.51),
        bounce=(0.36, 0.33, 0.30),
        softness=0.12,
    )
    return Surroundings(things), light


def square(rng: Random) -> Stage:
    """Paving, a lawn with trees behind it, and a house beyond; a high sun in thin clouds behind the camera."""
    made = _stuffs(rng, (0.82, 0.78, 0.70)) | {
        "ground": _fabric((0.63, 0.60, 0.56), (0.50, 0.48, 0.45), "tiles", 0.62, 0.55),
        "grass": _fabric((0.27, 0.36, 0.15), (0.40, 0.46, 0.22), "grass", 1.0, 0.8),
    }
    edge = -DEEP - 0.5
    things = [
        Thing(sheet((-40, 0, 20), (80, 0, 0), (0, 0, edge - 20), (30, 30)), made["ground"], casts_shadow=False),
        Thing(sheet((-90, -0.01, edge), (180, 0, 0), (0, 0, -150), (30, 30)), made["grass"], casts_shadow=False),
    ]
    for x, width, height in ((-13.0, 15.0, 6.4), (9.0, 20.0, 9.0)):
        block = house(width, height, 9.0, rng)
        things += [Thing(s.placed((x, 0.0, -38.0)), made[kind], casts_shadow=False) for s, kind in block]
    for x in np.arange(-17.0, 17.1, 1.15).tolist():
        things += _placed(bush, rng, made, x + float(rng.normal(0, 0.1)), -20 + float(rng.normal(0, 0.3)), 0.0, 0)
    trees = ((-6.8, -14.5), (-2.6, -17.5), (3.9, -15.5), (8.4, -13.8))
    for x, z in trees:
        things += _placed(tree, rng, made, x + float(rng.normal(0, 0.5)), z, float(rng.uniform(0, 6)), len(things))
    things += _placed(bench, rng, made, -1.6 + float(rng.normal(0, 0.4)), edge + 0.2, 0.0, len(things))
    things += _placed(street_lamp, rng, made, 2.9, edge + 0.1, 0.0, len(things))
    light = Light.of_world(
        float(rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.0)),
        float(rng.uniform(0.75, 0.95)),
        sun=(0.80, 0.74, 0.64),
        sky=(0.40, 0.44, 0.50),
        softness=0.07,
    )
    return Surroundings(things, Sky(clouds=0.6, seed=int(rng.integers(4096)))), light


def _placed(
    maker: Maker, rng: Random, made: dict[str, Material], x: float, z: float, yaw: float, number: int
) -> list[Thing]:
    """A piece of furniture where it stands."""
    return [Thing(s.placed((x, 0.0, z), yaw), made[kind], FIRST_THING + number) for s, kind in maker(rng)]


def _stuffs(rng: Random, wall: Colour) -> dict[str, Material]:
    """Materials by the names that `furniture` and `buildings` use."""
    cloth = ((0.35, 0.42, 0.50), (0.55, 0.42, 0.32), (0.38, 0.45, 0.38))[int(rng.integers(3))]
    plain = {
        "paint": (0.90, 0.89, 0.86),
        "metal": (0.24, 0.25, 0.27),
        "gloss": (0.55, 0.20, 0.18),
        "rubber": (0.09, 0.09, 0.09),
    }
    return {kind: _fabric(colour, colour) for kind, colour in plain.items()} | {
        "wall": _fabric(wall, _shade(wall, 0.94), "plaster", 1.2, 0.5),
        "other wall": _fabric(_shade(wall, 0.92), _shade(wall, 0.87), "plaster", 1.2, 0.5),
        "plaster": _fabric(wall, _shade(wall, 0.93), "plaster", 1.5, 0.5),
        "brick": _fabric((0.60, 0.38, 0.30), (0.68, 0.64, 0.58), "bricks", 0.26, 0.7),
        "concrete": _fabric((0.66, 0.65, 0.62), (0.58, 0.57, 0.55), "plaster", 1.2, 0.5),
        "stone": _fabric((0.62, 0.60, 0.56), (0.52, 0.50, 0.47), "plaster", 0.6, 0.5),
        "ceiling": _fabric((0.93, 0.92, 0.90), (0.90, 0.89, 0.87), "plaster", 1.5, 0.2),
        "window": _fabric((0.86, 0.91, 0.96), (0.74, 0.83, 0.90), "noise", 1.5, 0.4),
        "glass": _fabric((0.24, 0.29, 0.34), (0.34, 0.40, 0.46), "noise", 2.0, 0.5),
        "picture": _fabric((0.30, 0.42, 0.50), (0.83, 0.72, 0.52), "noise", 0.35, 1.0),
        "wood": _fabric((0.46, 0.32, 0.21), (0.58, 0.43, 0.29), "wood", 0.12, 0.5),
        "bark": _fabric((0.33, 0.26, 0.20), (0.44, 0.37, 0.30), "noise", 0.08, 0.9),
        "leaf": _fabric((0.18, 0.29, 0.11), (0.33, 0.44, 0.20), "noise", 0.12, 0.9),
        "fabric": _fabric(cloth, _shade(cloth, 0.85), "carpet", 0.2, 0.4),
        "print": _fabric((0.78, 0.70, 0.58), cloth, "checks", 0.12, 0.5),
    }


def _fabric(colour: Colour, other: Colour, pattern: str = "plain", scale: float = 0.2, amount: float = 0.5) -> Material:
    return Material(Fabric(colour, other, pattern, scale, 7, amount))


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (factor * value for value in colour)
    return red, green, blue
