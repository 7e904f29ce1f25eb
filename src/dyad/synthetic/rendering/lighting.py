"""Sun, sky, and what they do: light from all around, one sun whose shadows are soft, and the picture behind it all."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dyad.synthetic.motion.rotations import unit
from dyad.synthetic.rendering.looks import Picture
from dyad.synthetic.rendering.raster import Layer, drawn

_RESOLUTION = (128, 1024)
_FAR = 100.0


@dataclass(frozen=True, eq=False)
class Light:
    """The light of a scene. Directions are in the axes of the surfaces, so turn a light of the world by the camera.

    `towards_sun` and `up` (3,); colours are linear RGB: `sun` what falls on a surface that faces it, `sky` and `bounce`
    what comes from above and from below; `softness` m is the width of the shadows' edge; `exposure` multiplies all.
    """

    towards_sun: NDArray[np.float64]
    up: NDArray[np.float64]
    sun: tuple[float, float, float] = (0.85, 0.79, 0.68)
    sky: tuple[float, float, float] = (0.36, 0.41, 0.50)
    bounce: tuple[float, float, float] = (0.22, 0.20, 0.17)
    softness: float = 0.03
    exposure: float = 1.0

    def turned(self, rotation: NDArray) -> "Light":
        """The same light in other axes: `rotation` (3, 3) takes world directions to the camera's."""
        rotation = np.asarray(rotation, np.float64)
        return replace(self, towards_sun=rotation @ self.towards_sun, up=rotation @ self.up)

    @classmethod
    def of_world(cls, azimuth: float, elevation: float, **more) -> "Light":
        """A light in world axes (y up): `azimuth` from +z towards +x and `elevation`, both in radians."""
        flat = np.cos(elevation)
        sun = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
        return cls(sun, np.array([0.0, 1.0, 0.0]), **more)

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Light":
        """A light in world axes: from hard sun to an overcast sky or a lamp-lit room, warm or cold."""
        strength = rng.uniform(0.25, 1.0)
        warm = rng.uniform(-0.12, 0.18)
        tint = np.array([1 + warm, 1.0, 1 - 1.3 * warm])
        cool = np.array([1 - 0.5 * warm, 1.0, 1 + 0.8 * warm])
        ambient = 0.62 - 0.30 * strength
        bounce = rng.uniform(0.35, 0.7)
        return cls.of_world(
            rng.uniform(-np.pi, np.pi),
            np.deg2rad(rng.uniform(25, 75)),
            sun=tuple((0.95 * strength * tint).tolist()),
            sky=tuple((ambient * cool).tolist()),
            bounce=tuple((ambient * bounce * tint).tolist()),
            softness=float(0.015 + 0.25 * (1 - strength) ** 2 + rng.uniform(0, 0.03)),
            exposure=float(rng.uniform(0.8, 1.15)),
        )

    def packed(self) -> NDArray[np.float32]:
        """The 16 numbers that the shading kernel reads."""
        values = (*unit(self.towards_sun), *unit(self.up), *self.sun, *self.sky, *self.bounce, self.exposure)
        return np.array(values, np.float32)


