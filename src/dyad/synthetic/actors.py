"""Someone in a scene: a body, a motion, clothes, and a place on the floor."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadUsage
from dyad.core.skeleton import Skeleton
from dyad.synthetic.bodies.body import Detail, Mesh, Shape
from dyad.synthetic.bodies.keypoints import keypoints
from dyad.synthetic.bodies.skinning import skin
from dyad.synthetic.places.solids import turned
from dyad.synthetic.places.staging import Place
from dyad.synthetic.rendering.looks import Look

# How far in front of a joint, in m, the surface of an average adult's own body may lie for the joint to count as seen:
# what lies under the skin there and a little more.
_DEPTH_OF_JOINT = {
    "pelvis": 0.22,
    "hip": 0.20,
    "spine": 0.22,
    "neck": 0.17,
    "shoulder": 0.14,
    "head_top": 0.14,
    "head": 0.16,
    "nose": 0.05,
    "eye": 0.05,
    "eye_inner": 0.05,
    "eye_outer": 0.05,
    "ear": 0.07,
    "knee": 0.12,
}
_DEPTH_ELSEWHERE = 0.10


class Acted(Protocol):
    """A take, as far as an actor needs it: rotations (T, 31, 3, 3) and translation (T, 3) of `body`'s convention."""

    @property
    def rotations(self) -> NDArray: ...

    @property
    def translation(self) -> NDArray: ...

    @property
    def source(self) -> str: ...


class Performer(Protocol):
    """Whatever can play a person: a mesh that moves and knows where its joints are, in the world."""

    @property
    def faces(self) -> NDArray[np.int32]: ...

    @property
    def texture(self) -> NDArray[np.float32]: ...

    @property
    def part(self) -> NDArray[np.uint8]: ...

    @property
    def look(self) -> Any: ...

    def __len__(self) -> int: ...

    def vertices(self, frame: int) -> NDArray:
        """(V, 3) m."""
        ...

    def joints(self, skeleton: Skeleton) -> NDArray:
        """(T, J, 3) m."""
        ...

    def under(self, skeleton: Skeleton) -> NDArray:
        """(J,) m: how far before a joint the own surface may lie for the joint to count as seen."""
        ...


@dataclass(frozen=True)
class Seat:
    """Where somebody sits: middle x, z in m on the floor, height in m, turn in rad."""

    middle: tuple[float, float]
    height: float
    yaw: float

    def at(self, place: Place) -> "Seat":
        """The same about an origin that lies at a place."""
        x, _, z = place(np.array((self.middle[0], 0.0, self.middle[1]))).tolist()
        return Seat((x, z), self.height, self.yaw + place.yaw)


@dataclass(frozen=True, eq=False)
class Actor:
    """A person who plays a take.

    Attributes:
        shape: the body. take: its motion, one pose a frame of the scene, about an origin of its own. look: skin, hair
        and clothes. place: where that origin lies and how it is turned. detail: of the mesh, "full" or "low".
        seat: what they sit on at some time, about the same origin.
    """

    shape: Shape
    take: Acted
    look: Look
    place: Place = field(default=Place(0.0, 0.0, 0.0))
    detail: Detail = "full"
    seat: "Seat | None" = None

    def __post_init__(self) -> None:
        if len(self.take.rotations) != len(self.take.translation) or not len(self.take.rotations):
            raise BadUsage("an actor's take has a rotation of each bone and a translation in each of its frames")

    def __len__(self) -> int:
        return len(self.take.rotations)

    @property
    def faces(self) -> NDArray[np.int32]:
        return self._mesh.faces

    @property
    def texture(self) -> NDArray[np.float32]:
        return self._mesh.canonical

    @property
    def part(self) -> NDArray[np.uint8]:
        return self._mesh.part

    def vertices(self, frame: int) -> NDArray[np.float32]:
        """The dressed body (V, 3) m in the world."""
        mesh = self._mesh
        moves = self.shape.movements(*(values[frame : frame + 1] for values in self.placed))
        return skin(self._rest, mesh.bones, mesh.weights, moves)[0]

    def joints(self, skeleton: Skeleton) -> NDArray[np.float64]:
        """(T, J, 3) m in the world, as the skeleton's data set defines its joints."""
        return keypoints(self.shape, *self.placed, skeleton)

    def under(self, skeleton: Skeleton) -> NDArray[np.float64]:
        """(J,) m: how far before a joint the own surface may lie for the joint to count as seen.

        What lies under the skin there from any side, and at least somewhat more than the way to the nearest skin: data
        sets that give the same name to a joint put it at different depths.
        """
        bulk = self.shape.stature / 1.7 * (0.8 + 0.4 * self.shape.phenotype.weight)
        return np.maximum(bulk * _depths(skeleton), _buried(self.shape, skeleton))

    @cached_property
    def _mesh(self) -> Mesh:
        return self.shape.model.mesh(self.detail)

    @cached_property
    def _rest(self) -> NDArray[np.float64]:
        """At rest with hair, cloth and soles on."""
        mesh = self._mesh
        return self.look.dressed(self.shape.rest(self.detail), mesh.canonical, mesh.faces, mesh.part)

    @cached_property
    def placed(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rotations and translation of the take where the actor stands."""
        rotations = np.array(self.take.rotations, np.float64)
        rotations[:, 0] = turned(self.place.yaw) @ rotations[:, 0]
        # Shoes have soles: who wears them stands that much higher.
        lift = np.array((0.0, -self._rest[:, 1].min(), 0.0))
        return rotations, self.place(self.take.translation) + lift


@lru_cache(maxsize=8)
def _depths(skeleton: Skeleton) -> NDArray[np.float64]:
    """(J,) m, see `_DEPTH_OF_JOINT`; left and right joints go by the name of their kind."""
    kinds = (name.removeprefix("left_").removeprefix("right_") for name in skeleton.names)
    return np.array([_DEPTH_OF_JOINT.get(kind, _DEPTH_ELSEWHERE) for kind in kinds])


@lru_cache(maxsize=64)
def _buried(shape: Shape, skeleton: Skeleton) -> NDArray[np.float64]:
    """(J,) m: twice the way from each joint to the nearest skin, at rest."""
    rest = np.broadcast_to(np.eye(3), (1, len(shape.joints), 3, 3))
    joints = keypoints(shape, rest, shape.joints[:1], skeleton)[0]
    return 2 * np.linalg.norm(joints[:, None] - shape.rest("low"), axis=-1).min(1)
