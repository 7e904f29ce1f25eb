"""MuPoTS-3D samples: small clips of real people outdoors with 3D truth from a multi-camera system.

A folder holds, for each sequence, `TSxx.npz` (the annotations) and `TSxx_374px.mp4` (one frame per annotated frame,
reduced to 374 px of width from the annotated images).
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.archives import read_npz
from dyad.core.camera import Camera
from dyad.core.errors import BadInput, about
from dyad.core.sizes import check_size
from dyad.core.skeleton import MUPOTS17, Skeleton

_LOG = logging.getLogger(__name__)
_ARRAYS = ("gt_xy", "gt_xyz_mm", "gt_valid", "gt_occluded", "K", "image_size")


@dataclass(frozen=True)
class MupotsSequence:
    """F annotated frames of P people with the 17 joints of MuPoTS-3D.

    Attributes:
        name: such as `TS01`. clip: the reduced video, or None where only the annotations are there.
        xy: (F,P,17,2) px of the annotated image. xyz: (F,P,17,3) m in the camera frame, metric.
        valid: (F,P) whether the person is annotated in the frame. occluded: (F,P,17).
        camera: of the annotated image; a person has the same index in every frame.
    """

    name: str
    clip: Path | None
    xy: NDArray[np.float64]
    xyz: NDArray[np.float64]
    valid: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    camera: Camera
    skeleton: Skeleton = MUPOTS17

    def scale(self, clip_width: int) -> float:
        """Size of a pixel of a clip of this width, in pixels of the annotated image."""
        return self.camera.size[0] / clip_width

    def clip_camera(self, size: tuple[int, int]) -> Camera:
        """The camera of the clip, `size` (width, height) px: reduced by the width, surplus rows cut at the bottom."""
        scale = self.scale(size[0])
        # The annotated height is no multiple of the scale, so Camera.resize would squeeze the image a little.
        return Camera(size, self.camera.focal / scale, (self.camera.centre + 0.5) / scale - 0.5, source="given")


def read_mupots(path: str | Path) -> MupotsSequence:
    """Read one `TSxx.npz`, with its clip beside it where there is one. Raises BadInput for anything else."""
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"no MuPoTS annotations at {path}, which should be a TSxx.npz")
    try:
        arrays = read_npz(path, _ARRAYS)
    except BadInput as error:
        raise BadInput(f"{path} does not hold MuPoTS annotations: {error}") from error
    strange = [name for name in _ARRAYS if name not in arrays or arrays[name].dtype.kind not in "biuf"]
    if strange:
        raise BadInput(f"{path} does not hold MuPoTS annotations: {', '.join(strange)} should be there as numbers")
    shape = arrays["gt_valid"].shape
    expected = {"gt_xy": (*shape, 17, 2), "gt_xyz_mm": (*shape, 17, 3), "gt_occluded": (*shape, 17), "K": (3, 3)}
    for name, wanted in expected.items():
        if len(shape) != 2 or arrays[name].shape != wanted:
            raise BadInput(f"{path}: {name} should have the shape {wanted}, got {arrays[name].shape}")
    matrix = arrays["K"].astype(np.float64)
    size = arrays["image_size"]
    if size.shape != (2,) or not (np.isfinite(size).all() and np.isfinite(matrix).all()):
        raise BadInput(f"{path}: image_size should be two numbers and K finite ones, got {size.shape}")
    width, height = (int(side) for side in size)
    check_size(width, height, str(path))
    with about(path):
        camera = Camera((width, height), torch.tensor(matrix.diagonal()[:2]), torch.tensor(matrix[:2, 2]))
    clip = path.with_name(f"{path.stem}_374px.mp4")
    return MupotsSequence(
        name=path.stem,
        clip=clip if clip.is_file() else None,
        xy=arrays["gt_xy"].astype(np.float64),
        xyz=arrays["gt_xyz_mm"].astype(np.float64) / 1000,
        valid=arrays["gt_valid"].astype(bool),
        occluded=arrays["gt_occluded"].astype(bool),
        camera=camera,
    )


def find_mupots(folder: str | Path) -> Iterator[MupotsSequence]:
    """The sequences of a folder that have both annotations and clip, by name. Raises BadInput where there is none."""
    found = 0
    for path in sorted(Path(folder).glob("TS*.npz")):
        if not re.fullmatch(r"TS\d+", path.stem):
            continue
        sequence = read_mupots(path)
        if sequence.clip is None:
            _LOG.warning("%s has no clip %s_374px.mp4 beside it: left out", path, path.stem)
            continue
        found += 1
        yield sequence
    if not found:
        raise BadInput(f"{folder} holds no MuPoTS sequence: expected TSxx.npz with TSxx_374px.mp4 beside it")
