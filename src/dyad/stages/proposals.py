"""Where in an image people might be: BlazePose's detector and heads on it over a pyramid of sizes, tiles on request."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.memory import Portions
from dyad.core.skeleton import BODY17
from dyad.geometry.grids import rescale_xy, to_float
from dyad.models.blazepose import BlazePoseDetector, Region, region_around
from dyad.models.blazepose_heads import BlazePoseFinder, SideBySide
from dyad.models.person_reading import ReadPeople, read_people

_STRIDE = 32
_TILE = 224


@dataclass(frozen=True)
class Proposals:
    """Where N people might be, best first of each kind.

    Those `told` are of the heads, which know people from other things and say where their joints are; of the others,
    of BlazePose's detector, many are nobody.
    """

    region: Region
    score: Tensor  # (N,) 0..1
    told: Tensor  # (N,) bool
    xy: Tensor  # (N, 17, 2) px, joints of body17; NaN where nobody says

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, chosen: Tensor) -> "Proposals":
        region = Region(*(value[chosen] for value in self.region))
        return Proposals(region, self.score[chosen], self.told[chosen], self.xy[chosen])


class _Circles(NamedTuple):
    """Circles round people from `hips` through `rim`, which lies towards the head; the rest as in `Proposals`."""

    hips: Tensor
    rim: Tensor
    score: Tensor
    told: Tensor
    xy: Tensor


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
        network: BlazePoseDetector | BlazePoseFinder | SideBySide,
        *,
        device: torch.device,
        sizes: tuple[int, ...] = (224, 320, 448, 640, 896),
        tiles: bool = False,
        threshold: float = 0.3,
        heads_threshold: float = 0.4,
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
    def __call__(self, image: Tensor, people: Tensor | None = None, *, heads: bool = True) -> Proposals:
        """Everyone proposed in an image (3, H, W) uint8 or float RGB; with `heads` also by these, where there are any.

        `people` (M,) px are sizes of people: only those sizes of the image are looked at in which one of them is large
        enough and not too large. None looks at all.
        """
        image = to_float(image)[None]
        scales = [size / max(image.shape[-2:]) for size in self.sizes]
        if people is not None:
            fit = [bool(((people * scale > 80) & (people * scale < 320)).any()) for scale in scales]
            scales = [scale for scale, suits in zip(scales, fit, strict=True) if suits] or scales[:1]
        found = [self._look(image, scale, heads) for scale in scales]
        if self.tiles:
            found += self._tiles(image, heads)
        every = _Circles(*(torch.cat(values) for values in zip(*found, strict=True)))
        radius = torch.linalg.vector_norm(every.rim - every.hips, dim=-1)
        kinds = [torch.nonzero(kind)[:, 0] for kind in (every.told, ~every.told)]
        # Neither kind takes the other's place.
        keep = torch.cat(
            [rows[distinct(every.hips[rows], radius[rows], every.score[rows])[: self.most]] for rows in kinds]
        )
        region = region_around(every.hips[keep], every.rim[keep])
        return Proposals(region, every.score[keep], every.told[keep], every.xy[keep])

    def _look(self, image: Tensor, scale: float, heads: bool) -> _Circles:
        """Proposals in an image shown at `scale`, in its own pixels."""
        height, width = (max(1, round(side * scale)) for side in image.shape[-2:])
        shown = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        shown = F.pad(shown, (0, -width % _STRIDE, 0, -height % _STRIDE))
        back = torch.tensor((image.shape[-1] / width, image.shape[-2] / height))
        return self._best(shown, back, torch.zeros(1, 2), heads)

    def _tiles(self, image: Tensor, heads: bool) -> list[_Circles]:
        """Proposals in square tiles of a half, a third and a fifth of the image's longer side, half overlapping."""
        height, width = image.shape[-2:]
        found: list[_Circles] = []
        for parts in (2, 3, 5):
            side = math.ceil(max(height, width) / parts)
            corners = [(x, y) for y in _starts(height, side) for x in _starts(width, side)]
            cut = [F.pad(image[..., y : y + side, x : x + side], _to_square(image, x, y, side)) for x, y in corners]
            shown = torch.cat([F.interpolate(c, (_TILE, _TILE), mode="bilinear", antialias=True) for c in cut])
            origin, scale = torch.tensor(corners, dtype=torch.float32), torch.tensor((side / _TILE,) * 2)
            found += self._portions(
                len(shown),
                8,
                lambda some, s=shown, o=origin, to=scale: self._best(s[some], to, o[some], heads),
            )
        return found

    def _best(self, shown: Tensor, back: Tensor, origin: Tensor, heads: bool) -> _Circles:
        """Proposals in images as shown; `back` and `origin` lead from their px to the image's."""
        shown = shown.to(self.device)
        if isinstance(self.network, BlazePoseDetector):
            proposals, maps = self.network(shown), None
        else:
            proposals, maps = self.network(shown, heads=heads)
        score = proposals.scores.float().cpu()
        image, anchor = torch.nonzero(score > self.threshold, as_tuple=True)
        hips, rim = (points.cpu()[image, anchor].float() for points in (proposals.hips, proposals.rim))
        nobody = torch.full((len(image), len(BODY17), 2), torch.nan)
        parts = [(image, hips, rim, score[image, anchor], torch.zeros(len(image), dtype=torch.bool), nobody)]
        if maps is not None:
            maps = type(maps)(*(value.float().cpu() for value in maps))
            read = read_people(maps, threshold=self.heads_threshold, most=self.most, snap=0)
            parts.append(
                (read.image, *_circle(read), read.score, torch.ones(len(read.score), dtype=torch.bool), read.xy)
            )
        image, hips, rim, score, told, xy = (torch.cat(values) for values in zip(*parts, strict=True))
        corner = origin.expand(len(shown), 2)[image.long()]
        hips, rim = (rescale_xy(points, back) + corner for points in (hips, rim))
        return _Circles(hips, rim, score, told, rescale_xy(xy, back) + corner[:, None])


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
