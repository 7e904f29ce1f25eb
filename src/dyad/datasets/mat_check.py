"""Looks through a MATLAB file (version 5 to 7.2) before anybody makes arrays of it.

SciPy believes what a file states: a hundred bytes may ask for a table of a thousand million cells, and a type that
there is none of, or cells within cells without end, end the process. So the whole structure is checked first, against
MATLAB's description of its format ("MAT-File Format", The MathWorks).
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dyad.core.errors import BadInput

_LARGEST = 1 << 30
_DEEPEST = 16
_HEAD = 128
_LONGEST_NAME = 64
_MATRIX, _COMPRESSED = 14, 15
# Types of elements: whole numbers and floats of all sizes, then text in three encodings.
_INT8, _INT32, _UINT32 = 1, 5, 6
_DATA = frozenset((1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18))
# Classes of matrices. Beyond the last are functions and objects of MATLAB's own, which SciPy reads in another way.
_CELL, _STRUCT, _OBJECT, _SPARSE, _LAST = 1, 2, 3, 5, 15


@dataclass(frozen=True)
class _Element:
    kind: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def check_mat(path: Path) -> None:
    """BadInput for a file whose parts do not fit together, or that unpacks to a gigabyte.

    Files of version 4 and 7.3, and what is no MATLAB file at all, are left to whoever reads them.
    """
    if path.stat().st_size > _LARGEST:
        raise BadInput(f"{path} has more than {_LARGEST >> 30} GiB")
    data = path.read_bytes()
    # What SciPy goes by, to the byte: the minor version may be any, and what is not little-endian counts as big.
    order = "<" if data[126:128] == b"IM" else ">"
    major = data[124:126][::-1][:1] if data[126:127] == b"I" else data[124:125]
    if len(data) < _HEAD or 0 in data[:4] or major != b"\x01":
        return
    left = _LARGEST
    try:
        for element in _elements(data, _HEAD, len(data), order):
            content = data
            if element.kind == _COMPRESSED:
                content = zlib.decompressobj().decompress(data[element.start : element.stop], left + 1)
                left -= len(content)
                if left < 0:
                    raise ValueError(f"it unpacks to more than {_LARGEST >> 30} GiB")
                element = next(_elements(content, 0, len(content), order))
            if element.kind != _MATRIX:
                raise ValueError(f"it holds an element of the type {element.kind}")
            _Matrices(content, order).check(element, 0)
    except (ValueError, StopIteration, zlib.error, struct.error) as error:
        raise BadInput(f"{path} is no whole MATLAB file: {error or 'it ends early'}") from error


class _Matrices:
    """Checks matrices in some bytes; raises ValueError, or StopIteration where one has too few parts."""

    def __init__(self, data: bytes, order: str) -> None:
        self._data, self._order = data, order

    def check(self, matrix: _Element, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"its cells lie within one another more than {_DEEPEST} deep")
        # An empty cell may be stated by its head alone.
        if not len(matrix):
            return
        parts = _elements(self._data, matrix.start, matrix.stop, self._order)
        flags = next(parts)
        if flags.kind != _UINT32 or len(flags) != 8:
            raise ValueError("a matrix does not begin with its flags")
        # The class is the lowest byte of the flags.
        held = self._numbers(flags)[0] & 0xFF
        if not 1 <= held <= _LAST:
            raise ValueError(f"it holds something of the class {held}, which is no data")
        sides, name = next(parts), next(parts)
        shape = self._numbers(sides)
        if sides.kind != _INT32 or not 2 <= len(shape) <= 32 or min(shape) < 0:
            raise ValueError(f"a matrix has the sides {str(shape)[:80]}")
        if name.kind != _INT8:
            raise ValueError("a matrix lacks its name")
        entries = math.prod(shape)
        if held in (_STRUCT, _OBJECT):
            entries *= self._fields(parts, held)
        if held in (_CELL, _STRUCT, _OBJECT):
            # Each takes the eight bytes of its head at least; only then it is worth counting them.
            found = list(parts) if 8 * entries <= len(matrix) else []
            if len(found) != entries:
                raise ValueError(f"a table of {str(shape)[:80]} is stated in {len(matrix)} bytes")
            for part in found:
                if part.kind != _MATRIX:
                    raise ValueError(f"a table holds an element of the type {part.kind}")
                self.check(part, depth + 1)
        else:
            found = list(parts)
            if any(part.kind not in _DATA for part in found) or (held != _SPARSE and entries > 8 * len(matrix)):
                raise ValueError(f"an array of {str(shape)[:80]} is stated in {len(matrix)} bytes")
            if held == _SPARSE and max(shape) > len(matrix):
                raise ValueError(f"a sparse array of {str(shape)[:80]} is stated in {len(matrix)} bytes")

    def _fields(self, parts: Iterator[_Element], held: int) -> int:
        """How many fields a struct has."""
        if held == _OBJECT:
            next(parts)
        length, names = next(parts), next(parts)
        width = self._numbers(length)
        if length.kind != _INT32 or len(width) != 1 or not 1 <= width[0] <= _LONGEST_NAME or len(names) % width[0]:
            raise ValueError("a struct lacks the names of its fields")
        return len(names) // width[0]

    def _numbers(self, element: _Element) -> tuple[int, ...]:
        return struct.unpack(
            f"{self._order}{len(element) // 4}i", self._data[element.start : element.stop][: len(element) // 4 * 4]
        )


def _elements(data: bytes, start: int, stop: int, order: str) -> Iterator[_Element]:
    """The elements that fill a stretch of a file."""
    while start < stop:
        kind, size = struct.unpack(f"{order}II", data[start : start + 8])
        if kind >> 16:  # A small element has its content in the place of its size.
            found, after = _Element(kind & 0xFFFF, start + 4, start + 4 + (kind >> 16)), start + 8
        else:
            found = _Element(kind, start + 8, start + 8 + size)
            after = found.stop if kind == _COMPRESSED else start + 8 + (size + 7) // 8 * 8
        if found.stop > min(after, stop):
            raise ValueError("a part of it is longer than the whole")
        yield found
        start = after
