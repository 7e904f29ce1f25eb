"""Opens the files of data sets, and says in one sentence what is wrong with one."""

import json
import logging
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage, MissingExtra, one_line
from dyad.core.ordering import natural
from dyad.core.sources import IMAGE_SUFFIXES
from dyad.core.video import Video
from dyad.datasets.mat_check import check_mat

_LOG = logging.getLogger(__name__)

_LARGEST = 1 << 30
FARTHEST = 1000.0
"""No data set has a joint this many metres away: a file that says so is damaged, or in other units."""


def numbers(
    value: Any,
    what: str,
    shape: Sequence[int | None],
    *,
    limit: float = math.inf,
    missing: bool = False,
    flat: bool = False,
) -> NDArray[np.float64]:
    """A float64 array of a shape (None: any length). BadInput for others, for NaN unless `missing`, beyond `limit`.

    `what` begins the sentence: the file and the entry. With `flat` the numbers may stand as a row, a column or a table.
    """
    try:
        array = np.ravel(value) if flat else np.asarray(value)
    except ValueError:
        raise BadInput(f"{what} should be an array, got lists of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise BadInput(f"{what} should hold numbers, got {array.dtype}")
    wrong = array.ndim != len(shape) or any(
        wanted not in (None, got) for wanted, got in zip(shape, array.shape, strict=False)
    )
    if wrong:
        wanted = " x ".join("any" if side is None else str(side) for side in shape) or "one number"
        raise BadInput(
            f"{what} should have the shape {wanted}, got {' x '.join(map(str, array.shape)) or 'one number'}"
        )
    array = array.astype(np.float64)
    if np.isinf(array).any() or (np.isnan(array).any() and not missing):
        raise BadInput(f"{what} holds values that are not finite")
    if array.size and np.nanmax(np.abs(array), initial=0) > limit:
        raise BadInput(f"{what} holds {np.nanmax(np.abs(array)):.4g}, beyond {limit:g}: damaged, or in other units")
    return array


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises BadInput."""
    try:
        # A pipe or a device could keep us waiting, or give without end.
        if path.exists() and not path.is_file():
            raise BadInput(f"cannot read {path}: it is no regular file")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is no whole JSON file: {one_line(error)}") from error


def read_mat(path: Path, *names: str) -> dict[str, Any]:
    """Variables of a MATLAB file (version 4 to 7.2). Raises BadInput, also where one is missing."""
    from scipy.io import loadmat

    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    try:
        check_mat(path)
        content = loadmat(path)
    except BadInput:
        raise
    except NotImplementedError:
        raise BadInput(f"{path} is a MATLAB 7.3 file, expected one of version 7 or older") from None
    except Exception as error:  # A damaged file makes SciPy raise almost anything.
        raise BadInput(f"{path} is no whole MATLAB file: {one_line(error)}") from error
    return _wanted(path, content, names)


def read_hdf5(path: Path, *names: str) -> dict[str, Any]:
    """Data sets of an HDF5 file, such as a MATLAB 7.3 file. Raises BadInput, or MissingExtra without h5py."""
    try:
        import h5py
    except ImportError:
        raise MissingExtra.of("h5py", "datasets", f"reading {path}") from None
    if not path.is_file():
        raise BadInput(f"there is no file {path}")
    try:
        with h5py.File(path, "r") as file:
            found = {name: file[name] for name in names if name in file}
            # A file may say that its numbers lie in any other file.
            if any(_lies_elsewhere(file, name) for name in found):
                raise BadInput(f"{path} says that its contents lie in other files, which are not read")
            # A small file may state a large array that is nowhere written.
            if any(entry.nbytes > _LARGEST for entry in found.values()):
                raise BadInput(f"{path} states arrays beyond {_LARGEST >> 30} GiB: damaged")
            return _wanted(path, {name: entry[()] for name, entry in found.items()}, names)
    except BadInput:
        raise
    except Exception as error:  # A damaged file makes HDF5 raise almost anything.
        raise BadInput(f"{path} is no whole HDF5 (MATLAB 7.3) file: {one_line(error)}") from error


def _lies_elsewhere(file: Any, name: str) -> bool:
    link, entry = type(file.get(name, getlink=True)).__name__, file[name]
    return link == "ExternalLink" or bool(getattr(entry, "external", None)) or bool(getattr(entry, "is_virtual", False))


def _wanted(path: Path, content: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    missing = [name for name in names if name not in content]
    if missing:
        raise BadInput(f"{path} lacks {', '.join(missing)}")
    return {name: content[name] for name in names}


def subfolders(folder: str | Path, pattern: str, what: str) -> Iterator[Path]:
    """Folders inside a folder whose names match, in natural order. Raises BadInput if there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}: expected {what}")
    found = [path for path in folder.iterdir() if path.is_dir() and re.fullmatch(pattern, path.name)]
    if not found:
        raise BadInput(f"{folder} holds no {what}")
    yield from sorted(found, key=natural)


def chosen(split: str | None, splits: Sequence[str], name: str) -> tuple[str, ...]:
    """The splits to read: the one that is named, or all. Raises BadUsage for a name that is none."""
    if split is None:
        return tuple(splits)
    if split not in splits:
        raise BadUsage(f"{name} has the splits {', '.join(splits)}, got {split!r}")
    return (split,)


def video_at(*places: Path, camera: Camera | None = None, fps: float, frames: int) -> Video | None:
    """The first of these files or folders of images that is there, or None.

    A folder counts only if its images are numbered without gaps and there are at least as many as `frames`: otherwise
    the truth of one frame would meet the image of another; a warning says so.
    """
    for place in places:
        if place.is_dir():
            images = [path.stem for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
            last = [int(match[1]) for name in images if (match := re.search(r"(\d+)$", name))]
            whole = len(last) >= max(frames, 1) and len(last) == len(set(last)) == max(last) - min(last) + 1
            if not whole or min(last) > 1:
                if images:
                    _LOG.warning("%s holds %d images, expected %d without gaps: left out", place, len(images), frames)
                continue
        elif not place.is_file():
            continue
        return Video(place, camera=camera, fps=fps)
    return None
