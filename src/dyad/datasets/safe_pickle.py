"""Reads the data out of a pickle without running it: numbers, text, containers and NumPy arrays, nothing else.

Some data sets are published as pickles, which can hold any program. Python's own unpickler calls what the file names;
this reader walks the file's operations itself, knows by name the few that NumPy writes, and carries out none of them.
"""

import io
import math
import pickletools
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dyad.core.archives import check_unpacked
from dyad.core.errors import BadInput, one_line

_NUMPY = tuple(f"numpy.{core}.multiarray" for core in ("core", "_core"))
_NUMERIC = tuple(f"numpy.{core}.numeric" for core in ("core", "_core"))
_MEANING = {
    **{f"{module} _reconstruct": "array" for module in _NUMPY},
    **{f"{module} scalar": "scalar" for module in _NUMPY},
    **{f"{module} _frombuffer": "buffer" for module in _NUMERIC},
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
    "__builtin__ bytes": "bytes",
    "builtins bytes": "bytes",
}
_PUSHED = re.compile(
    r"INT|BININT[12]?|LONG[14]?|(BIN)?FLOAT|(SHORT_)?BINSTRING|STRING|UNICODE|(SHORT_)?BINUNICODE|BINUNICODE8"
    r"|(SHORT_)?BINBYTES|BINBYTES8|BYTEARRAY8"
)
_MARK = object()
_LARGEST = 8 << 30
_DEEPEST = 64


class _Refused(ValueError):
    """The file asks for something that is no data."""


@dataclass(frozen=True)
class _Named:
    """A thing outside the file that the file names; only its meaning is kept."""

    meaning: str


@dataclass
class _Unfinished:
    """An array or a type between its making and its contents; `places` are the memo's entries of it."""

    kind: str
    code: str = ""
    places: list[int] = field(default_factory=list)


def read_pickle(path: str | Path) -> Any:
    """The data in a pickle file. Raises BadInput if it is missing, damaged, or holds anything but data."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error
    return read_pickled(content, str(path))


def read_pickled(content: bytes, name: str = "the pickle") -> Any:
    """The data in a pickle's bytes: dict, list, tuple, str, bytes, numbers, None, and arrays (perhaps read-only).

    Text of Python 2 becomes str by Latin-1. Raises BadInput, which says of `name` what is wrong.
    """
    try:
        value = _Reader().read(content)
        _check_expanse(value, 16 * len(content) + 4096)
        return value
    except _Refused as error:
        raise BadInput(f"{name} holds more than data: {one_line(error)!r}; nothing of it was carried out") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise BadInput(f"{name} is no whole pickle: {' '.join(str(error).split())[:200]}") from error


def read_object_npz(path: str | Path, *names: str) -> dict[str, Any]:
    """Entries of an npz archive; one that NumPy wrote as an object (such as a dict) is read as `read_pickled` does."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in names if f"{name}.npy" not in archive.namelist()]
            if missing:
                raise BadInput(f"{path} lacks {', '.join(missing)}; it holds {', '.join(archive.namelist())[:200]}")
            entries = [archive.getinfo(f"{name}.npy") for name in names]
            check_unpacked(path, Path(path).stat().st_size, entries)
            if max((entry.file_size for entry in entries), default=0) > _LARGEST:
                raise BadInput(f"{path} states an entry beyond {_LARGEST >> 30} GiB: damaged")
            for name in names:
                found[name] = _npy(archive.read(f"{name}.npy"), f"{path}, {name}")
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except BadInput:
        raise
    except Exception as error:  # A damaged archive makes zipfile, zlib and numpy raise almost anything.
        raise BadInput(f"{path} is no npz archive, or a part of one: {one_line(error)!r}") from error
    return found


def _npy(content: bytes, name: str) -> Any:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    _, _, dtype = header(stream)
    if not dtype.hasobject:
        return np.load(io.BytesIO(content), allow_pickle=False)
    value = read_pickled(content[stream.tell() :], name)
    return value.item() if isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.ndim == 0 else value


