"""What one person does, made without data: walking, running, gestures, sitting, jumping, poses within joint limits."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dyad.core.errors import BadUsage
from dyad.synthetic.bodies.body import Shape
from dyad.synthetic.motion.gait import Walk
from dyad.synthetic.motion.keyed import ArmKey, FootKey, Key, Keyed
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Arc, Line, Path
from dyad.synthetic.motion.posing import take_of
from dyad.synthetic.motion.strolling import Span, Stroller
from dyad.synthetic.motion.takes import Take

Random = np.random.Generator
_AHEAD = -np.pi / 2
"""The heading of someone at rest, towards +z."""


def random_take(shape: Shape, rng: Random, *, frames: int, fps: float, kinds: Sequence[str] | None = None) -> Take:
    """Some motion of one of `KINDS` for a body, around or from the origin, heading for +z on average.

    Everything about it comes from `rng`; feet stand on y = 0 and do not slide.
    """
    chosen = tuple(KINDS) if kinds is None else tuple(kinds)
    unknown = set(chosen) - set(KINDS)
    if unknown or not chosen:
        raise BadUsage(f"kinds of motion are {', '.join(KINDS)}, got {', '.join(sorted(unknown)) or 'none'}")
    kind = chosen[int(rng.integers(len(chosen)))]
    return replace(KINDS[kind](shape, rng, frames, fps), source=f"dyad: {kind}")


def walk(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Walking on, straight or round a bend."""
    return _stroller(_way(shape, rng, float(rng.uniform(0.7, 1.7))), rng).take(shape, frames=frames, fps=fps)


