"""COCO and MuCo-3DHP as batches for the two branches: one picture after another, cut anew each time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dyad.core.decoding import FileSource, read_image
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Tracks
from dyad.datasets.coco import CocoImage, coco_split
from dyad.datasets.muco import read_muco
from dyad.models.joints import positions
from dyad.models.person_maps import draw_person_maps
from dyad.training.cuttings import Shown, cut, reach_of
from dyad.training.loop import Batch
from dyad.training.published_recipes import BranchRecipe
from dyad.training.stills import Still
from dyad.training.worlds import deaf

DEPTH_FOCAL = 1000.0
"""Focal length in px at which the root's depth is told in m: Z / f, as in equation 14, at a size of its own."""
_DRAW = 11
_GREY = 124


@dataclass(frozen=True, eq=False)
class Picture:
    """An image and who is in it, in body17.

    Attributes:
        path: of the image. xy: (P, 17, 2) px, NaN where not labelled. confidence: (P, 17).
        xyz: (P, 17, 3) m in the camera, NaN where unknown. told: (17,) bool, joints that the data set speaks of.
        focal, centre: (2,) px.
        blotted: (B, 4) px x0 y0 x1 y1: crowds and people without labels, of whom nothing is to be learnt.
    """

    path: Path
    xy: Tensor
    xyz: Tensor
    confidence: Tensor
    told: Tensor
    focal: Tensor
    centre: Tensor
    blotted: Tensor

    def still(self) -> Still:
        """With the image read, what is of no use greyed out where it touches nobody's box."""
        image = read_image(self.path).copy()
        for box in _overlaps(self.blotted, self.xy):
            x0, y0, x1, y1 = box.round().clamp(min=0).int().tolist()
            image[y0:y1, x0:x1] = _GREY
        shown = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))
        return Still(shown, self.xy, self.xyz, self.confidence, self.focal, self.centre)


def _overlaps(boxes: Tensor, xy: Tensor) -> Tensor:
    """Those of the boxes (B, 4) in which no labelled joint (P, 17, 2) lies."""
    points = xy.flatten(0, 1)
    inside = ((points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])).all(-1)
    return boxes[~inside.any(1) & torch.isfinite(boxes).all(1)]


def pictures(data: Path, recipe: BranchRecipe, *, depth: bool) -> list[Picture]:
    """The images of `data`/coco (train2017) and `data`/muco that are there; COCO's as often as the recipe says.

    Raises BadInput where neither is there, and where `depth` is to be learnt without MuCo, which alone tells it.
    """
    found: list[Picture] = []
    if (data / "coco").is_dir():
        images = [image for image in coco_split(data / "coco", "train2017").images if image.present]
        found += [_of_coco(image) for image in images if image.people] * recipe.coco
    if (data / "muco").is_dir():
        for clip in read_muco(data / "muco"):
            source = None if clip.video is None else clip.video.source
            if isinstance(source, FileSource) and clip.truth is not None and len(clip.truth):
                found.append(_picture(source.path, clip.truth))
    elif depth:
        raise BadInput(f"{data} has no folder muco (MuCo-3DHP), from which alone depth is learnt")
    if not found:
        raise BadInput(f"{data} holds no images of people in the folders coco (train2017) and muco (MuCo-3DHP)")
    return found


def _of_coco(image: CocoImage) -> Picture:
    truth = image.clip(COCO17).truth
    if truth is None:
        raise BadInput(f"{image.path} has no people")
    blotted = [p.box for p in image.people if p.ignored or not np.isfinite(p.xy).any()]
    return _picture(image.path, truth, torch.from_numpy(np.array(blotted).reshape(-1, 4)).float())


def _picture(path: Path, truth: Tracks, blotted: Tensor | None = None) -> Picture:
    body, camera = truth.convert(BODY17), truth.camera
    blank = torch.zeros(len(truth.skeleton), 2)
    told = truth.skeleton.convert(blank, BODY17).isfinite().all(-1)
    return Picture(
        path,
        body.xy.float(),
        body.xyz.float(),
        body.confidence.float(),
        told,
        camera.focal.float(),
        camera.centre.float(),
        torch.zeros(0, 4) if blotted is None else blotted,
    )


class BranchBatches(Dataset[Batch]):
    """An item is the batch of the step of that number, a function of it and of the recipe alone.

    A batch: `image` (N, 3, H, W) uint8; `prior` (N, 17, H, W); of the P people and the J `joints`, NaN or 0 where
    nobody is: `xy` (N, P, J, 2) px, `confidence` (N, P, J), `depth` (N, P, J), the root's at `DEPTH_FOCAL` and the
    others' beyond it, m; `told` (N, J) bool; `heat.K` (N, J, h, w) at a 1 / K of the image's size.
    """

    def __init__(
        self, found: Sequence[Picture], recipe: BranchRecipe, joints: Sequence[str], strides: Sequence[int]
    ) -> None:
        self.found, self.recipe, self.strides = list(found), recipe, tuple(strides)
        self.chosen = positions(joints, BODY17.names)
        self._order: tuple[int, np.ndarray] = -1, np.zeros(0, np.int64)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        parts = [self._sample(place) for place in range(index * self.recipe.batch, (index + 1) * self.recipe.batch)]
        return {name: torch.stack([part[name] for part in parts]) for name in parts[0]}

    def _sample(self, place: int) -> dict[str, Tensor]:
        turn, at = divmod(place, len(self.found))
        if self._order[0] != turn:
            self._order = turn, np.random.default_rng((self.recipe.seed, turn)).permutation(len(self.found))
        picture = self.found[int(self._order[1][at])]
        rng = np.random.default_rng((self.recipe.seed, place, _DRAW))
        return self._shown(cut(picture.still(), self.recipe.cutting, rng), picture.told)

    def _shown(self, shown: Shown, told: Tensor) -> dict[str, Tensor]:
        width, height = self.recipe.cutting.size
        confidence = shown.confidence.nan_to_num(0.0)
        # metres = reach · Z / f: both f and reach in px of the cutting.
        root = shown.metres / reach_of(shown.xy).clamp(min=1e-3) * DEPTH_FOCAL
        z = shown.xyz[..., 2]
        depth = torch.where(torch.arange(len(BODY17)) == 0, root[:, None], z - z[:, :1])[:, self.chosen]
        xy = torch.where((confidence > 0)[..., None], shown.xy, torch.nan)[:, self.chosen]
        maps = {
            f"heat.{k}": draw_person_maps(
                (xy + 0.5) / k - 0.5, (width // k, height // k), sigma=self.recipe.sigma
            ).half()
            for k in self.strides
        }
        return {
            "image": shown.image,
            "prior": draw_person_maps(shown.given, (width, height)).half(),
            "xy": xy,
            "confidence": confidence[:, self.chosen],
            "depth": depth,
            "told": told[self.chosen],
            **maps,
        }


def split(found: Sequence[Picture], one_in: int) -> tuple[list[Picture], list[Picture]]:
    """What is learnt from, and what is judged by: one image in `one_in`, however often it counts."""
    paths = sorted({picture.path for picture in found})
    kept = set(paths[::one_in]) if len(paths) > 1 else set()
    return [p for p in found if p.path not in kept], [p for p in found if p.path in kept]


def image_batches(data: BranchBatches, steps: int, workers: int, start: int) -> Iterator[Batch]:
    """The batches of steps `start`, `start + 1`, …; `workers` processes read and cut ahead."""
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=range(start, start + steps),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=deaf if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
