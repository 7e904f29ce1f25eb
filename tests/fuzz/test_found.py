"""What damage has found so far, each as the small file that showed it; and bombs that are too dear to try often."""

import io
import json
import pickle
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from dyad.core.archives import read_npz
from dyad.core.camera import Camera
from dyad.core.detection_files import load_detections
from dyad.core.errors import BadInput
from dyad.core.flow_files import read_flow, read_png16
from dyad.core.ordering import natural
from dyad.core.tracks import Tracks
from dyad.datasets import read_dataset
from dyad.datasets.mat_check import check_mat
from dyad.datasets.reading import numbers, read_hdf5, read_mat
from dyad.datasets.safe_pickle import read_object_npz, read_pickled
from dyad.estimates.contents import open_contents
from dyad.models.checkpoints import Checkpoint
from dyad.models.original import read_original
from dyad.models.smpl_template import load_template
from dyad.models.weights import WeightsError
from dyad.models.zoo import make
from dyad.stages.lifting_joints import read_joints
from dyad.synthetic.motion.acclaim import read_amc
from dyad.synthetic.motion.mocap import load_motion
from tests.datasets import test_muco as muco
from tests.fuzz.attempts import _measured, _peak
from tests.fuzz.damage import npy, npy_stating, with_bomb, zipped
from tests.fuzz.readers import (
    JOINTS,
    make_acclaim,
    make_body,
    make_checkpoint,
    make_flow,
    make_original,
    make_tracks,
    write,
)
from tests.fuzz.readers_datasets import READERS
from tests.fuzz.readers_runs import make_detections


@pytest.fixture
def memory():
    """The test may take 250 MB and no more."""
    before = _measured()
    yield
    assert _peak() - before < 250 << 20


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_not_unpacked(tmp_path: Path, memory) -> None:
    whole = make_tracks(tmp_path).read_bytes()
    for name, read in (("tracks.npz", Tracks.load), ("a.npz", read_npz)):
        path = write(tmp_path / name, with_bomb(whole, "times.npy"))
        with pytest.raises(BadInput, match=f"{name} would unpack to"):
            read(path)
    # What nobody asks for is not unpacked either.
    assert read_npz(write(tmp_path / "b.npz", with_bomb(whole, "other.npy")), ("person",))["person"].shape == (10,)


@pytest.mark.parametrize("shape", [(10**11, 3), (-1, 5), (2**62, 2**62), (3, 0, 10**18, 2)])
@pytest.mark.parametrize("descr", ["<f8", "|S0", "<U7"])
def test_an_array_that_states_more_than_it_holds(tmp_path: Path, shape: tuple, descr: str) -> None:
    path = write(tmp_path / "a.npz", zipped({"xy.npy": npy_stating(shape, descr, bytes(64))}))
    with pytest.raises(BadInput, match="stated in"):
        read_joints(path)


