"""Reads TFLite files (flatbuffers) with numpy alone: tensors, constants, operators.

Only the first subgraph is read, and of the operators only the kinds that the networks of this package use. The file
is treated as hostile: every offset is checked against the file's length, every count against a limit, so a damaged
file gives a `ValueError` and never a crash, a hang or a huge allocation.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

MAX_FILE = 1 << 28  # bytes; networks of this family have a few megabytes
MAX_ITEMS = 10_000  # tensors, operators, buffers
MAX_RANK = 12  # a block-sparse tensor of rank 4 traverses 8 dimensions at most
MAX_ELEMENTS = 1 << 24  # of one constant

_T = TypeVar("_T")
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 9: "i1"}
_INDEX_DTYPES = {1: "<i4", 2: "<u2", 3: "u1"}
_KINDS = {
    0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE", 6: "DEQUANTIZE",
    14: "LOGISTIC", 17: "MAX_POOL_2D", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 34: "PAD", 124: "DENSIFY",
}  # fmt: skip
# Per kind: the number of the option union, then name -> (field of the table, struct format, default).
_OPTIONS: dict[str, tuple[int, dict[str, tuple[int, str, int]]]] = {
    "CONV_2D": (1, {"padding": (0, "<b", 0), "stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0),
                    "activation": (3, "<b", 0), "dilation_w": (4, "<i", 1), "dilation_h": (5, "<i", 1)}),
    "DEPTHWISE_CONV_2D": (2, {"padding": (0, "<b", 0), "stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0),
                              "multiplier": (3, "<i", 0), "activation": (4, "<b", 0),
                              "dilation_w": (5, "<i", 1), "dilation_h": (6, "<i", 1)}),
    "MAX_POOL_2D": (5, {"padding": (0, "<b", 0), "stride_w": (1, "<i", 0), "stride_h": (2, "<i", 0),
                        "filter_w": (3, "<i", 0), "filter_h": (4, "<i", 0), "activation": (5, "<b", 0)}),
    "CONCATENATION": (10, {"axis": (0, "<i", 0), "activation": (1, "<b", 0)}),
    "ADD": (11, {"activation": (0, "<b", 0)}),
    "RESIZE_BILINEAR": (15, {"align_corners": (2, "<b", 0), "half_pixel_centers": (3, "<b", 0)}),
    "DEPTH_TO_SPACE": (94, {"block_size": (0, "<i", 0)}),
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """One traversed dimension of a sparse tensor: dense with `size` entries, or compressed rows."""

    size: int
    segments: np.ndarray | None
    indices: np.ndarray | None


@dataclass(frozen=True)
class Sparsity:
    """How the stored values of a sparse tensor lie in the dense one."""

    order: tuple[int, ...]  # traversal: dimensions of the tensor, then of its blocks
    block_map: tuple[int, ...]  # which dimension each block dimension splits
    axes: tuple[Axis, ...]  # in traversal order


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph; `data` is flat and None where the tensor is computed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    data: np.ndarray | None
    sparsity: Sparsity | None

    def dense(self) -> np.ndarray:
        """The constant in its full shape; sparse ones are spread out. ValueError where it holds none or is damaged."""
        if self.data is None:
            raise ValueError(f"Tensor {self.name!r} holds no constant.")
        count = _elements(self.shape)
        if self.sparsity is None:
            if self.data.size != count:
                raise ValueError(f"Tensor {self.name!r} of shape {self.shape} holds {self.data.size} values.")
            return self.data.reshape(self.shape)
        return _densify(self.data, self.shape, self.sparsity)


@dataclass(frozen=True)
class Operator:
    """One step; inputs and outputs index the graph's tensors, -1 is an absent optional input."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int]


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a TFLite file, operators in order of execution."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_tflite(source: Path | str | bytes) -> Graph:
    """The graph of a TFLite file, given as a path or as its bytes.

    Raises ValueError where the content is not a TFLite file that this package can run, OSError where it cannot be read.
    """
    if isinstance(source, bytes):
        name, data = "TFLite data", source
    else:
        name, data = str(source), _read_bounded(Path(source))
    try:
        return _Reader(data).graph()
    except ValueError as error:
        raise ValueError(f"{name} is not a readable TFLite network ({error}); fetch it again.") from error


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        if size < 0:
            raise ValueError(f"negative size in shape {shape}")
        count *= size
    if count > MAX_ELEMENTS:
        raise ValueError(f"shape {shape} has more than {MAX_ELEMENTS} elements")
    return count