@dataclass(frozen=True, eq=False)
class Sky:
    """What rays see that hit nothing: a gradient by elevation with clouds, or a picture, both infinitely far away.

    Colours are sRGB 0 to 1. `rotation` (3, 3) takes the camera's directions to the sky's own (x right, y up, z towards
    the viewer; the view is along -z), so that the sky stands still while the camera turns. A `picture` lies on a
    cylinder around: `span` radians of azimuth from side to side, mirrored beyond, its middle at -z, and the share
    `sunk` of its height below elevation 0.
    """

    zenith: tuple[float, float, float] = (0.35, 0.52, 0.80)
    horizon: tuple[float, float, float] = (0.78, 0.84, 0.90)
    below: tuple[float, float, float] = (0.45, 0.43, 0.40)
    clouds: float = 0.5
    seed: int = 0
    picture: Picture | None = None
    span: float = 1.5
    sunk: float = 0.5
    rotation: NDArray[np.float64] | None = None

    def turned(self, rotation: NDArray) -> "Sky":
        """The same sky for a camera whose `rotation` (3, 3) takes world directions (y up) to the camera's."""
        return replace(self, rotation=np.asarray(rotation, np.float64).T)

    def packed(self) -> NDArray[np.float32]:
        """The 24 numbers that the shading kernel reads."""
        turn = np.diag([1.0, -1.0, -1.0]) if self.rotation is None else np.asarray(self.rotation, np.float64)
        colours = [np.asarray(c, np.float64) ** 2.2 for c in (self.zenith, self.horizon, self.below)]
        return np.array(
            (*turn.ravel(), *np.concatenate(colours), self.clouds, self.seed, self.span, self.sunk, 0, 0), np.float32
        )


@dataclass(frozen=True, eq=False)
class Shadows:
    """The scene as the sun sees it: `frame` (4, 3) rows right, down, along its rays, and its place; `lens` (4,);
    `texel` m; `layer` the z-buffer, of size 0 where nothing casts a shadow; `most` (N / 8, N / 8) the largest inverse
    depth within each block of 8 by 8 texels and the blocks around it."""

    frame: NDArray[np.float64]
    lens: NDArray[np.float64]
    texel: float
    layer: Layer
    most: NDArray[np.float64]


def shadows(
    light: Light,
    points: NDArray[np.float32],
    faces: NDArray[np.int32],
    closed: NDArray[np.bool_],
    *,
    threads: int = 1,
) -> Shadows:
    """Draw the casting triangles from the sun, which stands a hundred scene sizes away, so that its rays are parallel.

    A texel is a third of the shadows' softness, as far as the largest map allows.
    """
    along = -unit(light.towards_sun)
    aside = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
    right = unit(aside)
    frame = np.stack((right, np.cross(along, right), along, np.zeros(3)))
    if len(faces) == 0:
        return Shadows(frame, np.ones(4), 1.0, Layer(np.empty((0, 0), np.int32), np.empty((0, 0))), np.empty((0, 0)))
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    radius = 0.5 * float(np.linalg.norm(high - low)) + 0.05
    middle = 0.5 * (low + high)
    turned = points @ frame[:3].T.astype(np.float32) - (frame[:3] @ middle).astype(np.float32)
    reach = np.maximum(np.abs(turned[:, :2]).max(0).astype(np.float64), 0.05)
    side = 2.1 * float(reach.max())
    cells = int(np.clip(np.ceil(side / max(light.softness / 3, 1e-4)), *_RESOLUTION))
    texel = side / cells
    distance = _FAR * radius
    frame[3] = middle - distance * along
    lens = np.array([distance / texel, distance / texel, (cells - 1) / 2, (cells - 1) / 2])
    seen = np.ascontiguousarray(turned, np.float32)
    seen[:, 2] += np.float32(distance)
    layer = drawn(seen, faces, closed, lens, (cells, cells), threads=threads, near=distance - 2 * radius)
    return Shadows(frame, lens, texel, layer, _most(layer.inverse))


@njit(cache=True, nogil=True, error_model="numpy")
def _most(inverse):
    side = (inverse.shape[0] + 7) // 8
    most = np.zeros((side, side))
    for y in range(inverse.shape[0]):
        for x in range(inverse.shape[1]):
            value = inverse[y, x]
            if value > 0.0:
                i, j = y >> 3, x >> 3
                if value > most[i, j]:
                    most[i, j] = value
    around = np.zeros((side, side))
    for i in range(side):
        for j in range(side):
            for k in range(max(i - 1, 0), min(i + 2, side)):
                for m in range(max(j - 1, 0), min(j + 2, side)):
                    around[i, j] = max(around[i, j], most[k, m])
    return around
