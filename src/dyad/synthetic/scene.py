"""Several people before one camera: their truth without drawing a pixel, and their pictures on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.pixels import THUMBNAIL, resized
from dyad.core.reports import DecodeReport
from dyad.core.skeleton import BLAZEPOSE33, BODY17, Skeleton
from dyad.core.tracks import Tracks, World
from dyad.synthetic.anatomy import Look
from dyad.synthetic.backdrop import Viewpoint
from dyad.synthetic.drawing import Drawing, Studio
from dyad.synthetic.figures import Figure, figure
from dyad.synthetic.motion import Person

HIDDEN = 0.25
"""Confidence in truth of a joint that something hides."""

# How far in front of a joint, in m, its own body's surface may lie for the joint to count as seen: what lies under
# the skin there and a little more.
_DEPTH_OF_JOINT = {
    "pelvis": 0.20,
    "hip": 0.18,
    "spine": 0.18,
    "neck": 0.16,
    "shoulder": 0.12,
    "head_top": 0.13,
    "nose": 0.05,
}
_DEPTH_ELSEWHERE = 0.10


@dataclass(frozen=True)
class Scene:
    """People who move before a camera that stands still.

    Args:
        people, looks: who moves and how they look. view: the camera. fps: frames a second. frames: how many.
        seed: of backdrop, light and grain. name: what the truth calls the video.
    """

    people: Sequence[Person]
    looks: Sequence[Look]
    view: Viewpoint
    fps: float
    frames: int
    seed: int = 0
    name: str = "synthetic"
    finer: int = 2

    @cached_property
    def times(self) -> NDArray:
        """(T,) s."""
        return np.arange(self.frames) / self.fps

    @cached_property
    def joints(self) -> NDArray:
        """(T, P, 33, 3) m in camera coordinates, joints of `BLAZEPOSE33`."""
        world = np.stack([person.joints(self.times) for person in self.people], 1)
        return self.view.to_camera(world)

    @cached_property
    def studio(self) -> Studio:
        return Studio(self.view, self.seed, self.finer)

    def figures(self, frame: int) -> list[Figure]:
        """Everyone's body in a frame, in camera coordinates."""
        each = zip(self.joints[frame], self.people, self.looks, strict=True)
        return [figure(joints, person.anatomy, look) for joints, person, look in each]

    def draw(self, frame: int) -> Drawing:
        return self.studio(self.figures(frame), frame=frame)

    def truth(self, skeleton: Skeleton = BODY17) -> Tracks:
        """Where everyone is, from the motion itself.

        Someone has a row in every frame in which at least one joint lies in the image. `confidence` is 1 for a joint
        that is seen, `HIDDEN` for one behind another person or the own body, 0 outside the image. `sigma` is 0.
        """
        camera = self.view.camera
        joints = torch.from_numpy(self.joints)
        xyz = BLAZEPOSE33.convert(joints, skeleton)
        xy = camera.project(xyz)
        width, height = camera.size
        limit = xy.new_tensor((width - 0.5, height - 0.5))
        inside = ((xy >= -0.5) & (xy < limit)).all(-1)
        seen, boxes = [], []
        for frame in range(self.frames):
            figures = self.figures(frame)
            seen.append(_unhidden(figures, xyz[frame].numpy(), skeleton))
            boxes.append([_outline(one, camera.focal.numpy(), camera.centre.numpy(), camera.size) for one in figures])
        confidence = torch.where(torch.from_numpy(np.stack(seen)), 1.0, HIDDEN) * inside
        frame, person = torch.nonzero(inside.any(-1), as_tuple=True)
        normal = torch.from_numpy(self.view.floor())
        rows = {
            "xy": xy[frame, person].float(),
            "xyz": xyz[frame, person].float(),
            "confidence": confidence[frame, person],
            "sigma": torch.zeros(len(frame), len(skeleton), 3),
            "box": torch.from_numpy(np.array(boxes))[frame, person],
        }
        return Tracks.of_rows(
            skeleton=skeleton,
            camera=camera,
            frame=frame,
            person=person,
            frames=torch.arange(self.frames),
            times=torch.from_numpy(self.times),
            fps=self.fps,
            video=self.name,
            world=World(gravity=-normal[:3], floor=normal),
            **rows,
        )


