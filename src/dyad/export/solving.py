"""The rotations of a rig's nodes from the places of a skeleton's joints."""

from typing import NamedTuple

import numpy as np

from dyad.core.errors import BadInput
from dyad.core.skeleton import Skeleton
from dyad.export.rig import Node, Rig, direction, reduced, rig_of
from dyad.export.turns import between, frame, quaternions, steadied, unit
from dyad.export.twist import steady_turns
from dyad.export.upright import Array

_SHORTEST = 1e-3
"""Metres: two joints that are nearer to one another show no direction."""
_ASIDE = 0.05
"""Sine of the least angle between two lines that together show how a body is turned."""

# About which axis of the rest pose the bone after a bone bends: elbows forward, knees backward, the nose ahead.
_HINGES = {
    **{"left_elbow": (0, -1, 0), "right_elbow": (0, 1, 0), "left_knee": (1, 0, 0), "right_knee": (1, 0, 0)},
    **{"nose": (-1, 0, 0), "head": (-1, 0, 0)},
}


class Solved(NamedTuple):
    """A rig, times (n,), places of its root (n, 3) and turns of its nodes (n, K, 4): the fields of `Motion`."""

    rig: Rig
    times: Array
    root: Array
    turns: Array


def solved(skeleton: Skeleton, xyz: Array, times: Array) -> Solved:
    """The rotations that put joints (n, J, 3) where they are seen, but for changes of bone lengths.

    Every bone points exactly as it is seen. The pelvis turns with the line of the hips, the spine with that of the
    shoulders; upper arms and thighs are turned about themselves as bent elbows and knees show (`twist`), the neck as
    the nose shows; everything else does not turn about itself as seen from what it hangs from. A joint that is
    unknown in a row takes its direction from the rows around; a joint that is never known has no node.
    """
    skeleton, bones = _bones(skeleton, xyz)
    lengths = np.array([np.nanmedian(np.linalg.norm(bones[name], axis=-1)) for name in skeleton.names])
    rig = rig_of(skeleton, lengths)
    root = _filled(bones["pelvis"], times)
    ways = {name: _filled(bone, times) for name, bone in bones.items() if name != "pelvis"}
    lines = {part: _line(ways, part) for part in ("hip", "shoulder")}
    turned: list[Array] = []
    turns = np.empty((len(times), len(rig.nodes), 4))
    for k, node in enumerate(rig.nodes):
        if node.parent < 0:
            turned.append(_pelvis(ways, lines, times))
            turns[:, k] = steadied(quaternions(turned[k]))
            continue
        before = turned[node.parent]
        turned.append(before if node.target is None else _bone(skeleton, node, before, ways, lines, times))
        turns[:, k] = steadied(quaternions(before.transpose(0, 2, 1) @ turned[k]))
    return Solved(rig, times, root, turns)


def _bones(skeleton: Skeleton, xyz: Array) -> tuple[Skeleton, dict[str, Array]]:
    """The part of a skeleton that is ever known, and the way (n, 3) to each joint from its parent; NaN if unknown.

    For the pelvis it is its place.
    """
    place = dict(zip(skeleton.names, np.moveaxis(xyz, 1, 0), strict=True))
    kept = {name for name, values in place.items() if np.isfinite(values).all(-1).any()}
    if "pelvis" not in kept:
        raise BadInput("the middle of the hips is never known")
    while True:
        part = reduced(skeleton, kept)
        bones = {"pelvis": place["pelvis"]}
        for name, up in zip(part.names, part.parent_names, strict=True):
            if up:
                way = place[name] - place[up]
                bones[name] = np.where(np.linalg.norm(way, axis=-1, keepdims=True) > _SHORTEST, way, np.nan)
        lost = [name for name in part.names if not np.isfinite(bones[name]).any()]
        if not lost:
            return part, bones
        kept.remove(lost[0])


def _pelvis(ways: dict[str, Array], lines: dict[str, Array | None], times: Array) -> Array:
    """World rotations (n, 3, 3) of the pelvis."""
    left = lines["hip"] if lines["hip"] is not None else lines["shoulder"]
    up = next((ways[name] for name in ("spine", "neck", "nose", "head", "head_top") if name in ways), None)
    x, y = np.eye(3)[:2]
    if left is not None and up is not None:
        return frame(left, _aside(left, up, y, times))
    if left is not None:
        return between(x, unit(left))
    return np.broadcast_to(np.eye(3), (len(times), 3, 3)) if up is None else between(y, unit(up))


def _bone(
    skeleton: Skeleton,
    node: Node,
    before: Array,
    ways: dict[str, Array],
    lines: dict[str, Array | None],
    times: Array,
) -> Array:
    """World rotations (n, 3, 3) of a node that turns a bone, of those of its parent."""
    target = str(node.target)
    bone, rest = unit(ways[target]), direction(node.joint, target)
    hips, shoulders = lines["hip"], lines["shoulder"]
    if target in ("spine", "neck") and shoulders is not None:
        # The lower half of the spine is turned half as far as the chest, as seen from the hips.
        left = unit(shoulders) + unit(hips) if target == "spine" and hips is not None else shoulders
        axes = frame(bone, _aside(bone, left, before[..., 0], times))
        return np.stack([axes[..., 1], axes[..., 0], -axes[..., 2]], -1)
    after = [name for name, up in zip(skeleton.names, skeleton.parent_names, strict=True) if up == target]
    if target in _HINGES and len(after) == 1:
        inward = before.transpose(0, 2, 1)
        bend = np.cross(bone, unit(ways[after[0]]))
        seen = ((inward @ value[..., None])[..., 0] for value in (bone, bend))
        return before @ steady_turns(rest, np.array(_HINGES[target], np.float64), *seen, times)
    return between(before @ rest, bone) @ before


def _line(ways: dict[str, Array], part: str) -> Array | None:
    """From right to left (n, 3) through hips or shoulders, or half of it; None where neither side is known."""
    sides = [sign * ways[f"{side}_{part}"] for side, sign in (("left", 1), ("right", -1)) if f"{side}_{part}" in ways]
    return sum(sides[1:], sides[0]) if sides else None


def _aside(first: Array, second: Array, otherwise: Array, times: Array) -> Array:
    """`second` (n, 3), where it is not along `first` and tells nothing, taken from the rows around."""
    first, second = unit(first), unit(second)
    clear = np.linalg.norm(np.cross(first, second), axis=-1, keepdims=True) > _ASIDE
    return _filled(np.where(clear, second, np.nan), times) if clear.any() else np.broadcast_to(otherwise, second.shape)


def _filled(values: Array, times: Array) -> Array:
    """Values (n, 3) with unknown rows interpolated in time, and held at the ends; some row must be known."""
    known = np.isfinite(values).all(-1)
    if known.all():
        return values
    return np.stack([np.interp(times, times[known], values[known, axis]) for axis in range(3)], -1)
