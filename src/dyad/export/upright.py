"""Everyone in one space in which people stand upright, whichever way the camera was held."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Flag, Tracks

Array = NDArray[np.float64]
Frame = Literal["world", "camera"]

TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From x right, y up, z towards the viewer to x right, y away from the viewer, z up."""

_LEVEL = np.diag([1.0, -1.0, -1.0])

# How far above the floor a joint of a standing foot lies, in metres, of an adult: docs/joints.md.
_SOLES = (("left_heel", "right_heel", 0.034), ("left_foot_index", "right_foot_index", 0.014))
_SOLES = (*_SOLES, ("left_big_toe", "right_big_toe", 0.014), ("left_ankle", "right_ankle", 0.076))

# A joint that is estimated badly for a moment must not lift everybody: this share of feet may lie below the floor.
_BELOW = 0.02


class Person(NamedTuple):
    """The rows of one person.

    Attributes:
        number: identity.
        rows: (n,) places among the rows of the tracks.
        frames: (n,) index of the frame in the source. times: (n,) s after the first processed frame.
        xyz: (n, J, 3) m. sigma: (n, J, 3) m.
    """

    number: int
    rows: NDArray[np.int64]
    frames: NDArray[np.int64]
    times: Array
    xyz: Array
    sigma: Array


@dataclass(frozen=True)
class Upright:
    """Joints with x to the right as the camera sees it, y up, and z towards the viewer, in metres.

    In the frame "world", y is against gravity, the floor is y = 0, and the camera is above the origin. In the frame
    "camera", the axes are the camera's and the origin is the camera.

    Attributes:
        tracks: whose rows these are.
        frame: "world" or "camera".
        rotation: (3, 3) from the camera's axes (y down, z forward) to these.
        xyz: (N, J, 3) m, one for each row of the tracks. sigma: (N, J, 3) m along these axes.
        camera: (3,) where the camera is; None where the video is cut and there are several.
        note: a sentence on what was assumed; "" where nothing was.
    """

    tracks: Tracks
    frame: Frame
    rotation: Array
    xyz: Array
    sigma: Array
    camera: Array | None
    note: str = ""

    @property
    def times(self) -> Array:
        """Seconds (T,) of the processed frames after the first."""
        times = self.tracks.times.numpy()
        return times - times[:1].sum()

    def people(self) -> list[Person]:
        """Everyone of whom some 3D is known. Rows without 3D are left out. BadInput where nobody is left."""
        tracks = self.tracks
        flat = (tracks.flags.numpy() & Flag.FLAT) != 0
        known = np.isfinite(self.xyz).all(-1).any(-1)
        start = float(tracks.times[:1].sum())
        found = []
        for number in tracks.people:
            rows = tracks.rows(number).numpy()
            rows = rows[(known & ~flat)[rows]]
            if len(rows):
                arrays = (tracks.frame.numpy()[rows], tracks.time.numpy()[rows] - start)
                found.append(Person(number, rows, *arrays, self.xyz[rows], self.sigma[rows]))
        if not found:
            raise BadInput(
                "no 3D was estimated for these people, their poses lie on planes that face the camera; export them as "
                "coco, mot or csv"
                if flat.any()
                else "these tracks hold nobody in 3D, so there is nothing to export; csv and coco can be empty"
            )
        return found


def upright(tracks: Tracks, frame: Frame = "world") -> Upright:
    """The joints of tracks in axes of which y points up; see `Upright`.

    Where `tracks.world` is None, the camera is taken as level, and the lowest feet of each shot stand at height 0.
    BadUsage for a frame of another name.
    """
    if frame not in ("world", "camera"):
        raise BadUsage(f"people can be exported in the frame 'world' or 'camera', got {frame!r}")
    xyz, sigma = (value.double().numpy() for value in (tracks.xyz, tracks.sigma))
    if frame == "camera":
        return Upright(tracks, frame, _LEVEL, xyz @ _LEVEL.T, sigma, np.zeros(3))
    if tracks.world is not None:
        up = -tracks.world.gravity.numpy()
        rotation = _upward(up)
        floor = tracks.world.floor.numpy()
        camera = np.array([0.0, floor[3] / max(float(floor[:3] @ up), 1e-3), 0.0])
        turned = np.sqrt(sigma**2 @ (rotation**2).T)
        return Upright(tracks, frame, rotation, xyz @ rotation.T + camera, turned, camera)
    level = xyz @ _LEVEL.T
    shot = tracks.shot(tracks.frame).numpy()
    heights = np.zeros(len(level))
    for number in np.unique(shot):
        heights[shot == number] = -_floor(tracks, level, shot == number)
    camera = np.array([0.0, heights[0] if len(heights) else 0.0, 0.0])
    level[..., 1] += heights[:, None]
    note = "no floor is known: the camera is taken as level, and the lowest feet stand at height 0"
    return Upright(tracks, frame, _LEVEL, level, sigma, None if tracks.cuts else camera, note)


def _upward(up: Array) -> Array:
    """The rotation from the camera's axes to those whose y is `up` and in whose y-z plane the camera looks."""
    y = up / np.linalg.norm(up)
    # A camera that looks straight up or down has its way forward along the picture's upward or downward edge.
    ways = (np.array([0.0, 0, 1]), np.array([0.0, -1 if y[2] < 0 else 1, 0]))
    forward = next(flat for way in ways if np.linalg.norm(flat := way - y * (way @ y)) > 0.1)
    z = -forward / np.linalg.norm(forward)
    return np.stack([np.cross(y, z), y, z])


def _floor(tracks: Tracks, level: Array, rows: NDArray[np.bool_]) -> float:
    """Height at which the lowest of the people of some rows stand."""
    names = tracks.skeleton.names
    lowest = []
    for number in np.unique(tracks.person.numpy()[rows]):
        own = level[rows & (tracks.person.numpy() == number), :, 1]
        for left, right, above in _SOLES:
            feet = own[:, [names.index(name) for name in (left, right) if name in names]] - above
            feet = feet[np.isfinite(feet)]
            if len(feet):
                lowest.append(np.quantile(feet, _BELOW))
    every = level[rows][..., 1]
    every = every[np.isfinite(every)]
    return float(min(lowest)) if lowest else float(every.min()) if len(every) else 0.0
