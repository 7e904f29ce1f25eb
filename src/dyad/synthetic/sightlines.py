"""Whether people can be seen: nobody is in a scene to stand behind something, or somebody, from first to last."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.actors import Actor
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.surroundings import FIRST_THING, Surroundings
from dyad.synthetic.rendering.raster import drawn

_SIDE = 128
"""Longer side in px of the images that tell."""
_LEAST_SHOWN = 0.25
_LEAST_OFTEN = 1 / 3
_ROUNDS = 4


def hidden(
    actors: Sequence[Actor],
    path: CameraPath,
    frames: int,
    things: Sequence[tuple[NDArray, NDArray[np.int32]]] = (),
) -> dict[int, list[int]]:
    """Who is too little seen, and what hides them: indices of actors, with those of things, and -1 - p for person p,
    the worst first.

    Of what of somebody lies in the image, a quarter should be seen in a third of the frames; three frames are looked
    at. `things` are points (V, 3) m in the world and faces.
    """
    view = _View(path)
    seen: dict[int, list[bool]] = {}
    covers: dict[int, dict[int, int]] = {}
    people = [replace(actor, detail="low") for actor in actors]
    for frame in sorted({0, frames // 2, frames - 1}):
        layers = [view(actor.vertices(frame), actor.faces, frame) for actor in people]
        before = [view(points, faces, frame) for points, faces in things]
        for p, (box, own) in enumerate(layers):
            body = own > 0
            if not body.any():
                continue
            rest = body.copy()
            hiders: dict[int, int] = {}
            others = [(-1 - q, *layer) for q, layer in enumerate(layers) if q != p]
            for name, where, inverse in [*others, *((k, *layer) for k, layer in enumerate(before))]:
                if inverse.size == 0 or box[0] >= where[2] or where[0] >= box[2]:
                    continue
                over = body & (inverse > own)
                if over.any():
                    hiders[name] = int(over.sum())
                    rest &= ~over
            shown = rest.sum() >= _LEAST_SHOWN * body.sum()
            seen.setdefault(p, []).append(bool(shown))
            if not shown:
                for name, count in hiders.items():
                    covers.setdefault(p, {})[name] = covers.get(p, {}).get(name, 0) + count
    return {
        p: sorted(covers.get(p, {}), key=lambda name, p=p: -covers[p][name])
        for p, each in seen.items()
        if np.mean(each) < _LEAST_OFTEN
    }


def cleared(surroundings: Surroundings, actors: Sequence[Actor], path: CameraPath, frames: int) -> Surroundings:
    """The surroundings without the things that hide somebody all the time."""
    for _ in range(_ROUNDS):
        movable = [thing for thing in surroundings.things if thing.identity >= FIRST_THING]
        found = hidden(actors, path, frames, [(t.solid.points, t.solid.faces) for t in movable])
        worst = {movable[names[0]].identity for names in map(_things, found.values()) if names}
        if not worst:
            break
        kept = [thing for thing in surroundings.things if thing.identity not in worst]
        surroundings = replace(surroundings, things=kept)
    return surroundings


def _things(names: list[int]) -> list[int]:
    return [name for name in names if name >= 0]


class _View:
    """Draws solids small: columns and rows that they may fill (x0, y0, x1, y1), and 1 / depth (H, W)."""

    def __init__(self, path: CameraPath) -> None:
        shrink = min(1.0, _SIDE / max(path.camera.size))
        width, height = path.camera.size
        self.path = path
        self.camera = path.camera.resize(max(2, round(width * shrink)), max(2, round(height * shrink)))
        self.lens = np.concatenate((self.camera.focal.numpy(), self.camera.centre.numpy())).astype(np.float64)

    def __call__(
        self, points: NDArray, faces: NDArray[np.int32], frame: int
    ) -> tuple[tuple[float, float, float, float], NDArray[np.float64]]:
        here = self.path.to_camera(points, frame)
        width, height = self.camera.size
        box = (-1.0, -1.0, float(width), float(height))
        if here[:, 2].min() > 0.1:
            xy = here[:, :2] / here[:, 2:] * self.lens[:2] + self.lens[2:]
            (x0, y0), (x1, y1) = xy.min(0).tolist(), xy.max(0).tolist()
            box = (x0, y0, x1, y1)
        if here[:, 2].max() <= 0 or box[2] < 0 or box[3] < 0 or box[0] > width or box[1] > height:
            return box, np.zeros((0, 0) if here[:, 2].max() <= 0 else (height, width))
        both = np.zeros(len(faces), np.bool_)
        return box, drawn(here.astype(np.float32), faces, both, self.lens, (width, height)).inverse
