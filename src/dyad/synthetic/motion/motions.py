"""A recorded or made motion of any skeleton: joint rotations over time, and what can be done with it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from dyad.core.errors import BadInput
from dyad.synthetic.motion.rotations import Array
from dyad.synthetic.motion.timing import Frames, checked, grid, reflected, sampled, turned


@dataclass(frozen=True, eq=False)
class Motion:
    """Rotations of a skeleton's joints over time, in a world with y up.

    `names` and `parents` (-1 for the root, which comes first; parents before children) say what the J joints are.
    `offsets` (J, 3) metres is where each joint lies in its parent's axes. `rotations` (T, J, 3, 3) turn each joint's
    axes relative to its parent's, `translation` (T, 3) metres is where the root is. `fps` frames a second; `source`
    and `licence` say where it comes from and what may be done with it.

    Forward kinematics: G_j = G_parent R_j, P_j = P_parent + G_parent offset_j. The root's own offset is not used.
    Raises BadInput where the parts do not fit together.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    rotations: Array
    translation: Array
    fps: float
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        what = f"the motion {self.source}" if self.source else "a motion"
        count = len(self.names)
        if not count or len(set(self.names)) != count:
            raise BadInput(f"{what} needs joints with names that differ from each other, got {count} names")
        if len(self.parents) != count or self.parents[0] != -1:
            raise BadInput(f"{what} needs one parent for each of its {count} joints, -1 for the first")
        if any(not 0 <= parent < joint for joint, parent in enumerate(self.parents) if joint):
            raise BadInput(f"{what} needs a single root and every parent before its children")
        offsets = np.asarray(self.offsets, np.float64)
        if offsets.shape != (count, 3) or not np.isfinite(offsets).all():
            raise BadInput(f"{what} needs finite offsets of shape ({count}, 3), got shape {offsets.shape}")
        frames = checked(self.rotations, self.translation, self.fps, count, what)
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "rotations", frames.rotations)
        object.__setattr__(self, "translation", frames.translation)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.translation)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return (len(self) - 1) / self.fps

    def index(self, name: str) -> int:
        """Which joint has that name; BadInput if none."""
        if name not in self.names:
            raise BadInput(f"there is no joint {name!r}; the motion has {', '.join(self.names)}")
        return self.names.index(name)

    def transforms(self) -> tuple[Array, Array]:
        """Rotations (T, J, 3, 3) and positions (T, J, 3) of the joints in the world."""
        turns, places = np.empty_like(self.rotations), np.empty(self.rotations.shape[:-1])
        turns[:, 0], places[:, 0] = self.rotations[:, 0], self.translation
        for joint, parent in enumerate(self.parents[1:], 1):
            turns[:, joint] = turns[:, parent] @ self.rotations[:, joint]
            places[:, joint] = places[:, parent] + turns[:, parent] @ self.offsets[joint]
        return turns, places

    def positions(self) -> Array:
        """Positions (T, J, 3) of the joints in the world, metres."""
        return self.transforms()[1]

    def rest(self) -> Array:
        """Positions (J, 3) of the joints when nothing is turned and the root is at the origin."""
        places = np.zeros((len(self.names), 3))
        for joint, parent in enumerate(self.parents[1:], 1):
            places[joint] = places[parent] + self.offsets[joint]
        return places

    def mirrored(self) -> "Motion":
        """The motion seen in a mirror at x = 0, left and right changing names. BadInput if the tree has no mirror."""
        other = partners(self.names)
        for joint, parent in enumerate(self.parents):
            if parent >= 0 and self.parents[other[joint]] != other[parent]:
                raise BadInput(f"joint {self.names[joint]} hangs elsewhere than its partner {self.names[other[joint]]}")
        offsets = self.offsets[list(other)] * np.array((-1.0, 1.0, 1.0))
        return replace(self._with(reflected(self._frames, other)), offsets=offsets)

    def resampled(self, fps: float) -> "Motion":
        """At another frame rate: the shortest turn between neighbouring frames, exact where old and new times meet."""
        if not (np.isfinite(fps) and fps > 0):
            raise BadInput(f"a motion needs frames a second above 0, got {fps:g}")
        return self._with(sampled(self._frames, grid(len(self), self.fps, fps)), fps)

    def warped(self, times: ArrayLike) -> "Motion":
        """New frames at the same rate that show the old times `times` (N,), seconds; held beyond both ends."""
        return self._with(sampled(self._frames, np.asarray(times, np.float64) * self.fps))

    def part(self, start: float, stop: float) -> "Motion":
        """The frames from `start` to `stop` seconds, both included as far as they exist."""
        return self._with(cut(self._frames, self.fps, start, stop))

    def moved(self, yaw: float, x: float, z: float) -> "Motion":
        """Turned by `yaw` (rad, left positive) about the world's vertical, then moved by x and z metres."""
        return self._with(turned(self._frames, yaw, x, z))

    @property
    def _frames(self) -> Frames:
        return Frames(self.rotations, self.translation)

    def _with(self, frames: Frames, fps: float | None = None) -> "Motion":
        return replace(self, rotations=frames.rotations, translation=frames.translation, fps=fps or self.fps)


def cut(frames: Frames, fps: float, start: float, stop: float) -> Frames:
    """The frames from `start` to `stop` seconds, both included; BadInput if there is none."""
    first, last = max(0, int(np.ceil(start * fps - 1e-6))), int(np.floor(stop * fps + 1e-6))
    if first >= len(frames.translation) or last < first:
        raise BadInput(
            f"there is no frame from {start:g} to {stop:g} s; the clip lasts {(len(frames.translation) - 1) / fps:g} s"
        )
    return Frames(frames.rotations[first : last + 1], frames.translation[first : last + 1])


_SIDES = (("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT"))
_LETTERS = (("l", "r"), ("L", "R"))


def partners(names: tuple[str, ...]) -> tuple[int, ...]:
    """For each joint the index of the one on the other side of the body; its own where it lies in the middle.

    Knows LeftArm, mixamorig:LeftArm, left_hip, lfemur, LHipJoint, Arm.L, arm_l, L_Arm and Bip01 L Thigh. BadInput where
    a joint says its side in a whole word but the other side is missing.
    """
    place = {name: joint for joint, name in enumerate(names)}
    return tuple(place[_partner(name, place)] for name in names)


def _partner(name: str, known: dict[str, int]) -> str:
    for sides in (_SIDES, _LETTERS):
        for here, there in (*sides, *((b, a) for a, b in sides)):
            for candidate in _renamed(name, here, there):
                if candidate in known:
                    return candidate
    if any(word in name for pair in _SIDES for word in pair):
        raise BadInput(f"joint {name} has no partner on the other side of the body")
    return name


def _renamed(name: str, here: str, there: str) -> list[str]:
    """What the joint would be called if `here` were `there`: a word anywhere, a letter only where it stands apart."""
    if len(here) > 1:
        return [name.replace(here, there, 1)] if here in name else []
    found = []
    base = name.rfind(":") + 1
    if name[base:].startswith(here):
        found.append(name[:base] + there + name[base + 1 :])
    for mark in (".", "_", " "):
        if name.endswith(mark + here):
            found.append(name[:-1] + there)
        if mark + here + mark in name:
            found.append(name.replace(mark + here + mark, mark + there + mark, 1))
    return found
