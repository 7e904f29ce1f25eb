"""Motions stored as npz: one clip a file, quaternions and metres."""

from pathlib import Path

import numpy as np

from dyad.core.archives import is_archive, read_npz
from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.synthetic.motion.motion_text import MOST_JOINTS
from dyad.synthetic.motion.motions import Motion
from dyad.synthetic.motion.rotations import from_quaternion, to_quaternion

_NEEDED = ("names", "parents", "offsets", "rot", "trans", "fps")


def load_motion(path: str | Path) -> Motion:
    """The motion in an npz file.

    It holds `names` (J,), `parents` (J,) with -1 for the root and parents before children, `offsets` (J, 3) m, `rot`
    (T, J, 4) local quaternions w x y z, `trans` (T, 3) root positions m with y up, `fps`, and perhaps `source` and
    `licence`. BadInput where it does not.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"cannot read {path}: there is no such file")
    if not is_archive(path):
        raise BadInput(f"{path} is no npz file; a recorded motion is, or a BVH or AMC file")
    arrays = read_npz(path, (*_NEEDED, "source", "licence"))
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise BadInput(f"{path} is no recorded motion: it lacks {', '.join(missing)}")
    names, parents, offsets, quaternions = (arrays[name] for name in _NEEDED[:4])
    _require(names.ndim == 1 and names.dtype.kind == "U", path, "names (J,) of text", names)
    count = len(names)
    _require(0 < count <= MOST_JOINTS, path, f"1 to {MOST_JOINTS} joints", names)
    _require(parents.shape == (count,) and parents.dtype.kind in "iu", path, f"parents ({count},) of integers", parents)
    for name, values, shape in (
        ("offsets", offsets, (count, 3)),
        ("rot", quaternions, (-1, count, 4)),
        ("trans", arrays["trans"], (len(quaternions) if quaternions.ndim else 0, 3)),
        ("fps", arrays["fps"], ()),
    ):
        fits = values.ndim == len(shape) and all(
            want in (-1, got) for want, got in zip(shape, values.shape, strict=True)
        )
        _require(fits and values.dtype.kind in "fiu", path, f"{name} of shape {shape} in numbers", values)
        _require(bool(np.isfinite(values).all()), path, f"finite {name}", values)
    lengths = np.linalg.norm(quaternions.astype(np.float64), axis=-1)
    _require(bool((abs(lengths - 1) < 0.01).all()), path, "rot of unit length", quaternions)
    try:
        return Motion(
            tuple(str(name) for name in names),
            tuple(int(parent) for parent in parents),
            offsets.astype(np.float64),
            from_quaternion(quaternions),
            arrays["trans"].astype(np.float64),
            float(arrays["fps"]),
            source=str(arrays.get("source", path.name)),
            licence=str(arrays.get("licence", "")),
        )
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def save_motion(motion: Motion, path: str | Path) -> None:
    """Writes a motion so that `load_motion` reads it, in float32."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.array(motion.names),
            parents=np.array(motion.parents, np.int16),
            offsets=motion.offsets.astype(np.float32),
            rot=to_quaternion(motion.rotations).astype(np.float32),
            trans=motion.translation.astype(np.float32),
            fps=np.float32(motion.fps),
            source=motion.source,
            licence=motion.licence,
        )


def _require(right: bool, path: Path, expected: str, got: np.ndarray) -> None:
    if not right:
        raise BadInput(f"{path}: expected {expected}, got shape {got.shape} of {got.dtype}")
