"""People who walk, stop, look about, wave, talk and hold out a hand, made without data as a function of time alone."""

from dataclasses import dataclass

import numpy as np

from dyad.synthetic.bodies.body import Shape
from dyad.synthetic.motion.gait import Walk
from dyad.synthetic.motion.paths import Array
from dyad.synthetic.motion.posing import SIDES, Arm, Foot, Frame, Hand, Posture, take_of
from dyad.synthetic.motion.rotations import unit
from dyad.synthetic.motion.takes import Take

_UP = np.array((0.0, 1.0, 0.0))


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
class Reach:
    """Holding out a hand, perhaps shaking it.

    Attributes:
        span: when. side: "left" or "right". elbow: direction (left, up, ahead) of the walker into which it gives way.
        place: where the wrist goes, m: (x, y, z) of the world, or, if `along`, (left, up, ahead) of the walker from the
            floor below the hips, so that the hand goes along. pump: m up and down, twice a second.
    """

    span: Span
    place: tuple[float, float, float]
    side: str = "right"
    along: bool = False
    elbow: tuple[float, float, float] = (0.0, -1.0, -0.3)
    pump: float = 0.0

    def __call__(self, times: Array, floor: Array, frame: Frame) -> Hand:
        """Where the wrist is held; `floor` (T, 3) m lies below the hips and `frame` is the walker's."""
        weight = self.span(times)
        beat = self.pump * weight * np.sin(4 * np.pi * (times - self.span.start))
        place = floor + frame.at(*self.place) if self.along else np.asarray(self.place)
        return Hand(place + beat[:, None] * _UP, weight, frame.at(*self.elbow))


