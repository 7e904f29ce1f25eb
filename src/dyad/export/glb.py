"""People as one binary glTF 2.0 file: a skin of sticks a person, moved by joints. Metres, y up.

https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad import __version__
from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.export.motion import Motion
from dyad.export.rig import Names, Rig
from dyad.export.sticks import sticks, tint
from dyad.export.turns import between, matrices, quaternions, steadied, unit
from dyad.export.upright import Array, Upright

_FLOAT, _BYTE, _SHORT = 5126, 5121, 5123
_VERTICES, _TRIANGLES = 34962, 34963
_LARGEST = 2**32 - 1


def write_glb(path: str | Path, people: list[Motion], space: Upright, *, names: Names = "cmu") -> None:
    """Write everyone into one file, which appears whole or not at all.

    Keys lie at the times of each person's own rows, in seconds after the first processed frame, with linear
    interpolation over gaps. A person who is not there at first or at last has no size then. Every joint's y axis lies
    along its bone in the rest pose, as Blender's bones do. Where there is one place of the camera, the file holds the
    camera too. BadInput where the file would be larger than the format can say (4 GiB).
    """
    file = _File()
    clip: dict[str, Any] = {"name": Path(space.tracks.video).stem or "clip", "samplers": [], "channels": []}
    roots = [node for motion in people for node in _person(file, clip, motion, space.times, names)]
    about = {"frame": space.frame} | ({"note": space.note} if space.note else {})
    asset = {"version": "2.0", "generator": f"Dyad {__version__}", "extras": about}
    content: dict[str, Any] = {"asset": asset, "scene": 0}
    roots += _camera(file, space)
    content |= {"scenes": [{"name": "Scene", "nodes": roots}], "animations": [clip], **file.lists}
    content["buffers"] = [{"byteLength": file.size}]
    content = {key: value for key, value in content.items() if value != []}
    text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + file.size
    if total > _LARGEST:
        raise BadInput(f"a GLB file holds up to 4 GiB, these people need {total / 2**30:.1f}; export fewer of them")
    with whole_file(path) as partial, partial.open("wb") as out:
        out.write(struct.pack("<4sII", b"glTF", 2, total))
        out.write(struct.pack("<I4s", len(text), b"JSON") + text)
        out.write(struct.pack("<I4s", file.size, b"BIN\0"))
        out.writelines(file.pieces)


class _File:
    """The lists of a glTF file while they grow."""

    def __init__(self) -> None:
        kinds = ("nodes", "meshes", "skins", "materials", "cameras", "accessors", "bufferViews")
        self.lists: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
        self.pieces: list[bytes] = []
        self.size = 0

    def add(self, kind: str, **entry: Any) -> int:
        self.lists[kind].append(entry)
        return len(self.lists[kind]) - 1

    def array(self, values: NDArray[Any], kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Store an array (n, …); returns its accessor."""
        code = {"float32": _FLOAT, "uint8": _BYTE, "uint16": _SHORT}[values.dtype.name]
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.size, "byteLength": values.nbytes}
        view |= {"target": target} if target else {}
        entry: dict[str, Any] = {"bufferView": self.add("bufferViews", **view), "componentType": code}
        entry |= {"count": len(values), "type": kind}
        if bounds:
            flat = values.reshape(len(values), -1)
            entry |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        data = values.astype(values.dtype.newbyteorder("<")).tobytes()
        data += b"\0" * (-len(data) % 4)
        self.pieces.append(data)
        self.size += len(data)
        return self.add("accessors", **entry)


def _person(file: _File, clip: dict[str, Any], motion: Motion, timeline: Array, names: Names) -> list[int]:
    """Adds a person's nodes, mesh, skin and keys; returns the nodes that hang from nothing."""
    rig = motion.rig
    axes = rest_axes(rig)
    inward = axes.transpose(0, 2, 1)
    height = -float(rig.rest()[:, 1].min())
    label = f"P{motion.number}"
    first = len(file.lists["nodes"])
    for k, (name, parent) in enumerate(zip(rig.names(names), rig.parents, strict=True)):
        offset = np.array([0.0, height, 0.0]) if parent < 0 else inward[parent] @ rig.offsets[k]
        turn = axes[k] if parent < 0 else inward[parent] @ axes[k]
        children = [first + c for c, up in enumerate(rig.parents) if up == k]
        entry = {"name": name, "translation": offset.tolist(), "rotation": quaternions(turn[None])[0].tolist()}
        file.add("nodes", **entry, **({"children": children} if children else {}))
    skin = _skin(file, rig, axes, height, first, label)
    body = file.add("nodes", name=f"{label}_body", mesh=_mesh(file, rig, height, motion.number, label), skin=skin)
    holder = file.add("nodes", name=label, children=[first])

    keys = file.array(motion.times.astype(np.float32), "SCALAR", bounds=True)
    own = matrices(motion.turns)
    for k, parent in enumerate(rig.parents):
        turned = own[:, k] @ axes[k] if parent < 0 else inward[parent] @ own[:, k] @ axes[k]
        values = steadied(quaternions(turned)).astype(np.float32)
        if parent >= 0 and np.abs(values - values[0]).max() < 1e-7:
            # A joint that never turns keeps the turn that its node has, unless that is another.
            file.lists["nodes"][first + k]["rotation"] = values[0].tolist()
            continue
        _channel(clip, keys, file.array(values, "VEC4"), first + k, "rotation")
    _channel(clip, keys, file.array(motion.root.astype(np.float32), "VEC3"), first, "translation")
    shown = _presence(motion.times, timeline)
    if shown is not None:
        times = file.array(shown[0].astype(np.float32), "SCALAR", bounds=True)
        sizes = file.array(np.repeat(shown[1][:, None], 3, 1).astype(np.float32), "VEC3")
        _channel(clip, times, sizes, holder, "scale", "STEP")
    return [holder, body]


