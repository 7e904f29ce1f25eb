"""One body's performance: rotations of its 31 bones over time, ready to be posed."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.body import BONES, Shape
from dyad.synthetic.motion.motions import cut, partners
from dyad.synthetic.motion.rotations import Array
from dyad.synthetic.motion.timing import Frames, checked, grid, reflected, sampled, turned


@dataclass(frozen=True, eq=False)
class Take:
    """Bone rotations (T, 31, 3, 3) and hip positions (T, 3) in metres.

    In the pose convention of `synthetic.bodies.body`; the floor is y = 0. A take fits the `Shape` that it was
    made for; on another it may sink or float.
    """

    rotations: Array
    translation: Array
    fps: float
    source: str = field(default="")

    def __post_init__(self) -> None:
        frames = checked(self.rotations, self.translation, self.fps, len(BONES), "a take")
        object.__setattr__(self, "rotations", frames.rotations)
        object.__setattr__(self, "translation", frames.translation)

    @classmethod
    def standing(cls, shape: Shape, *, frames: int = 1, fps: float = 30.0) -> "Take":
        """The body's rest pose, held."""
        rotations = np.broadcast_to(np.eye(3), (frames, len(BONES), 3, 3))
        return cls(rotations, np.broadcast_to(shape.joints[BONES.index("Hips")], (frames, 3)), fps)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.translation)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return (len(self) - 1) / self.fps

    def at(self, times: ArrayLike) -> tuple[Array, Array]:
        """Rotations (N, 31, 3, 3) and hip positions (N, 3) at times (N,) in seconds, held beyond both ends."""
        return sampled(self._frames, np.asarray(times, np.float64) * self.fps)

    def mirrored(self) -> "Take":
        """The take seen in a mirror at x = 0: what the left did, the right does."""
        return self._with(reflected(self._frames, partners(BONES)))

    def resampled(self, fps: float) -> "Take":
        """At another frame rate: the shortest turn between neighbouring frames, exact where old and new times meet."""
        if not (np.isfinite(fps) and fps > 0):
            raise BadInput(f"a take needs frames a second above 0, got {fps:g}")
        return self._with(sampled(self._frames, grid(len(self), self.fps, fps)), fps)

    def warped(self, times: ArrayLike) -> "Take":
        """New frames at the same rate that show the old times `times` (N,), seconds; held beyond both ends."""
        return self._with(Frames(*self.at(times)))

    def part(self, start: float, stop: float) -> "Take":
        """The frames from `start` to `stop` seconds, both included as far as they exist."""
        return self._with(cut(self._frames, self.fps, start, stop))

    def moved(self, yaw: float, x: float, z: float) -> "Take":
        """Turned by `yaw` (rad, left positive) about the world's vertical, then moved by x and z metres."""
        return self._with(turned(self._frames, yaw, x, z))

    def lifted(self, height: float) -> "Take":
        """Moved upwards by `height` metres."""
        return replace(self, translation=self.translation + np.array((0.0, height, 0.0)))

    @property
    def _frames(self) -> Frames:
        return Frames(self.rotations, self.translation)

    def _with(self, frames: Frames, fps: float | None = None) -> "Take":
        return replace(self, rotations=frames.rotations, translation=frames.translation, fps=fps or self.fps)


_FEET = {"left": ("LeftFoot", "LeftToeBase"), "right": ("RightFoot", "RightToeBase")}


def soles(take: Take, shape: Shape) -> dict[str, Array]:
    """For "left" and "right" the points of the sole over time (T, N, 3) in metres: the underside of heel, ball, toes.

    They are vertices of the coarse mesh that lie within 3 cm of the floor at rest and hang on the foot's bones.
    """
    mesh, rest = shape.model.mesh("low"), shape.rest("low")
    moves = shape.movements(take.rotations, take.translation)
    found = {}
    for side, names in _FEET.items():
        bones = [BONES.index(name) for name in names]
        own = (np.isin(mesh.bones, bones) * mesh.weights).sum(-1)
        chosen = np.flatnonzero((own > 0.5) & (rest[:, 1] < 0.03))
        home = np.concatenate((rest[chosen], np.ones((len(chosen), 1))), -1)
        # Only the foot's own two bones: a sole needs no more, and this way it costs two products.
        share = np.stack([(mesh.weights[chosen] * (mesh.bones[chosen] == bone)).sum(-1) for bone in bones], -1)
        share = share / share.sum(-1, keepdims=True)
        found[side] = np.einsum("nb,tbij,nj->tni", share, moves[:, bones], home)
    return found


def lowest(take: Take, shape: Shape) -> Array:
    """Height (T,) in metres of the lowest point of both soles above the floor."""
    return np.min([points[..., 1].min(-1) for points in soles(take, shape).values()], 0)


def contacts(take: Take, shape: Shape, *, height: float = 0.03, speed: float = 0.4) -> Array:
    """Whether the left and the right foot stand (T, 2): lowest point under `height` m, slower than `speed` m/s."""
    stands = []
    for points in soles(take, shape).values():
        pace = np.linalg.norm(np.gradient(points, 1 / take.fps, axis=0), axis=-1) if len(take) > 1 else 0.0
        stands.append(((points[..., 1] < height) & (pace < speed)).any(-1))
    return np.stack(stands, -1)
