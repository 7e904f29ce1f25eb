"""MPI-Sintel: scenes of an animated film with exact optical flow, 24 frames a second.

The layout: `training/{clean,final}/SCENE/frame_0001.png`, `training/flow/SCENE/frame_0001.flo` (from that frame to the
next), `training/{occlusions,invalid}/SCENE/frame_0001.png`; `test/{clean,final}/SCENE` without truth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from dyad.core.clip import Clip
from dyad.core.decoding import read_image
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, inside
from dyad.core.flow_files import read_flow
from dyad.core.ordering import natural
from dyad.datasets.reading import chosen
from dyad.datasets.stills import present, still_clip

FPS = 24.0
SPLITS = ("training", "test")
HUMAN_SCENES = ("alley_2", "bamboo_2", "cave_2", "cave_4")
"""The scenes with people that the flow-and-pose paper scores: 196 pairs of frames in the final rendering."""


def read_sintel(
    folder: str | Path,
    *,
    split: str | None = None,
    rendering: Literal["clean", "final"] = "final",
    scenes: Sequence[str] | None = None,
    leave_out_invalid: bool = False,
) -> Iterator[Clip]:
    """A clip for each scene of `training` and `test`, by name; `scenes` chooses. The test split has no flow.

    A pixel is occluded where `occlusions` says so or its flow leaves the image; without that folder nobody says.
    `leave_out_invalid` makes the flow of pixels that `invalid` marks unknown; the figures that flow networks publish
    count these pixels. Raises BadInput where folders or files are missing or damaged.
    """
    for name in present(folder, chosen(split, SPLITS, "Sintel"), rendering):
        root = Path(folder) / name
        images = root / rendering
        some = sorted(p.name for p in images.iterdir() if p.is_dir()) if scenes is None else list(scenes)
        if not some:
            raise BadInput(f"{images} holds no scenes; Sintel has folders such as alley_1 in it")
        for scene in some:
            yield _scene(root, rendering, scene, leave_out_invalid)


def _scene(root: Path, rendering: str, scene: str, leave_out_invalid: bool) -> Clip:
    frames = sorted((root / rendering / scene).glob("frame_*.png"), key=natural)
    if len(frames) < 2:
        raise BadInput(f"{root / rendering / scene} should hold two or more frame_0001.png, got {len(frames)}")

    def read(path: Path) -> Flow:
        return _with_masks(read_flow(path), root, f"{scene}/{path.stem}.png", leave_out_invalid)

    flow = [root / "flow" / scene / f"{frame.stem}.flo" for frame in frames[:-1]]
    known = root.name == "training"
    return still_clip(frames, flow if known else None, name=f"sintel/{rendering}/{scene}", fps=FPS, read=read)


def _with_masks(flow: Flow, root: Path, place: str, leave_out_invalid: bool) -> Flow:
    occluded = invalid = None
    if (root / "occlusions").is_dir():
        occluded = _mask(root / "occlusions" / place, flow.size) | ~inside(flow.targets(), flow.size)
    if leave_out_invalid:
        invalid = _mask(root / "invalid" / place, flow.size)
    return replace(flow, valid=flow.valid if invalid is None else flow.known & ~invalid, occluded=occluded)


def _mask(path: Path, size: tuple[int, int]) -> Tensor:
    image = read_image(path)
    if image.shape[1::-1] != size:
        raise BadInput(f"{path} is {image.shape[1]}x{image.shape[0]} px, its flow is of {size} px")
    return torch.from_numpy(image[..., 0] > 127)
