"""The body at rest that mesh networks start from. It is made from SMPL's files, which are the user's own: their licence
(https://smpl.is.tue.mpg.de) forbids handing them on, so Dyad neither holds nor fetches them.
"""

import math
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.models.joints import BODY17, positions
from dyad.models.weights import WeightsError, cache_folder

JOINTS14 = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
    *("neck", "head_top"),
)
# Vertices of SMPL's mesh, and of its two coarser versions.
VERTICES = (6890, 1723, 431)
_LARGEST = 256 << 20
"""Bytes of an archive's arrays: the matrices are sparse and take two hundredths of that."""
# Of the published template, which is not quite half a turn.
_TURN = 3.1416

FILES = {
    "smpl_template.npy": "the entry `v_template` of SMPL's neutral model, 6890 x 3, from https://smpl.is.tue.mpg.de",
    "J_regressor_h36m_correct.npy": "the joint regressor, 17 x 6890, from METRO's metro/modeling/data",
    "downsampling_0.npz": "entry 0 of `D` in METRO's mesh_downsampling.npz, 1723 x 6890, by scipy.sparse.save_npz",
    "downsampling_1.npz": "entry 1 of the same, 431 x 1723",
}
"""What `load_template` needs, and where each comes from. The first, third and fourth are pickles as published: save
them once in these plain forms yourself, since Dyad runs no pickle."""


class BodyTemplate(NamedTuple):
    """A body at rest, camera axes, m from its pelvis: joints (14, 3) of `JOINTS14`, coarse vertices (431, 3)."""

    joints: Tensor
    vertices: Tensor


def template_of(joints: Tensor, vertices: Tensor) -> BodyTemplate:
    """From joints (17, 3) of `joints.BODY17` and the coarse vertices (431, 3), anywhere in space."""
    pelvis = joints[positions(["pelvis"], BODY17)]
    return BodyTemplate(joints[positions(JOINTS14, BODY17)] - pelvis, vertices - pelvis)


def template_folder() -> Path:
    """Where `load_template` looks."""
    return cache_folder() / "smpl"


def load_template(folder: str | Path | None = None) -> BodyTemplate:
    """The template made of the user's files in `folder` (default `template_folder()`).

    Raises WeightsError: names the files that are missing, what each is and where to put it, or what is wrong in one.
    """
    folder = template_folder() if folder is None else Path(folder)
    missing = {name: what for name, what in FILES.items() if not (folder / name).is_file()}
    if missing:
        wanted = "; ".join(f"{name} ({what})" for name, what in missing.items())
        raise WeightsError(f"The template body needs files that are yours to get; put into {folder}: {wanted}.")
    finest, middle, coarse = VERTICES
    body = _array(folder / "smpl_template.npy", (finest, 3))
    regressor = _array(folder / "J_regressor_h36m_correct.npy", (len(BODY17), finest))
    first = _sparse(folder / "downsampling_0.npz", (middle, finest))
    second = _sparse(folder / "downsampling_1.npz", (coarse, middle))
    sine, cosine = math.sin(_TURN), math.cos(_TURN)
    body = body @ np.array(((1, 0, 0), (0, cosine, sine), (0, -sine, cosine)))
    parts = (
        torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in (regressor @ body, second @ (first @ body))
    )
    return template_of(*parts)


def _array(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        # Mapped first: a header that states more than the file holds takes no memory.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # A damaged header makes numpy and tokenize raise almost anything.
        raise WeightsError(f"{path} is no plain array of numpy: {_said(error)}.") from error
    return _checked(path, values, shape)


def _sparse(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    from scipy.sparse import load_npz

    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError(f"it unpacks to more than {_LARGEST >> 20} MiB")
        found = load_npz(path)
        if found.shape == shape:
            # SciPy goes where the indices say, in memory or not.
            found = found.tocsc() if found.format == "coo" else found
            found.check_format(full_check=True)
            values = found.toarray()
        else:
            values = np.broadcast_to(0.0, found.shape)
    except Exception as error:  # scipy raises almost anything on an archive that is none of its own.
        raise WeightsError(f"{path} is no sparse matrix of scipy.sparse.save_npz: {_said(error)}.") from error
    return _checked(path, values, shape)


def _said(error: Exception) -> str:
    said = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(said.split())[:120]


def _checked(path: Path, values: NDArray, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if values.shape != shape or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise WeightsError(f"{path} should hold finite numbers of shape {shape}, got {values.dtype} {values.shape}.")
    return values.astype(np.float64)
