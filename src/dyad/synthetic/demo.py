"""The scene of `dyad demo`: two who meet and shake hands, one who passes behind them, one who comes round and waves."""

from dataclasses import dataclass

import numpy as np

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadUsage
from dyad.synthetic.actors import Actor
from dyad.synthetic.bodies.body import BodyModel, Phenotype, Shape
from dyad.synthetic.demo_places import DEEP, hall, square
from dyad.synthetic.motion.gait import Walk
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.pairs import pair_takes
from dyad.synthetic.motion.paths import Arc, Line
from dyad.synthetic.motion.strolling import Span, Stroller
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.staging import Place
from dyad.synthetic.rendering.fashion import random_look
from dyad.synthetic.rendering.lens import Lens
from dyad.synthetic.rendering.looks import Look
from dyad.synthetic.scenes import Scene

SEED = 16
"""A scene that reads well: everybody is in full view at first and last, and crosses somebody in between."""
_MOST = 8
_SECONDS = 5.0
"""Everyone's part is planned for at least so long, so that a shorter clip is the beginning of a longer one."""
_PEOPLE = 4
_SIZE = (960, 540)


def demo_clip(
    seed: int = SEED, *, size: tuple[int, int] = _SIZE, seconds: float = 5.0, fps: float = 25.0, people: int = _PEOPLE
) -> Clip:
    """A clip of 1 to 8 people and its truth in `BODY17`; the same arguments give the same bytes.

    `size` (width, height) in px. Every frame is drawn at once, since the truth has to know what is hidden. Raises
    BadUsage.
    """
    return demo_scene(seed, size=size, seconds=seconds, fps=fps, people=people).clip()


def demo_scene(
    seed: int = SEED,
    *,
    size: tuple[int, int] = _SIZE,
    seconds: float = 5.0,
    fps: float = 25.0,
    people: int = _PEOPLE,
    threads: int = 1,
) -> Scene:
    """What `demo_clip` shows, before it is drawn; `threads` to draw with change no byte."""
    if not 1 <= people <= _MOST:
        raise BadUsage(f"a demo shows 1 to {_MOST} people, got {people}")
    if min(size) < 64 or not seconds > 0 or not fps > 0:
        raise BadUsage(
            f"a demo needs at least 64 px a side and some time, got {size}, {seconds} s at {fps} frames a second"
        )
    frames = max(1, round(seconds * fps))
    bodies, ways, place, glass = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(4))
    path = _tripod(size, frames, place)
    # One frame more than is shown: the last one has a flow, too.
    cast = _Cast(bodies, ways, max(frames, round(_SECONDS * fps)) + 1, fps)
    actors = cast(people)
    surroundings, light = (square if place.uniform() < 0.5 else hall)(place)
    lens = Lens(
        shutter=0.35, soft=0.35, vignette=0.12, shot=1.6, read=0.8, fps=fps, seed=(int(glass.integers(1 << 31)),)
    )
    return Scene(actors, path, surroundings, light, lens, fps, frames, f"demo-{seed}", threads=threads)


def _tripod(size: tuple[int, int], frames: int, rng: np.random.Generator) -> CameraPath:
    """A camera at the height of the eyes that looks a little down and sees five metres of ground five metres away."""
    camera = Camera.from_focal(size, 0.95 * max(size[0], 1.3 * size[1]))
    return CameraPath.static(
        camera,
        frames + 1,
        position=(0.0, float(rng.uniform(1.5, 1.75)), 0.0),
        yaw=float(rng.uniform(-0.04, 0.04)),
        pitch=-float(np.radians(rng.uniform(6.0, 8.0))),
        roll=float(np.radians(rng.uniform(-0.7, 0.7))),
    )


