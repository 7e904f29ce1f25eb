"""From surfaces to an image and everything true of it: depth, identity, part, flow both ways, occlusion.

All vertices are in camera axes (x right, y down, z forward, m); whole pixel coordinates are pixel centres. Truth is
taken at pixel centres and never smoothed; only the image may be (`samples=2`). The result is a function of the
arguments alone: the number of threads changes no byte of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.synthetic.rendering.lighting import Light, Shadows, Sky, shadows
from dyad.synthetic.rendering.looks import Look, Material, packed
from dyad.synthetic.rendering.raster import Layer, drawn, normals
from dyad.synthetic.rendering.rows import SMOOTH
from dyad.synthetic.rendering.shader import numbered, shade
from dyad.synthetic.rendering.truth import moved, read

Pair = tuple[float, float] | NDArray


@dataclass(frozen=True, eq=False)
class Surface:
    """One thing in one frame: a mesh and how it looks.

    `points` (V, 3) float32 m, in camera axes at t; `later` and `earlier` the same vertices in the camera axes of t + 1
    and t - 1 (absent: they stay where they are in camera axes); `faces` (F, 3) int32, anticlockwise from outside;
    `texture` (V, 3) float32: canonical positions for a `Look`, metres for a `Material`; `part` (V,) uint8.
    `identity` is 0 for ground and walls, 1 and up for people, 100 and up for things. Of a `closed` mesh no back is
    ever seen; `smooth` shades across edges (False for boxes).
    """

    points: NDArray[np.float32]
    faces: NDArray[np.int32]
    texture: NDArray[np.float32]
    look: Look | Material
    identity: int = 0
    part: NDArray[np.uint8] | None = None
    later: NDArray[np.float32] | None = None
    earlier: NDArray[np.float32] | None = None
    casts_shadow: bool = True
    closed: bool = False
    smooth: bool = True

    def __post_init__(self) -> None:
        count = len(self.points)
        if self.points.shape != (count, 3) or self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise BadInput(
                f"a surface is points (V, 3) and faces (F, 3), got {self.points.shape} and {self.faces.shape}"
            )
        for name, values in (("texture", self.texture), ("later", self.later), ("earlier", self.earlier)):
            if values is not None and values.shape != (count, 3):
                raise BadInput(f"a surface of {count} vertices needs {name} of shape ({count}, 3), got {values.shape}")
        if self.part is not None and self.part.shape != (count,):
            raise BadInput(f"a surface of {count} vertices needs parts of shape ({count},), got {self.part.shape}")
        if isinstance(self.look, Look) and self.part is None:
            raise BadInput("a surface with a Look needs the part of each vertex, got none")


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a camera sees, and what is true of it, for H by W pixels.

    `image` (H, W, 3) uint8; `depth` m along z, inf where nothing is; `identity` int16; `part` uint8; `flow` (H, W, 2)
    px to t + 1 and `backward` to t - 1: None where no surface says where it goes, NaN where a point has no pixel there;
    `occluded`: the pixel's point is hidden at t + 1 or outside the image; `face`: index over all surfaces' faces in
    order, -1 for none; `barycentric` (H, W, 3). `layer` and `after` are the z-buffers of t and t + 1, of which the
    latter is the next call's `now`.
    """

    image: NDArray[np.uint8] | None
    depth: NDArray[np.float32]
    identity: NDArray[np.int16]
    part: NDArray[np.uint8]
    flow: NDArray[np.float32] | None
    backward: NDArray[np.float32] | None
    occluded: NDArray[np.bool_] | None
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    focal: NDArray[np.float64]
    centre: NDArray[np.float64]
    layer: Layer
    after: Layer | None

    def visible(
        self, points: NDArray, owner: int | NDArray, *, tolerance: float | NDArray = 0.12, others: float = 0.02
    ) -> NDArray[np.bool_]:
        """Whether points (..., 3) m in camera axes are seen: in the image and behind nothing.

        A joint lies inside its body: the surface of its own `owner` may be nearer by up to `tolerance` m (a number, or
        one for each point), that of anybody or anything else by `others` m.
        """
        points = np.asarray(points, np.float64)
        height, width = self.depth.shape
        with np.errstate(divide="ignore", invalid="ignore"):
            xy = points[..., :2] / points[..., 2:] * self.focal + self.centre
        at = np.floor(xy + 0.5)
        inside = (points[..., 2] > 0) & (at >= 0).all(-1) & (at < (width, height)).all(-1)
        x, y = np.where(inside[..., None], at, 0).astype(int).transpose(-1, *range(at.ndim - 1))
        own = self.identity[y, x] == owner
        return inside & (points[..., 2] <= self.depth[y, x] + np.where(own, tolerance, others))


