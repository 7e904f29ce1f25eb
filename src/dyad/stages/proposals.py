"""Where in an image people might be: BlazePose's detector and heads on it over a pyramid of sizes, tiles on request."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.memory import Portions
from dyad.core.skeleton import BODY17
from dyad.geometry.grids import rescale_xy, to_float
from dyad.models.blazepose import BlazePoseDetector, Region, region_around
from dyad.models.blazepose_heads import BlazePoseFinder
from dyad.models.person_reading import ReadPeople, read_people

_STRIDE = 32
_TILE = 224


class Proposer:
    """Proposes regions in one image.

    The network finds people who are 90 to 280 px tall in what it sees, so the image is shown at several sizes. Its
    score ranks proposals but cannot tell people from other things: whoever uses them must verify.

    Args:
        network: the detector network, or one with heads that find small and crowded people beside it.
        device: where it runs.
        sizes: longer sides in px at which the image is shown.
        tiles: also look at overlapping square tiles as if each were an image of its own; finds more, costs seconds.
        threshold, heads_threshold: lowest scores of the detector and of the heads.
        most: how many proposals of either to keep.
    """

    def __init__(
        self,
        network: BlazePoseDetector | BlazePoseFinder,
        *,
        device: torch.device,
        sizes: tuple[int, ...] = (224, 320, 448, 640, 896),
        tiles: bool = False,
        threshold: float = 0.3,
        heads_threshold: float = 0.3,
        most: int = 24,
    ) -> None:
        self.network = network.to(device).eval()
        self.device = device
        self._portions = Portions()
        self.sizes = sizes
        self.tiles = tiles
        self.threshold = threshold
        self.heads_threshold = heads_threshold
        self.most = most

    @torch.inference_mode()
    def __call__(self, image: Tensor, people: Tensor | None = None) -> tuple[Region, Tensor]:
        """Regions and their scores (N,), best first, for an image (3, H, W) uint8 or float RGB.

        Scores are 0..1 of the detector and 1..2 of the heads.

        `people` (M,) px are sizes of people: only those sizes of the image are looked at in which one of them is large
        enough and not too large. None looks at all.
        """
        image = to_float(image)[None]
        scales = [size / max(image.shape[-2:]) for size in self.sizes]
        if people is not None:
            fit = [bool(((people * scale > 80) & (people * scale < 320)).any()) for scale in scales]
            scales = [scale for scale, suits in zip(scales, fit, strict=True) if suits] or scales[:1]
        found = [self._look(image, scale) for scale in scales]
        if self.tiles:
            found += self._tiles(image)
        hips, rim, score = (torch.cat(values) for values in zip(*found, strict=True))
        radius = torch.linalg.vector_norm(rim - hips, dim=-1)
        kinds = [torch.nonzero(kind)[:, 0] for kind in (score > 1, score <= 1)]
        # Neither kind takes the other's place.
        keep = torch.cat([rows[distinct(hips[rows], radius[rows], score[rows])[: self.most]] for rows in kinds])
        return region_around(hips[keep], rim[keep]), score[keep]

    def _look(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """Proposals (hips, rim, score) in an image shown at `scale`, in its own pixels."""
        height, width = (max(1, round(side * scale)) for side in image.shape[-2:])
        shown = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        shown = F.pad(shown, (0, -width % _STRIDE, 0, -height % _STRIDE))
        back = torch.tensor((image.shape[-1] / width, image.shape[-2] / height))
        return self._best(shown, back, torch.zeros(1, 2))

    def _tiles(self, image: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Proposals in square tiles of a half, a third and a fifth of the image's longer side, half overlapping."""
        height, width = image.shape[-2:]
        found = []
        for parts in (2, 3, 5):
            side = math.ceil(max(height, width) / parts)
            corners = [(x, y) for y in _starts(height, side) for x in _starts(width, side)]
            cut = [F.pad(image[..., y : y + side, x : x + side], _to_square(image, x, y, side)) for x, y in corners]
            shown = torch.cat([F.interpolate(c, (_TILE, _TILE), mode="bilinear", antialias=True) for c in cut])
            origin, scale = torch.tensor(corners, dtype=torch.float32), torch.tensor((side / _TILE,) * 2)
            found += self._portions(
                len(shown), 8, lambda some, s=shown, o=origin, to=scale: self._best(s[some], to, o[some])
            )
        return found

    def _best(self, shown: Tensor, back: Tensor, origin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Proposals (hips, rim, score) in images as shown; `back` and `origin` lead from their px to the image's."""
        seen = self.network(shown.to(self.device))
        proposals, maps = seen if isinstance(self.network, BlazePoseFinder) else (seen, None)
        score = proposals.scores.float().cpu()
        image, anchor = torch.nonzero(score > self.threshold, as_tuple=True)
        parts = [(image, proposals.hips.cpu()[image, anchor], proposals.rim.cpu()[image, anchor], score[image, anchor])]
        if maps is not None:
            maps = type(maps)(*(value.float().cpu() for value in maps))
            read = read_people(maps, threshold=self.heads_threshold, most=self.most, snap=0)
            # The heads' scores tell people from other things, the detector's hardly: theirs come first.
            parts.append((read.image, *_circle(read), 1 + read.score))
        image, hips, rim, score = (torch.cat(values).float() for values in zip(*parts, strict=True))
        hips, rim = (rescale_xy(points, back) + origin[image.long()] for points in (hips, rim))
        return hips, rim, score


def _circle(people: ReadPeople) -> tuple[Tensor, Tensor]:
    """Hips and rim (M, 2) of the circles round people, the rim point towards the head."""
    hips = people.xy[:, BODY17.index("pelvis")]
    up = people.xy[:, BODY17.indices("left_shoulder", "right_shoulder")].mean(1) - hips
    length = torch.linalg.vector_norm(up, dim=-1, keepdim=True)
    # A trunk seen from above or below has no direction to speak of.
    upright = torch.tensor((0.0, -1.0)).expand_as(up)
    up = torch.where(length > 0.12 * people.reach[:, None], up / length.clamp(min=1e-6), upright)
    return hips, hips + people.reach[:, None] * up


def distinct(centre: Tensor, radius: Tensor, score: Tensor) -> Tensor:
    """Indices, best first, of circles of which none repeats a better one: near centre and like size."""
    kept: list[int] = []
    for candidate in torch.argsort(score, descending=True, stable=True).tolist():
        others = torch.tensor(kept, dtype=torch.int64)
        near = torch.linalg.vector_norm(centre[others] - centre[candidate], dim=-1)
        ratio = torch.log(radius[others] / radius[candidate].clamp(min=1e-6)).abs()
        if not ((near < 0.3 * torch.maximum(radius[others], radius[candidate])) & (ratio < 0.4)).any():
            kept.append(candidate)
    return torch.tensor(kept, dtype=torch.int64)


def _starts(length: int, side: int) -> list[int]:
    steps = max(1, math.ceil((length - side) / (side / 2)) + 1) if length > side else 1
    return [round(i * (length - side) / max(1, steps - 1)) for i in range(steps)]


def _to_square(image: Tensor, x: int, y: int, side: int) -> tuple[int, int, int, int]:
    return (0, max(0, x + side - image.shape[-1]), 0, max(0, y + side - image.shape[-2]))