def test_objects_in_an_archive_are_not_opened(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", zipped({"xy.npy": npy_stating((1,), "|O", pickle.dumps([1]))}))
    with pytest.raises(BadInput, match="Object arrays"):
        read_npz(path)


def test_members_that_are_encrypted_or_packed_in_unknown_ways(tmp_path: Path) -> None:
    whole = zipped({"xy.npy": npy(JOINTS["xy"])})
    entry = whole.rindex(b"PK\x01\x02")
    for place, value in ((8, 1), (10, 77), (8, 1 << 5)):
        damaged = bytearray(whole)
        damaged[entry + place : entry + place + 2] = value.to_bytes(2, "little")
        for name, read in (("j.npz", read_joints), ("m.npz", load_motion)):
            with pytest.raises(BadInput, match=name):
                read(write(tmp_path / name, bytes(damaged)))


def test_members_named_to_lead_out_of_the_folder_lead_nowhere(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    content = {"../evil.npy": npy(np.ones(3)), "/tmp/dyad-evil.npy": npy(np.ones(3)), "xy.npy": npy(JOINTS["xy"])}
    assert {*read_npz(write(inside / "a.npz", zipped(content)))} == {"../evil", "/tmp/dyad-evil", "xy"}
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.npz"]
    assert not Path("/tmp/dyad-evil.npy").exists()


def test_text_where_numbers_are_due_in_joints(tmp_path: Path) -> None:
    np.savez(tmp_path / "j.npz", **JOINTS | {"confidence": JOINTS["confidence"].astype("U5")})
    with pytest.raises(BadInput, match="confidence should hold numbers"):
        read_joints(tmp_path / "j.npz")


def test_infinity_and_fractions_in_tracks(tmp_path: Path) -> None:
    path = make_tracks(tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    for name, value in (("xyz", np.inf), ("person", 1.5), ("times", -np.inf)):
        np.savez(path, **arrays | {name: arrays[name] + value})
        with pytest.raises(BadInput, match=name):
            Tracks.load(path)


@pytest.mark.parametrize(
    "text", ["size = [" + "9" * 5000 + ", 3]", "size = " + "[" * 5000, 'size = [1, 1]\n"' + "a" * 9000 + '" = 1']
)
def test_cameras_with_numbers_tables_and_names_without_end(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match=r"c\.toml") as error:
        Camera.from_file(write(tmp_path / "c.toml", text))
    assert len(str(error.value)) < 700


def test_a_file_of_flow_is_read_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    content = make_flow("a.png")(tmp_path).read_bytes()
    for name in ("flow_%03d.png", "a%d_10.png", "concat:a.png", "x|y.png"):
        assert read_flow(write(tmp_path / "deeper" / name, content)).size == (9, 7)


def test_a_png_packed_in_a_way_that_there_is_none(tmp_path: Path) -> None:
    whole = make_flow("a.png")(tmp_path).read_bytes()
    head = b"IHDR" + whole[16:26] + b"\x07" + whole[27:29]
    path = write(tmp_path / "a.png", whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:])
    with pytest.raises(BadInput, match=r"a\.png is a damaged PNG"):
        read_png16(path)


def _mat(*elements: bytes, version: bytes = b"\x00\x01IM") -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + version + b"".join(elements)


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(held: int, shape: tuple[int, ...], *parts: bytes, name: bytes = b"x") -> bytes:
    head = _element(6, struct.pack("<II", held, 0)) + _element(5, struct.pack(f"<{len(shape)}i", *shape))
    return _element(14, head + _element(1, name) + b"".join(parts))


def _nested(depth: int) -> bytes:
    inner = _matrix(6, (1, 1), _element(9, bytes(8)))
    for _ in range(depth):
        inner = _matrix(1, (1, 1), inner)
    return inner


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (_matrix(1, (30_000, 30_000)), "is stated in"),
        (_matrix(2, (1 << 30, 1), _element(5, b"\4\0\0\0"), _element(1, b"a\0\0\0")), "is stated in"),
        (_matrix(2, (1, 1), _element(5, b"\0\0\0\0"), _element(1, b"a\0\0\0")), "names of its fields"),
        (_matrix(6, (2**31 - 1, 2**31 - 1), _element(9, bytes(8))), "is stated in"),
        (_matrix(1, (1, 1), _matrix(6, (1, 1), _element(0, bytes(8)))), "is stated in"),
        (_matrix(1, (1, 1), _element(9, bytes(8))), "type 9"),
        (_nested(500), "within one another"),
        (_matrix(99, (1, 1)), "class 99"),
        (_element(15, zlib.compress(_matrix(1, (30_000, 30_000)))), "is stated in"),
        (_element(15, b"nothing"), "whole MATLAB"),
        (struct.pack("<II", 14, 10**6), "longer than the whole"),
    ],
)
def test_matlab_files_that_would_end_the_process(tmp_path: Path, content: bytes, match: str, memory) -> None:
    with pytest.raises(BadInput, match=match):
        read_mat(write(tmp_path / "x.mat", _mat(content)), "x")


@pytest.mark.parametrize("version", [b"\x04\x01IM", b"\x01\x04MI", b"\x04\x01II", b"\x01\x00MM"])
def test_matlab_files_of_any_minor_version_are_looked_through(tmp_path: Path, version: bytes) -> None:
    """SciPy reads them all, and died of a cell of no known type in the first."""
    evil = _matrix(1, (1, 1), _matrix(6, (1, 1), _element(0, bytes(8))))
    with pytest.raises(BadInput, match="is stated in" if version.endswith(b"IM") else "no whole MATLAB"):
        check_mat(write(tmp_path / "x.mat", _mat(evil, version=version)))


def test_an_image_of_muco_with_a_name_that_no_file_has(tmp_path: Path) -> None:
    told = muco.content()[0]
    told["images"][0]["file_name"] = "a" * 5000
    write(tmp_path / "MuCo-3DHP.json", told)
    clips = {clip.name: clip.video for clip in read_dataset("muco", tmp_path)}
    assert clips["a" * 5000] is None


def test_names_with_line_breaks_leave_a_message_one_line() -> None:
    assert str(BadInput("the joint a\nb\r\0c is not known")) == "the joint a b  c is not known"


def test_lists_of_different_lengths_where_a_column_is_expected() -> None:
    with pytest.raises(BadInput, match="camera 1, t should be an array, got lists of different lengths"):
        numbers([[1.0, 2.0], [3.0], [4.0]], "camera 1, t", (3,), flat=True)
    assert numbers([[1], [2], [3]], "t", (3,), flat=True).tolist() == [1, 2, 3]


