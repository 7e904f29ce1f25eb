"""Human3.6M in VideoPose3D's form: `data_3d_h36m.npz` and `data_2d_h36m_gt.npz` (or `…_cpn_ft_h36m_dbb.npz`).

(Ionescu et al., Human3.6M, TPAMI 2014; Pavllo et al., 3D human pose estimation in video, CVPR 2019.) The raw download
has a reader of its own, `dyad.datasets.human36m_raw`; `read_human36m` takes whichever the folder holds.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.datasets.human36m_cameras import CAMERAS, SUBJECTS, studio_camera
from dyad.datasets.human36m_clip import check_pixels, clip_of
from dyad.datasets.human36m_raw import read_raw
from dyad.datasets.reading import chosen, numbers
from dyad.datasets.safe_pickle import read_object_npz

_FARTHEST = 100.0
"""The studio is smaller, in m: positions beyond are in other units."""


def read_human36m(
    folder: str | Path,
    *,
    split: str | None = None,
    cameras: Sequence[str] = CAMERAS,
    keypoints: str = "gt",
    joints: int = 17,
) -> Iterator[Clip]:
    """A clip for each subject, action and camera: `S9/Directions 1.60457274`, one person, 50 frames a second.

    Splits: `train` (S1 5 6 7 8) and `test` (S9 11). `joints` is 17 (`body17`) or 32 (`h36m32`); nothing tells
    occlusion. `keypoints` names the file of 2D joints, `data_2d_h36m_KEYPOINTS.npz`; without it (or with 32 joints)
    2D is where 3D appears. Videos are taken from `S9/Videos/Directions 1.60457274.mp4` where they are there.
    A folder without npz files is read as the raw download. The floor (z = 0 of the studio) becomes `world`.

    Raises BadInput for files that are missing, damaged, or whose 2D truth is not where the cameras see the 3D.
    """
    folder = Path(folder)
    subjects = [s for name in chosen(split, tuple(SUBJECTS), "Human3.6M") for s in SUBJECTS[name]]
    strange = sorted(set(cameras) - set(CAMERAS))
    if strange or joints not in (17, 32):
        raise BadUsage(f"Human3.6M has the cameras {', '.join(CAMERAS)}, and 17 or 32 joints; got {strange or joints}")
    if not (folder / "data_3d_h36m.npz").is_file():
        yield from read_raw(folder, subjects, cameras, joints)
        return
    source, flat = folder / "data_3d_h36m.npz", folder / f"data_2d_h36m_{keypoints}.npz"
    solid = _table(read_object_npz(source, "positions_3d")["positions_3d"], source)
    pixels = _table(read_object_npz(flat, "positions_2d")["positions_2d"], flat) if flat.is_file() else None
    found = [subject for subject in subjects if subject in solid]
    if not found:
        raise BadInput(f"{source} holds none of the subjects {', '.join(subjects)}; it holds {', '.join(solid)}")
    for subject in found:
        for action, positions in _table(solid[subject], source).items():
            world = numbers(positions, f"{source}, {subject}, {action}", (None, 32, 3), limit=_FARTHEST)
            for name in cameras:
                studio = studio_camera(subject, name, swapped=False)
                what = f"{flat}, {subject}, {action}, camera {name}"
                xy = _pixels(pixels, subject, action, CAMERAS.index(name), len(world), what) if pixels else None
                xyz = studio.see(world)
                if xy is not None and keypoints == "gt":
                    check_pixels(studio, xyz, xy, what)
                yield clip_of(folder, subject, action, studio, xyz, xy, joints)


def _table(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict) or not value or not all(isinstance(key, str) for key in value):
        raise BadInput(f"{path} should hold a table of subjects and actions, got {type(value).__name__}")
    return value


def _pixels(
    pixels: dict[str, Any], subject: str, action: str, camera: int, frames: int, what: str
) -> NDArray[np.float64]:
    """(F,17 or 32,2) px; the files of detectors hold a few frames more than there is 3D for."""
    try:
        value = pixels[subject][action][camera]
    except (KeyError, IndexError, TypeError):
        raise BadInput(f"{what}: there are no 2D joints") from None
    xy = numbers(value, what, (None, None, None))[:frames, :, :2]
    if len(xy) != frames or xy.shape[1] not in (17, 32) or xy.shape[2] != 2:
        raise BadInput(f"{what} should have {frames} frames of 17 or 32 joints in px, got {np.shape(value)}")
    return xy