def rest_axes(rig: Rig) -> Array:
    """Axes (K, 3, 3) of each node in the rest pose: y along the bone, turned there from upright by the shortest way."""
    up, tails, rest = np.array([0.0, 1.0, 0.0]), rig.tails(), rig.rest()
    axes = np.broadcast_to(np.eye(3), (len(rig.nodes), 3, 3)).copy()
    for k, node in enumerate(rig.nodes):
        ends = [c for c, parent in enumerate(rig.parents) if parent == k and np.linalg.norm(rig.offsets[c]) > 1e-6]
        if k in tails:
            axes[k] = between(up, unit(tails[k]))
        elif node.target is not None and ends:
            axes[k] = between(up, unit(rest[ends[0]] - rest[k]))
    return axes


def _skin(file: _File, rig: Rig, axes: Array, height: float, first: int, label: str) -> int:
    inverse = np.broadcast_to(np.eye(4), (len(axes), 4, 4)).copy()
    inverse[:, :3, :3] = axes.transpose(0, 2, 1)
    inverse[:, :3, 3] = -np.einsum("kji,kj->ki", axes, rig.rest() + np.array([0.0, height, 0.0]))
    matrix = file.array(inverse.transpose(0, 2, 1).reshape(-1, 16).astype(np.float32), "MAT4")
    joints = list(range(first, first + len(axes)))
    return file.add("skins", name=label, joints=joints, skeleton=first, inverseBindMatrices=matrix)


def _mesh(file: _File, rig: Rig, height: float, number: int, label: str) -> int:
    body = sticks(rig)
    carried = np.zeros((len(body.node), 4), np.uint8)
    carried[:, 0] = body.node
    weights = np.zeros((len(body.node), 4), np.float32)
    weights[:, 0] = 1
    places = body.above(height).astype(np.float32)
    attributes = {
        "POSITION": file.array(places, "VEC3", target=_VERTICES, bounds=True),
        "NORMAL": file.array(body.normals.astype(np.float32), "VEC3", target=_VERTICES),
        "JOINTS_0": file.array(carried, "VEC4", target=_VERTICES),
        "WEIGHTS_0": file.array(weights, "VEC4", target=_VERTICES),
    }
    faces = file.array(body.triangles.reshape(-1).astype(np.uint16), "SCALAR", target=_TRIANGLES)
    look = {"baseColorFactor": [*tint(number), 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.8}
    material = file.add("materials", name=label, pbrMetallicRoughness=look)
    return file.add(
        "meshes", name=label, primitives=[{"attributes": attributes, "indices": faces, "material": material}]
    )


def _channel(clip: dict[str, Any], keys: int, values: int, node: int, path: str, way: str = "LINEAR") -> None:
    clip["samplers"].append({"input": keys, "output": values, "interpolation": way})
    clip["channels"].append({"sampler": len(clip["samplers"]) - 1, "target": {"node": node, "path": path}})


def _presence(own: Array, timeline: Array) -> tuple[Array, Array] | None:
    """Times and sizes 0 or 1 of somebody who comes later or leaves earlier than the clip; None of others."""
    times, sizes = [0.0], [1.0 if own[0] <= 1e-6 else 0.0]
    if own[0] > 1e-6:
        times.append(float(own[0]))
        sizes.append(1.0)
    after = timeline[timeline > own[-1] + 1e-6]
    if len(after):
        times.append(float(after[0]))
        sizes.append(0.0)
    return (np.array(times), np.array(sizes)) if len(times) > 1 else None


def _camera(file: _File, space: Upright) -> list[int]:
    """The camera that took the video; its lens is left out."""
    if space.camera is None:
        return []
    camera = space.tracks.camera
    if camera.focal.dim() > 1:
        return []
    width, height = camera.size
    fx, fy = camera.focal.tolist()
    shape = {"aspectRatio": width * fy / (height * fx), "yfov": 2 * math.atan(height / 2 / fy), "znear": 0.05}
    number = file.add("cameras", name="Camera", type="perspective", perspective=shape)
    # A glTF camera looks along -z with y up, as these axes have it but for the tilt.
    turn = quaternions((space.rotation @ np.diag([1.0, -1.0, -1.0]))[None])[0]
    return [file.add("nodes", name="Camera", camera=number, translation=space.camera.tolist(), rotation=turn.tolist())]
