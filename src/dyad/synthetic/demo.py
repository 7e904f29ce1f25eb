"""The short clip of `dyad demo`: two who meet and shake hands, one who crosses behind them, one who stops and waves."""

import numpy as np

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadUsage
from dyad.core.video import Video
from dyad.synthetic.anatomy import Anatomy, Look
from dyad.synthetic.backdrop import Viewpoint
from dyad.synthetic.gait import Walk
from dyad.synthetic.motion import Person, Shake, Span
from dyad.synthetic.paths import Arc, Line
from dyad.synthetic.scene import Footage, Scene

_MOST = 8
_GAP = 0.86
"""Distance in m at which people shake hands."""
_TOGETHER = 1.9
"""Time in s at which the two who meet have stopped."""


def demo_clip(
    seed: int = 0, *, size: tuple[int, int] = (960, 540), seconds: float = 5.0, fps: float = 25.0, people: int = 3
) -> Clip:
    """A clip of 1 to 8 people and its truth in `BODY17`; the same arguments give the same bytes.

    Frames are drawn when they are first read, and kept. `size` (width, height) in px. Raises BadUsage.
    """
    scene = demo_scene(seed, size=size, seconds=seconds, fps=fps, people=people)
    video = Video(Footage(scene), camera=scene.view.camera)
    return Clip(video, scene.truth())


def demo_scene(
    seed: int = 0, *, size: tuple[int, int] = (960, 540), seconds: float = 5.0, fps: float = 25.0, people: int = 3
) -> Scene:
    """What `demo_clip` shows, before it is drawn."""
    if not 1 <= people <= _MOST:
        raise BadUsage(f"a demo shows 1 to {_MOST} people, got {people}")
    if min(size) < 64 or not seconds > 0 or not fps > 0:
        raise BadUsage(
            f"a demo needs at least 64 px a side and some time, got {size}, {seconds} s at {fps} frames a second"
        )
    rng = np.random.default_rng(seed)
    camera = Camera.from_focal(size, 0.95 * max(size[0], 1.3 * size[1]))
    view = Viewpoint.standing(
        camera,
        height=float(rng.uniform(1.5, 1.9)),
        yaw=float(rng.uniform(-0.05, 0.05)),
        down=float(np.radians(rng.uniform(6, 9))),
        roll=float(np.radians(rng.uniform(-1, 1))),
    )
    side = float(rng.choice((-1.0, 1.0)))
    cast = _meeting(rng, side)
    cast.append(_passing(rng, side))
    cast.append(_waving(rng, side))
    cast += [_strolling(rng, i) for i in range(_MOST - len(cast))]
    looks = [Look.random(rng) for _ in cast]
    frames = max(1, round(seconds * fps))
    return Scene(cast[:people], looks[:people], view, fps, frames, seed, f"demo-{seed}")


def _meeting(rng: np.random.Generator, side: float) -> list[Person]:
    """Two who walk towards each other, stop at arm's length and shake hands."""
    middle = np.array((-0.15 * side, -4.7)) + rng.uniform(-0.15, 0.15, 2)
    slope = rng.uniform(-0.25, 0.25)
    along = np.array((np.cos(slope), np.sin(slope)))
    people = []
    bodies = [Anatomy.random(rng), Anatomy.random(rng)]
    grip = 0.58 * (bodies[0].height + bodies[1].height) / 2
    for sign, body in zip((-1.0, 1.0), bodies, strict=True):
        speed = float(rng.uniform(1.0, 1.2))
        end = middle + sign * along * _GAP / 2
        length = speed * (_TOGETHER - 0.4)
        path = Line.between(tuple(end + sign * along * length), tuple(end))
        place = (float(middle[0]), float(grip), float(middle[1]))
        shake = Shake(Span(_TOGETHER - 0.5, _TOGETHER + 1.7, 0.7), place)
        talk = Span(_TOGETHER + 1.5, np.inf, 0.8) if sign > 0 else None
        walk = Walk(body, path, speed, stop=length, phase=float(rng.uniform()))
        people.append(
            Person(walk, shake=shake, talk=talk, liveliness=float(rng.uniform(0.8, 1.2)), beat=float(rng.uniform(0, 6)))
        )
    return people


def _passing(rng: np.random.Generator, side: float) -> Person:
    """One who crosses behind the others, nearer all the time, and looks at the camera."""
    start = np.array((0.9 * side, -7.4)) + rng.uniform(-0.15, 0.15, 2)
    path = Line.between(tuple(start), (-2.6 * side, -5.6))
    walk = Walk(Anatomy.random(rng), path, float(rng.uniform(0.85, 1.0)), phase=float(rng.uniform()))
    return Person(walk, look=(0.8, 3.6, -np.pi / 2), beat=float(rng.uniform(0, 6)))


def _waving(rng: np.random.Generator, side: float) -> Person:
    """One who comes round a bend, stops, and waves at the camera."""
    speed, length = float(rng.uniform(1.0, 1.15)), 2.2
    end = np.array((2.05 * side + float(rng.uniform(-0.1, 0.1)), 0.0, -5.4))
    # The bend ends facing the camera and opens towards the edge of the image.
    turn, yaw = -4.0 * side, -np.pi / 2 - 0.37 * side
    last = yaw - length / turn
    offset, _ = Arc((0.0, 0.0), last, turn)(np.array(length))
    start = end - offset
    path = Arc((float(start[0]), float(start[2])), last, turn)
    walk = Walk(Anatomy.random(rng), path, speed, stop=length, phase=float(rng.uniform()))
    return Person(walk, wave=Span(length / speed, length / speed + 2.4), beat=float(rng.uniform(0, 6)))


def _strolling(rng: np.random.Generator, number: int) -> Person:
    """One of those farther away, to and fro."""
    side = -1.0 if number % 2 else 1.0
    start = (side * rng.uniform(2.2, 3.4), -rng.uniform(6.2, 8.4))
    path = Line.between(start, (-start[0], start[1] + rng.uniform(-0.4, 0.4)))
    return Person(
        Walk(Anatomy.random(rng), path, float(rng.uniform(0.9, 1.3)), phase=float(rng.uniform())), beat=float(number)
    )
