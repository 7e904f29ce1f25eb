"""What two people do with one another: talk, meet, shake hands, embrace, pass, carry something together."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.synthetic.bodies.body import Shape
from dyad.synthetic.bodies.skinning import skin
from dyad.synthetic.motion.contact import penetration
from dyad.synthetic.motion.gait import Walk
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Line
from dyad.synthetic.motion.strolling import Reach, Span, Stroller
from dyad.synthetic.motion.takes import Take

Random = np.random.Generator
Floats = NDArray[np.floating]
TOUCH = 0.05
"""Depth in m up to which bodies may reach into one another: skin and clothes that give way."""
_AHEAD, _BACK = -np.pi / 2, np.pi / 2
_SAMPLES = 16
"""Least number of frames looked at, spread over a take, as far as it has so many; long ones in every eighth frame."""
_EVERY = 8
_HUG = 0.33
_APART, _TRIES = 0.03, 6


class Both(NamedTuple):
    """Two people before they are made to keep clear of one another: `at(gap)` with the gap in m between their hips."""

    gap: float
    at: Callable[[float], tuple[Stroller, Stroller]]


class Manner(TypedDict):
    liveliness: float
    beat: float


def pair_takes(
    kind: str,
    shapes: tuple[Shape, Shape],
    rng: Random,
    *,
    frames: int,
    fps: float,
    dressed: tuple[Floats, Floats] | None = None,
) -> tuple[Take, Take]:
    """Two takes of an act of `PAIRS`, about the origin, along z; everything comes from `rng`.

    Bodies reach into one another by at most `TOUCH`, as far as `penetration` of the coarse meshes tells on some of the
    frames: people who come too near are moved apart, and of what was tried the best is taken. `dressed` are the coarse
    meshes (V, 3) m at rest with clothes on, which need room too.
    """
    if kind not in PAIRS:
        raise BadUsage(f"acts of two people are {', '.join(PAIRS)}, got {kind!r}")
    both = PAIRS[kind](shapes, rng, frames / fps)
    best: tuple[float, tuple[Take, Take]] | None = None
    more = 0.0
    for _ in range(_TRIES):
        first, second = (
            replace(one.take(shape, frames=frames, fps=fps), source=f"dyad: {kind}")
            for one, shape in zip(both.at(both.gap + more), shapes, strict=True)
        )
        every = max(1, min(_EVERY, frames // _SAMPLES))
        depth = deepest((first, second), shapes, every=every, dressed=dressed)
        if best is None or depth < best[0]:
            best = depth, (first, second)
        if depth <= TOUCH:
            break
        more += max(_APART, 0.7 * (depth - TOUCH))
    if best is None:
        raise RuntimeError("no gap was tried")
    return best[1]


def deepest(
    takes: tuple[Take, Take],
    shapes: tuple[Shape, Shape],
    *,
    every: int = _EVERY,
    dressed: tuple[Floats, Floats] | None = None,
) -> float:
    """The largest `penetration` in m over every `every`-th frame, of the bare or the `dressed` coarse meshes."""
    frames = np.arange(0, min(len(take) for take in takes), every)
    mesh = shapes[0].model.mesh("low")
    rests = dressed or (shapes[0].rest("low"), shapes[1].rest("low"))
    meshes = [
        skin(rest, mesh.bones, mesh.weights, shape.movements(take.rotations[frames], take.translation[frames]))
        for take, shape, rest in zip(takes, shapes, rests, strict=True)
    ]
    return max(penetration(one, two, mesh.faces) for one, two in zip(*meshes, strict=True))


def facing(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Standing face to face, one talking, then the other."""
    turn = float(rng.uniform(0.3, 0.7)) * seconds
    talks = (Span(-1.0, turn), Span(turn - 0.3, seconds + 1))
    manners, phases = _manners(rng), _phases(rng)

    def at(gap: float) -> tuple[Stroller, Stroller]:
        walks = _meeting(shapes, gap, 1.0, (0.0, 0.0), phases)
        first, second = (Stroller(w, talk=t, **m) for w, t, m in zip(walks, talks, manners, strict=True))
        return first, second

    return Both(float(rng.uniform(0.7, 1.5)), at)