class Renderer:
    """Draws surfaces. `size` (W, H) px; `samples` 2 smooths edges in the image by four samples a pixel.

    `shaded=False` leaves the image out, `parallel` is how many threads to use.
    """

    def __init__(self, size: tuple[int, int], *, samples: int = 1, threads: int = 1, shaded: bool = True) -> None:
        if samples not in (1, 2):
            raise BadInput(f"samples along a pixel's side are 1 or 2, got {samples}")
        if min(size) < 1:
            raise BadInput(f"an image has at least one pixel, got {size[0]} by {size[1]}")
        self.size = (int(size[0]), int(size[1]))
        self.samples = samples
        self.threads = threads
        self.shaded = shaded

    def __call__(
        self,
        surfaces: Sequence[Surface],
        focal: Pair,
        centre: Pair,
        *,
        light: Light | None = None,
        sky: Sky | None = None,
        later_focal: Pair | None = None,
        later_centre: Pair | None = None,
        turn: NDArray | None = None,
        earlier_focal: Pair | None = None,
        earlier_centre: Pair | None = None,
        earlier_turn: NDArray | None = None,
        now: Layer | None = None,
        after: Layer | None = None,
    ) -> Rendering:
        """Render one frame.

        `focal`, `centre` (2,) px of the frame at t (and, where they differ, at t + 1 and t - 1). `light` and `sky` in
        camera axes (see their `turned`). `turn` (3, 3) takes directions in the camera axes of t to those of t + 1 (and
        `earlier_turn` to t - 1), which moves the sky; without them the camera does not turn.

        In a sequence of the same surfaces in the same order pass the last rendering's `after` as `now`: its z-buffer is
        this frame's. `after` is the z-buffer of t + 1 where it is known already.
        """
        scene = _Scene(surfaces)
        lens = _lens(focal, centre)
        for layer in (now, after):
            if layer is not None and layer.face.shape != self.size[::-1]:
                raise BadInput(f"a layer has {layer.face.shape[::-1]} pixels, the renderer {self.size}")
        layer = now or self._drawn(scene.points, scene, lens)
        truth = read(layer, scene.points, scene.faces, scene.identity, scene.part, lens, threads=self.threads)
        flow = occluded = backward = None
        if scene.later is not None or turn is not None:
            then = _lens(
                focal if later_focal is None else later_focal, centre if later_centre is None else later_centre
            )
            points = scene.points if scene.later is None else scene.later
            after = after or self._drawn(points, scene, then)
            flow, occluded = self._moved(layer, scene, points, lens, then, turn, after)
        if scene.earlier is not None or earlier_turn is not None:
            then = _lens(
                focal if earlier_focal is None else earlier_focal, centre if earlier_centre is None else earlier_centre
            )
            points = scene.points if scene.earlier is None else scene.earlier
            backward, _ = self._moved(layer, scene, points, lens, then, earlier_turn, None)
        image = self._image(scene, layer, lens, light or _LIGHT, sky or Sky()) if self.shaded else None
        return Rendering(
            image, truth.depth, truth.identity, truth.part, flow, backward, occluded, layer.face, truth.barycentric,
            lens[:2], lens[2:], layer, after,
        )  # fmt: skip

    def _drawn(self, points: NDArray, scene: "_Scene", lens: NDArray) -> Layer:
        return drawn(points, scene.faces, scene.closed, lens, self.size, threads=self.threads)

    def _moved(self, layer, scene, points, lens, then, turn, after):
        turn = np.eye(3) if turn is None else np.ascontiguousarray(turn, np.float64)
        return moved(
            layer, scene.points, points, scene.faces, scene.closed, lens, then, turn, after, threads=self.threads
        )

    def _image(self, scene: "_Scene", layer: Layer, lens: NDArray, light: Light, sky: Sky) -> NDArray[np.uint8]:
        fine = Layer(np.empty((0, 0), np.int32), np.empty((0, 0)))
        if self.samples == 2:
            # Half a pixel is a quarter of a pixel off its centre: x goes to 2 x + 0.5.
            closer = np.array((*2 * lens[:2], *(2 * lens[2:] + 0.5)))
            size = (2 * self.size[0], 2 * self.size[1])
            fine = drawn(scene.points, scene.faces, scene.closed, closer, size, threads=self.threads)
        cast: Shadows = shadows(light, *scene.casting(), threads=self.threads)
        rows, texels, place = packed([s.look for s in scene.surfaces], [] if sky.picture is None else [sky.picture])
        picture = np.array([-1, 0, 0])
        if sky.picture is not None:
            picture = np.array([place[0], *sky.picture.image.shape[:2]])
        rows[: len(scene.surfaces), SMOOTH] = [s.smooth for s in scene.surfaces]
        around = normals(scene.points, scene.faces, scene.smooth)
        numbers = numbered(lens, light.packed(), cast.frame, cast.lens, cast.texel, sky.packed(), picture)
        return shade(
            layer.face,
            fine,
            np.concatenate((scene.points, around, scene.texture, scene.part[:, None]), 1, dtype=np.float32),
            np.concatenate((scene.faces, scene.owner[:, None]), 1),
            rows,
            numbers,
            cast.layer.inverse,
            cast.most,
            texels,
            threads=self.threads,
        )


