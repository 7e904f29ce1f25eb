"""Arrays out of npz archives of anybody's making: no pickle, and no more memory than the file's own size warrants."""

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput, one_line

_PLAIN = 256 << 20
"""Bytes that arrays may have whatever the size of their file."""
_MOST_PACKED = 100
"""Beyond that, how many times as large as its file an archive may be: deflate packs zeros a thousandfold."""


def read_npz(path: str | Path, names: Iterable[str] | None = None) -> dict[str, NDArray]:
    """The arrays of an npz archive by name, those of `names` that there are; all if None.

    Raises BadInput, in one sentence, for a file that is missing, damaged, holds Python objects, states an array larger
    than what it holds, or unpacks to far more than it is.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            held = {e.filename[:-4]: e for e in archive.infolist() if e.filename.endswith(".npy")}
            chosen = held if names is None else {name: held[name] for name in names if name in held}
            size = sum(entry.file_size for entry in chosen.values())
            if size > max(_PLAIN, _MOST_PACKED * path.stat().st_size):
                raise BadInput(f"{path} would unpack to {size >> 20} MiB, far more than it is; nobody wrote it so")
            found = {}
            for name, entry in chosen.items():
                with archive.open(entry) as file:
                    stated(file, entry.file_size)
                    file.seek(0)
                    found[name] = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
            return found
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except Exception as error:  # A damaged archive makes zipfile, zlib, ast and numpy raise almost anything.
        raise BadInput(f"{path} is no npz archive, or a part of one: {one_line(error)}") from error


def is_archive(path: str | Path) -> bool:
    """Whether a file looks like an npz or another zip archive; it may be damaged still."""
    try:
        return zipfile.is_zipfile(path)
    except (zipfile.BadZipFile, OSError, ValueError):  # An archive in several parts, for one.
        return False


def stated(file: IO[bytes], size: int) -> tuple[int, ...]:
    """The shape that the header of an .npy states; ValueError where `size` bytes cannot hold such an array."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    shape = tuple(int(side) for side in shape)
    if min(shape, default=0) < 0 or (not dtype.hasobject and math.prod(shape) * max(1, dtype.itemsize) > size):
        raise ValueError(f"an array of the shape {str(shape)[:80]} is stated in {size} bytes")
    return shape
