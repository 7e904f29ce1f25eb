"""Human3.6M as its authors distribute it, unpacked: `S1/MyPoseFeatures/D3_Positions/Directions 1.cdf` and so on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.core.clip import Clip
from dyad.core.errors import BadInput, MissingExtra, one_line
from dyad.core.ordering import natural
from dyad.datasets.human36m_cameras import cameras_of_metadata, studio_camera
from dyad.datasets.human36m_clip import check_pixels, clip_of
from dyad.datasets.reading import numbers, read_mat

_POSES = ("MyPoseFeatures", "MyPoses")
_SUFFIXES = (".cdf", ".cdf.mat")


def read_raw(folder: str | Path, subjects: Sequence[str], cameras: Sequence[str], joints: int) -> Iterator[Clip]:
    """What `read_human36m` yields, from the raw download.

    Needs `D3_Positions` of each subject (below `MyPoseFeatures` or `MyPoses`), as `.cdf` (with the extra `datasets`,
    which brings cdflib) or as the `.cdf.mat` that MATLAB made of it. `D2_Positions` and `metadata.xml` beside the
    subjects are used where they are there. Raises BadInput, or MissingExtra without cdflib.
    """
    folder = Path(folder)
    metadata = folder / "metadata.xml"
    stated = cameras_of_metadata(metadata) if metadata.is_file() else None
    found = False
    for subject in subjects:
        poses = next((folder / subject / name for name in _POSES if (folder / subject / name).is_dir()), None)
        if poses is None:
            continue
        for path, action in _actions(poses / "D3_Positions"):
            found = True
            world = _cdf(path, 3) / 1000
            for name in cameras:
                studio = stated[subject, name] if stated else studio_camera(subject, name, swapped=True)
                xyz = studio.see(world)
                xy = _flat(poses / "D2_Positions", f"{action}.{name}")
                if xy is not None:
                    if len(xy) != len(xyz):
                        raise BadInput(f"{path} has {len(xyz)} frames, its 2D of camera {name} has {len(xy)}")
                    check_pixels(studio, xyz, xy, f"{path}, camera {name}")
                yield clip_of(folder, subject, action, studio, xyz, xy, joints)
    if not found:
        raise BadInput(
            f"{folder} holds neither data_3d_h36m.npz nor {subjects[0]}/MyPoseFeatures/D3_Positions/*.cdf of Human3.6M"
        )


def _actions(folder: Path) -> list[tuple[Path, str]]:
    """Files with 3D and the names of their actions; `_ALL` is the calibration take, without images."""
    found = {}
    for path in sorted(folder.glob("*.cdf*"), key=natural):
        suffix = next((s for s in reversed(_SUFFIXES) if path.name.endswith(s)), None)
        if suffix and not path.name.startswith("_ALL"):
            found.setdefault(path.name.removesuffix(suffix), path)
    return [(path, action) for action, path in found.items()]


def _flat(folder: Path, name: str) -> NDArray[np.float64] | None:
    path = next((folder / f"{name}{suffix}" for suffix in _SUFFIXES if (folder / f"{name}{suffix}").is_file()), None)
    return None if path is None else _cdf(path, 2)


def _cdf(path: Path, axes: int) -> NDArray[np.float64]:
    """(F,32,axes) mm or px."""
    if path.suffix == ".mat":
        cells = read_mat(path, "data")["data"]
        value = cells[0, 0] if cells.dtype == object and cells.shape == (1, 1) else cells
    else:
        value = _pose(path)
    value = np.asarray(value)
    value = value[0] if value.ndim == 3 and len(value) == 1 else value
    limit = 100_000.0 if axes == 3 else np.inf
    return numbers(value, str(path), (None, 32 * axes), limit=limit).reshape(-1, 32, axes)


def _pose(path: Path) -> object:
    try:
        import cdflib
    except ImportError:
        raise MissingExtra.of("cdflib", "datasets", f"reading {path}") from None
    try:
        return cdflib.CDF(path).varget("Pose")
    except Exception as error:  # A damaged file makes cdflib raise almost anything.
        raise BadInput(f"{path} is no whole CDF file with the variable Pose: {one_line(error)}") from error
