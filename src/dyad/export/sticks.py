"""A simple body of sticks around a rig, for programs that show surfaces and not joints."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyad.export.rig import Rig
from dyad.export.turns import between, unit
from dyad.export.upright import Array

_SIDES = 8
_THICKNESS = {"hip": 0.05, "knee": 0.06, "ankle": 0.045, "spine": 0.07, "neck": 0.07, "elbow": 0.04, "wrist": 0.032}
_THICKNESS |= {"shoulder": 0.045, "nose": 0.04, "head": 0.04, "head_top": 0.075}
_THIN = 0.025


class Mesh(NamedTuple):
    """A surface in the rest pose.

    Attributes:
        vertices: (V, 3) m, the rig's root at the origin. normals: (V, 3) unit.
        node: (V,) the node of the rig that alone carries each vertex.
        triangles: (F, 3) vertices, anticlockwise as seen from outside.
    """

    vertices: Array
    normals: Array
    node: NDArray[np.int64]
    triangles: NDArray[np.int64]

    def above(self, height: float) -> Array:
        """The vertices with the root at a height."""
        return self.vertices + np.array([0.0, height, 0.0])


def sticks(rig: Rig) -> Mesh:
    """A stick around every bone: pointed at both ends, thickest near its start."""
    rest, tails = rig.rest(), rig.tails()
    ways = [(rig.parents[k], rest[k], node.joint) for k, node in enumerate(rig.nodes) if node.parent >= 0]
    pieces = [(own, rest[own], end, joint) for own, end, joint in ways]
    pieces += [(k, rest[k], rest[k] + tail, "") for k, tail in tails.items()]
    vertices, normals, nodes, triangles = [], [], [], []
    shape, faces = _double_cone()
    for node, start, end, joint in pieces:
        length = float(np.linalg.norm(end - start))
        if length < 1e-3:
            continue
        wide = min(_THICKNESS.get(joint.removeprefix("left_").removeprefix("right_"), _THIN), 0.35 * length)
        turned = between(np.array([0.0, 1.0, 0.0]), unit(end - start))
        points = (shape * (wide, length, wide)) @ turned.T
        # On a cone of half-width w and length l, normals rise by w / l along the axis: slight, and left out.
        outward = unit(points - shape[:, 1:2] * (end - start))
        tip = np.linalg.norm(points - shape[:, 1:2] * (end - start), axis=-1) < 1e-9
        outward[tip] = unit(end - start) * np.where(shape[tip, 1:2] > 0.5, 1.0, -1.0)
        triangles.append(faces + sum(map(len, vertices)))
        vertices.append(start + points)
        normals.append(outward)
        nodes.append(np.full(len(points), node))
    return Mesh(*(np.concatenate(part) for part in (vertices, normals, nodes, triangles)))


def _double_cone() -> tuple[Array, NDArray[np.int64]]:
    """Vertices along y from 0 to 1 of half-width 1, and triangles."""
    angle = np.arange(_SIDES) * 2 * np.pi / _SIDES
    ring = np.stack([np.sin(angle), np.zeros(_SIDES), np.cos(angle)], -1)
    up = np.array([[0.0, 1.0, 0.0]])
    points = np.concatenate([0 * up, ring + 0.12 * up, 0.7 * ring + 0.88 * up, up])
    faces = []
    for a in range(_SIDES):
        b = (a + 1) % _SIDES
        low, high, top = (1 + a, 1 + b), (1 + _SIDES + a, 1 + _SIDES + b), 1 + 2 * _SIDES
        faces += [(0, low[1], low[0]), (*low, high[1]), (low[0], high[1], high[0]), (*high, top)]
    return points, np.array(faces)


def tint(number: int) -> tuple[float, float, float]:
    """A person's colour, red, green and blue in linear light: the hue goes on by the golden angle."""
    hue = (number * 0.381966 + 0.55) % 1.0
    wave = (0.5 + 0.45 * np.cos(2 * np.pi * (hue - np.array([0.0, 1 / 3, 2 / 3])))) ** 2.2
    red, green, blue = wave.tolist()
    return (red, green, blue)
