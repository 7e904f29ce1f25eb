"""2D joints of tracked people as files give them: Dyad's own tracks, or plain arrays."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.archives import is_archive, read_npz
from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage, about
from dyad.core.sizes import check_size
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, LSP14, MUPOTS17, Skeleton
from dyad.core.tracks import Tracks

SKELETONS = {skeleton.name: skeleton for skeleton in (BODY17, COCO17, MUPOTS17, LSP14, BLAZEPOSE33)}
_NAMES = {"xy": ("xy", "est_xy"), "confidence": ("confidence", "est_confidence"), "matrix": ("K",)}


def read_joints(
    path: str | Path, *, camera: Camera | None = None, skeleton: Skeleton = BODY17, fps: float = 30.0
) -> Tracks:
    """Tracks with 2D joints, from `tracks.npz` (a file or its folder), or from an npz of arrays.

    Arrays are `xy` (F, P, J, 2) px, people by their index in all frames, NaN or 0 0 where missing; if it has it,
    `confidence` (F, P, J); `K` (3, 3) and `image_size` (2,), the camera, which must be given where they lack. The names
    `est_xy` and `est_confidence` will do. Raises BadInput.

    Args:
        camera: in place of what the file says. skeleton, fps: of arrays.
    """
    path = Path(path)
    arrays = None if path.is_dir() else _arrays(path)
    if arrays is None:
        tracks = Tracks.load(path)
        return tracks if camera is None else tracks.with_(camera=camera)
    xy = arrays["xy"].astype(np.float64)
    joints = len(skeleton)
    if xy.ndim != 4 or xy.shape[2:] != (joints, 2):
        raise BadInput(f"{path}: xy should have the shape (F, P, {joints}, 2) of {skeleton.name}, got {xy.shape}")
    there = np.isfinite(xy).all(-1) & (xy != 0).any(-1)
    confidence = arrays.get("confidence", there.astype(np.float64)).astype(np.float64)
    if confidence.shape != xy.shape[:3]:
        raise BadInput(f"{path}: confidence should have the shape {xy.shape[:3]}, got {confidence.shape}")
    confidence = np.where(there, np.nan_to_num(confidence).clip(0, 1), 0)
    frame, person = at = np.nonzero((confidence > 0).any(-1))
    return Tracks.of_rows(
        skeleton=skeleton,
        camera=camera or _camera(path, arrays),
        frame=torch.from_numpy(frame),
        person=torch.from_numpy(person),
        xy=torch.from_numpy(np.where(there[..., None], xy, np.nan)[at]),
        confidence=torch.from_numpy(confidence[at]),
        frames=torch.arange(len(xy)),
        fps=fps,
        video=path.stem,
    )


def _arrays(path: Path) -> dict[str, NDArray] | None:
    """The arrays of joints in a file by our names; None where it holds something else, such as tracks."""
    if not is_archive(path):
        return None
    archive = read_npz(path, (*(name for names in _NAMES.values() for name in names), "image_size", "header"))
    found = {ours: archive[name] for ours, names in _NAMES.items() for name in names if name in archive}
    if "xy" not in found or "header" in archive:
        return None
    found |= {"image_size": archive["image_size"]} if "image_size" in archive else {}
    for name, value in found.items():
        if value.dtype.kind not in "biuf":
            raise BadInput(f"{path}: {name} should hold numbers, got {value.dtype}")
    return found


def _camera(path: Path, arrays: dict[str, NDArray]) -> Camera:
    if "matrix" not in arrays or "image_size" not in arrays:
        raise BadUsage(f"{path} has no camera (K and image_size): give one with --camera")
    matrix, size = arrays["matrix"].astype(np.float64), arrays["image_size"]
    if matrix.shape != (3, 3) or size.shape != (2,):
        raise BadInput(f"{path}: K should have the shape (3, 3) and image_size (2,), got {matrix.shape}, {size.shape}")
    if not (np.isfinite(size).all() and np.isfinite(matrix).all()):
        raise BadInput(f"{path}: K and image_size should hold finite numbers")
    width, height = (int(side) for side in size)
    check_size(width, height, str(path))
    with about(path):
        return Camera((width, height), torch.tensor(matrix.diagonal()[:2]), torch.tensor(matrix[:2, 2]))
