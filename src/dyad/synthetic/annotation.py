"""The truth about the people of a scene as `Tracks`: where each joint is, and whether the camera sees it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks, World

if TYPE_CHECKING:
    from dyad.synthetic.rendering.render import Rendering
    from dyad.synthetic.scenes import Scene

HIDDEN = 0.25
"""Confidence in truth of a joint that something hides."""

NEAR = 0.1
"""Depth in m that counts as the least when the outline of somebody at the camera is taken."""

_SLACK = 0.02
"""How far in m before a joint somebody or something else may lie and yet hide nothing."""


def annotated(scene: "Scene", skeleton: Skeleton, each: "Callable[[int, Rendering], None] | None" = None) -> Tracks:
    """The truth of a scene; every frame is drawn, to know what is hidden, with its picture if `each` wants it.

    Person p of the tracks is the scene's actor p. Someone has a row in every frame in which at least one joint lies in
    the image or one pixel shows a part of the body, so that everyone in a mask has a row.

    `xyz` is in the camera frame of its own image. `confidence` is 1 for a joint that is seen, `HIDDEN` for
    one behind another person, a thing or the own body, 0 outside the image. `sigma` is 0. `box` is the extent of the
    whole body, hidden parts too, within the image. `world` is given where the camera never moves.
    """
    path, frames = scene.path, scene.frames
    rows: dict[str, list[NDArray]] = {name: [] for name in ("frame", "person", "xy", "xyz", "confidence", "box")}
    world = everyone(scene, skeleton)
    for frame in range(frames):
        drawn = scene.measured(frame) if each is None else scene.render(frame)
        if each is not None:
            each(frame, drawn)
        people = annotated_frame(scene, drawn, world[:, frame], frame, skeleton)
        present = np.flatnonzero(people["present"])
        rows["frame"].append(np.full(len(present), frame))
        rows["person"].append(present)
        for name in ("xy", "xyz", "confidence", "box"):
            rows[name].append(people[name][present])
    joined = {name: torch.from_numpy(np.concatenate(values)) for name, values in rows.items()}
    count = len(joined["frame"])
    plane = torch.from_numpy(path.floor(0))
    return Tracks.of_rows(
        skeleton=skeleton,
        camera=path.camera,
        frames=torch.arange(frames),
        times=torch.from_numpy(scene.times),
        fps=scene.fps,
        video=scene.name,
        world=World(gravity=-plane[:3], floor=plane) if path.still else None,
        sigma=torch.zeros(count, len(skeleton), 3),
        **{name: value.float() if value.is_floating_point() else value for name, value in joined.items()},
    )


def annotated_frame(
    scene: "Scene", drawn: "Rendering", world: NDArray, frame: int, skeleton: Skeleton
) -> dict[str, NDArray]:
    """One frame of the truth, see `annotated`, for joints (P, J, 3) m in the world.

    `present` (P,), and for everyone present, 0 for others: `xy` (P, J, 2), `xyz` (P, J, 3), `confidence` (P, J) and
    `box` (P, 4).
    """
    xyz = scene.path.to_camera(world, frame)
    xy, inside = _pixels(scene, xyz)
    confidence = np.where(seen(scene, drawn, xyz, xy, skeleton), 1.0, HIDDEN) * inside
    shown = np.bincount(drawn.identity.ravel(), minlength=len(world) + 1)[1 : len(world) + 1] > 0
    present = np.any(inside, axis=-1) | shown
    box = np.zeros((len(world), 4))
    for p in np.flatnonzero(present):
        box[p] = outline(scene.body(int(p), frame), scene)
    absent = ~present[:, None]
    xy[~present], xyz[~present] = 0, 0
    return {"present": present, "xy": xy, "xyz": xyz, "confidence": np.where(absent, 0, confidence), "box": box}


def everyone(scene: "Scene", skeleton: Skeleton) -> NDArray[np.float64]:
    """Joints (P, T, J, 3) m of all people in the world."""
    each = [actor.joints(skeleton)[: scene.frames] for actor in scene.actors]
    return np.stack(each) if each else np.zeros((0, scene.frames, len(skeleton), 3))


def seen(scene: "Scene", drawn: "Rendering", xyz: NDArray, xy: NDArray, skeleton: Skeleton) -> NDArray[np.bool_]:
    """Whether each joint (P, J) lies in the image with nothing before it but what lies under the own skin.

    `xyz` (P, J, 3) m in camera axes and their `xy` (P, J, 2) px.
    """
    width, height = scene.size
    known = np.all(np.isfinite(xy), axis=-1)
    column, row = np.moveaxis(np.floor(np.where(known[..., None], xy, -9) + 0.5), -1, 0)
    inside: NDArray[np.bool_] = known & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    i, j = (np.where(inside, v, 0).astype(np.int64) for v in (row, column))
    people = np.arange(1, len(xyz) + 1)[:, None]
    under = np.array([actor.under(skeleton) for actor in scene.actors]).reshape(xyz.shape[:-1])
    under = np.where(drawn.identity[i, j] == people, under, _SLACK)
    return inside & (drawn.depth[i, j] >= xyz[..., 2] - under)


def outline(points: NDArray, scene: "Scene") -> list[float]:
    """Box x0 y0 x1 y1 px around points (N, 3) m in camera axes, cut at the image's border."""
    depth = np.maximum(points[:, 2:], NEAR)
    camera = scene.path.camera
    xy = camera.focal.numpy() * points[:, :2] / depth + camera.centre.numpy()
    width, height = scene.size
    low, high = (np.clip(v, 0, (width - 1, height - 1)) for v in (xy.min(0), xy.max(0)))
    return [*low.tolist(), *high.tolist()]


def _pixels(scene: "Scene", xyz: NDArray) -> tuple[NDArray, NDArray[np.bool_]]:
    """Pixels (P, J, 2), NaN for what is not in front of the camera, and which of them lie in the image."""
    camera = scene.path.camera
    depth = np.where(xyz[..., 2:] > 0, xyz[..., 2:], np.nan)
    xy = xyz[..., :2] / depth * camera.focal.numpy() + camera.centre.numpy()
    width, height = scene.size
    with np.errstate(invalid="ignore"):
        inside = ((xy >= -0.5) & (xy < np.array((width - 0.5, height - 0.5)))).all(-1)
    return xy, inside
