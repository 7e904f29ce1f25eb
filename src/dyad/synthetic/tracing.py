"""Where rays meet rounded cones: the one solid that bodies are made of.

A rounded cone is the hull of two balls; squashed sideways it makes torsos, hands and shoes, and with both balls in one
place an ellipsoid.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_THIN = 1e-3


class Cone(NamedTuple):
    """One solid: from `start` (r `r0`) to `end` (r `r1`), m. `side` (3,) is the direction squashed by `wide`, what is
    perpendicular to it and to the axis is squashed by `deep`."""

    start: NDArray
    end: NDArray
    r0: float
    r1: float
    side: NDArray | None = None
    wide: float = 1.0
    deep: float = 1.0


@dataclass(frozen=True)
class Solids:
    """P rounded cones in one frame of reference.

    Attributes:
        origin: (P, 3) centre of the first ball. into: (P, 3, 3) from the frame to the solid's own axes, in which the
            solid is round and stretches along +y. length: (P,) distance of the balls. r0, r1: (P,) their radii.
    """

    origin: Array
    into: Array
    length: Array
    r0: Array
    r1: Array

    def __len__(self) -> int:
        return len(self.origin)

    @classmethod
    def of(cls, cones: list[Cone]) -> "Solids":
        start, end = (np.array([c[i] for c in cones], float) for i in (0, 1))
        axis = end - start
        length = np.linalg.norm(axis, axis=-1)
        # Where one ball holds the other, the hull is the bigger ball; a tiny length keeps the axes defined.
        r0, r1 = (np.array([c[i] for c in cones], float) for i in (2, 3))
        axis = np.where(length[:, None] > _THIN, axis, (0.0, _THIN, 0.0))
        length = np.maximum(np.linalg.norm(axis, axis=-1), 1e-9)
        inner = np.abs(r0 - r1) >= 0.98 * length
        r0, r1 = np.where(inner, np.maximum(r0, r1), r0), np.where(inner, np.maximum(r0, r1), r1)
        y = axis / length[:, None]
        spare = np.where(np.abs(y[:, :1]) < 0.9, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
        side = np.array([s if c.side is None else c.side for c, s in zip(cones, spare, strict=True)], float)
        x = side - (side * y).sum(-1, keepdims=True) * y
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        z = np.cross(x, y)
        wide, deep = (np.array([c[i] for c in cones], float)[:, None] for i in (5, 6))
        into = np.stack((x / wide, y, z / deep), 1)
        single = [v.astype(np.float32) for v in (start, into, length, r0, r1)]
        return cls(*single)

    def centres(self) -> Array:
        """(P, 3) middle of the axes."""
        half = (self.length / 2).astype(np.float32)
        return self.origin + self.into[:, 1] * half[:, None]

    def bounds(self) -> Array:
        """(P,) radius of a ball around `centres` that holds the solid."""
        widest = np.maximum(1, 1 / np.linalg.norm(self.into, axis=-1).min(-1))
        return self.length / 2 + np.maximum(self.r0, self.r1) * widest

    def balls(self, part: int) -> tuple[Array, Array]:
        """Centres (2, 3) and radii (2,) of two balls whose hull holds the solid."""
        ends, radii = self._balls
        return ends[part], radii[part]

    @cached_property
    def _balls(self) -> tuple[Array, Array]:
        ends = np.stack((self.origin, self.origin + self.into[:, 1] * self.length[:, None]), 1)
        widest = np.maximum(1, 1 / np.linalg.norm(self.into, axis=-1).min(-1))
        return ends, np.stack((self.r0, self.r1), 1) * widest[:, None]

    def hit(self, part: int, start: Array, ray: Array) -> Array:
        """Where (…) rays first enter: the factor of `ray` (3, …), from `start` (3,) or (3, …); inf where they miss."""
        into, length, r0, r1 = self.into[part], self.length[part], self.r0[part], self.r1[part]
        origin = self.origin[part]
        x, y, z = (start[i] - origin[i] for i in range(3))
        px, py, pz = (row[0] * x + row[1] * y + row[2] * z for row in into)
        ex, ey, ez = (row[0] * ray[0] + row[1] * ray[1] + row[2] * ray[2] for row in into)
        ee = ex * ex + ey * ey + ez * ez
        # Start at the point nearest to the solid: squares of metres would swallow millimetres in single precision.
        near = -(px * ex + (py - length / 2) * ey + pz * ez) / ee
        px, py, pz = px + near * ex, py + near * ey, pz + near * ez
        flat, cross = px * px + pz * pz, px * ex + pz * ez
        first = np.full(ee.shape, np.inf, np.float32)
        for y, radius in ((0.0, r0), (length, r1)):
            above = py - np.float32(y)
            half = cross + above * ey
            space = half * half - ee * (flat + above * above - radius * radius)
            t = -(half + np.sqrt(np.maximum(space, 0))) / ee
            first = np.where(space > 0, np.minimum(first, t), first)
        if length > 2 * _THIN:
            sine = (r0 - r1) / length
            cosine2 = 1 - sine * sine
            room, shrink = r0 - sine * py, sine * ey
            a = cosine2 * (ee - ey * ey) - shrink * shrink
            half = cosine2 * cross + room * shrink
            space = half * half - a * (cosine2 * flat - room * room)
            root = np.sqrt(np.maximum(space, 0))
            a = np.where(np.abs(a) < 1e-12, np.float32(1e-12), a)
            # The second crossing is the way out, unless the ray is steeper than the mantle.
            crossings = (-half - root, -half + root) if (a < 0).any() else (-half - root,)
            for t in (crossing / a for crossing in crossings):
                y = py + t * ey
                # On the mantle between the circles where it touches the balls, and not on the mirrored cone.
                valid = (space > 0) & (y >= r0 * sine) & (y <= length + r1 * sine) & (room > shrink * t)
                first = np.where(valid, np.minimum(first, t), first)
        return near + first

    def surface(self, part: NDArray, points: Array) -> tuple[Array, Array]:
        """Outward unit normals (N, 3) at points (N, 3) on the parts (N,), and the points in the solids' own axes."""
        into = self.into[part]
        local = np.einsum("nij,nj->ni", into, points - self.origin[part])
        length, r0, r1 = self.length[part], self.r0[part], self.r1[part]
        sine = (r0 - r1) / length
        slope = sine / np.sqrt(1 - sine * sine)
        radius = np.hypot(local[:, 0], local[:, 2])
        foot = np.clip(local[:, 1] - radius * slope, 0, length)
        normal = local.copy()
        normal[:, 1] -= foot
        normal = np.einsum("nij,ni->nj", into, normal)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        return normal, local
