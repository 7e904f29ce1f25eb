"""A folder of motion capture: which files it holds, and the motion in any of them."""

from pathlib import Path

from dyad.core.errors import BadInput
from dyad.synthetic.motion.acclaim import read_amc
from dyad.synthetic.motion.bvh import read_bvh
from dyad.synthetic.motion.mocap import load_motion
from dyad.synthetic.motion.motions import Motion

_READERS = {".npz": load_motion, ".bvh": read_bvh}
_ACCLAIM = ".amc"


def find_motions(folder: str | Path) -> list[Path]:
    """The npz, BVH and AMC files of a folder, by name. BadInput if there is no such folder, or nothing in it."""
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} with recorded motion")
    kinds = {*_READERS, _ACCLAIM}
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in kinds and file.is_file())
    if not found:
        raise BadInput(f"the folder {folder} holds no motion capture (BVH, AMC with ASF, npz of names, parents, rot …)")
    return found


def read_motion(path: str | Path) -> Motion:
    """The motion in a file, by its ending; an AMC file's skeleton lies beside it.

    That is the ASF file of the same name, or of the name up to its last `_` as CMU has them (`01.asf` of `01_02.amc`),
    or else the only one of the folder. BadInput for other endings, damaged files, and an AMC file without an ASF.
    """
    path = Path(path)
    if path.suffix.lower() == _ACCLAIM:
        return read_amc(_skeleton(path), path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"expected a recorded motion in a file .bvh, .amc or .npz, got {path}")
    return reader(path)


def _skeleton(amc: Path) -> Path:
    known = {file.stem: file for file in sorted(amc.parent.iterdir()) if file.suffix.lower() == ".asf"}
    for name in (amc.stem, amc.stem.rpartition("_")[0]):
        if name in known:
            return known[name]
    if len(known) == 1:
        return next(iter(known.values()))
    raise BadInput(f"{amc} has no skeleton: put its ASF file beside it, as {amc.stem}.asf")