_LIGHT = Light(np.array([0.4, -0.75, -0.5]), np.array([0.0, -1.0, 0.0]))


def _lens(focal: Pair, centre: Pair) -> NDArray[np.float64]:
    lens = np.array([*np.broadcast_to(focal, 2), *centre], np.float64)
    if lens.shape != (4,) or not np.isfinite(lens).all() or not (lens[:2] > 0).all():
        raise BadInput(f"a lens is two focal lengths above 0 and two coordinates of its centre in px, got {lens}")
    return lens


class _Scene:
    """All surfaces in one set of arrays."""

    def __init__(self, surfaces: Sequence[Surface]) -> None:
        self.surfaces = surfaces
        counts = [len(s.points) for s in surfaces]
        starts = np.cumsum([0, *counts])
        triangles = [len(s.faces) for s in surfaces]
        self.points = _stacked([s.points for s in surfaces], np.float32)
        self.texture = _stacked([s.texture for s in surfaces], np.float32)
        self.faces = _stacked([s.faces + np.int32(start) for s, start in zip(surfaces, starts, strict=False)], np.int32)
        if len(self.faces) and not (self.faces.min() >= 0 and self.faces.max() < len(self.points)):
            raise BadInput("a face names a vertex that its surface does not have")
        self.part = np.zeros(len(self.points), np.uint8)
        for s, start in zip(surfaces, starts, strict=False):
            if s.part is not None:
                self.part[start : start + len(s.part)] = s.part
        self.owner = np.repeat(np.arange(len(surfaces), dtype=np.int32), triangles)
        self.identity = np.repeat(np.array([s.identity for s in surfaces], np.int16), triangles)
        self.closed = np.repeat(np.array([s.closed for s in surfaces], bool), triangles)
        self.smooth = np.repeat(np.array([s.smooth for s in surfaces], bool), triangles)
        self.later = self._moved([s.later for s in surfaces])
        self.earlier = self._moved([s.earlier for s in surfaces])

    def _moved(self, points: list[NDArray | None]) -> NDArray[np.float32] | None:
        if all(p is None for p in points):
            return None
        return _stacked([s.points if p is None else p for s, p in zip(self.surfaces, points, strict=True)], np.float32)

    def casting(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
        """Points, faces and which are closed of the surfaces that cast shadows."""
        chosen = [s for s in self.surfaces if s.casts_shadow]
        if len(chosen) == len(self.surfaces):
            return self.points, self.faces, self.closed
        starts = np.cumsum([0] + [len(s.points) for s in chosen])
        faces = _stacked([s.faces + np.int32(start) for s, start in zip(chosen, starts, strict=False)], np.int32)
        closed = np.repeat(np.array([s.closed for s in chosen], bool), [len(s.faces) for s in chosen])
        return _stacked([s.points for s in chosen], np.float32), faces, closed


def _stacked(arrays: list[NDArray], kind: type) -> NDArray:
    if not arrays:
        return np.zeros((0, 3), kind)
    return np.ascontiguousarray(np.concatenate(arrays), kind)