class _Reader:
    """Bounds-checked access to one flatbuffer; a table is the position where it starts."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_FILE:
            raise ValueError(f"larger than {MAX_FILE} bytes")
        if len(data) < 8 or data[4:8] != b"TFL3":
            raise ValueError("the mark TFL3 is missing")
        self.data = data

    def number(self, form: str, at: int) -> int:
        try:
            return struct.unpack_from(form, self.data, at)[0]
        except struct.error as error:
            raise ValueError(f"offset {at} lies outside {len(self.data)} bytes") from error

    def field(self, table: int, index: int) -> int | None:
        """Where a field of a table lies; None where the table leaves it out."""
        vtable = table - self.number("<i", table)
        if vtable < 0:
            raise ValueError(f"table at {table} points before the file")
        slot = 4 + 2 * index
        if slot + 2 > self.number("<H", vtable):
            return None
        offset = self.number("<H", vtable + slot)
        return table + offset if offset else None

    def scalar(self, table: int, index: int, form: str, default: int) -> int:
        at = self.field(table, index)
        return default if at is None else self.number(form, at)

    def child(self, table: int, index: int) -> int | None:
        at = self.field(table, index)
        return None if at is None else at + self.number("<I", at)

    def vector(self, table: int, index: int, dtype: str) -> np.ndarray | None:
        """A read-only view of a vector of numbers; None where the field is absent."""
        at = self.child(table, index)
        if at is None:
            return None
        count = self.number("<I", at)
        if at + 4 + count * np.dtype(dtype).itemsize > len(self.data):
            raise ValueError(f"a vector of {count} entries at {at} runs past the end")
        return np.frombuffer(self.data, dtype, count, at + 4)

    def ints(self, table: int, index: int, limit: int) -> tuple[int, ...]:
        found = self.vector(table, index, "<i4")
        if found is None:
            return ()
        if found.size > limit:
            raise ValueError(f"a list has {found.size} entries, at most {limit} expected")
        return tuple(int(value) for value in found)

    def tables(self, table: int, index: int, limit: int = MAX_ITEMS) -> list[int]:
        offsets = self.vector(table, index, "<u4")
        if offsets is None:
            return []
        if offsets.size > limit:
            raise ValueError(f"a list has {offsets.size} tables, at most {limit} expected")
        base = self.child(table, index) or 0
        return [base + 4 + 4 * place + int(offset) for place, offset in enumerate(offsets)]

    def required(self, found: _T | None, what: str) -> _T:
        if found is None:
            raise ValueError(f"{what} is missing")
        return found

    def graph(self) -> Graph:
        model = self.number("<I", 0)
        kinds = [self._kind(code) for code in self.tables(model, 1)]
        buffers = [self.vector(buffer, 0, "u1") for buffer in self.tables(model, 4)]
        subgraphs = self.tables(model, 2)
        if not subgraphs:
            raise ValueError("it has no subgraph")
        main = subgraphs[0]
        tensors = tuple(self._tensor(table, buffers) for table in self.tables(main, 0))
        operators = tuple(self._operator(table, kinds) for table in self.tables(main, 3))
        inputs, outputs = (self.ints(main, index, 64) for index in (1, 2))
        for index in (*inputs, *outputs, *(index for step in operators for index in step.outputs)):
            if not 0 <= index < len(tensors):
                raise ValueError(f"tensor {index} does not exist")
        for index in (index for step in operators for index in step.inputs):
            if not -1 <= index < len(tensors):
                raise ValueError(f"tensor {index} does not exist")
        return Graph(tensors, operators, inputs, outputs)

    def _kind(self, code: int) -> int:
        # Files older than builtin code 127 have the number only in the first, one-byte field.
        return max(self.scalar(code, 0, "<b", 0), self.scalar(code, 3, "<i", 0))

    def _name(self, table: int, index: int) -> str:
        raw = self.vector(table, index, "u1")
        return "" if raw is None else raw[:200].tobytes().decode("utf-8", "replace")

    def _tensor(self, table: int, buffers: list[np.ndarray | None]) -> Tensor:
        code = self.scalar(table, 1, "<b", 0)
        if code not in _DTYPES:
            raise ValueError(f"element type {code} is not supported")
        dtype = np.dtype(_DTYPES[code])
        index = self.scalar(table, 2, "<I", 0)
        if index >= len(buffers):
            raise ValueError(f"buffer {index} does not exist")
        raw = buffers[index]
        data = None
        if raw is not None and raw.size:
            if raw.size % dtype.itemsize:
                raise ValueError(f"a buffer of {raw.size} bytes does not hold whole elements")
            data = raw.view(dtype)
        shape = self.ints(table, 0, MAX_RANK)
        _elements(shape)
        return Tensor(self._name(table, 3), shape, dtype, data, self._sparsity(table))

    def _sparsity(self, table: int) -> Sparsity | None:
        found = self.child(table, 6)
        if found is None:
            return None
        axes = tuple(self._axis(axis) for axis in self.tables(found, 2, MAX_RANK))
        return Sparsity(self.ints(found, 0, MAX_RANK), self.ints(found, 1, MAX_RANK), axes)

    def _axis(self, table: int) -> Axis:
        size = self.scalar(table, 1, "<i", 0)
        if self.scalar(table, 0, "<b", 0) == 0:
            return Axis(size, None, None)
        return Axis(size, self._indices(table, 2), self._indices(table, 4))

    def _indices(self, table: int, index: int) -> np.ndarray:
        dtype = _INDEX_DTYPES.get(self.scalar(table, index, "<B", 0))
        if dtype is None:
            raise ValueError("a sparse tensor has unknown indices")
        holder = self.required(self.child(table, index + 1), "a list of sparse indices")
        return self.required(self.vector(holder, 0, dtype), "a list of sparse indices")

    def _operator(self, table: int, kinds: list[int]) -> Operator:
        index = self.scalar(table, 0, "<I", 0)
        if index >= len(kinds):
            raise ValueError(f"operator code {index} does not exist")
        kind = _KINDS.get(kinds[index])
        if kind is None:
            raise ValueError(f"operator number {kinds[index]} is not supported")
        options: dict[str, int] = {}
        if kind in _OPTIONS:
            union, fields = _OPTIONS[kind]
            holder = self.child(table, 4)
            if holder is None or self.scalar(table, 3, "<B", 0) != union:
                raise ValueError(f"operator {kind} has no options of its kind")
            options = {name: self.scalar(holder, *where) for name, where in fields.items()}
        return Operator(kind, self.ints(table, 1, 256), self.ints(table, 2, 256), options)


def _densify(data: np.ndarray, shape: tuple[int, ...], sparsity: Sparsity) -> np.ndarray:
    """Spreads stored values over the dense shape (TACO's format: traversal order, blocks, compressed rows)."""
    rank, blocks = len(shape), len(sparsity.block_map)
    if sorted(sparsity.order) != list(range(rank + blocks)) or len(sparsity.axes) != rank + blocks:
        raise ValueError("a sparse tensor does not traverse each of its dimensions once")
    block_sizes = [1] * rank
    for place, dim in enumerate(sparsity.block_map):
        if not 0 <= dim < rank:
            raise ValueError(f"block dimension {dim} does not exist")
        block_sizes[dim] *= sparsity.axes[sparsity.order.index(rank + place)].size
    if len(set(sparsity.block_map)) != blocks:
        raise ValueError("a sparse tensor splits a dimension twice")

    # One row per stored value: its coordinates along the traversed axes, widened axis by axis.
    parents = np.zeros(1, np.int64)
    coordinates: list[np.ndarray] = []
    for axis in sparsity.axes:
        source, here, parents = _children(axis, parents, data.size)
        coordinates = [known[source] for known in coordinates] + [here]
    if parents.size != data.size or not np.array_equal(np.sort(parents), np.arange(data.size)):
        raise ValueError(f"a sparse tensor places {parents.size} values and stores {data.size}")

    by_dim = {dim: coordinates[place] for place, dim in enumerate(sparsity.order)}
    place_in = []
    for dim in range(rank):
        where = by_dim[dim]
        if dim in sparsity.block_map:
            where = where * block_sizes[dim] + by_dim[rank + sparsity.block_map.index(dim)]
        if where.size and not (where.min() >= 0 and where.max() < shape[dim]):
            raise ValueError(f"a sparse value lies outside shape {shape}")
        place_in.append(where)
    dense = np.zeros(shape, data.dtype)
    dense[tuple(place_in)] = data[parents]
    return dense


def _children(axis: Axis, parents: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each entry below `parents`: the row of its parent, its coordinate, its own position in the storage."""
    if axis.segments is None or axis.indices is None:
        if axis.size < 1 or parents.size * axis.size > limit:
            raise ValueError(f"a dense axis of {axis.size} entries exceeds the {limit} stored values")
        source = np.repeat(np.arange(parents.size), axis.size)
        here = np.tile(np.arange(axis.size), parents.size)
        return source, here, parents[source] * axis.size + here
    segments, indices = axis.segments.astype(np.int64), axis.indices.astype(np.int64)
    if parents.size and parents.max() + 1 >= segments.size:
        raise ValueError("a sparse axis has too few segments")
    starts, counts = segments[parents], segments[parents + 1] - segments[parents]
    if (counts < 0).any() or (starts < 0).any() or counts.sum() > limit or (starts + counts > indices.size).any():
        raise ValueError("the segments of a sparse axis are damaged")
    source = np.repeat(np.arange(parents.size), counts)
    first = np.cumsum(counts) - counts
    positions = starts[source] + np.arange(source.size) - first[source]
    return source, indices[positions], positions
