"""KITTI's flow of 2012 and 2015: pairs of images from a car, with flow where a laser scanner measured it.

The layout: `training/image_2/000000_10.png` and `000000_11.png` (2012: `colored_0`, or `image_0` in grey),
`training/flow_occ/000000_10.png` with all flow that is known and `flow_noc` without occluded pixels; `testing` has no
flow.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow
from dyad.datasets.reading import chosen
from dyad.datasets.stills import present, still_clip

FPS = 10.0
SPLITS = ("training", "testing")
IMAGES = ("image_2", "colored_0", "image_0")


def read_kitti(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip of two frames for each pair of `training` and `testing`, by number; `testing` has no flow.

    A pixel is occluded where only `flow_occ` knows its flow; without `flow_noc` nobody says. Raises BadInput where
    folders or files are missing or damaged.
    """
    for name in present(folder, chosen(split, SPLITS, "KITTI"), ""):
        root = Path(folder) / name
        images = [root / kind for kind in IMAGES if (root / kind).is_dir()]
        firsts = sorted(images[0].glob("*_10.png")) if images else []
        if not firsts:
            raise BadInput(f"{root} holds no pair of KITTI: expected {IMAGES[0]}/000000_10.png and 000000_11.png")
        for first in firsts:
            pair = first.name.removesuffix("_10.png")
            second = first.with_name(f"{pair}_11.png")
            flow = [root / "flow_occ" / first.name] if name == "training" else None
            yield still_clip([first, second], flow, name=f"kitti/{name}/{pair}", fps=FPS, read=_read)


def _read(path: Path) -> Flow:
    flow, seen = read_flow(path), path.parent.with_name("flow_noc") / path.name
    return replace(flow, occluded=flow.known & ~read_flow(seen).known) if seen.is_file() else flow
