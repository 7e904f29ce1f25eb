"""Who is in a random scene and what they do: bodies, clothes and takes, in companies that keep their places."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.synthetic.actors import Actor, Seat
from dyad.synthetic.bodies.body import PARTS, BodyModel, Detail, Phenotype, Shape, bone
from dyad.synthetic.motion.moves import random_take
from dyad.synthetic.motion.pairs import PAIRS, pair_takes
from dyad.synthetic.motion.recordings import find_motions, read_motion
from dyad.synthetic.motion.retarget import retarget
from dyad.synthetic.motion.takes import Take, lowest
from dyad.synthetic.places.staging import Place
from dyad.synthetic.rendering.fashion import random_look
from dyad.synthetic.rendering.looks import Look

_EARLIER = 2.0
"""How long in s before the scene a motion that is made up may have begun, and the shortest of them."""
_DRAWS = 4
_ON_FLOOR = 0.06
"""Least and typical height in m of the lower foot in a recording that is used."""


@dataclass(frozen=True, eq=False)
class Company:
    """People who act together about one origin."""

    actors: tuple[Actor, ...]

    @cached_property
    def joints(self) -> NDArray[np.float64]:
        """Bone heads (T, P, 31, 3) m about the origin."""
        return np.stack([a.shape.skeleton(a.take.rotations, a.take.translation) for a in self.actors], 1)

    def at(self, place: Place) -> list[Actor]:
        """Everyone where the company stands."""
        return [replace(actor, place=place) for actor in self.actors]


@dataclass(frozen=True)
class Casting:
    """Draws companies.

    Args:
        frames, fps: of the takes. pairs: share of people who act with somebody. recorded: share of the others whose
        motion comes from `motions`, a folder of motion capture; without a folder nobody's does. children: share of
        children. detail: of the meshes.
    """

    frames: int
    fps: float
    pairs: float = 0.3
    motions: Path | None = None
    recorded: float = 0.6
    children: float = 0.1
    detail: Detail = "full"

    def __call__(self, people: int, rng: np.random.Generator) -> list[Company]:
        """Companies of `people` in all."""
        companies: list[Company] = []
        files = self._files()
        left = people
        while left:
            # A company of two is as likely as makes `pairs` of all people act in one.
            if left > 1 and rng.uniform() < self.pairs / (2 - self.pairs):
                companies.append(self._pair(rng))
            else:
                companies.append(self._single(rng, files))
            left -= len(companies[-1].actors)
        return companies

    def _files(self) -> Sequence[Path]:
        return () if self.motions is None else find_motions(self.motions)

    def _somebody(self, rng: np.random.Generator) -> tuple[Phenotype, Look]:
        phenotype = Phenotype.random(rng, children=self.children)
        return phenotype, random_look(rng, gender=phenotype.gender, age=phenotype.age)

    def _single(self, rng: np.random.Generator, files: Sequence[Path]) -> Company:
        phenotype, look = self._somebody(rng)
        shape = BodyModel.load().shape(phenotype)
        take = self._recorded(shape, files, rng) if files and rng.uniform() < self.recorded else None
        if take is None:
            whole, start = self._stretch(rng)
            played = random_take(shape, rng, frames=whole, fps=self.fps)
            # Whoever is shown only while still standing needs the seat where it will be.
            where = _seat(Actor(shape, played, look, detail=self.detail))
            return Company((Actor(shape, self._cut(played, start), look, detail=self.detail, seat=where),))
        return Company((Actor(shape, take, look, detail=self.detail),))

    def _stretch(self, rng: np.random.Generator) -> tuple[int, int]:
        """Frames of a motion made up, and at which of them the take begins: not everyone starts with the camera."""
        start = int(rng.uniform(0, _EARLIER) * self.fps)
        return max(start + self.frames, math.ceil(_EARLIER * self.fps)), start

    def _cut(self, take: Take, start: int) -> Take:
        frames = slice(start, start + self.frames)
        return replace(take, rotations=take.rotations[frames], translation=take.translation[frames])

    def _recorded(self, shape: Shape, files: Sequence[Path], rng: np.random.Generator) -> Take | None:
        """A stretch of a recording on a flat floor; None where a few draws bring none."""
        seconds = (self.frames - 1) / self.fps
        for _ in range(_DRAWS):
            file = files[int(rng.integers(len(files)))]
            motion = read_motion(file)
            start = float(rng.uniform(0, max(0.0, motion.seconds - seconds)))
            motion = motion.part(start, start + seconds + 1 / motion.fps)
            take = retarget(motion.mirrored() if rng.uniform() < 0.5 else motion, shape)
            rotations, translation = take.at(np.arange(self.frames) / self.fps)
            take = Take(rotations, translation - translation[0] * (1, 0, 1), self.fps, take.source)
            # Whoever climbs or stands on something that is not here would float.
            heights = lowest(take, shape)
            if np.median(heights) < _ON_FLOOR and heights.min() > -_ON_FLOOR:
                return take
        return None

    def _pair(self, rng: np.random.Generator) -> Company:
        people = [self._somebody(rng) for _ in range(2)]
        first, second = (BodyModel.load().shape(phenotype) for phenotype, _ in people)
        kind = tuple(PAIRS)[int(rng.integers(len(PAIRS)))]
        whole, start = self._stretch(rng)
        mesh = BodyModel.load().mesh("low")
        clad, clothed = (
            look.dressed(shape.rest("low"), mesh.canonical, mesh.faces, mesh.part)
            for shape, (_, look) in zip((first, second), people, strict=True)
        )
        takes = pair_takes(kind, (first, second), rng, frames=whole, fps=self.fps, dressed=(clad, clothed))
        actors = [
            Actor(shape, self._cut(take, start), look, detail=self.detail)
            for shape, take, (_, look) in zip((first, second), takes, people, strict=True)
        ]
        return Company(tuple(actors))


def seat(actor: Actor) -> Seat | None:
    """The seat in the world of somebody who sits; None for others."""
    found = actor.seat or _seat(replace(actor, place=Place(0.0, 0.0, 0.0)))
    return None if found is None else found.at(actor.place)


def _seat(actor: Actor) -> Seat | None:
    """The seat that the lowest pose of an actor at the origin asks for."""
    if not actor.take.source.endswith(": sit"):
        return None
    low = int(actor.take.translation[:, 1].argmin())
    lowered = replace(actor, detail="low")
    bottom = lowered.vertices(low)[lowered.part == PARTS.index("hips")]
    rotations, translation = actor.placed
    ahead = rotations[low, bone("Hips")] @ (0.0, 0.0, 1.0)
    x, z = translation[low, (0, 2)] - 0.04 * ahead[[0, 2]] / max(np.hypot(ahead[0], ahead[2]), 1e-6)
    return Seat((float(x), float(z)), float(bottom[:, 1].min()), float(np.arctan2(ahead[0], ahead[2])))
