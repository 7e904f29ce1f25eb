import time
from pathlib import Path

import numpy as np
import pytest

from dyad.models.tflite import Axis, Graph, Sparsity, Tensor, read_tflite
from dyad.models.weights import BLAZEPOSE_DETECTOR, BLAZEPOSE_LANDMARKS

F16 = np.dtype("<f2")


def sparse(values: list[float], shape: tuple[int, ...], sparsity: Sparsity) -> Tensor:
    return Tensor("w", shape, F16, np.array(values, F16), sparsity)


def rows(size: int, segments: list[int], indices: list[int]) -> Axis:
    return Axis(size, np.array(segments, "<i4"), np.array(indices, "u1"))


def dense(size: int) -> Axis:
    return Axis(size, None, None)


def test_compressed_rows_are_spread() -> None:
    tensor = sparse([1, 2, 3], (3, 4), Sparsity((0, 1), (), (dense(3), rows(4, [0, 1, 1, 3], [2, 0, 3]))))
    assert tensor.dense().tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 3]]


def test_compressed_columns_are_spread() -> None:
    tensor = sparse([1, 2, 3], (2, 3), Sparsity((1, 0), (), (dense(3), rows(2, [0, 2, 2, 3], [0, 1, 1]))))
    assert tensor.dense().tolist() == [[1, 0, 0], [2, 0, 3]]


def test_blocks_are_spread() -> None:
    # 4x2 in blocks of 2 rows: block row 0 holds block column 1, block row 1 holds block column 0.
    axes = (dense(2), rows(2, [0, 1, 2], [1, 0]), dense(2))
    tensor = sparse([1, 2, 3, 4], (4, 2), Sparsity((0, 1, 2), (0,), axes))
    assert tensor.dense().tolist() == [[0, 1], [0, 2], [3, 0], [4, 0]]


@pytest.mark.parametrize(
    "sparsity",
    [
        Sparsity((0, 0), (), (dense(3), dense(4))),
        Sparsity((0, 1), (), (dense(3),)),
        Sparsity((0, 1), (), (dense(3), rows(4, [0, 1], [2]))),
        Sparsity((0, 1), (), (dense(3), rows(4, [0, 1, 1, 3], [2, 0, 4]))),
        Sparsity((0, 1), (), (dense(3), rows(4, [0, 2, 1, 3], [2, 0, 3]))),
        Sparsity((0, 1), (), (dense(3), rows(4, [0, 1, 1, 200], [2, 0, 3]))),
        Sparsity((0, 1), (), (dense(1 << 30), dense(1 << 30))),
        Sparsity((0, 1, 2), (7,), (dense(3), dense(4), dense(1))),
    ],
)
def test_damaged_sparsity_is_refused(sparsity: Sparsity) -> None:
    with pytest.raises(ValueError, match=r"spars|dense axis|block dim|segment"):
        sparse([1, 2, 3], (3, 4), sparsity).dense()


def test_constant_must_fill_its_shape() -> None:
    with pytest.raises(ValueError, match="holds 3 values"):
        Tensor("w", (2, 2), F16, np.zeros(3, F16), None).dense()
    with pytest.raises(ValueError, match="no constant"):
        Tensor("x", (2, 2), F16, None, None).dense()


@pytest.mark.parametrize(
    ("file", "inputs", "outputs"),
    [
        (BLAZEPOSE_DETECTOR, [(1, 224, 224, 3)], [(1, 2254, 12), (1, 2254, 1)]),
        (BLAZEPOSE_LANDMARKS, [(1, 256, 256, 3)], [(1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117)]),
    ],
)
def test_real_files(blazepose_folder: Path, file, inputs: list, outputs: list) -> None:
    graph = read_tflite(blazepose_folder / file.file)
    assert [graph.tensors[index].shape for index in graph.inputs] == inputs
    assert [graph.tensors[index].shape for index in graph.outputs] == outputs
    made = set(graph.inputs)
    for step in graph.operators:
        for index in step.inputs:
            assert index in made or index == -1 or graph.tensors[index].dense().size > 0
        made.update(step.outputs)
    assert all(np.isfinite(t.dense()).all() for t in graph.tensors if t.data is not None and t.dtype == F16)


def structure(data: bytes, graph: Graph) -> np.ndarray:
    """Offsets of the bytes that are not weights: where damage does most."""
    start = np.frombuffer(data, "u1").__array_interface__["data"][0]
    free = np.ones(len(data), bool)
    for tensor in graph.tensors:
        axes = tensor.sparsity.axes if tensor.sparsity else ()
        for values in (tensor.data, *(part for axis in axes for part in (axis.segments, axis.indices))):
            if values is not None and values.size > 64:
                at = values.__array_interface__["data"][0] - start
                free[at : at + values.nbytes] = False
    return np.flatnonzero(free)


def parses(data: bytes) -> bool:
    """True for a graph, False for a ValueError; anything else fails the test."""
    try:
        graph = read_tflite(data)
        for tensor in graph.tensors:
            if tensor.data is not None and tensor.sparsity is not None:
                tensor.dense()
    except ValueError:
        return False
    return True


def test_hostile_files(blazepose_folder: Path) -> None:
    data = (blazepose_folder / BLAZEPOSE_DETECTOR.file).read_bytes()
    places = structure(data, read_tflite(data))
    assert 10_000 < places.size < len(data) / 4
    random = np.random.default_rng(7)
    start, refused = time.process_time(), 0
    for case in range(250):
        damaged = bytearray(data)
        for place in random.choice(places, 1 + case % 12):
            damaged[place] = random.integers(256)
        refused += not parses(bytes(damaged))
    assert 25 < refused < 250  # some damage must be seen, some (names, spare bytes) is harmless
    for length in (0, 3, 4, 7, 8, 9, 64, *random.integers(10, len(data), 60)):
        parses(data[:length])
    for length in random.integers(0, 5000, 100):
        assert not parses(random.bytes(length))
        parses(data[:4] + b"TFL3" + random.bytes(length))
    assert time.process_time() - start < 30


@pytest.mark.parametrize("length", [0, 7, 8, 40])
def test_truncated_file_says_so(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((b"\x20\0\0\0TFL3" + bytes(40))[:length])
    with pytest.raises(ValueError, match=r"cut\.tflite is not a readable TFLite network"):
        read_tflite(path)


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tflite(tmp_path / "none.tflite")