def test_a_matlab_file_that_unpacks_to_a_gigabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dyad.datasets.mat_check._LARGEST", 1 << 20)
    with pytest.raises(BadInput, match="unpacks to more"):
        check_mat(write(tmp_path / "x.mat", _mat(_element(15, zlib.compress(bytes(2 << 20))))))


@pytest.mark.parametrize("name", ["indices", "indptr"])
def test_sparse_matrices_whose_indices_lead_out_of_memory(tmp_path: Path, name: str) -> None:
    make_body(tmp_path)
    path = tmp_path / "downsampling_1.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays | {name: np.full_like(arrays[name], 2**30)})
    with pytest.raises(WeightsError, match=r"downsampling_1\.npz is no sparse matrix"):
        load_template(tmp_path)


def test_an_array_whose_header_does_not_end(tmp_path: Path) -> None:
    make_body(tmp_path)
    path = tmp_path / "smpl_template.npy"
    write(path, path.read_bytes().replace(b"}", b" ", 1))
    with pytest.raises(WeightsError, match=r"smpl_template\.npy is no plain array"):
        load_template(tmp_path)


def test_an_array_that_states_more_than_its_file_takes_no_memory(tmp_path: Path, memory) -> None:
    make_body(tmp_path)
    write(tmp_path / "smpl_template.npy", npy_stating((1 << 33, 3), "<f8"))
    with pytest.raises(WeightsError, match=r"smpl_template\.npy is no plain array"):
        load_template(tmp_path)


def test_bombs_among_detections_estimates_and_objects(tmp_path: Path, memory) -> None:
    whole = make_detections(tmp_path).read_bytes()
    with pytest.raises(BadInput, match=r"d\.npz would unpack to"):
        load_detections(write(tmp_path / "d.npz", with_bomb(whole, "looks.npy")))
    with pytest.raises(BadInput, match=r"what was sent would unpack to"):
        load_detections(io.BytesIO(with_bomb(whole, "looks.npy")))
    arrays = open_contents(write(tmp_path / "e.npz", with_bomb(whole, "looks.npy")))
    with pytest.raises(BadInput, match=r"e\.npz would unpack to"):
        arrays.read("looks", (None,))
    with pytest.raises(BadInput, match=r"o\.npz would unpack to"):
        read_object_npz(write(tmp_path / "o.npz", with_bomb(whole, "looks.npy")), "looks")


@pytest.mark.parametrize("packed", [False, True])
def test_sound_matlab_files_pass(tmp_path: Path, packed: bool) -> None:
    cells = np.empty((2, 2), dtype=object)
    cells[:] = [[np.ones((3, 4)), "text"], [np.zeros((0, 3)), {"a": 1, "bc": np.array([1 + 2j])}]]
    from scipy.sparse import eye_array

    content = {"c": cells, "s": {"deep": {"deeper": [1, 2]}}, "t": np.array([["ab", "cd"]]), "n": eye_array(5).tocsc()}
    content |= {
        "e": np.empty((0, 0)),
        "b": np.ones(3, bool),
        "u": np.arange(7, dtype=np.uint8),
        "o": np.empty((0, 2), object),
    }
    savemat(tmp_path / "x.mat", content, do_compression=packed)
    check_mat(tmp_path / "x.mat")
    assert {*read_mat(tmp_path / "x.mat", *content)} == {*content}
    assert loadmat(tmp_path / "x.mat")["u"].shape == (1, 7)


def test_hdf5_that_points_to_other_files_is_not_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    (tmp_path / "secret").write_bytes(b"12345678")
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["x"] = np.ones(3)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "x")
        file.create_dataset("y", (1,), "f8", external=[(str(tmp_path / "secret"), 0, 8)])
    for name in ("x", "y"):
        with pytest.raises(BadInput, match="in other files"):
            read_hdf5(tmp_path / "a.mat", name)


def _laughs() -> bytes:
    """A pickle of lists within lists, ten of each: ten to the twelfth entries in two hundred bytes."""
    out = b"\x80\x02]q\x00(K\x01K\x01e"
    for level in range(12):
        out += b"]q" + bytes([level + 1]) + b"(" + (b"h" + bytes([level])) * 10 + b"e"
    return out + b"."


@pytest.mark.parametrize(
    "content",
    [
        _laughs(),
        b"\x80\x02]q\x00(h\x00h\x00e.",
        b"\x80\x02})" + b"\x85" * 50_000 + b"K\x01s.",
        b"\x80\x02" + b"]" * 200 + b"a" * 199 + b".",
    ],
    ids=["billion laughs", "a list in itself", "tuples as a key", "lists in lists"],
)
def test_pickles_without_end(content: bytes, memory) -> None:
    with pytest.raises(BadInput, match="no whole pickle"):
        read_pickled(content)


