"""What must be true of any rendered scene, measured without the renderer's own code: for tests and for scripts."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, maximum_filter, minimum_filter

from dyad.synthetic.motion.contact import winding
from dyad.synthetic.rendering.render import Rendering
from dyad.synthetic.scenes import Scene

Array = NDArray[np.floating]


def grid(height: int, width: int) -> NDArray[np.float64]:
    """(H, W, 2) x y of all pixels."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)


def sampled(values: Array, xy: Array) -> NDArray[np.float64]:
    """Bilinear values (…, C) of an image (H, W, C) at xy (…, 2), those of its border outside."""
    at = np.moveaxis(xy[..., ::-1], -1, 0)
    channels = np.moveaxis(values.astype(np.float64), -1, 0)
    return np.stack([map_coordinates(c, at, order=1, mode="nearest") for c in channels], -1)


def plain(drawn: Rendering) -> NDArray[np.bool_]:
    """(H, W): away from silhouettes, where one smooth surface fills the pixel and its eight neighbours.

    On a plane 1 / depth is linear in x and y, however it lies; a step or an edge bends it.
    """
    near = 1 / np.maximum(drawn.depth.astype(np.float64), 1e-3)
    same = maximum_filter(drawn.identity, 3) == minimum_filter(drawn.identity, 3)
    bent = np.zeros(near.shape)
    bent[:, 1:-1] = abs(near[:, 2:] + near[:, :-2] - 2 * near[:, 1:-1])
    bent[1:-1] = np.maximum(bent[1:-1], abs(near[2:] + near[:-2] - 2 * near[1:-1]))
    inside = np.zeros(near.shape, bool)
    inside[1:-1, 1:-1] = True
    return same & inside & (bent <= 0.02 * maximum_filter(near, 3)) & (maximum_filter(bent, 3) <= 0.06 * near + 1e-9)


def plain_at(mask: NDArray[np.bool_], xy: Array) -> NDArray[np.bool_]:
    """Whether all four pixels about xy (…, 2) are in a mask (H, W)."""
    height, width = mask.shape
    low = np.floor(np.nan_to_num(xy, nan=-9)).astype(int)
    inside = ((low >= 0) & (low + 1 < (width, height))).all(-1)
    x, y = (np.where(inside, low[..., k], 0) for k in (0, 1))
    return inside & mask[y, x] & mask[y + 1, x] & mask[y, x + 1] & mask[y + 1, x + 1]


@dataclass(frozen=True)
class Photometry:
    """How well the second image, moved by the flow, is the first: `errors` (N,) grey levels of pixels that stay seen,
    and `shift` (2,) px by which it still is off, as the images' gradients tell (Lucas and Kanade)."""

    errors: NDArray[np.float64]
    shift: NDArray[np.float64]


def photometry(first: NDArray, second: NDArray, flow: Array, chosen: NDArray[np.bool_]) -> Photometry:
    """Compare images (H, W, 3) at `chosen` (H, W) pixels of the first."""
    height, width = chosen.shape
    to = grid(height, width) + flow
    chosen = chosen & np.isfinite(flow).all(-1)
    chosen &= ((to >= 0) & (to <= (width - 1, height - 1))).all(-1)
    warped = sampled(second, np.where(chosen[..., None], to, 0))
    error = warped - first
    down, right = np.gradient(warped.mean(-1))
    # Only where the image has structure that a pixel's shift would move, and nothing (a shadow) came or went.
    clear = chosen & (abs(error).max(-1) < 40)
    for axis, by in ((0, 1), (0, -1), (1, 1), (1, -1)):
        clear &= np.roll(chosen, by, axis)
    slope = np.stack((right[clear], down[clear]), -1)
    shift = np.linalg.lstsq(slope, error.mean(-1)[clear], rcond=None)[0] if clear.sum() > 50 else np.zeros(2)
    return Photometry(abs(error).mean(-1)[chosen], shift)


