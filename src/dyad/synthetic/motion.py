"""People who walk, stop, wave and shake hands, made without data: 33 joints in metres as a function of time."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dyad.core.skeleton import BLAZEPOSE33
from dyad.synthetic.anatomy import Anatomy
from dyad.synthetic.gait_old import Legs, Walk, middle_joint
from dyad.synthetic.paths import Array, forward, leftward

_UP = np.array((0.0, 1.0, 0.0))

# Face landmarks for a height of 1.75 m, relative to the middle between the ears: left, up, forward in m. They obey the
# rule by which the skeletons derive the top of the head from ears, eyes and mouth.
_FACE = {
    "nose": (0.0, -0.018, 0.116),
    "left_eye_inner": (0.018, 0.015, 0.092),
    "left_eye": (0.032, 0.016, 0.090),
    "left_eye_outer": (0.045, 0.015, 0.082),
    "left_ear": (0.072, 0.003, 0.0),
    "mouth_left": (0.026, -0.054, 0.090),
}


class Frame(NamedTuple):
    """Unit vectors (T, 3) of a part of the body."""

    left: Array
    up: Array
    forward: Array

    @classmethod
    def of(cls, yaw: Array, *, lean: Array | float = 0.0, roll: Array | float = 0.0) -> "Frame":
        """Turned by `yaw`, then leant forward and rolled (left side up), all in rad (T)."""
        ahead, left = forward(yaw), leftward(yaw)
        lean, roll = np.broadcast_to(lean, yaw.shape)[:, None], np.broadcast_to(roll, yaw.shape)[:, None]
        up = np.cos(lean) * _UP + np.sin(lean) * ahead
        ahead = np.cos(lean) * ahead - np.sin(lean) * _UP
        return cls(np.cos(roll) * left + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * left, ahead)

    def at(self, left: Array | float, up: Array | float, ahead: Array | float) -> Array:
        """Vectors (T, 3) from their components (T) or numbers."""
        return _column(left) * self.left + _column(up) * self.up + _column(ahead) * self.forward


class Arm(NamedTuple):
    """Directions (T, 3): of the upper arm, into which the elbow bends, of the thumb; and the bend (T) in rad."""

    upper: Array
    bend: Array
    thumb: Array
    angle: Array


@dataclass(frozen=True)
class Span:
    """A stretch of time in s during which something is done, with soft ends."""

    start: float
    stop: float
    ease: float = 0.5

    def __call__(self, times: Array) -> Array:
        """Weight (T) 0..1."""
        rise = np.clip((times - self.start) / self.ease, 0, 1)
        fall = np.clip((self.stop - times) / self.ease, 0, 1)
        weight = np.minimum(rise, fall)
        return weight * weight * (3 - 2 * weight)


@dataclass(frozen=True)
class Shake:
    """Holding out the right hand to a place (x, y, z) in m of the world, shared with someone else."""

    span: Span
    place: tuple[float, float, float]

    def __call__(self, times: Array) -> Array:
        """Where (T, 3) the hand is held."""
        pump = 0.03 * self.span(times) * np.sin(2 * np.pi * 2.0 * (times - self.span.start))
        return np.asarray(self.place) + pump[:, None] * _UP


@dataclass(frozen=True)
class Person:
    """Someone with a walk and gestures; `joints` is a function of time alone.

    Attributes:
        walk: legs, path and bone lengths.
        wave: when the right hand waves. talk: when both hands accompany speech. shake: a handshake.
        look: (start s, stop s, yaw rad): when the head turns, and to which heading of the world.
        liveliness: size of the arm swing, 1 = average. beat: a phase in rad that tells one talker from the next.
    """

    walk: Walk
    wave: Span | None = None
    talk: Span | None = None
    shake: Shake | None = None
    look: tuple[float, float, float] | None = None
    liveliness: float = 1.0
    beat: float = 0.0

    @property
    def anatomy(self) -> Anatomy:
        return self.walk.anatomy

    def joints(self, times: Array) -> Array:
        """(T, 33, 3) m in a world with y up and the ground at y = 0, joints of `BLAZEPOSE33`; `times` (T) in s."""
        a, turn, lively = self.anatomy, 2 * np.pi * self.walk.cycle(times), self.walk.swing(times)
        legs = self.walk(times)
        pelvis = (legs.hips[0] + legs.hips[1]) / 2
        yaw = self.walk.heading(times)
        chest = Frame.of(
            yaw + lively * np.radians(6) * np.cos(turn),
            lean=np.radians(3) * lively
            + np.radians(1) * lively * np.cos(2 * turn)
            + np.radians(1) * np.sin(1.6 * times),
            roll=-lively * np.radians(1.5) * np.sin(turn),
        )
        neck = pelvis + a.trunk * chest.up
        placed = _placed_legs(legs) | self._head(neck, yaw, times)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            shoulder = neck + sign * a.shoulder * chest.left
            placed |= self._arm(side, sign, shoulder, chest, times)
        return np.stack([placed[name] for name in BLAZEPOSE33.names], 1)

    def _head(self, neck: Array, yaw: Array, times: Array) -> dict[str, Array]:
        turned = np.radians(4) * np.sin(0.9 * times + self.beat)
        if self.look is not None:
            start, stop, towards = self.look
            away = (towards - yaw + np.pi) % (2 * np.pi) - np.pi
            turned = turned + Span(start, stop)(times) * np.clip(away, -1.1, 1.1)
        frame = Frame.of(yaw + turned, lean=np.radians(2) + np.radians(2) * np.sin(1.3 * times + self.beat))
        size = self.anatomy.scale
        centre = neck + 0.103 * self.anatomy.height * frame.up + 0.028 * size * frame.forward
        out = {}
        for name, (left, up, ahead) in _FACE.items():
            out[name] = centre + size * frame.at(left, up, ahead)
            other = name.replace("left", "right")
            out[other] = centre + size * frame.at(-left if other != name else left, up, ahead)
        return out

    def _arm(self, side: str, sign: float, shoulder: Array, chest: Frame, times: Array) -> dict[str, Array]:
        a, arm = self.anatomy, self._swinging(sign, chest, times)
        if self.talk is not None:
            arm = _mixed(arm, self._talking(sign, chest, times), self.talk(times))
        if self.wave is not None and side == "right":
            arm = _mixed(arm, self._waving(sign, chest, times), self.wave(times))
        bend = arm.bend - (arm.bend * arm.upper).sum(-1, keepdims=True) * arm.upper
        bend /= np.linalg.norm(bend, axis=-1, keepdims=True)
        elbow = shoulder + a.upper_arm * arm.upper
        fore = np.cos(arm.angle)[:, None] * arm.upper + np.sin(arm.angle)[:, None] * bend
        wrist, thumb = elbow + a.forearm * fore, arm.thumb
        if self.shake is not None and side == "right":
            held = self.shake.span(times)[:, None]
            # The knuckles meet, so that the wrist stays behind the shared place.
            back = shoulder - self.shake(times)
            back /= np.linalg.norm(back, axis=-1, keepdims=True)
            wrist = wrist + held * (self.shake(times) + 0.95 * a.hand * back - wrist)
            # What is out of reach is reached for.
            reach = wrist - shoulder
            far = np.linalg.norm(reach, axis=-1, keepdims=True) / (0.985 * (a.upper_arm + a.forearm))
            wrist = shoulder + reach / np.maximum(far, 1)
            elbow = middle_joint(shoulder, wrist, a.upper_arm, a.forearm, elbow - (shoulder + wrist) / 2 + 1e-3 * -_UP)
            fore, thumb = (wrist - elbow) / a.forearm, thumb + held * (_UP - thumb)
        across = thumb - (thumb * fore).sum(-1, keepdims=True) * fore
        across /= np.linalg.norm(across, axis=-1, keepdims=True)
        hand = a.hand
        return {
            f"{side}_shoulder": shoulder,
            f"{side}_elbow": elbow,
            f"{side}_wrist": wrist,
            f"{side}_index": wrist + hand * (1.0 * fore + 0.25 * across),
            f"{side}_pinky": wrist + hand * (0.9 * fore - 0.40 * across),
            f"{side}_thumb": wrist + hand * (0.65 * fore + 0.50 * across),
        }

    def _swinging(self, sign: float, chest: Frame, times: Array) -> Arm:
        """Arms against the legs: first and second harmonic of the phase."""
        turn, lively = 2 * np.pi * self.walk.cycle(times), self.walk.swing(times) * self.liveliness
        stroke = -sign * np.cos(turn)
        flexion = np.radians(2) + lively * (np.radians(21) * stroke + np.radians(2) * np.cos(2 * turn))
        away = np.radians(9) + np.radians(2) * np.sin(1.1 * times + sign + self.beat)
        upper = chest.at(sign * np.sin(away), -np.cos(away) * np.cos(flexion), np.cos(away) * np.sin(flexion))
        angle = np.radians(16) + lively * np.radians(12) * (1 + stroke)
        return Arm(upper, chest.at(-0.25 * sign, 0, 1), chest.at(-0.5 * sign, 0, 1), angle)

    def _waving(self, sign: float, chest: Frame, times: Array) -> Arm:
        beat = np.sin(2 * np.pi * 1.6 * times)
        upper = chest.at(sign * 0.93, 0.12, 0.28)
        upper /= np.linalg.norm(upper, axis=-1, keepdims=True)
        angle = np.radians(92) + np.radians(22) * beat
        return Arm(upper, chest.at(0, 1, 0.1), chest.at(-sign, 0.2, 0), angle)

    def _talking(self, sign: float, chest: Frame, times: Array) -> Arm:
        beat = times + self.beat + 0.7 * sign
        flexion = np.radians(16) + np.radians(9) * np.sin(3.1 * beat) + np.radians(5) * np.sin(7.3 * beat)
        away = np.radians(14) + np.radians(5) * np.sin(2.3 * beat)
        upper = chest.at(sign * np.sin(away), -np.cos(away) * np.cos(flexion), np.cos(away) * np.sin(flexion))
        angle = np.radians(80) + np.radians(18) * np.sin(4.1 * beat) + np.radians(8) * np.sin(9.7 * beat)
        return Arm(upper, chest.at(-0.2 * sign, 0.3, 1), chest.at(-0.6 * sign, 1, 0), angle)


def _placed_legs(legs: Legs) -> dict[str, Array]:
    out = {}
    for at, side in enumerate(("left", "right")):
        out[f"{side}_hip"], out[f"{side}_knee"], out[f"{side}_ankle"] = legs.hips[at], legs.knees[at], legs.ankles[at]
        out[f"{side}_heel"], out[f"{side}_foot_index"] = legs.heels[at], legs.toes[at]
    return out


def _mixed(first: Arm, second: Arm, weight: Array) -> Arm:
    """From the first (weight 0) to the second (1); directions stay unit vectors."""
    w = weight[:, None]
    upper = first.upper + w * (second.upper - first.upper)
    upper /= np.linalg.norm(upper, axis=-1, keepdims=True)
    bend, thumb = (one + w * (two - one) for one, two in ((first.bend, second.bend), (first.thumb, second.thumb)))
    return Arm(upper, bend, thumb, first.angle + weight * (second.angle - first.angle))


def _column(value: Array | float) -> Array:
    """(T, 1) or (1, 1), to scale vectors (T, 3)."""
    return np.asarray(value, np.float64).reshape(-1, 1)