def run(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Running on."""
    return _stroller(_way(shape, rng, float(rng.uniform(2.2, 3.8)), running=True), rng).take(
        shape, frames=frames, fps=fps
    )


def stop_and_wave(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Walking, stopping, waving."""
    seconds, speed = frames / fps, float(rng.uniform(0.9, 1.4))
    until = seconds * float(rng.uniform(0.2, 0.5))
    begin = max(0.0, until - 0.3)
    wave = Span(begin, begin + float(rng.uniform(2, 4)))
    someone = _stroller(_way(shape, rng, speed, stop=speed * until), rng)
    return replace(someone, wave=wave).take(shape, frames=frames, fps=fps)


def talk(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Standing and talking with both hands."""
    where = _way(shape, rng, 1.0, stop=0.0)
    span = Span(float(rng.uniform(-1, 1)), frames / fps + 1)
    look = (0.5, 3.0, _AHEAD + float(rng.uniform(-1, 1)))
    return replace(_stroller(where, rng), talk=span, look=look).take(shape, frames=frames, fps=fps)


def sit(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Sitting down on something low, or sitting already, and moving the hands."""
    a = Anatomy.of(shape)
    seat = a.shin * float(rng.uniform(0.9, 1.1))
    hips = seat + 0.08 * a.scale
    drop = a.ankle + a.leg - hips
    lap = ArmKey((0.2, -0.85, 0.45), (-0.3, 0.2, 1.0), (-0.8, 0.6, 0.3), 1.1)
    feet = FootKey(float(rng.uniform(0.09, 0.2)), 0.0, 0.15)
    back = -a.thigh * float(rng.uniform(0.95, 1.02))
    seated = Key(drop=drop, ahead=back, lean=float(rng.uniform(-0.15, 0.1)), bow=0.05).with_arms(lap).with_feet(feet)
    halfway = Key(drop=0.45 * drop, ahead=0.5 * back, lean=0.5, bow=0.25).with_arms(_arm(rng)).with_feet(feet)
    gesture = replace(seated, left_arm=_arm(rng), right_arm=_arm(rng), look=float(rng.uniform(-0.6, 0.6)), bow=0.15)
    if rng.random() < 0.5:
        keys = [(0.0, seated), (1.5, gesture), (2.6, gesture), (3.6, seated)]
    else:
        begin = float(rng.uniform(0.1, 0.8))
        keys = [(begin, Key().with_feet(feet)), (begin + 0.6, halfway), (begin + 1.2, seated), (begin + 2.5, gesture)]
    return _keyed(shape, keys, rng, frames, fps)


def squat(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Down on bent knees and up again, arms ahead."""
    a = Anatomy.of(shape)
    feet, pace = FootKey(float(rng.uniform(0.12, 0.25)), 0.0, 0.3), float(rng.uniform(0.7, 1.2))
    ahead = ArmKey((0.25, -0.1, 1.0), (-0.6, 0.3, 0.3), (-0.2, 1.0, 0.0), 0.15)
    deep = float(rng.uniform(0.35, 0.55)) * a.leg
    low = Key(drop=deep, ahead=-0.35 * deep, lean=0.55, bow=0.25, nod=-0.1).with_arms(ahead).with_feet(feet)
    up = Key().with_feet(feet)
    return _keyed(shape, _repeated([up, low], pace, frames / fps), rng, frames, fps)


def jump(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Jumping on the spot: a body in the air falls as bodies do."""
    a = Anatomy.of(shape)
    feet, pause = FootKey(0.12, 0.0, 0.15), float(rng.uniform(0.2, 0.9))
    high = float(rng.uniform(0.15, 0.4))
    flight = float(np.sqrt(8 * high / 9.81))
    back = ArmKey((0.3, -0.8, -0.5), (-0.2, 0.0, 1.0), (-0.5, 0.0, 1.0), 0.5)
    up = ArmKey((0.35, 0.75, 0.55), (-0.4, 0.6, 0.2), (-0.3, 0.3, 1.0), 0.4)
    crouch = Key(drop=0.22 * a.leg, ahead=-0.06, lean=0.45, bow=0.15).with_arms(back).with_feet(feet)
    # On tiptoe when leaving the ground and when meeting it again.
    tiptoe = replace(feet, lift=a.toe * np.sin(0.5), tip=-0.5)
    stretch = Key(drop=0.01 - tiptoe.lift, lean=0.0).with_arms(up).with_feet(tiptoe)
    keys, t, launches = [], float(rng.uniform(0.0, 0.4)), []
    while t < frames / fps or not keys:
        keys += [(t, Key().with_feet(feet)), (t + 0.45, crouch), (t + 0.65, stretch)]
        keys += [(t + 0.65 + flight, replace(stretch, drop=0.05 - tiptoe.lift)), (t + 0.85 + flight, crouch)]
        launches.append(t + 0.65)
        t += 1.3 + flight + pause
    times = np.arange(frames) / fps
    posture = Keyed(a, keys, beat=float(rng.uniform(0, 6))).posture(times)
    take = take_of(posture, shape, fps)
    height = np.zeros(frames)
    for start in launches:
        along = np.clip(times - start, 0, flight)
        height = height + 9.81 / 2 * along * (flight - along)
    return replace(take, translation=take.translation + height[:, None] * (0.0, 1.0, 0.0))


def reach(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """Bending, stretching and turning after things that lie about."""
    a = Anatomy.of(shape)
    keys, t = [(0.0, Key())], float(rng.uniform(0.1, 0.6))
    while t < frames / fps + 1:
        height, side = float(rng.uniform(0, 1)), float(rng.choice((-1, 1)))
        arm = ArmKey((0.25, 1.8 * height - 1, 0.8), (-0.3, 0.0, 0.6), (-0.4, 0.9, 0.2), float(rng.uniform(0.05, 0.4)))
        low = 1 - height
        key = Key(
            drop=low * float(rng.uniform(0.05, 0.3)) * a.leg,
            ahead=-0.12 * low,
            lean=0.7 * low,
            bow=0.5 * low,
            twist=side * float(rng.uniform(0, 0.7)),
            nod=0.3 * low - 0.3 * height,
            left_foot=FootKey(0.14, 0.1 * side),
            right_foot=FootKey(0.14, -0.1 * side),
        )
        key = replace(key, left_arm=arm) if side > 0 else replace(key, right_arm=arm)
        keys += [(t + 0.8, key), (t + 0.8 + float(rng.uniform(0.1, 0.8)), key)]
        t = keys[-1][0] + float(rng.uniform(0, 0.4))
    return _keyed(shape, keys, rng, frames, fps)


def poses(shape: Shape, rng: Random, frames: int, fps: float) -> Take:
    """From one random pose within joint limits to the next."""
    a = Anatomy.of(shape)
    keys, t = [], -float(rng.uniform(0, 0.5))
    while t < frames / fps + 1:
        keys.append((t, _random_key(a, rng)))
        t += float(rng.uniform(0.5, 1.3))
    return _keyed(shape, keys, rng, frames, fps)


KINDS: dict[str, Callable[[Shape, Random, int, float], Take]] = {
    "walk": walk,
    "run": run,
    "wave": stop_and_wave,
    "talk": talk,
    "sit": sit,
    "squat": squat,
    "jump": jump,
    "reach": reach,
    "poses": poses,
}
"""Kinds of motion by name."""


def _way(shape: Shape, rng: Random, speed: float, *, stop: float | None = None, running: bool = False) -> Walk:
    yaw = _AHEAD + float(rng.normal(0, 0.2))
    bend = float(rng.uniform(-0.25, 0.25))
    path: Path = Line((0.0, 0.0), yaw) if abs(bend) < 0.08 else Arc((0.0, 0.0), yaw, 1 / bend)
    return Walk(Anatomy.of(shape), path, speed, stop=stop, phase=float(rng.uniform()), running=running)


def _stroller(walk: Walk, rng: Random) -> Stroller:
    liveliness, beat = float(rng.uniform(0.5, 1.4)), float(rng.uniform(0, 6))
    return Stroller(walk, liveliness=liveliness, beat=beat, stoop=float(rng.normal(0.0, 0.05)))


def _keyed(shape: Shape, keys: Sequence[tuple[float, Key]], rng: Random, frames: int, fps: float) -> Take:
    someone = Keyed(Anatomy.of(shape), keys, beat=float(rng.uniform(0, 6)))
    return take_of(someone.posture(np.arange(frames) / fps), shape, fps)


def _repeated(keys: Sequence[Key], pace: float, seconds: float) -> list[tuple[float, Key]]:
    count = int(np.ceil(seconds / pace)) + 1
    return [(pace * i, keys[i % len(keys)]) for i in range(count)]


def _arm(rng: Random) -> ArmKey:
    """A random arm within the range of shoulder and elbow; one that hangs keeps clear of the trunk."""
    out, up, ahead = rng.uniform(-0.3, 1.0), rng.uniform(-1.0, 0.9), rng.uniform(-0.45, 1.0)
    if up < 0.2 and ahead < 0.4:
        out = max(out, 0.2)
    bend = (float(rng.uniform(-0.7, 0.2)), float(rng.uniform(-0.1, 0.9)), float(rng.uniform(0.3, 1.0)))
    thumb = (float(rng.uniform(-0.8, 0.2)), float(rng.uniform(-0.2, 1.0)), float(rng.uniform(0.0, 1.0)))
    return ArmKey((float(out), float(up), float(ahead)), bend, thumb, float(rng.uniform(0.05, 2.3)))


def _random_key(a: Anatomy, rng: Random) -> Key:
    deep = float(rng.beta(1.2, 3)) * 0.5 * a.leg
    lean = float(rng.uniform(-0.15, 0.3)) + 1.2 * deep
    stance = [
        FootKey(float(rng.uniform(0.06, 0.3)), float(rng.uniform(-0.2, 0.2)), float(rng.uniform(-0.1, 0.5)))
        for _ in range(2)
    ]
    shift = 0.0
    if rng.random() < 0.3:
        # On one leg: the hips go over the foot that stands.
        raised = int(rng.integers(2))
        lift, tip = float(rng.uniform(0.15, 0.5)), float(rng.uniform(-0.5, 0.2))
        free = FootKey(0.14, float(rng.uniform(-0.3, 0.4)), 0.2, lift, tip)
        stands = FootKey(0.04, 0.0, 0.1)
        stance = [free, stands] if raised == 0 else [stands, free]
        shift, deep = (-0.08 if raised == 0 else 0.08), min(deep, 0.1)
    return Key(
        drop=0.02 + deep,
        shift=shift + float(rng.normal(0, 0.02)),
        ahead=-0.3 * deep,
        turn=float(rng.uniform(-0.5, 0.5)),
        lean=lean,
        roll=float(rng.normal(0, 0.06)),
        bow=float(rng.uniform(-0.1, 0.35)),
        tilt=float(rng.normal(0, 0.12)),
        twist=float(rng.uniform(-0.6, 0.6)),
        nod=float(rng.normal(0.05, 0.2)),
        look=float(rng.uniform(-0.8, 0.8)),
        left_arm=_arm(rng),
        right_arm=_arm(rng),
        left_foot=stance[0],
        right_foot=stance[1],
    )