def _check_expanse(value: Any, most: int) -> None:
    """ValueError for containers within containers that, written out, would have more than `most` entries.

    Each may be named many times, and even in itself: a few bytes would become billions of entries.
    """
    waiting, count = [(value, 0)], 0
    while waiting:
        inner, depth = waiting.pop()
        if isinstance(inner, np.ndarray) and inner.dtype.kind == "O":
            entries = inner.ravel().tolist()
        elif isinstance(inner, list | tuple | dict):
            entries = list(inner.values()) if isinstance(inner, dict) else inner
        else:
            continue
        count += len(entries)
        if count > most or depth > _DEEPEST:
            raise ValueError("its containers hold one another without end")
        waiting.extend((entry, depth + 1) for entry in entries)


class _Reader:
    """One walk over one pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, content: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return self._pop()
            if _PUSHED.fullmatch(opcode.name):
                self._stack.append(argument)
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise _Refused(f"it uses the operation {opcode.name}")
        raise ValueError("it ends before its last operation")

    def _pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Unfinished | _Named) or value is _MARK:
            raise ValueError("something in it is begun and never finished")
        return value

    def _marked(self) -> list[Any]:
        """Everything above the last mark."""
        values = []
        while self._stack[-1] is not _MARK:
            values.append(self._pop())
        self._stack.pop()
        return values[::-1]

    def _discard(self, _: Any) -> None:
        self._stack.pop()

    def _discard_marked(self, _: Any) -> None:
        self._marked()

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _put(self, place: int | None) -> None:
        place = len(self._memo) if place is None else int(place)
        value = self._stack[-1]
        self._memo[place] = value
        if isinstance(value, _Unfinished):
            value.places.append(place)

    def _get(self, place: int) -> None:
        self._stack.append(self._memo[int(place)])

    def _tuple(self, count: int) -> None:
        self._stack.append(tuple([self._pop_any() for _ in range(count)][::-1]))

    def _pop_any(self) -> Any:
        """A tuple of arguments may begin with the name of a type."""
        value = self._stack[-1]
        return self._stack.pop() if isinstance(value, _Named) and value.meaning == "ndarray" else self._pop()

    def _tuple_of_marked(self, _: Any) -> None:
        values = []
        while self._stack[-1] is not _MARK:
            values.append(self._pop_any())
        self._stack.pop()
        self._stack.append(tuple(values[::-1]))

    def _append(self, _: Any) -> None:
        value = self._pop()
        self._the(list).append(value)

    def _appends(self, _: Any) -> None:
        values = self._marked()
        self._the(list).extend(values)

    def _setitem(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._the(dict).update(_pairs([key, value]))

    def _setitems(self, _: Any) -> None:
        values = self._marked()
        self._the(dict).update(_pairs(values))

    def _dict(self, _: Any) -> None:
        values = self._marked()
        self._stack.append(_pairs(values))

    def _the(self, kind: type) -> Any:
        if type(self._stack[-1]) is not kind:
            raise ValueError(f"it fills a {type(self._stack[-1]).__name__} as if it were a {kind.__name__}")
        return self._stack[-1]

    def _global(self, name: str) -> None:
        if name not in _MEANING:
            raise _Refused(f"it asks for {name.replace(' ', '.')[:120]}")
        self._stack.append(_Named(_MEANING[name]))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._global(f"{module} {name}")

    def _reduce(self, _: Any) -> None:
        arguments, made = self._pop(), self._stack.pop()
        if not isinstance(made, _Named) or not isinstance(arguments, tuple):
            raise _Refused("it calls something that is no array")
        match made.meaning, arguments:
            case "array", (_Named("ndarray"), _, _):
                value: Any = _Unfinished("array")
            case "dtype", (str() | bytes() as code, *_):
                value = _Unfinished("dtype", _text(code))
            case "scalar", (np.dtype() as dtype, raw) if dtype.kind != "O":
                value = _array((), dtype, False, raw)[()]
            case "buffer", (raw, np.dtype() as dtype, shape, order):
                value = _array(shape, dtype, order == "F", raw)
            case "encode", (str() as text, "latin1" | "latin-1"):
                value = text.encode("latin-1")
            case "bytes", ():
                value = b""
            case _:
                raise _Refused(f"it makes {made.meaning} of something else than NumPy does")
        self._stack.append(value)

    def _build(self, _: Any) -> None:
        state, made = self._pop(), self._stack.pop()
        if not isinstance(made, _Unfinished) or not isinstance(state, tuple):
            raise _Refused("it sets the inside of something that is no array")
        if made.kind == "dtype":
            value: Any = _dtype(made.code, state)
        else:
            _, shape, dtype, fortran, raw = state
            value = _array(shape, dtype, bool(fortran), raw)
        for place in made.places:
            self._memo[place] = value
        self._stack.append(value)


_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "MARK": _Reader._mark,
    "POP": _Reader._discard,
    "POP_MARK": _Reader._discard_marked,
    "DUP": lambda reader, _: reader._push(reader._stack[-1]),
    "NONE": lambda reader, _: reader._push(None),
    "NEWTRUE": lambda reader, _: reader._push(True),
    "NEWFALSE": lambda reader, _: reader._push(False),
    "EMPTY_LIST": lambda reader, _: reader._push([]),
    "EMPTY_DICT": lambda reader, _: reader._push({}),
    "EMPTY_TUPLE": lambda reader, _: reader._push(()),
    "LIST": lambda reader, _: reader._push(reader._marked()),
    "TUPLE": _Reader._tuple_of_marked,
    "TUPLE1": lambda reader, _: reader._tuple(1),
    "TUPLE2": lambda reader, _: reader._tuple(2),
    "TUPLE3": lambda reader, _: reader._tuple(3),
    "DICT": _Reader._dict,
    "APPEND": _Reader._append,
    "APPENDS": _Reader._appends,
    "SETITEM": _Reader._setitem,
    "SETITEMS": _Reader._setitems,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Reader._put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Reader._get),
    "GLOBAL": _Reader._global,
    "STACK_GLOBAL": _Reader._stack_global,
    "REDUCE": _Reader._reduce,
    "BUILD": _Reader._build,
}


def _pairs(values: list[Any]) -> dict[Any, Any]:
    """A table of keys and values in turn; keys are plain, since to hash tuples within tuples can end the process."""
    keys = values[::2]
    if not all(isinstance(key, str | bytes | int | float | np.generic | None) for key in keys):
        raise ValueError("a key in it is neither text nor a number")
    return dict(zip(keys, values[1::2], strict=True))


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _dtype(code: str, state: tuple[Any, ...]) -> np.dtype:
    """A plain type of numbers, text or objects; `state` is version, byte order, then what only records have."""
    if not re.fullmatch(r"b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,6}|O8?", code):
        raise _Refused(f"it holds an array of the type {code[:40]!r}")
    if any(state[at] is not None for at in (2, 3, 4)):
        raise _Refused("it holds an array of records")
    order = _text(state[1])
    return np.dtype(code).newbyteorder(order) if order in ("<", ">") else np.dtype(code)


def _array(shape: Any, dtype: Any, fortran: bool, raw: Any) -> Any:
    """An array of contents whose length agrees with the shape: a small file cannot ask for much memory."""
    if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple):
        raise ValueError("an array in it lacks its type or shape")
    shape = tuple(int(side) for side in shape)
    count = math.prod(shape)
    if min(shape, default=0) < 0:
        raise ValueError(f"an array in it has the shape {shape}")
    if dtype.kind == "O":
        if not isinstance(raw, list) or len(raw) != count:
            raise ValueError(f"an array of objects in it should have {count} of them")
        values = np.empty(count, dtype=object)
        for at, item in enumerate(raw):
            values[at] = item
    else:
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.itemsize:
            raise ValueError(f"an array in it of the shape {shape} should have {count * dtype.itemsize} bytes")
        values = np.frombuffer(raw, dtype) if count else np.empty(0, dtype)
        values = values.astype(dtype.newbyteorder("="), copy=False)
    return values.reshape(shape, order="F" if fortran else "C")
