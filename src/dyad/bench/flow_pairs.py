"""Finds pairs of frames whose flow is known, in the layouts of the data sets and in plain folders."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dyad.core.errors import BadInput
from dyad.core.sources import IMAGE_SUFFIXES
from dyad.datasets.reading import natural

_LOG = logging.getLogger(__name__)

_PNG_HEADER = 29
_SIXTEEN_BITS_RGB = b"\x10\x02"
# Where the frames lie of flow in a folder of this name; of KITTI's the first that there is, of Sintel's each.
_FRAMES_OF = {
    "flow": ("final", "clean"),
    "other-gt-flow": ("other-data",),
    "flow_occ": ("image_2", "colored_0", "image_0"),
    "flow_noc": ("image_2", "colored_0", "image_0"),
}
_SEVERAL = {"flow"}


@dataclass(frozen=True)
class FlowPair:
    """Two frames and the file of the flow between them. `name` says which, relative to the folder that was searched."""

    name: str
    first: Path
    second: Path
    truth: Path

    @property
    def padding(self) -> Literal["sintel", "kitti"]:
        """How the published networks enlarge such images: KITTI's another way than all others."""
        return "kitti" if self.truth.suffix.lower() == ".png" else "sintel"


def find_pairs(folder: str | Path) -> list[FlowPair]:
    """Every pair of frames with a .flo or a KITTI .png of flow below a folder, by name.

    The first frame bears the truth's name or number (`frame_0001.flo` and `frame_0001.png`, `flow10.flo` and
    `frame10.png`, `1_flow.flo` and `1_img1.ppm`), the second the number after it; both lie beside the truth, or where
    Sintel, Middlebury and KITTI have them. Of KITTI the flow with occluded pixels is taken; of Sintel both renderings.
    Truth whose frames are missing is left out with a warning. BadInput where no pair is found.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder} to look for pairs of frames in")
    pairs = [pair for truth in _truths(folder) for pair in _pairs_of(truth, folder)]
    if not pairs:
        raise BadInput(
            f"{folder} holds no two frames whose flow is known: expected two images and a .flo beside them, or Sintel, "
            "Middlebury, FlyingChairs or KITTI as they come"
        )
    return pairs


def _truths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*"), key=lambda p: [natural(Path(part)) for part in p.parts]):
        is_flow = path.suffix.lower() == ".flo" or _is_kitti(path)
        occluded_too = path.parent.name == "flow_noc" and (path.parent.with_name("flow_occ") / path.name).is_file()
        if is_flow and not occluded_too and path.is_file():
            yield path


def _is_kitti(path: Path) -> bool:
    """Whether a PNG has three channels of 16 bits, as no image of a video has."""
    if path.suffix.lower() != ".png" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(_PNG_HEADER)[24:26] == _SIXTEEN_BITS_RGB


def _pairs_of(truth: Path, root: Path) -> Iterator[FlowPair]:
    found = False
    for place in _places(truth):
        frames = _frames(place, truth)
        if frames is not None:
            found = True
            name = frames[0].relative_to(root) if frames[0].is_relative_to(root) else Path(frames[0].name)
            yield FlowPair(name.as_posix(), *frames, truth)
            if not _SEVERAL & {*truth.parts}:
                return
    if not found:
        _LOG.warning("%s is left out: the two frames of this flow were not found", truth)


def _places(truth: Path) -> Iterator[Path]:
    """Folders where the frames may lie: beside the truth, or in the folder that goes with the truth's."""
    yield truth.parent
    for depth, parent in enumerate(truth.parents):
        for other in _FRAMES_OF.get(parent.name, ()):
            below = truth.parent.relative_to(parent) if depth else Path()
            place = parent.with_name(other) / below
            if place.is_dir():
                yield place


def _frames(place: Path, truth: Path) -> tuple[Path, Path] | None:
    images = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p != truth and not _is_kitti(p)]
    numbered = {key: p for p in images if (key := _number(p.stem)) is not None}
    for prefix, number in _keys(truth.stem, numbered):
        first, second = numbered.get((prefix, number)), numbered.get((prefix, number + 1))
        if first is not None and second is not None:
            return first, second
    return None


def _keys(stem: str, numbered: dict[tuple[str, int], Path]) -> Iterator[tuple[str, int]]:
    """What the first frame of a truth of this name may be called: the name before its number, and the number."""
    if stem.endswith("_flow"):
        yield stem.removesuffix("_flow") + "_img", 1
    own = _number(stem)
    if own is None:
        # A single pair needs no numbers in the name of its flow.
        if len(numbered) == 2:
            yield min(numbered)
        return
    yield own
    others = [key for key in numbered if key[1] == own[1]]
    if len(others) == 1:
        yield others[0]


def _number(stem: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"(.*?)(\d+)", stem)
    return (match[1], int(match[2])) if match else None