@dataclass(frozen=True)
class _Cast:
    """Who plays: bodies and clothes come from one source of chance, ways and manners from another."""

    bodies: np.random.Generator
    ways: np.random.Generator
    frames: int
    fps: float

    def __call__(self, people: int) -> list[Actor]:
        """The first `people` of the eight parts, each of which is the same however many play."""
        side = float(self.ways.choice((-1.0, 1.0)))
        everybody = [self._somebody() for _ in range(_MOST)]
        meeting = pair_takes(
            "handshake", (everybody[0][0], everybody[1][0]), self.ways, frames=self.frames, fps=self.fps
        )
        middle = (-0.35 * side + float(self.ways.uniform(-0.1, 0.1)), -5.0 + float(self.ways.uniform(-0.15, 0.15)))
        # The pair acts along z; here they come from both sides of the image.
        across = Place(*middle, yaw=side * (np.pi / 2 + float(self.ways.uniform(-0.3, 0.1))))
        makers = [self._waving, self._passing] + [self._strolling] * (_MOST - 4)
        parts = [make(shape, side) for make, (shape, _) in zip(makers, everybody[2:], strict=True)]
        here = Place(0.0, 0.0, 0.0)
        takes = [(meeting[0], across), (meeting[1], across), *((take, here) for take in parts)]
        actors = [Actor(shape, take, look, spot) for (shape, look), (take, spot) in zip(everybody, takes, strict=True)]
        return actors[:people]

    def _somebody(self) -> tuple[Shape, Look]:
        phenotype = Phenotype.random(self.bodies, children=0.0)
        look = random_look(self.bodies, gender=phenotype.gender, age=phenotype.age)
        return BodyModel.load().shape(phenotype), look

    def _take(self, shape: Shape, walk: Walk, **manner) -> Take:
        liveliness, beat = float(self.ways.uniform(0.8, 1.2)), float(self.ways.uniform(0, 6))
        return Stroller(walk, liveliness=liveliness, beat=beat, **manner).take(shape, frames=self.frames, fps=self.fps)

    def _walk(self, shape: Shape, path: Line | Arc, speed: float, stop: float | None = None) -> Walk:
        return Walk(Anatomy.of(shape), path, speed, stop=stop, phase=float(self.ways.uniform()))

    def _waving(self, shape: Shape, side: float) -> Take:
        """Comes from behind the two who meet, round a bend, stops, and waves at the camera."""
        speed, length, turned = float(self.ways.uniform(1.1, 1.25)), 3.1, 1.2
        end = np.array((1.95 * side + float(self.ways.uniform(-0.1, 0.1)), 0.0, -5.1))
        # The bend ends facing the camera.
        radius, yaw = -side * length / turned, -np.pi / 2 + side * 0.3
        offset, _ = Arc((0.0, 0.0), yaw + side * turned, radius)(np.array(length))
        start = end - offset
        path = Arc((float(start[0]), float(start[2])), yaw + side * turned, radius)
        until = length / speed
        return self._take(shape, self._walk(shape, path, speed, length), wave=Span(until - 0.4, until + 2.6))

    def _passing(self, shape: Shape, side: float) -> Take:
        """Crosses the whole scene behind everybody, and looks at the camera on the way."""
        start = np.array((3.0 * side, -7.4)) + self.ways.uniform(-0.15, 0.15, 2)
        path = Line.between((float(start[0]), float(start[1])), (-2.6 * side, -6.9))
        walk = self._walk(shape, path, float(self.ways.uniform(1.05, 1.2)))
        return self._take(shape, walk, look=(1.0, 3.4, -np.pi / 2))

    def _strolling(self, shape: Shape, side: float) -> Take:
        """Farther away, to or fro."""
        way = side * float(self.ways.choice((-1.0, 1.0)))
        x, z = way * float(self.ways.uniform(2.4, 3.6)), -float(self.ways.uniform(8.2, DEEP - 0.6))
        path = Line.between((x, z), (-x, z + float(self.ways.uniform(-0.4, 0.4))))
        return self._take(shape, self._walk(shape, path, float(self.ways.uniform(0.9, 1.3))))
