"""Middlebury's optical flow: a dozen scenes with flow between the frames 10 and 11, unknown where it reads 1e9 or more.

The layout: `other-data/SCENE/frame10.png` and `frame11.png`, `other-gt-flow/SCENE/flow10.flo`; the scenes of
`eval-data` come without truth.
"""

from collections.abc import Iterator
from pathlib import Path

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.datasets.reading import chosen
from dyad.datasets.stills import still_clip

SPLITS = ("other", "eval")


def read_middlebury(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip of two frames for each scene of `other` and, without flow, of `eval`, by name.

    Scenes without the frames 10 and 11 (stereo pairs) are left out. Raises BadInput where folders or files are
    missing or damaged.
    """
    root, found = Path(folder), False
    for name in chosen(split, SPLITS, "Middlebury"):
        for scene in sorted(path.parent for path in (root / f"{name}-data").glob("*/frame10.png")):
            images = [scene / "frame10.png", scene / "frame11.png"]
            if images[1].is_file():
                found = True
                flow = [root / "other-gt-flow" / scene.name / "flow10.flo"] if name == "other" else None
                yield still_clip(images, flow, name=f"middlebury/{scene.name}")
    if not found:
        raise BadInput(f"{root} holds no scene of Middlebury: expected {split or SPLITS[0]}-data/NAME/frame10.png")
