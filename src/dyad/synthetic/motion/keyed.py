"""Motion from a few key postures: someone stands somewhere and goes from one posture to the next, feet planted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Array, forward, leftward
from dyad.synthetic.motion.posing import Arm, Foot, Frame, Posture
from dyad.synthetic.motion.rotations import unit

_UP = np.array((0.0, 1.0, 0.0))
_STEP_HEIGHT = 0.07


@dataclass(frozen=True)
class ArmKey:
    """An arm relative to the chest; both arms are described as if they were the left one.

    Attributes:
        upper: direction (out, up, ahead) of the upper arm. bend: direction into which the elbow bends.
        thumb: where the thumb points. angle: rad, bend of the elbow; 0 is straight.
    """

    upper: tuple[float, float, float] = (0.15, -1.0, 0.03)
    bend: tuple[float, float, float] = (-0.25, 0.0, 1.0)
    thumb: tuple[float, float, float] = (-0.5, 0.0, 1.0)
    angle: float = 0.28


@dataclass(frozen=True)
class FootKey:
    """A foot relative to the place: out to its own side and ahead in m, turned out in rad.

    `lift` is the height of the ankle above where it stands, in m; `tip` how far the toes then point up, in rad.
    """

    out: float = 0.1
    ahead: float = 0.0
    turned: float = 0.1
    lift: float = 0.0
    tip: float = 0.0


@dataclass(frozen=True)
class Key:
    """A posture. Lengths in m, angles in rad; `left` and `right` are the person's own.

    Attributes:
        drop: how far the hips are below standing straight. shift, ahead: how far they are to the left and ahead.
        turn: of the pelvis to the left.
        lean, roll: of the pelvis, forward and left side up. bow, tilt, twist: the same of the chest, on top of the
        pelvis, and its turn to the left. nod, look: of the head, down and to the left of the chest's heading.
    """

    drop: float = 0.02
    shift: float = 0.0
    ahead: float = 0.0
    turn: float = 0.0
    lean: float = 0.03
    roll: float = 0.0
    bow: float = 0.02
    tilt: float = 0.0
    twist: float = 0.0
    nod: float = 0.05
    look: float = 0.0
    left_arm: ArmKey = field(default_factory=ArmKey)
    right_arm: ArmKey = field(default_factory=ArmKey)
    left_foot: FootKey = field(default_factory=FootKey)
    right_foot: FootKey = field(default_factory=FootKey)

    def with_arms(self, arm: ArmKey) -> "Key":
        return replace(self, left_arm=arm, right_arm=arm)

    def with_feet(self, foot: FootKey) -> "Key":
        return replace(self, left_foot=foot, right_foot=foot)


_TRUNK = ("drop", "shift", "ahead", "turn", "lean", "roll", "bow", "tilt", "twist", "nod", "look")
_FOOT = ("out", "ahead", "turned", "lift", "tip")


@dataclass(frozen=True)
class Keyed:
    """Someone at a place who goes through key postures.

    Attributes:
        anatomy: whose body. keys: (time s, posture), by time; held before the first and after the last.
        place: (x, z) m on the floor. yaw: heading in rad, as of `paths`. beat: a phase in rad for breath and balance.
    """

    anatomy: Anatomy
    keys: Sequence[tuple[float, Key]]
    place: tuple[float, float] = (0.0, 0.0)
    yaw: float = -np.pi / 2
    beat: float = 0.0

    def posture(self, times: Array) -> Posture:
        """How the body is held at `times` (T) in s."""
        a = self.anatomy
        rows = [[getattr(key, name) for name in _TRUNK] for _, key in self.keys]
        trunk = dict(zip(_TRUNK, self._eased(rows, times).T, strict=True))
        sway = 0.004 * np.sin(1.3 * times + self.beat)
        ground = np.array((self.place[0], 0.0, self.place[1]))
        ahead, left = forward(np.asarray(self.yaw)), leftward(np.asarray(self.yaw))
        height = a.ankle + 0.999 * a.leg - trunk["drop"]
        middle = ground + height[:, None] * _UP
        middle = middle + (trunk["shift"] + sway)[:, None] * left + trunk["ahead"][:, None] * ahead
        yaw = self.yaw + trunk["turn"]
        pelvis = Frame.of(yaw, lean=trunk["lean"], roll=trunk["roll"])
        breath = np.radians(0.8) * np.sin(1.7 * times + self.beat)
        chest = Frame.of(
            yaw + trunk["twist"], lean=trunk["lean"] + trunk["bow"] + breath, roll=trunk["roll"] + trunk["tilt"]
        )
        head = Frame.of(
            yaw + trunk["twist"] + trunk["look"] + np.radians(3) * np.sin(0.8 * times + 2 * self.beat),
            lean=0.4 * (trunk["lean"] + trunk["bow"]) + trunk["nod"],
        )
        feet, knees, arms = [], [], []
        for sign, side in ((1.0, "left"), (-1.0, "right")):
            foot = self._foot(sign, side, times, ground)
            feet.append(foot)
            knees.append(forward((yaw + foot.yaw) / 2 + sign * 0.15))
            arms.append(self._arm(sign, side, times, chest))
        return Posture(middle, pelvis, chest, head, (feet[0], feet[1]), (knees[0], knees[1]), (arms[0], arms[1]))

    def _foot(self, sign: float, side: str, times: Array, ground: Array) -> Foot:
        rows = [[getattr(getattr(key, f"{side}_foot"), name) for name in _FOOT] for _, key in self.keys]
        # Feet go one after the other: somebody has to carry the body meanwhile.
        window = (0.0, 0.52) if side == "left" else (0.48, 1.0)
        out, ahead, turned, lift, tip = self._eased(rows, times, window).T
        # A foot that goes elsewhere is lifted on the way.
        lift = lift + _STEP_HEIGHT * self._moving(np.array(rows)[:, :3], times, window)
        yaw = self.yaw + sign * turned
        place = ground + sign * out[:, None] * leftward(np.asarray(self.yaw))
        place = place + ahead[:, None] * forward(np.asarray(self.yaw))
        return Foot(place + (self.anatomy.ankle + lift)[:, None] * _UP, yaw, tip)

    def _arm(self, sign: float, side: str, times: Array, chest: Frame) -> Arm:
        arms = [getattr(key, f"{side}_arm") for _, key in self.keys]
        rows = self._eased([[*arm.upper, *arm.bend, *arm.thumb, arm.angle] for arm in arms], times)

        def world(three: Array) -> Array:
            return chest.at(sign * three[:, 0], three[:, 1], three[:, 2])

        drift = 0.03 * np.sin(1.1 * times + self.beat + sign)
        upper = self._swung([arm.upper for arm in arms], times)
        return Arm(world(upper), world(rows[:, 3:6]), world(rows[:, 6:9]), rows[:, 9] + drift)

    def _swung(self, directions: Sequence[tuple[float, float, float]], times: Array) -> Array:
        """Unit vectors (T, 3) that turn from key to key: a mean of opposite directions would snap through zero."""
        values = unit(np.asarray(directions))
        k, share = self._where(np.array([t for t, _ in self.keys]), times, (0.0, 1.0))
        share = (share**3 * (10 - 15 * share + 6 * share**2))[:, None]
        first, second = values[k], values[np.minimum(k + 1, len(values) - 1)]
        angle = np.arccos(np.clip((first * second).sum(-1, keepdims=True), -1, 1))
        near = angle < 1e-3
        safe = np.where(near, 1.0, np.sin(angle))
        turned = (np.sin((1 - share) * angle) * first + np.sin(share * angle) * second) / safe
        return unit(np.where(near, first + share * (second - first), turned))

    def _eased(
        self, rows: Sequence[Sequence[float]] | Array, times: Array, window: tuple[float, float] = (0.0, 1.0)
    ) -> Array:
        """Values (T, D) between those of the keys (K, D), changing softly within `window`, a share of the time."""
        values, at = np.asarray(rows, np.float64), np.array([t for t, _ in self.keys])
        k, share = self._where(at, times, window)
        share = (share**3 * (10 - 15 * share + 6 * share**2))[:, None]
        after = np.minimum(k + 1, len(at) - 1)
        return values[k] + share * (values[after] - values[k])

    def _moving(self, places: Array, times: Array, window: tuple[float, float]) -> Array:
        """Share (T) 0..1 of a step's height, where the keys' places (K, D) differ."""
        at = np.array([t for t, _ in self.keys])
        k, share = self._where(at, times, window)
        after = np.minimum(k + 1, len(at) - 1)
        moved = np.clip(np.linalg.norm(places[after] - places[k], axis=-1) / 0.05, 0, 1)
        return moved * np.sin(np.pi * share) ** 2

    def _where(self, at: Array, times: Array, window: tuple[float, float]) -> tuple[NDArray[np.int64], Array]:
        """The key (T) before each time, and the share (T) of the way to the next."""
        k = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 1)
        span = np.diff(at, append=at[-1] + 1.0)[k]
        share = np.clip((times - at[k]) / np.maximum(span, 1e-9), 0, 1) * (k < len(at) - 1)
        return k, np.clip((share - window[0]) / (window[1] - window[0]), 0, 1)