@dataclass(frozen=True)
class Stroller:
    """Someone with a walk and gestures.

    Attributes:
        walk: legs, path and bone lengths. wave: when the right hand waves. talk: when both hands accompany speech.
        reaches: what hands are held out to. look: (start s, stop s, yaw rad), when the head turns to a heading.
        liveliness: size of the arm swing, 1 = average. beat: a phase in rad that tells one talker from the next.
        stoop: rad, how far the chest leans.
    """

    walk: Walk
    wave: Span | None = None
    talk: Span | None = None
    reaches: tuple[Reach, ...] = ()
    look: tuple[float, float, float] | None = None
    liveliness: float = 1.0
    beat: float = 0.0
    stoop: float = 0.0

    def take(self, shape: Shape, *, frames: int, fps: float) -> Take:
        """The first `frames` frames, on the body that the walk was measured on."""
        return take_of(self.posture(np.arange(frames) / fps), shape, fps)

    def posture(self, times: Array) -> Posture:
        """How the body is held at `times` (T) in s."""
        walk, turn, lively = self.walk, 2 * np.pi * self.walk.cycle(times), self.walk.swing(times)
        middle, pelvis_yaw, roll = walk.pelvis(times)
        yaw, run = walk.heading(times), walk.running
        chest = Frame.of(
            yaw + lively * np.radians(6 + 6 * run) * np.cos(turn),
            lean=self.stoop
            + np.radians(3 + 7 * run) * lively
            + np.radians(1) * lively * np.cos(2 * turn)
            + np.radians(1) * np.sin(1.6 * times),
            roll=-lively * np.radians(1.5) * np.sin(turn),
        )
        feet = [walk.foot(times, side) for side in (0, 1)]
        arms = [self._arm(sign, chest, times) for sign in (1.0, -1.0)]
        hands = [self._hand(side, times) for side in SIDES]
        return Posture(
            middle=middle,
            pelvis=Frame.of(pelvis_yaw, lean=np.radians(2 + 4 * run) * lively, roll=roll),
            chest=chest,
            head=self._head(yaw, times),
            feet=(Foot(feet[0].ankle, feet[0].yaw, feet[0].pitch), Foot(feet[1].ankle, feet[1].yaw, feet[1].pitch)),
            knees=(walk.knee(times, 0), walk.knee(times, 1)),
            arms=(arms[0], arms[1]),
            hands=(hands[0], hands[1]),
        )

    def _head(self, yaw: Array, times: Array) -> Frame:
        turned = np.radians(4) * np.sin(0.9 * times + self.beat)
        if self.look is not None:
            start, stop, towards = self.look
            away = (towards - yaw + np.pi) % (2 * np.pi) - np.pi
            turned = turned + Span(start, stop)(times) * np.clip(away, -1.1, 1.1)
        return Frame.of(yaw + turned, lean=np.radians(2) + np.radians(2) * np.sin(1.3 * times + self.beat))

    def _hand(self, side: str, times: Array) -> Hand | None:
        floor, yaw = self.walk.path(self.walk.travelled(times))
        own = [reach(times, floor, Frame.of(yaw)) for reach in self.reaches if reach.side == side]
        if not own:
            return None
        weight = np.sum([hand.weight for hand in own], 0)
        share = [hand.weight / np.maximum(weight, 1e-9) for hand in own]
        wrist, elbow = (
            sum(s[:, None] * value for s, value in zip(share, values, strict=True))
            for values in ([hand.wrist for hand in own], [hand.elbow for hand in own])
        )
        return Hand(np.asarray(wrist), np.minimum(weight, 1), np.asarray(elbow) + 1e-6)

    def _arm(self, sign: float, chest: Frame, times: Array) -> Arm:
        arm = self._swinging(sign, chest, times)
        if self.talk is not None:
            arm = mixed(arm, talking(sign, chest, times + self.beat), self.talk(times))
        if self.wave is not None and sign < 0:
            arm = mixed(arm, waving(sign, chest, times), self.wave(times))
        return arm

    def _swinging(self, sign: float, chest: Frame, times: Array) -> Arm:
        """Arms against the legs: first and second harmonic of the phase."""
        turn, lively = 2 * np.pi * self.walk.cycle(times), self.walk.swing(times) * self.liveliness
        run = self.walk.running
        stroke = -sign * np.cos(turn)
        flexion = np.radians(2) + lively * ((21 + 14 * run) * np.pi / 180 * stroke + np.radians(2) * np.cos(2 * turn))
        away = np.radians(9) + np.radians(2) * np.sin(1.1 * times + sign + self.beat)
        upper = chest.at(sign * np.sin(away), -np.cos(away) * np.cos(flexion), np.cos(away) * np.sin(flexion))
        angle = np.radians(16) + lively * (np.radians(12) * (1 + stroke) + np.radians(60) * run)
        return Arm(upper, chest.at(-0.25 * sign, 0, 1), chest.at(-0.5 * sign, 0.8 * run, 1), angle)


def waving(sign: float, chest: Frame, times: Array) -> Arm:
    """An arm raised to the side, the forearm upright and going to and fro."""
    beat = np.sin(2 * np.pi * 1.6 * times)
    angle = np.radians(92) + np.radians(22) * beat
    return Arm(unit(chest.at(sign * 0.93, 0.12, 0.28)), chest.at(0, 1, 0.1), chest.at(-sign, 0.2, 0), angle)


def talking(sign: float, chest: Frame, times: Array) -> Arm:
    """An arm whose hand accompanies speech."""
    beat = times + 0.7 * sign
    flexion = np.radians(16) + np.radians(9) * np.sin(3.1 * beat) + np.radians(5) * np.sin(7.3 * beat)
    away = np.radians(14) + np.radians(5) * np.sin(2.3 * beat)
    upper = chest.at(sign * np.sin(away), -np.cos(away) * np.cos(flexion), np.cos(away) * np.sin(flexion))
    angle = np.radians(80) + np.radians(18) * np.sin(4.1 * beat) + np.radians(8) * np.sin(9.7 * beat)
    return Arm(upper, chest.at(-0.2 * sign, 0.3, 1), chest.at(-0.6 * sign, 1, 0), angle)


def mixed(first: Arm, second: Arm, weight: Array) -> Arm:
    """From the first (weight 0) to the second (1); directions stay unit vectors."""
    w = weight[:, None]
    upper, bend, thumb = (one + w * (two - one) for one, two in zip(first[:3], second[:3], strict=True))
    return Arm(unit(upper), bend, thumb, first.angle + weight * (second.angle - first.angle))
