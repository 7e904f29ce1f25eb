"""Readers of BVH and GLB for tests: what the files say, moved by the rules of their formats and by nothing of ours."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation


class Bvh(NamedTuple):
    names: list[str]
    parents: list[int]
    offsets: np.ndarray
    places: np.ndarray
    turns: np.ndarray
    seconds: float


def read_bvh(path: Path) -> Bvh:
    """A BVH file: places (T, K, 3) and world rotations (T, K, 3, 3) of joints, end sites left out, in its own units."""
    head, _, motion = path.read_text().partition("MOTION\n")
    names, parents, offsets, channels, stack = [], [], [], [], []
    ends = False
    for words in map(str.split, head.splitlines()[1:]):
        match words:
            case ["ROOT" | "JOINT", name]:
                parents.append(stack[-1] if stack else -1)
                names.append(name)
                stack.append(len(names) - 1)
            case ["End", "Site"]:
                ends = True
                stack.append(-1)
            case ["OFFSET", *numbers] if not ends:
                offsets.append(list(map(float, numbers)))
            case ["CHANNELS", count, *rest]:
                assert int(count) == len(rest)
                channels.append(rest)
            case ["}"]:
                stack.pop()
                ends = False
    assert not stack
    lines = motion.splitlines()
    values = np.array([list(map(float, line.split())) for line in lines[2:]])
    assert lines[0] == f"Frames: {len(values)}"
    places, turns = np.zeros((len(values), len(names), 3)), np.zeros((len(values), len(names), 3, 3))
    column = 0
    for k, own in enumerate(channels):
        part = values[:, column : column + len(own)]
        column += len(own)
        moves = [i for i, name in enumerate(own) if name.endswith("position")]
        axes = [name[0] for name in own if name.endswith("rotation")]
        local = part[:, moves] if moves else np.broadcast_to(offsets[k], (len(values), 3))
        turn = Rotation.from_euler("".join(axes), part[:, len(moves) :], degrees=True).as_matrix()
        if parents[k] < 0:
            places[:, k], turns[:, k] = local, turn
        else:
            up = turns[:, parents[k]]
            places[:, k] = places[:, parents[k]] + np.einsum("tij,tj->ti", up, local)
            turns[:, k] = up @ turn
    assert column == values.shape[1]
    seconds = float(lines[1].removeprefix("Frame Time: "))
    return Bvh(names, parents, np.array(offsets), places, turns, seconds)


class Glb(NamedTuple):
    """A person's part of a GLB file at the keys of the root: places (T, K, 3) of joints by name."""

    times: np.ndarray
    places: dict[str, np.ndarray]
    vertices: np.ndarray
    rest: dict[str, np.ndarray]


def read_glb(file, skin: int) -> Glb:
    """One skin of a file that pygltflib has loaded; every joint must have the root's keys or none."""
    channels = {
        (c.target.node, c.target.path): file.animations[0].samplers[c.sampler] for c in file.animations[0].channels
    }
    joints = file.skins[skin].joints
    parent = {child: n for n, node in enumerate(file.nodes) for child in node.children or []}
    times = accessor(file, channels[joints[0], "translation"].input)
    world: dict[int, np.ndarray] = {}
    rest: dict[int, np.ndarray] = {}

    def matrix(shift: np.ndarray, turn: np.ndarray) -> np.ndarray:
        made = np.zeros((len(times), 4, 4))
        made[:, :3, :3] = Rotation.from_quat(turn).as_matrix()
        made[:, :3, 3], made[:, 3, 3] = shift, 1
        return made

    def keyed(node: int, path: str, still: list[float]) -> np.ndarray:
        if (node, path) not in channels:
            return np.broadcast_to(still, (len(times), len(still)))
        sampler = channels[node, path]
        assert sampler.interpolation == "LINEAR"
        assert np.array_equal(accessor(file, sampler.input), times)
        return accessor(file, sampler.output)

    for node in joints:
        entry = file.nodes[node]
        local = matrix(keyed(node, "translation", entry.translation), keyed(node, "rotation", entry.rotation))
        still = matrix(np.tile(entry.translation, (len(times), 1)), np.tile(entry.rotation, (len(times), 1)))
        inside = parent.get(node) in world
        world[node] = world[parent[node]] @ local if inside else local
        rest[node] = rest[parent[node]] @ still if inside else still
    inverse = accessor(file, file.skins[skin].inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    bound = np.stack([world[node] @ inverse[k] for k, node in enumerate(joints)], 1)
    body = next(node for node in file.nodes if node.skin == skin)
    part = file.meshes[body.mesh].primitives[0].attributes
    points = accessor(file, part.POSITION)
    carrier = accessor(file, part.JOINTS_0)[:, 0]
    matrices = bound[:, carrier]
    moved = np.einsum("tvij,vj->tvi", matrices[..., :3, :3], points) + matrices[..., :3, 3]
    name = {node: file.nodes[node].name for node in joints}
    return Glb(
        times,
        {name[node]: world[node][:, :3, 3] for node in joints},
        moved,
        {name[node]: rest[node][0, :3, 3] for node in joints},
    )


def accessor(file, number: int) -> np.ndarray:
    """An accessor's numbers, (n,) or (n, C)."""
    entry = file.accessors[number]
    view = file.bufferViews[entry.bufferView]
    kind = {5126: "<f4", 5121: "u1", 5123: "<u2"}[entry.componentType]
    wide = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry.type]
    start = (view.byteOffset or 0) + (entry.byteOffset or 0)
    values = np.frombuffer(file.binary_blob(), kind, entry.count * wide, start)
    return values if wide == 1 else values.reshape(-1, wide)
