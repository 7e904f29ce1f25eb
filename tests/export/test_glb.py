import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.export.glb import write_glb
from dyad.export.motion import motions
from dyad.export.sticks import sticks
from dyad.export.upright import upright
from tests.export.reading import accessor, read_glb
from tests.export.walking import FPS, HEIGHT, WITH_FEET, truth, walkers

pygltflib = pytest.importorskip("pygltflib", reason="pygltflib reads glTF files independently")

TRACKS = walkers(skeleton=WITH_FEET)
SPACE = upright(TRACKS)
PEOPLE = motions(SPACE)


def written(path: Path, **options):
    write_glb(path, PEOPLE, SPACE, **options)
    return pygltflib.GLTF2().load(str(path))


def test_joints_are_where_they_were(tmp_path: Path) -> None:
    file = written(tmp_path / "people.glb")
    assert file.asset.version == "2.0"
    assert len(file.skins) == len(file.meshes) == 2
    assert [animation.name for animation in file.animations] == ["walk"]
    for number, motion in enumerate(PEOPLE):
        found = read_glb(file, number)
        assert found.times == pytest.approx(motion.times, abs=1e-6)
        assert list(found.places) == motion.rig.names()
        known = truth(TRACKS, motion.number)
        for joint, k in motion.rig.places.items():
            place = found.places[motion.rig.names()[k]]
            assert np.abs(place - known[:, WITH_FEET.index(joint)]).max() < 0.001
        assert found.vertices[..., 1].min() > -0.06
        # Sticks lie around their bones, whatever the pose.
        wrist, elbow = (found.places[name] for name in ("LeftHand", "LeftForeArm"))
        carried = accessor(file, file.meshes[number].primitives[0].attributes.JOINTS_0)[:, 0]
        own = found.vertices[:, carried == motion.rig.names().index("LeftForeArm")]
        assert own.shape[1] > 10
        way = (wrist - elbow)[:, None]
        share = ((own - elbow[:, None]) * way).sum(-1) / (way**2).sum(-1)
        assert share.min() > -1e-4
        assert share.max() < 1 + 1e-4
        beside = np.linalg.norm(own - elbow[:, None] - share[..., None] * way, axis=-1)
        assert 0.01 < beside.max() < 0.08


def test_the_rest_pose_is_a_t_on_the_floor(tmp_path: Path) -> None:
    rest = read_glb(written(tmp_path / "a.glb"), 0).rest
    assert rest["LeftHand"][0] > 0.6 > -0.6 > rest["RightHand"][0]
    assert rest["LeftHand"][1] == pytest.approx(rest["LeftArm"][1], abs=1e-5)
    assert min(place[1] for place in rest.values()) == pytest.approx(0, abs=1e-5)
    assert rest["LeftToeBase"][2] > rest["LeftFoot"][2] + 0.1


def test_rotations_do_not_jump_and_are_of_length_one(tmp_path: Path) -> None:
    file = written(tmp_path / "a.glb")
    for channel in file.animations[0].channels:
        values = accessor(file, file.animations[0].samplers[channel.sampler].output)
        if channel.target.path == "rotation":
            assert np.linalg.norm(values, axis=-1) == pytest.approx(1, abs=1e-5)
            assert ((values[1:] * values[:-1]).sum(-1) > 0.9).all()


def test_who_comes_later_is_not_there_before(tmp_path: Path) -> None:
    file = written(tmp_path / "a.glb")
    scale = [c for c in file.animations[0].channels if c.target.path == "scale"]
    assert [file.nodes[c.target.node].name for c in scale] == ["P8"]
    sampler = file.animations[0].samplers[scale[0].sampler]
    assert sampler.interpolation == "STEP"
    assert accessor(file, sampler.input) == pytest.approx([0, 10 / FPS, 45 / FPS])
    assert accessor(file, sampler.output)[:, 0].tolist() == [0, 1, 0]


def test_the_camera_stands_where_it_stood(tmp_path: Path) -> None:
    file = written(tmp_path / "a.glb")
    node = next(node for node in file.nodes if node.camera is not None)
    assert node.translation == pytest.approx([0, HEIGHT, 0], abs=1e-6)
    from scipy.spatial.transform import Rotation

    # A glTF camera looks along -z with x right and y up; what it sees must be what the tracks say.
    seen = (truth(TRACKS, 3) - node.translation) @ Rotation.from_quat(node.rotation).as_matrix()
    assert seen * (1, -1, -1) == pytest.approx(TRACKS.xyz[TRACKS.rows(3)].double().numpy(), abs=1e-4)
    shape = file.cameras[0].perspective
    assert shape.yfov == pytest.approx(2 * np.arctan(360 / float(TRACKS.camera.focal[1])))
    assert shape.aspectRatio == pytest.approx(1280 / 720)
    assert written_without_camera(tmp_path).cameras == []


def written_without_camera(folder: Path):
    space = upright(TRACKS.with_(cuts=(25,), world=None))
    write_glb(folder / "b.glb", motions(space), space)
    file = pygltflib.GLTF2().load(str(folder / "b.glb"))
    assert "level" in file.asset.extras["note"]
    return file


def test_the_file_is_laid_out_as_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    file = written(path, names="mixamo")
    data = path.read_bytes()
    magic, version, total, length, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
    content = json.loads(data[20 : 20 + length])
    assert all(len(value) for value in content.values() if isinstance(value, list))
    size, kind = struct.unpack("<I4s", data[20 + length : 28 + length])
    assert kind == b"BIN\0"
    assert size == content["buffers"][0]["byteLength"]
    assert 28 + length + size == total
    assert length % 4 == size % 4 == 0
    for entry in content["accessors"]:
        view = content["bufferViews"][entry["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= size
    for mesh in file.meshes:
        part = mesh.primitives[0]
        points, normals = (accessor(file, number) for number in (part.attributes.POSITION, part.attributes.NORMAL))
        assert file.accessors[part.attributes.POSITION].max == pytest.approx(points.max(0).tolist())
        assert np.linalg.norm(normals, axis=-1) == pytest.approx(1, abs=1e-5)
        assert accessor(file, part.indices).max() < len(points)
    assert file.nodes[0].name == "mixamorig:Hips"
    roots = set(range(len(file.nodes))) - {child for node in file.nodes for child in node.children or []}
    assert set(file.scenes[0].nodes) == roots


def test_sticks_are_closed_and_seen_from_outside() -> None:
    mesh = sticks(PEOPLE[0].rig)
    corners = mesh.vertices[mesh.triangles]
    # Six times the volume that the triangles enclose, bone by bone.
    volume = np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    for node in np.unique(mesh.node):
        assert volume[mesh.node[mesh.triangles[:, 0]] == node].sum() > 0
    edges = np.concatenate([mesh.triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    assert {tuple(e) for e in edges.tolist()} == {tuple(e) for e in edges[:, ::-1].tolist()}
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((faces[:, None] * mesh.normals[mesh.triangles]).sum(-1) > -1e-6).all()


def test_a_single_frame(tmp_path: Path) -> None:
    one = TRACKS[TRACKS.frame == 12].with_(frames=TRACKS.frames[12:13], times=TRACKS.times[12:13])
    space = upright(one[torch.arange(1)])
    write_glb(tmp_path / "a.glb", motions(space), space)
    found = read_glb(pygltflib.GLTF2().load(str(tmp_path / "a.glb")), 0)
    assert found.times.tolist() == [0]
    assert found.places["Hips"][0] == pytest.approx(truth(one, 3)[0, 0], abs=1e-5)
