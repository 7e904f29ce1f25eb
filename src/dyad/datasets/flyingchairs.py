"""FlyingChairs: 22,872 pairs of images of chairs that fly over photographs, with exact flow.

The layout: `data/00001_img1.ppm`, `data/00001_img2.ppm`, `data/00001_flow.flo`, and beside it the list
`FlyingChairs_train_val.txt` (also called `chairs_split.txt`): a line for each pair, 1 to train on, 2 to validate.
"""

from collections.abc import Iterator
from pathlib import Path

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.datasets.reading import chosen
from dyad.datasets.stills import still_clip

_LISTS = ("FlyingChairs_train_val.txt", "chairs_split.txt")
_MARKS = {"train": "1", "val": "2"}


def read_flyingchairs(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip of two frames for each pair, by number; `train` or `val` are the pairs that the list marks so.

    Raises BadInput where the data or, for a split, the list is missing or does not fit.
    """
    root, wanted = Path(folder), {_MARKS[name] for name in chosen(split, tuple(_MARKS), "FlyingChairs")}
    data = root / "data" if (root / "data").is_dir() else root
    flows = sorted(data.glob("*_flow.flo"))
    if not flows:
        raise BadInput(f"{data} holds no FlyingChairs: expected 00001_img1.ppm, 00001_img2.ppm, 00001_flow.flo")
    marks = None if split is None else _marks(root, data, len(flows))
    for position, flow in enumerate(flows):
        if marks is None or marks[position] in wanted:
            pair = flow.name.removesuffix("_flow.flo")
            images = [data / f"{pair}_img{number}.ppm" for number in (1, 2)]
            yield still_clip(images, [flow], name=f"flyingchairs/{pair}")


def _marks(root: Path, data: Path, pairs: int) -> list[str]:
    """What the list says of each pair, in their order."""
    lists = [place / name for place in (root, data, data.parent) for name in _LISTS if (place / name).is_file()]
    if not lists:
        raise BadInput(f"{root} lacks the list {_LISTS[0]} that says which pairs are for training")
    marks = lists[0].read_text(encoding="utf-8", errors="replace").split()
    if len(marks) != pairs or not {*marks} <= {*_MARKS.values()}:
        raise BadInput(f"{lists[0]} should hold 1 or 2 for each of {pairs} pairs, got {len(marks)} words")
    return marks
