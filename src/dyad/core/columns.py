"""Rows that come one after the other and may be more than memory should hold: large columns of them lie in files.

A file has no name and goes with the tensor. What is read of it comes into memory, `rest` lets it go again, and so does
the system where memory is short: an hour's people take as much of it as a minute's. Small columns never leave memory.
"""

import ctypes
import logging
import os
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

log = logging.getLogger(__name__)

_IN_MEMORY = 1 << 20
"""Bytes of a column that stay in memory."""
_AT_ONCE = 1 << 16
"""Bytes that are written to a file together."""
BLOCK = 4096
"""Rows that are worked on at a time."""
# On many systems /tmp is memory itself; what is large belongs here.
_PLACE = "/var/tmp"
# From Linux' mman-common.h.
_DONTNEED = 4


class Column:
    """Values (N, …) of rows, appended some at a time, all of one shape and type."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._file: Any = None
        self._like = torch.zeros(0)
        self._rows = 0
        self._most = _IN_MEMORY if os.name == "posix" else sys.maxsize

    def append(self, values: Tensor) -> None:
        """Keep values (n, …)."""
        self._like = values[:0]
        self._rows += len(values)
        self._held += values.detach().contiguous().numpy().tobytes()
        if len(self._held) > self._most:
            self._put_away()

    def tensor(self) -> Tensor:
        """All values (N, …). Nothing can be appended afterwards."""
        shape = (self._rows, *self._like.shape[1:])
        if self._file is not None:
            self._put_away()
        if self._file is None:
            found = torch.frombuffer(self._held, dtype=self._like.dtype) if self._held else self._like
            return found.reshape(shape)
        with self._file as file:
            mapped = np.memmap(file, self._like.numpy().dtype, mode="r+", shape=shape)
        address, known = mapped.ctypes.data, _in_files()
        known[address] = mapped.nbytes
        weakref.finalize(mapped, known.pop, address, None).atexit = False
        return torch.from_numpy(mapped)

    def _put_away(self) -> None:
        try:
            file = self._file or tempfile.TemporaryFile(prefix="dyad-", dir=_place())  # noqa: SIM115
            self._file = file
            file.write(self._held)
            file.flush()
            self._held, self._most = bytearray(), min(_AT_ONCE, _IN_MEMORY)
        except OSError as error:
            self._most = sys.maxsize
            log.debug("rows stay in memory: %s", error)
            self._take_back()

    def _take_back(self) -> None:
        """Where the disk is full memory has to do."""
        if self._file is None:
            return
        size = self._rows * self._like.new_zeros(self._like.shape[1:]).nbytes - len(self._held)
        self._file.seek(0)
        self._held = bytearray(self._file.read(size)) + self._held
        self._file.close()
        self._file = None


class Columns:
    """Several columns by name, of the same rows."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, values: dict[str, Tensor]) -> slice:
        """Keep rows, all with the same columns; where among all rows they are."""
        for name, value in values.items():
            self._columns.setdefault(name, Column()).append(value)
        first, self._rows = self._rows, self._rows + len(next(iter(values.values())))
        return slice(first, self._rows)

    def tensors(self) -> dict[str, Tensor]:
        """All columns; nothing can be appended afterwards."""
        return {name: self._columns.pop(name).tensor() for name in list(self._columns)}


def column(parts: Iterable[Tensor]) -> Tensor:
    """Parts (n, …), at least one, as one tensor (N, …)."""
    found = Column()
    for part in parts:
        found.append(part)
    return found.tensor()


def picked(values: Tensor, rows: Tensor) -> Tensor:
    """`values[rows]`, block by block; `rows` are numbers."""

    def block(some: Tensor) -> Tensor:
        found = values[some]
        rest(values)
        return found

    return column(block(some) for some in rows.split(BLOCK)) if len(rows) else values[rows]


def mapped(work: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """`work(values)`, block by block, for work that knows nothing but single rows."""

    def block(some: Tensor) -> Tensor:
        found = work(some)
        rest(values)
        return found

    return column(block(some) for some in values.split(BLOCK)) if len(values) else work(values)


def filled(shape: tuple[int, ...], value: float, dtype: torch.dtype) -> Tensor:
    """`torch.full` of rows."""
    first = torch.full((min(BLOCK, shape[0]), *shape[1:]), value, dtype=dtype)
    if len(first) == shape[0]:
        return first
    return column(first[: min(BLOCK, shape[0] - at)] for at in range(0, shape[0], BLOCK))


def in_file(values: Tensor) -> bool:
    """Whether values lie in a file."""
    return values.device.type == "cpu" and values.untyped_storage().data_ptr() in _in_files()


def rest(*several: Tensor) -> None:
    """Let those that lie in files leave memory until they are read again; the others stay."""
    advise = _adviser()
    if advise is None:
        return
    for values in several:
        if in_file(values):
            address = values.untyped_storage().data_ptr()
            advise(address, _in_files()[address], _DONTNEED)


@cache
def _in_files() -> dict[int, int]:
    """Address and bytes of all files in memory, for as long as each is there."""
    return {}


@cache
def _adviser() -> Callable[[int, int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    advise.argtypes, advise.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
    return advise


def _place() -> str | None:
    """The folder for large files; None for the system's usual one."""
    given = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return None if given or not os.access(_PLACE, os.W_OK | os.X_OK) else _PLACE
