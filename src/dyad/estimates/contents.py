"""What is in a file or folder, opened without trust: JSON, arrays without pickle, or a folder of files."""

import json
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.archives import read_npz
from dyad.core.errors import BadInput, one_line
from dyad.core.ordering import natural

LARGEST = 1 << 30
"""Bytes of a JSON file or an array beyond which nobody wrote the poses of one video."""
FARTHEST = 1e6
"""Pixels, and metres, beyond which a number is damage."""
LAST_FRAME = 10_000_000

_NPY, _ZIP = b"\x93NUMPY", b"PK"


@dataclass(frozen=True)
class Json:
    """A JSON file and what it holds."""

    path: Path
    value: Any


@dataclass(frozen=True)
class Arrays:
    """An .npz or .npy file: the shapes of its arrays by name ("" in an .npy); contents are read when asked for."""

    path: Path
    shapes: dict[str, tuple[int, ...]]

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def first(self, *names: str) -> str | None:
        """The first of these names that there is."""
        return next((name for name in names if name in self.shapes), None)

    def read(self, name: str, shape: Sequence[int | None]) -> NDArray[np.float64]:
        """An array of numbers of that shape, None being any length; BadInput for others."""
        what = f"{self.path}, {name or 'its array'},"
        if name not in self.shapes:
            raise BadInput(f"{self.path} lacks the array {name}; it holds {_listed(self.shapes)}")
        check_shape(self.shapes[name], shape, what)
        try:
            if not name:
                return numbers(np.load(self.path, allow_pickle=False), what, shape)
            return numbers(read_npz(self.path, (name,))[name], what, shape)
        except BadInput:
            raise
        except Exception as error:  # A damaged archive makes numpy, zipfile and zlib raise almost anything.
            raise BadInput(f"{what} cannot be read: {one_line(error)}") from error


@dataclass(frozen=True)
class Folder:
    """A folder, and the files in it by name."""

    path: Path
    files: tuple[Path, ...]


Contents = Json | Arrays | Folder


def open_contents(path: str | Path) -> Contents:
    """Open a file or folder by what it holds, whatever it is called. Raises BadInput, also for pickles."""
    path = Path(path)
    try:
        if path.is_dir():
            files = sorted((p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")), key=natural)
            return Folder(path, tuple(files))
        with path.open("rb") as file:
            head = file.read(8)
        size = path.stat().st_size
    except FileNotFoundError:
        raise BadInput(f"there is no file or folder {path}") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {path}: {one_line(error)}") from error
    if head.startswith((_ZIP, _NPY)):
        return Arrays(path, _shapes(path, size, zipped=head.startswith(_ZIP)))
    if head[:1] == b"\x80" or path.suffix.lower() in (".pkl", ".pickle", ".joblib"):
        raise BadInput(
            f"{path} is a pickle, which can hold any program and is not opened here: write its arrays as .npz with the "
            "tool that made it (docs/estimates.md has the lines for VIBE and PARE)"
        )
    if size > LARGEST:
        raise BadInput(f"{path} has {size >> 20} MiB, at most {LARGEST >> 20} are read")
    try:
        return Json(path, json.loads(path.read_bytes()))
    except (ValueError, RecursionError, MemoryError, OSError) as error:
        raise BadInput(f"{path} is neither an .npz or .npy nor whole JSON: {one_line(error)}") from error


def numbers(value: Any, what: str, shape: Sequence[int | None], *, limit: float = FARTHEST) -> NDArray[np.float64]:
    """Numbers of a shape, None being any length; NaN and null are missing values, what is infinite or huge BadInput.

    `what` begins the sentence.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"expected numbers, got {array.dtype}")
        array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInput(f"{what} should hold numbers in rows of one length: {one_line(error)}") from error
    check_shape(array.shape, shape, what)
    wild = np.isinf(array) | (np.abs(array) > limit)
    if wild.any():
        raise BadInput(f"{what} holds {array[wild].flat[0]:.4g}, beyond {limit:g}: damaged")
    return array


def check_shape(got: Sequence[int], wanted: Sequence[int | None], what: str) -> None:
    """BadInput unless a shape is the wanted one, None being any length."""
    if len(got) != len(wanted) or any(w not in (None, g) for w, g in zip(wanted, got, strict=True)):
        should = " x ".join("any" if side is None else str(side) for side in wanted) or "one number"
        raise BadInput(f"{what} should have the shape {should}, got {' x '.join(map(str, got)) or 'one number'}")


def whole(value: Any, what: str, *, low: int = 0, high: int = LAST_FRAME) -> int:
    """A whole number low ≤ value < high, also where it is written as a float; BadInput for others."""
    number = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise BadInput(f"{what} should be a whole number, got {_short(value)}")
    if not low <= number < high or number != int(number):
        raise BadInput(f"{what} should be a whole number from {low} to {high - 1}, got {_short(number)}")
    return int(number)


def trailing_number(name: str) -> int | None:
    """The last number in a file's name, as frames are numbered; None where there is none."""
    found = re.findall(r"\d+", Path(name.replace("\\", "/")).stem)
    return int(found[-1]) if found and len(found[-1]) < 19 else None


def _shapes(path: Path, size: int, *, zipped: bool) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays by their headers; BadInput where a header states more than its file holds."""
    try:
        if not zipped:
            with path.open("rb") as file:
                return {"": _stated(file, size)}
        shapes = {}
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".npy"):
                    with archive.open(entry) as file:
                        shapes[entry.filename[:-4]] = _stated(file, entry.file_size)
        return shapes
    except BadInput:
        raise
    except Exception as error:  # A damaged archive makes numpy, zipfile, zlib and ast raise almost anything.
        raise BadInput(f"{path} is no .npz or .npy archive, or a part of one: {one_line(error)}") from error


def _stated(file: Any, size: int) -> tuple[int, ...]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if not dtype.hasobject and min(shape, default=0) >= 0 and math.prod(shape) * dtype.itemsize > min(size, LARGEST):
        raise ValueError(f"an array of the shape {shape} is stated in {size} bytes")
    if min(shape, default=0) < 0:
        raise ValueError(f"an array of the shape {shape} is stated")
    return tuple(int(side) for side in shape)


def _listed(names: Any) -> str:
    return ", ".join(list(names)[:12])[:200] or "none"


def _short(value: Any) -> str:
    return repr(value)[:60]