@dataclass(frozen=True, eq=False)
class Geometry:
    """All triangles of a frame of a scene in the camera axes of a frame, in float64, made from the scene's nouns."""

    scene: Scene
    frame: int

    @cached_property
    def points(self) -> NDArray[np.float64]:
        scene = self.scene
        things = [t.solid.points for t in scene.surroundings.things]
        people = [scene.vertices(p, self.frame) for p in range(len(scene.actors))]
        return scene.path.to_camera(np.concatenate([*people, *things]).astype(np.float64), self.frame)

    @cached_property
    def faces(self) -> NDArray[np.int64]:
        scene, made, start = self.scene, [], 0
        for actor in scene.actors:
            made.append(actor.faces.astype(np.int64) + start)
            start += len(actor.texture)
        for thing in scene.surroundings.things:
            made.append(thing.solid.faces.astype(np.int64) + start)
            start += len(thing.solid.points)
        return np.concatenate(made)

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(F,) identity."""
        people = [np.full(len(a.faces), p + 1) for p, a in enumerate(self.scene.actors)]
        return np.concatenate(
            [*people, *(np.full(len(t.solid.faces), t.identity) for t in self.scene.surroundings.things)]
        )

    def on_surface(self, face: NDArray, weights: Array) -> NDArray[np.float64]:
        """Points (N, 3) of faces (N,) with barycentric weights (N, 3)."""
        return (self.points[self.faces[face]] * weights.astype(np.float64)[..., None]).sum(-2)

    def off_plane(self, points: Array, face: NDArray) -> NDArray[np.float64]:
        """Distance (N,) m of points to the planes of faces."""
        a, b, c = np.moveaxis(self.points[self.faces[face]], 1, 0)
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-30)
        return abs(((points - a) * normal).sum(-1))

    def cast(self, xy: Array, *, near: float = 0.05) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Depth (N,) m, inf for none, and face (N,), -1 for none, that the rays of pixels (N, 2) meet first."""
        camera = self.scene.path.camera
        rays = np.concatenate(((xy - camera.centre.numpy()) / camera.focal.numpy(), np.ones((len(xy), 1))), -1)
        a, b, c = np.moveaxis(self.points[self.faces], 1, 0)
        # A ray meets a triangle when it is on the same side of the three planes through the eye and an edge.
        sides = [np.cross(p, q) for p, q in ((b, c), (c, a), (a, b))]
        volume = (a * sides[0]).sum(-1)
        depth, face = np.full(len(xy), np.inf), np.full(len(xy), -1)
        for n, ray in enumerate(rays):
            u, v, w = (side @ ray for side in sides)
            total = u + v + w
            hit = ((u >= 0) & (v >= 0) & (w >= 0)) | ((u <= 0) & (v <= 0) & (w <= 0))
            with np.errstate(divide="ignore", invalid="ignore"):
                z = np.where(hit & (total != 0), volume / total, np.inf)
            z[~(z > near)] = np.inf
            face[n] = z.argmin() if np.isfinite(z.min()) else -1
            depth[n] = z.min()
        return depth, face


def unprojected(drawn: Rendering, scene: Scene) -> NDArray[np.float64]:
    """(H, W, 3) m in camera axes."""
    camera = scene.path.camera
    rays = (grid(*drawn.depth.shape) - camera.centre.numpy()) / camera.focal.numpy()
    return np.concatenate((rays, np.ones((*rays.shape[:2], 1))), -1) * drawn.depth.astype(np.float64)[..., None]


def vertex_errors(scene: Scene, frame: int, flow: Array, drawn: Rendering) -> NDArray[np.float64]:
    """Error (N,) px of a flow (H, W, 2) at all vertices of people that are seen, away from silhouettes."""
    errors = []
    calm = plain(drawn)
    for p in range(len(scene.actors)):
        here = scene.vertices(p, frame).astype(np.float64)
        xy, after = scene.path.project(here, frame), scene.path.project(scene.vertices(p, frame + 1), frame + 1)
        z = scene.path.to_camera(here, frame)[:, 2]
        safe = np.where(np.isfinite(xy), xy, 0)
        depth = sampled(np.where(np.isfinite(drawn.depth), drawn.depth, 1e6)[..., None], safe)[:, 0]
        seen = plain_at(calm & (drawn.identity == p + 1), xy) & (abs(depth - z) < 0.01)
        errors.append(np.linalg.norm(sampled(flow, safe[seen]) - (after - xy)[seen], axis=-1))
    return np.concatenate(errors) if errors else np.zeros(0)


