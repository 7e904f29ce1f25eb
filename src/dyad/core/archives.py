"""Arrays out of npz archives of anybody's making: no pickle, and no more memory than the file's own size warrants."""

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.columns import BLOCK, rest
from dyad.core.errors import BadInput, one_line

_PLAIN = 256 << 20
"""Bytes that arrays may have whatever the size of their file."""
_EMPTY = 1 << 32
"""Bytes that an array without entries may have but for the sides of no length."""
_MOST_PACKED = 100
"""Beyond that, how many times as large as its file an archive may be: deflate packs zeros a thousandfold."""


def read_npz(source: str | Path | BinaryIO, names: Iterable[str] | None = None) -> dict[str, NDArray]:
    """The arrays of an npz archive by name, those of `names` that there are; all if None.

    Raises BadInput, in one sentence, for a file that is missing, damaged, holds Python objects, states an array larger
    than what it holds, or unpacks to far more than it is.
    """
    path = Path(source) if isinstance(source, str | Path) else source
    name = path if isinstance(path, Path) else "what was sent"
    try:
        with zipfile.ZipFile(path) as archive:
            held = {e.filename[:-4]: e for e in archive.infolist() if e.filename.endswith(".npy")}
            chosen = held if names is None else {name: held[name] for name in names if name in held}
            check_unpacked(name, path.stat().st_size if isinstance(path, Path) else path.seek(0, 2), chosen.values())
            found = {}
            for each, entry in chosen.items():
                with archive.open(entry) as file:
                    stated(file, entry.file_size)
                    file.seek(0)
                    found[each] = np.asarray(np.lib.format.read_array(file, allow_pickle=False))
            return found
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"there is no file {name}") from None
    except Exception as error:  # A damaged archive makes zipfile, zlib, ast and numpy raise almost anything.
        raise BadInput(f"{name} is no npz archive, or a part of one: {one_line(error)}") from error


def check_unpacked(name: str | Path, size: int, entries: Iterable[zipfile.ZipInfo]) -> None:
    """Refuse to unpack entries of an archive of `size` bytes that are far more than it is: BadInput."""
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(_PLAIN, _MOST_PACKED * size):
        raise BadInput(f"{name} would unpack to {unpacked >> 20} MiB, far more than it is; nobody wrote it so")


def write_npz(file: BinaryIO, small: dict[str, NDArray], large: dict[str, Tensor]) -> None:
    """What `numpy.savez_compressed` writes, block by block: arrays that lie in files need not be in memory."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in small.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                np.lib.format.write_array(out, array, allow_pickle=False)
        for name, values in large.items():
            values = values.contiguous()
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(values.numpy()))
                for block in values.split(BLOCK):
                    out.write(block.numpy().tobytes())
                    rest(values)


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
    # An array without entries may have sides of any length, which whoever combines it with others trips over.
    most = max(size, _EMPTY) if 0 in shape else size
    entries = math.prod(side for side in shape if side)
    if min(shape, default=0) < 0 or (not dtype.hasobject and entries * max(1, dtype.itemsize) > most):
        raise ValueError(f"an array of the shape {str(shape)[:80]} is stated in {size} bytes")
    return shape