def test_a_name_with_a_digit_that_is_none_is_sorted() -> None:
    assert sorted((Path("TS²"), Path("TS10"), Path("TS9")), key=natural)[0].name == "TS9"


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernels": [3, 3], "channels": 10**9},
        {"kernels": [3] * 300, "channels": 8},
        {"kernels": [3] * 5000, "channels": 8},
        {"kernels": [3, 3], "channels": 60_000},
        {"kernels": [[3], 3], "channels": 8},
        {"kernels": [3, 3], "channels": float("nan")},
        {"strange": 1},
    ],
)
def test_checkpoints_that_ask_for_a_network_of_any_size(tmp_path: Path, arguments: dict, memory) -> None:
    network = make("videopose3d-27", kernels=[3, 3], channels=8)
    path = tmp_path / "w.safetensors"
    Checkpoint.of(network, "videopose3d-27", arguments=arguments).save(path)
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        Checkpoint.load(path).build()


def test_checkpoints_of_a_network_whose_name_is_a_list(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    header = {"schema": "dyad-checkpoint/1", "network": ["raft"], "arguments": {}, "about": {}}
    save_file({"a": np.ones(2)}, tmp_path / "w.safetensors", {"dyad": json.dumps(header)})
    with pytest.raises(WeightsError, match="does not know"):
        Checkpoint.load(tmp_path / "w.safetensors")


def test_an_archive_in_several_parts_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a", b"1")
    whole = (tmp_path / "w.pth").read_bytes()
    locator = b"PK\x06\x07" + struct.pack("<IQI", 3, 0, 7)
    at = whole.rindex(b"PK\x05\x06")
    write(tmp_path / "w.pth", whole[:at] + locator + whole[at:])
    with pytest.raises(WeightsError):
        read_original(tmp_path / "w.pth")
    with pytest.raises(BadInput):
        load_motion(write(tmp_path / "a.npz", whole[:at] + locator + whole[at:]))


def test_what_a_damaged_checkpoint_has_in_it_does_not_reach_the_message(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path)
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    next(entry for name, entry in header.items() if name != "__metadata__")["dtype"] = "\0"
    text = json.dumps(header).encode()
    write(path, len(text).to_bytes(8, "little") + text + whole[8 + length :])
    with pytest.raises(WeightsError, match=r"w\.safetensors") as told:
        Checkpoint.load(path)
    assert str(told.value).isprintable()
    with pytest.raises(WeightsError) as told:
        list(read_original(path))
    assert str(told.value).isprintable()


def test_a_checkpoint_whose_archive_wants_a_later_version_of_zip(tmp_path: Path) -> None:
    whole = make_original(tmp_path, legacy=False).read_bytes()
    at = whole.rindex(b"PK\x01\x02")
    write(tmp_path / "w.pth", whole[: at + 6] + b"\x99\0" + whole[at + 8 :])
    with pytest.raises(WeightsError, match=r"w\.pth is a damaged archive: zip file version"):
        list(read_original(tmp_path / "w.pth"))


def test_joints_with_a_focal_length_below_zero(tmp_path: Path) -> None:
    np.savez(tmp_path / "j.npz", **JOINTS | {"K": -JOINTS["K"]})
    with pytest.raises(BadInput, match=r"j\.npz: a camera's focal length and size are positive"):
        read_joints(tmp_path / "j.npz")


def test_bones_with_names_without_end(tmp_path: Path) -> None:
    skeleton, motion = make_acclaim(tmp_path)
    before, after = skeleton.read_text().split(":hierarchy")
    text = f"{before}:hierarchy{after.replace('root', 'root ' + 'a' * 5000, 1)}"
    with pytest.raises(BadInput, match=r"s\.asf, line \d+: expected bones that :bonedata describes, not aaa") as told:
        read_amc(write(skeleton, text), motion)
    assert len(str(told.value)) < 700


@pytest.mark.parametrize("name", ["muco", "panoptic"])
def test_data_sets_with_cameras_of_no_size_are_named(tmp_path: Path, name: str) -> None:
    reader = READERS[name]
    made = reader.make(tmp_path)
    path = made if isinstance(made, Path) else next(p for p in made if "calibration" in p.name)
    text = re.sub(r'"width": \d+', '"width": -5', path.read_text())
    write(path, re.sub(r'("resolution": \[)\d+', r"\1 0", text))
    with pytest.raises(BadInput, match=rf"{path.stem}.*focal length and size are positive"):
        reader.read(tmp_path)
