"""Scenes at random: everything in one is a function of its seed and of what is asked for."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadUsage
from dyad.synthetic.actors import Actor
from dyad.synthetic.bodies.body import Detail
from dyad.synthetic.casting import Casting, seat
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.solids import box
from dyad.synthetic.places.staging import Staging
from dyad.synthetic.places.surroundings import (
    FIRST_THING,
    Pictures,
    Surroundings,
    Thing,
    before,
    furnish,
    indoors,
    outdoors,
)
from dyad.synthetic.rendering.lens import Lens
from dyad.synthetic.rendering.lighting import Light, Sky
from dyad.synthetic.rendering.materials import Stuffs
from dyad.synthetic.scenes import Scene
from dyad.synthetic.sightlines import cleared, hidden

CameraKind = Literal["static", "panning", "handheld", "walking"]
MOST_PEOPLE = 32
_SEEDS = ("camera", "cast", "stage", "place", "things", "light", "lens")
_STAGINGS = 4
_LARGEST_ROOM = 13.0
_METERED = 64
_LEVELS = (85.0, 150.0)
"""Mean grey levels of what is lit that automatic exposure leaves as they are."""


@dataclass(frozen=True)
class Recipe:
    """What random scenes are made of; the ranges hold for every scene, the choice within them is the seed's.

    Attributes:
        people: least and most. size: (width, height) px. seconds: length. fps: frames a second.
        near, far: distance of people from the camera in m at the moment when each is surely in view; farther
        where there is no room.
        focal: least and most focal length in image widths.
        cameras: kinds to choose from. indoors: in rooms only, never, or (None) where people and camera fit in one.
        crossings: share of companies put on one line of sight with others. pairs: share of people who act in pairs.
        clearance: least distance in m between joints of people who have nothing to do with one another; 0 or less lets
        them walk through each other. furniture: most things that stand about. hiding: most of them between camera and
        people.
        lens: strength of the camera's faults, 0 for none. children: share of children.
        motions: folder of motion capture (see `recordings.find_motions`) for some of the motion; else all is made up.
        backgrounds: folder of images, as backgrounds and as pictures on walls.
        detail: of the meshes. samples: 2 for smooth edges. threads: to draw with; they change no byte.
    """

    people: tuple[int, int] = (1, 4)
    size: tuple[int, int] = (512, 384)
    seconds: float = 3.0
    fps: float = 25.0
    near: float = 1.5
    far: float = 40.0
    focal: tuple[float, float] = (0.6, 3.0)
    cameras: tuple[CameraKind, ...] = ("static", "static", "panning", "handheld", "walking")
    indoors: bool | None = None
    crossings: float = 0.5
    pairs: float = 0.3
    clearance: float = 0.35
    furniture: int = 10
    hiding: int = 2
    lens: float = 1.0
    children: float = 0.1
    motions: Path | None = None
    backgrounds: Path | None = None
    detail: Detail = "full"
    samples: int = 2
    threads: int = 1

    def __post_init__(self) -> None:
        least, most = self.people
        if not 1 <= least <= most <= MOST_PEOPLE:
            raise BadUsage(f"a scene has 1 to {MOST_PEOPLE} people, got {least} to {most}")
        if min(self.size) < 16 or not self.seconds > 0 or not self.fps > 0:
            raise BadUsage(f"a scene has 16 px a side and some time, got {self.size}, {self.seconds} s at {self.fps}/s")
        if not 0 < self.near < self.far or not 0 < self.focal[0] <= self.focal[1]:
            raise BadUsage(f"near is before far and focal ascends, got {self.near}, {self.far} m and {self.focal}")
        if not self.cameras or set(self.cameras) - set(get_args(CameraKind)):
            raise BadUsage(f"cameras are {', '.join(get_args(CameraKind))}, got {', '.join(self.cameras) or 'none'}")

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.fps))

    def __call__(self, seed: int | tuple[int, ...]) -> Scene:
        """The scene of a seed (a number of 0 or above, or several). Raises BadInput for folders that hold nothing."""
        name = f"synthetic-{seed}" if isinstance(seed, int) else "synthetic-" + "-".join(map(str, seed))
        spawned = np.random.SeedSequence(seed).spawn(len(_SEEDS))
        rngs = {part: np.random.default_rng(each) for part, each in zip(_SEEDS, spawned, strict=True)}
        pictures = None if self.backgrounds is None else Pictures(Path(self.backgrounds))
        shot = _Shot.drawn(self, rngs["camera"])
        count = int(rngs["cast"].integers(self.people[0], self.people[1] + 1))
        # One frame more than is shown: the last one has a flow, too.
        casting = Casting(
            self.frames + 1,
            self.fps,
            pairs=self.pairs,
            motions=self.motions,
            children=self.children,
            detail=self.detail,
        )
        companies = casting(count, rngs["cast"])
        staging = Staging(shot.path, shot.near, shot.far, crossings=self.crossings, clearance=self.clearance)
        for _ in range(_STAGINGS):
            places = staging([company.joints for company in companies], rngs["stage"])
            actors = [a for company, place in zip(companies, places, strict=True) for a in company.at(place)]
            if not hidden(actors, shot.path, self.frames):
                break
        footprints = [place(c.joints) for c, place in zip(companies, places, strict=True)]
        surroundings, light = _set(self, shot, actors, footprints, pictures, rngs)
        surroundings = cleared(surroundings, actors, shot.path, self.frames)
        scene = Scene(
            actors,
            shot.path,
            surroundings,
            light,
            Lens.random(rngs["lens"], fps=self.fps, strength=self.lens),
            self.fps,
            self.frames,
            name,
            self.samples,
            self.threads,
        )
        return _exposed(scene)


@dataclass(frozen=True)
class _Shot:
    """A camera, and the distances in m at which it wants people."""

    path: CameraPath
    near: float
    far: float

    @classmethod
    def drawn(cls, recipe: Recipe, rng: np.random.Generator) -> "_Shot":
        width, height = recipe.size
        focal = width * _between(rng, *recipe.focal)
        camera = Camera.from_focal(recipe.size, focal)
        # The share of the image's height that somebody in the middle of it all has.
        share = _between(rng, 0.16, 1.7)
        middle = float(np.clip(1.7 * focal / (share * height), 1.2 * recipe.near, 0.8 * recipe.far))
        near, far = max(recipe.near, 0.6 * middle), min(recipe.far, middle * rng.uniform(1.3, 4.0))
        kind = recipe.cameras[int(rng.integers(len(recipe.cameras)))]
        stand = rng.uniform()
        tall = (
            rng.uniform(2.0, 4.5) if stand < 0.15 else rng.uniform(0.35, 0.9) if stand < 0.27 else rng.uniform(1.0, 1.9)
        )
        pitch = math.atan2(rng.uniform(0.7, 1.2) - tall, middle) + 0.04 * rng.normal() * min(height / focal, 1)
        view = {
            "position": (0.0, float(tall), 0.0),
            "yaw": float(rng.uniform(-math.pi, math.pi)),
            "pitch": float(np.clip(pitch, -1.0, 0.4)),
            "roll": float(rng.normal(0, 0.012 if kind in ("static", "panning") else 0.03)),
        }
        frames, fps = recipe.frames + 1, recipe.fps
        if kind == "static":
            path = CameraPath.static(camera, frames, **view)
        elif kind == "panning":
            reach = math.atan(width / 2 / focal)
            path = CameraPath.panning(
                camera,
                frames,
                fps=fps,
                swing=float(reach * rng.uniform(0.2, 1.0)),
                tilt=float(reach * rng.uniform(0, 0.1)),
                period=float(rng.uniform(3, 10)),
                phase=float(rng.uniform(0, 2 * math.pi)),
                **view,
            )
        elif kind == "handheld":
            path = CameraPath.handheld(camera, frames, fps=fps, rng=rng, shake=_between(rng, 0.4, 2.0), **view)
        else:
            way = view["yaw"] + (rng.normal(0, 0.3) if rng.uniform() < 0.7 else rng.choice((-1, 1)) * math.pi / 2)
            speed = rng.uniform(0.4, 1.3) * (1 if rng.uniform() < 0.75 else -1)
            path = CameraPath.walking(
                camera,
                frames,
                fps=fps,
                rng=rng,
                heading=float(way),
                # Nobody walks into the people that are filmed.
                speed=float(min(speed, 0.3 * near / recipe.seconds + 0.2)),
                shake=_between(rng, 0.5, 1.6),
                **view,
            )
        return cls(path, near, far)


def _set(
    recipe: Recipe,
    shot: _Shot,
    actors: list[Actor],
    footprints: list[NDArray],
    pictures: Pictures | None,
    rngs: dict[str, np.random.Generator],
) -> tuple[Surroundings, Light]:
    """Ground, walls, things, sky and light around people whose joints (T, P, K, 3) are `footprints`."""
    rng = rngs["place"]
    step = max(1, round(recipe.fps / 10))
    people = np.concatenate([joints[::step].reshape(-1, 3)[:, (0, 2)] for joints in footprints])
    right = shot.path.rotation[:, 0].mean(0)
    heading = math.atan2(-right[2], right[0])
    extent = np.ptp(np.concatenate((people, shot.path.position[:, (0, 2)])), axis=0).max()
    draws = rng.uniform(size=2)
    fits = extent < _LARGEST_ROOM and draws[0] < 0.6
    inside = fits if recipe.indoors is None else recipe.indoors
    sky = _sky(rng)
    if pictures is not None and draws[1] < 0.5 and recipe.indoors is not True:
        # People on open ground before a photograph of what is far away.
        picture, inside = pictures.pick(rng), False
        things, area, sunk = before(picture, people, shot.path, rng)
        span = 2 * math.atan(recipe.size[0] / 2 / float(shot.path.camera.focal[0]))
        sky = replace(sky, picture=picture, span=float(span * rng.uniform(1.05, 1.6)), sunk=sunk)
    else:
        builder = indoors if inside else outdoors
        things, area = builder(people, shot.path, rng, pictures)
    rng = rngs["things"]
    seats = _seats(actors, rng)
    count, hiding = (int(rng.integers(most + 1)) for most in (recipe.furniture, recipe.hiding))
    stuff = furnish(
        area, people, shot.path, rng, count=count, hiding=hiding, inside=inside, pictures=pictures, first=len(seats)
    )
    return Surroundings([*things, *seats, *stuff], sky, heading), _light(rngs["light"], inside)


def _seats(actors: list[Actor], rng: np.random.Generator) -> list[Thing]:
    """Something to sit on for everyone who sits."""
    things = []
    for found in filter(None, map(seat, actors)):
        wide, deep = rng.uniform(0.36, 0.6), rng.uniform(0.3, 0.4)
        x, z = found.middle
        solid = box(float(wide), max(found.height, 0.1), float(deep)).placed((x, 0.0, z), found.yaw)
        kind = ("wood", "fabric", "paint")[int(rng.integers(3))]
        things.append(Thing(solid, Stuffs(rng)(kind), FIRST_THING + len(things)))
    return things


def _light(rng: np.random.Generator, inside: bool) -> Light:
    light = Light.random(rng)
    if not inside:
        return light
    # Lamps at the ceiling: from above, soft, and much of the light from everywhere.
    lamp = Light.of_world(rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(50, 85)))
    dimmed = rng.uniform(0.4, 0.75)
    sun, sky, bounce = ([float(s * c) for c in colour] for s, colour in
                        ((dimmed, light.sun), (1.25, light.sky), (1.4, light.bounce)))  # fmt: skip
    return replace(
        light,
        towards_sun=lamp.towards_sun,
        sun=_colour(sun),
        sky=_colour(sky),
        bounce=_colour(bounce),
        softness=light.softness + 0.1,
    )


def _exposed(scene: Scene) -> Scene:
    """The scene with its light made brighter or darker, as a camera's automatic exposure does, if there is need."""
    width, height = scene.size
    shrink = min(1.0, _METERED / max(scene.size))
    size = (max(2, round(width * shrink)), max(2, round(height * shrink)))
    path = replace(scene.path, camera=scene.path.camera.resize(*size))
    drawn = scene.with_(path=path, samples=1, lens=Lens(fps=scene.fps)).render(0)
    solid = np.isfinite(drawn.depth)
    if drawn.image is None or not solid.any():
        return scene
    level = float(drawn.image[solid].mean())
    wanted = float(np.clip(level, *_LEVELS))
    # Grey levels are about the root of the light.
    factor = float(np.clip((wanted / max(level, 1.0)) ** 2.2, 0.3, 4.0))
    return scene.with_(light=replace(scene.light, exposure=scene.light.exposure * factor))


def _sky(rng: np.random.Generator) -> Sky:
    """From deep blue to grey."""
    grey, dark = rng.uniform(), rng.uniform(0.7, 1.05)
    zenith = dark * ((1 - grey) * np.array((0.30, 0.48, 0.80)) + grey * np.array((0.72, 0.74, 0.77)))
    horizon = dark * ((1 - grey) * np.array((0.76, 0.84, 0.92)) + grey * np.array((0.85, 0.85, 0.85)))
    clouds, seed = float(rng.uniform(0, 1)), int(rng.integers(4096))
    return Sky(_colour(zenith), _colour(horizon), clouds=clouds, seed=seed)


def _colour(values: NDArray | list[float]) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