def approach(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Walking towards one another and stopping to talk."""
    return _approach(shapes, rng, seconds, float(rng.uniform(0.7, 1.2)), lambda *_: ((), ()), bow=0.0)


def handshake(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Walking towards one another and shaking hands."""
    bodies = [Anatomy.of(shape) for shape in shapes]
    height = 0.57 * sum(body.height for body in bodies) / 2

    def hands(start: float, _: float) -> tuple[tuple[Reach, ...], tuple[Reach, ...]]:
        span = Span(start, start + 2.6, 0.6)
        # Right hand to right hand: each wrist stays behind the middle by less than a hand.
        first, second = (
            (Reach(span, (sign * 0.02, height, -sign * 0.85 * body.hand), pump=0.03),)
            for sign, body in zip((1, -1), bodies, strict=True)
        )
        return first, second

    return _approach(shapes, rng, seconds, float(rng.uniform(0.75, 0.9)), hands, bow=0.06)


def hug(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Walking towards one another and embracing, till the end."""
    bodies = [Anatomy.of(shape) for shape in shapes]
    high = 1 if rng.random() < 0.5 else -1

    def hands(start: float, gap: float) -> tuple[tuple[Reach, ...], tuple[Reach, ...]]:
        out = []
        for sign, own, other in zip((1, -1), bodies, bodies[::-1], strict=True):
            # Arms open wide, then close: one goes over the other's shoulder, one under, hands on the back.
            reaches = []
            for side, left in (("left", 1), ("right", -1)):
                over = left == high * sign
                up = other.chest_height + (0.07 if over else -0.25) * other.scale
                up = min(up, own.chest_height + 0.22)
                wide = (left * 0.5 * own.scale, up, 0.3 * own.scale)
                # Who needs more room is wider, too: arms go farther round.
                more = gap - _HUG
                aside = (0.1 if over else 0.16) * other.scale + 0.6 * more
                closed = (left * aside, up, gap + 0.15 * other.scale + 0.5 * more)
                elbow = (left * 1.0, 0.4 if over else -0.2, 0.0)
                reaches.append(Reach(Span(start - 0.5, start + 0.6, 0.5), wide, side, along=True, elbow=elbow))
                reaches.append(Reach(Span(start + 0.1, seconds + 2, 0.6), closed, side, along=True, elbow=elbow))
            out.append(tuple(reaches))
        return out[0], out[1]

    return _approach(shapes, rng, seconds, _HUG, hands, bow=0.05, talk=False)


def passing(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Walking past one another, shoulder to shoulder."""
    speeds, manners, phases = rng.uniform(0.9, 1.5, 2), _manners(rng), _phases(rng)
    meet = float(rng.uniform(0.35, 0.65)) * seconds

    def at(gap: float) -> tuple[Stroller, Stroller]:
        out = []
        for i, (sign, yaw) in enumerate(((1, _AHEAD), (-1, _BACK))):
            start = (sign * gap / 2, -sign * float(speeds[i]) * meet)
            walk = Walk(Anatomy.of(shapes[i]), Line(start, yaw), float(speeds[i]), phase=phases[i])
            out.append(Stroller(walk, **manners[i]))
        return out[0], out[1]

    return Both(float(rng.uniform(0.5, 1.0)), at)


def carry(shapes: tuple[Shape, Shape], rng: Random, seconds: float) -> Both:
    """Walking one behind the other with hands low, as with a stretcher."""
    speed, phases, always = float(rng.uniform(0.6, 1.0)), _phases(rng), Span(-2.0, seconds + 2)
    bodies = [Anatomy.of(shape) for shape in shapes]
    height = 0.43 * min(body.height for body in bodies)
    out = 0.27 * sum(body.scale for body in bodies) / 2

    def at(gap: float) -> tuple[Stroller, Stroller]:
        people = []
        for i, ahead in enumerate((-0.08, 0.2)):
            walk = Walk(bodies[i], Line((0.0, gap / 2 - i * gap), _AHEAD), speed, phase=phases[i])
            held = tuple(
                Reach(always, (left * out, height, ahead), side, along=True, elbow=(left * 0.3, 0.0, -1.0))
                for side, left in (("left", 1), ("right", -1))
            )
            people.append(Stroller(walk, reaches=held, liveliness=0.3))
        return people[0], people[1]

    return Both(float(rng.uniform(1.3, 1.8)), at)


PAIRS: dict[str, Callable[[tuple[Shape, Shape], Random, float], Both]] = {
    "facing": facing,
    "approach": approach,
    "handshake": handshake,
    "hug": hug,
    "pass": passing,
    "carry": carry,
}
"""Acts of two people by name."""


def _approach(
    shapes: tuple[Shape, Shape],
    rng: Random,
    seconds: float,
    gap: float,
    hands: Callable[[float, float], tuple[tuple[Reach, ...], tuple[Reach, ...]]],
    *,
    bow: float,
    talk: bool = True,
) -> Both:
    met = min(float(rng.uniform(0.2, 0.4)) * seconds, 2.5)
    speed, phases, manners = float(rng.uniform(0.9, 1.3)), _phases(rng), _manners(rng)
    talks = met + 3.0 if talk else np.inf

    def at(gap: float) -> tuple[Stroller, Stroller]:
        walks = _meeting(shapes, gap, speed, (speed * met, speed * met), phases)
        reaches = hands(met - 0.2, gap)
        first, second = (
            Stroller(w, reaches=r, talk=Span(talks, seconds + 2), stoop=bow, **m)
            for w, r, m in zip(walks, reaches, manners, strict=True)
        )
        return first, second

    return Both(gap, at)


def _meeting(
    shapes: tuple[Shape, Shape], gap: float, speed: float, ways: tuple[float, float], phases: tuple[float, float]
) -> tuple[Walk, Walk]:
    """Two walks along z that end `gap` m apart, face to face, after `ways` m."""
    walks = []
    for i, (sign, yaw) in enumerate(((1, _AHEAD), (-1, _BACK))):
        start = (0.0, -sign * (gap / 2 + ways[i]))
        walks.append(Walk(Anatomy.of(shapes[i]), Line(start, yaw), speed, stop=ways[i], phase=phases[i]))
    return walks[0], walks[1]


def _phases(rng: Random) -> tuple[float, float]:
    return float(rng.uniform()), float(rng.uniform())


def _manners(rng: Random) -> list[Manner]:
    return [{"liveliness": float(rng.uniform(0.6, 1.3)), "beat": float(rng.uniform(0, 6))} for _ in range(2)]
