"""What a person's rig does over time."""

from dataclasses import dataclass

import numpy as np
import torch

from dyad.core.errors import BadInput
from dyad.export.rig import Rig, rig_skeleton
from dyad.export.solving import solved
from dyad.export.turns import between_keys, matrices, slerp
from dyad.export.upright import Array, Upright


@dataclass(frozen=True)
class Motion:
    """The rotations of a person's joints.

    Attributes:
        number: identity.
        rig: nodes with constant bone lengths, the medians over time.
        times: (n,) s after the first processed frame, of the rows there are; between them, everything is interpolated.
        root: (n, 3) m, place of the first node.
        turns: (n, K, 4) unit quaternions x y z w of each node as its parent sees it, without changes of sign.
    """

    number: int
    rig: Rig
    times: Array
    root: Array
    turns: Array

    def at(self, times: Array) -> tuple[Array, Array]:
        """Root (T, 3) and turns (T, K, 4) at any times; before the first row and after the last they are held."""
        before, share = between_keys(self.times, times)
        after = np.minimum(before + 1, len(self.times) - 1)
        part = share[:, None]
        root = self.root[before] * (1 - part) + self.root[after] * part
        return root, slerp(self.turns[before], self.turns[after], part)


def motions(space: Upright) -> list[Motion]:
    """The motion of everyone; BadInput where nobody has 3D, or somebody no pelvis."""
    source = space.tracks.skeleton
    skeleton = rig_skeleton(source)
    found = []
    for person in space.people():
        xyz = source.convert(torch.from_numpy(person.xyz), skeleton).numpy()
        try:
            found.append(Motion(person.number, *solved(skeleton, xyz, person.times)))
        except BadInput as error:
            raise BadInput(f"person {person.number} cannot be given turning joints: {error}") from error
    return found


def forward(rig: Rig, root: Array, turns: Array) -> tuple[Array, Array]:
    """Places (T, K, 3) and rotations (T, K, 3, 3) of all nodes in the world."""
    own = matrices(turns)
    places, rotations = np.zeros((*own.shape[:2], 3)), np.zeros_like(own)
    for k, parent in enumerate(rig.parents):
        if parent < 0:
            places[:, k], rotations[:, k] = root, own[:, k]
        else:
            places[:, k] = places[:, parent] + rotations[:, parent] @ rig.offsets[k]
            rotations[:, k] = rotations[:, parent] @ own[:, k]
    return places, rotations
