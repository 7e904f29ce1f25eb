"""Rendered single frames with everyone in them: a pool that a training draws from again and again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, Skeleton
from dyad.synthetic.annotation import annotated_frame, everyone
from dyad.synthetic.random_scenes import Recipe
from dyad.training.recipes import World

_CHOICE = 7


@dataclass(frozen=True)
class Still:
    """One frame: image (3, H, W) uint8; of P people xy (P, J, 2) px, xyz (P, J, 3) m in the camera, and confidence
    (P, J), 1 seen, 0.25 hidden, 0 outside; focal (2,), centre (2,) px."""

    image: Tensor
    xy: Tensor
    xyz: Tensor
    confidence: Tensor
    focal: Tensor
    centre: Tensor


def crowds(size: tuple[int, int], *, most: int = 12, backgrounds: Path | None = None) -> tuple[World, ...]:
    """People of all sizes, near ones and pairs, crowds of up to `most`; in images of `size` px."""
    # Coarse meshes and edges: what is rendered so is scaled down for the most part, and four times as much of it.
    plain = Recipe(size=size, seconds=1.0, backgrounds=backgrounds, detail="low", samples=1)
    return (
        World("people", 0.4, plain),
        World("near", 0.25, replace(plain, people=(1, 3), near=1.0, far=6.0, pairs=0.7)),
        World("crowds", 0.35, replace(plain, people=(5, most), crossings=0.9, pairs=0.4)),
    )


class Stills:
    """Frame i is of scene `i // each`; what is in it depends on the seed and on i alone.

    Args:
        worlds: kinds of scenes and how often each comes. seed: of everything.
        each: frames taken from each scene, evenly over its time. skeleton: of the joints.
    """

    def __init__(self, worlds: Sequence[World], seed: int, *, each: int = 3, skeleton: Skeleton = BODY17) -> None:
        if seed < 0 or each < 1 or not worlds:
            raise BadUsage(f"stills need worlds, a seed of 0 or above and a frame a scene, got {seed} and {each}")
        shares = np.array([world.share for world in worlds], float)
        self.worlds, self.shares = tuple(worlds), shares / shares.sum()
        self.seed, self.each, self.skeleton = seed, each, skeleton

    def of_scene(self, number: int) -> Iterator[Still]:
        """The frames of a scene by its number."""
        rng = np.random.default_rng((self.seed, number, _CHOICE))
        world = self.worlds[int(rng.choice(len(self.worlds), p=self.shares))]
        fps = float(np.exp(rng.uniform(*np.log(world.fps))))
        scene = replace(world.scenes, fps=fps)((self.seed, number))
        joints = everyone(scene, self.skeleton)
        for frame in np.unique(np.linspace(0, scene.frames - 1, self.each).round().astype(int)).tolist():
            drawn = scene.render(frame)
            people = annotated_frame(scene, drawn, joints[:, frame], frame, self.skeleton)
            here = people["present"]
            image = np.ascontiguousarray(np.moveaxis(scene.photographed(drawn, frame), -1, 0))
            xy, xyz, confidence = (torch.from_numpy(people[k][here]).float() for k in ("xy", "xyz", "confidence"))
            camera = scene.path.camera
            yield Still(torch.from_numpy(image), xy, xyz, confidence, camera.focal.float(), camera.centre.float())

    def __iter__(self) -> Iterator[Still]:
        number = 0
        while True:
            yield from self.of_scene(number)
            number += 1
