"""How well a detector that knows only real people finds rendered ones: whether our people look like people."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from dyad.bench.plain import plain
from dyad.core.protocols import Detector, Tracker
from dyad.core.skeleton import COCO17
from dyad.core.tracks import Tracks
from dyad.evaluation.boxes import area_of
from dyad.evaluation.matching import match
from dyad.evaluation.oks import oks, sigmas
from dyad.synthetic.actors import Actor
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.scenes import Scene

DISTANCES = (0.0, 3.0, 6.0, 10.0, 15.0, 25.0, np.inf)
HEIGHTS = (80.0, 120.0, 200.0, 400.0, np.inf)
_FOUND = 0.5


@dataclass(frozen=True)
class _Seen:
    """One clearly visible person in one frame: height px, distance m, clothes, OKS of whoever was found there."""

    height: float
    distance: float
    clothes: tuple[str, ...]
    similarity: float


def bench_rendered(
    *,
    detector: Detector,
    tracker: Tracker,
    scenes: int = 40,
    first_seed: int = 1_000_000,
    recipe: Recipe | None = None,
    min_height: float = 80.0,
    max_hidden: float = 0.1,
    every: int = 5,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> dict[str, Any]:
    """Detect and track in rendered clips as `dyad run` does: `{"recall", "oks", "by_distance", "by_clothes", …}`.

    Counted are people at least `min_height` px tall, in the picture as a whole, of whose joints at most the share
    `max_hidden` lies behind somebody or something else (behind the own body is no matter), in every `every`-th frame.
    `recall` is the share of them with a detection of OKS ≥ 0.5 on COCO's 17 joints, matched one-to-one; `oks` the mean
    over those found; `by_…` the same by distance (m), height (px) and clothes.
    """
    make = recipe or Recipe(size=(640, 480), seconds=1.2, far=25.0)
    seen: list[_Seen] = []
    for number in range(scenes):
        scene = make(first_seed + number)
        clip = scene.clip(COCO17)
        video, truth = clip.whole()
        found = tracker(detector(video), video).convert(COCO17)
        seen += _compare(scene, truth, found, min_height, max_hidden, every)
        if progress is not None:
            progress("rendered scenes", number + 1, scenes)
    kinds = sorted({kind for one in seen for kind in one.clothes})
    return plain(
        {
            **_share(seen),
            "scenes": scenes,
            "by_distance": _binned(seen, [one.distance for one in seen], DISTANCES),
            "by_height": _binned(seen, [one.height for one in seen], HEIGHTS),
            "by_clothes": {kind: _share([one for one in seen if kind in one.clothes]) for kind in kinds},
        }
    )


def _compare(
    scene: Scene, truth: Tracks, found: Tracks, min_height: float, max_hidden: float, every: int
) -> Iterator[_Seen]:
    sigma = sigmas(COCO17.names)
    for frame in range(0, scene.frames, every):
        rows = torch.nonzero(truth.frame == frame)[:, 0]
        here = torch.nonzero((found.frame == frame) & ~found.filled)[:, 0]
        xy = truth.xy[rows].double().numpy()
        boxes = truth.box[rows].double().numpy()
        similarity = oks(xy, found.xy[here].double().numpy(), area=area_of(boxes), sigma=sigma)
        pairs = match(similarity, at_least=_FOUND)
        alike = np.full(len(rows), np.nan)
        alike[pairs.truth] = pairs.similarity
        mask = scene.mask(frame).numpy()
        for k, row in enumerate(rows.tolist()):
            height = boxes[k, 3] - boxes[k, 1]
            if height < min_height or _hidden(truth, row, mask) > max_hidden:
                continue
            actor = scene.actors[int(truth.person[row])]
            distance = float(truth.xyz[row, :, 2].mean())
            yield _Seen(float(height), distance, clothes_of(actor), float(alike[k]))


def _hidden(truth: Tracks, row: int, mask: np.ndarray) -> float:
    """Share of the joints outside the picture or behind something that is not the own body."""
    at = np.rint(truth.xy[row].numpy())
    height, width = mask.shape
    inside = np.isfinite(at).all(-1) & (at >= 0).all(-1) & (at < (width, height)).all(-1)
    x, y = np.where(inside[:, None], at, 0).astype(int).T
    own = mask[y, x] == int(truth.person[row]) + 1
    seen = truth.confidence[row].numpy() == 1
    return float(1 - (inside & (own | seen)).mean())


def clothes_of(actor: Any) -> tuple[str, ...]:
    """Words for what an actor wears."""
    look = actor.look if isinstance(actor, Actor) else None
    if look is None:
        return ()
    sleeve = "long sleeves" if look.sleeve > 0.35 else "short sleeves" if look.sleeve > 0.05 else "no sleeves"
    leg = "long trousers" if look.leg < 0.2 else "shorts"
    shade = "dark skin" if sum(look.skin) < 1.4 else "light skin"
    return sleeve, leg, f"shirt {look.shirt.pattern}", f"hair {look.style}", shade


def _share(seen: Sequence[_Seen]) -> dict[str, float]:
    alike = np.array([one.similarity for one in seen])
    hit = np.isfinite(alike)
    return {
        "people": len(seen),
        "recall": float(hit.mean()) if len(seen) else float("nan"),
        "oks": float(alike[hit].mean()) if hit.any() else float("nan"),
    }


def _binned(seen: Sequence[_Seen], values: Sequence[float], edges: Sequence[float]) -> list[dict[str, float]]:
    bins = []
    for low, high in pairwise(edges):
        inside = [one for one, value in zip(seen, values, strict=True) if low <= value < high]
        bins.append({"low": low, "high": high, **_share(inside)})
    return bins