@dataclass(frozen=True)
class Picture:
    """One frame of footage: drawn when it is looked at."""

    index: int
    time: float
    footage: "Footage"

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.footage.picture(self.index)

    def thumbnail(self) -> NDArray[np.uint8]:
        """(36, 64, 3) uint8 RGB."""
        return resized(self.image(), *THUMBNAIL)


class Footage:
    """A scene as a source of a `Video`: frames are drawn when first asked for, then kept."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.name = scene.name
        self.size = scene.view.camera.size
        self.fps = scene.fps
        self.expected = scene.frames
        self.report = DecodeReport(frames=scene.frames, expected=scene.frames, complete=True)
        self._drawn: dict[int, NDArray[np.uint8]] = {}

    def times(self) -> NDArray[np.float64]:
        return self.scene.times

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[Picture]:
        for index in range(*slice(start, stop, step).indices(self.scene.frames)):
            yield Picture(index, float(self.scene.times[index]), self)

    def picture(self, frame: int) -> NDArray[np.uint8]:
        """The image (H, W, 3) of a frame, uint8 RGB."""
        if frame not in self._drawn:
            self._drawn[frame] = self.scene.draw(frame).image
        return self._drawn[frame]


@lru_cache(maxsize=8)
def _depths(skeleton: Skeleton) -> NDArray:
    """(J,) m, see `_DEPTH_OF_JOINT`; left and right joints go by the name of their kind."""
    kinds = (name.removeprefix("left_").removeprefix("right_") for name in skeleton.names)
    return np.array([_DEPTH_OF_JOINT.get(kind, _DEPTH_ELSEWHERE) for kind in kinds], np.float32)


def _unhidden(figures: list[Figure], xyz: NDArray, skeleton: Skeleton) -> NDArray:
    """Whether each joint (P, J) of xyz (P, J, 3) has no one's body between itself and the camera."""
    rays = (xyz / xyz[..., 2:]).astype(np.float32)
    depth = xyz[..., 2].astype(np.float32)
    seen = np.ones(depth.shape, bool)
    margin = np.zeros_like(depth)
    for who, one in enumerate(figures):
        margin[:] = 0.02
        margin[who] = _depths(skeleton) * one.size
        limit = depth - margin
        middles, radii = one.solids.centres(), one.solids.bounds()
        for part, (middle, radius) in enumerate(zip(middles, radii, strict=True)):
            # Only rays that pass through the ball around the part need the exact answer.
            away = np.linalg.norm(np.cross(rays, middle), axis=-1) / np.linalg.norm(rays, axis=-1)
            near = away < radius
            if near.any():
                seen[near] &= one.solids.hit(part, np.zeros(3, np.float32), rays[near].T) >= limit[near]
    return seen


def _outline(one: Figure, focal: NDArray, centre: NDArray, size: tuple[int, int]) -> list[float]:
    """Box x0 y0 x1 y1 in px around a body, cut at the image's border."""
    solids = one.solids
    ends = np.concatenate((solids.origin, solids.origin + solids.into[:, 1] * solids.length[:, None]))
    radius = np.concatenate((solids.r0, solids.r1))[:, None]
    depth = np.maximum(ends[:, 2:], 0.1)
    middle, reach = focal * ends[:, :2] / depth + centre, focal * radius / depth
    low = np.clip((middle - reach).min(0), 0, (size[0] - 1, size[1] - 1))
    high = np.clip((middle + reach).max(0), 0, (size[0] - 1, size[1] - 1))
    return [*low.tolist(), *high.tolist()]
