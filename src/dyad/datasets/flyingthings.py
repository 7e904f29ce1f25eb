"""FlyingThings3D: scenes of ten frames of things that fly, with exact flow to the next frame and to the one before.

The layout: `frames_{cleanpass,finalpass}/{TRAIN,TEST}/{A,B,C}/0000/{left,right}/0006.png` and
`optical_flow/TRAIN/A/0000/{into_future,into_past}/left/OpticalFlowInto{Future,Past}_0006_L.pfm`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.datasets.reading import chosen
from dyad.datasets.stills import still_clip

SPLITS = ("train", "test")


def read_flyingthings3d(
    folder: str | Path,
    *,
    split: str | None = None,
    rendering: Literal["cleanpass", "finalpass"] = "cleanpass",
    side: Literal["left", "right"] = "left",
) -> Iterator[Clip]:
    """A clip for each scene of `train` and `test`, by name, seen by one of the two cameras, with flow both ways.

    Raises BadInput where folders or files are missing or damaged.
    """
    root = Path(folder)
    found = False
    for part in chosen(split, SPLITS, "FlyingThings3D"):
        images, flows = (root / kind / part.upper() for kind in (f"frames_{rendering}", "optical_flow"))
        for scene in sorted(p.parent for p in images.glob(f"*/*/{side}")):
            found = True
            yield _scene(scene, flows / scene.relative_to(images), side, f"{rendering}/{part}/{scene.parent.name}")
    if not found:
        raise BadInput(f"{root} holds no scene of FlyingThings3D: expected frames_{rendering}/TRAIN/A/0000/{side}/…")


def _scene(images: Path, flows: Path, side: str, place: str) -> Clip:
    frames = sorted((images / side).glob("[0-9]*.png"))
    if len(frames) < 2:
        raise BadInput(f"{images / side} should hold two or more images such as 0006.png, got {len(frames)}")
    future, past = (
        [_flow(flows, way, side, frame.stem) for frame in some]
        for way, some in (("Future", frames[:-1]), ("Past", frames[1:]))
    )
    return still_clip(frames, future, name=f"flyingthings3d/{place}/{images.name}/{side}", backward=past)


def _flow(scene: Path, way: str, side: str, number: str) -> Path:
    return scene / f"into_{way.lower()}" / side / f"OpticalFlowInto{way}_{number}_{side[0].upper()}.pfm"