def round_trip(flow: Array, back: Array, first: Rendering, second: Rendering) -> NDArray[np.float64]:
    """Distance (N,) px from the start after going there and back, of pixels that stay seen, away from silhouettes."""
    to = grid(*first.depth.shape) + np.nan_to_num(flow, nan=-1e6)
    chosen = plain(first) & ~first.occluded & plain_at(plain(second), to)
    return np.linalg.norm(flow[chosen] + sampled(back, to[chosen]), axis=-1)


def occlusion(
    scene: Scene, frame: int, drawn: Rendering, rng: np.random.Generator, rays: int, hidden: bool
) -> tuple[int, float]:
    """How many pixels away from silhouettes are said to be `hidden` (or not), and the share for which that is wrong.

    Rays are cast at `rays` of them through the next frame's mesh.
    """
    after = Geometry(scene, frame + 1)
    height, width = drawn.depth.shape
    picked = np.argwhere(plain(drawn) & (drawn.face >= 0) & (drawn.occluded == hidden))
    count = len(picked)
    y, x = picked[rng.permutation(count)[:rays]].T
    points = after.on_surface(drawn.face[y, x], drawn.barycentric[y, x])
    camera = scene.path.camera
    with np.errstate(divide="ignore", invalid="ignore"):
        xy = points[:, :2] / points[:, 2:] * camera.focal.numpy() + camera.centre.numpy()
    outside = ~((points[:, 2] > 0) & (xy >= -0.5).all(-1) & (xy < (width - 0.5, height - 0.5)).all(-1))
    depth, _ = after.cast(np.where(outside[:, None], 0, xy))
    unseen = outside | (depth < points[:, 2] - 0.006)
    return count, float((unseen != hidden).mean()) if count else 0.0


def pinned_errors(scene: Scene, frame: int, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Errors (N,) px of flow and (N,) m of depth at single vertices of people, free of any interpolation.

    The principal point is moved so that the vertex lies at a pixel's centre; a vertex that the depth shows to be hidden
    there does not count.
    """
    errors, depths = [], []
    camera, path = scene.path.camera, scene.path
    drawn = scene.measured(frame)
    for p in range(len(scene.actors)):
        here, there = (scene.vertices(p, k).astype(np.float64) for k in (frame, frame + 1))
        before, after = path.project(here, frame), path.project(there, frame + 1)
        z = path.to_camera(here, frame)[:, 2]
        candidates = np.flatnonzero(plain_at(drawn.identity == p + 1, before))
        for vertex in rng.permutation(candidates)[:count]:
            x, y = pixel = np.round(before[vertex]).astype(int)
            centre = camera.centre + torch.from_numpy(pixel - before[vertex])
            moved = scene.with_(path=replace(path, camera=replace(camera, centre=centre)))
            depth = float(moved.measured(frame).depth[y, x])
            if abs(depth - z[vertex]) < 0.001:
                uv = moved.flow(frame).uv[:, y, x].numpy()
                errors.append(float(np.linalg.norm(uv - (after - before)[vertex])))
                depths.append(abs(depth - float(z[vertex])))
    return np.array(errors), np.array(depths)


def inside(points: Array, solid: Array, faces: NDArray) -> NDArray[np.bool_]:
    """Which points (N, 3) lie within closed meshes."""
    near = ((points > solid.min(0)) & (points < solid.max(0))).all(-1)
    near[near] = winding(points[near], solid, faces.astype(np.int64)) > 0.5
    return near
