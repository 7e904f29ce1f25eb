"""Sequences to learn lifting from, made anew for every step: motion, body, camera, and what a detector would see."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from dyad.core.skeleton import BODY17
from dyad.models.sight import sight, turned, turned_back
from dyad.training.dice import Dice
from dyad.training.lifting_motion import DEFINITIONS, KEPT, UPPER, Bodies, Clips, parents
from dyad.training.lifting_noise import Noise
from dyad.training.loop import Batch

_SIDED = tuple(KEPT.index(name.replace("Left", "Right").replace("LHip", "RHip")) for name in KEPT)
"""For each bone the one of its two sides whose stretch it takes."""
# Standard deviation in rad by which bones are turned besides, by parts of their names.
_LOOSE = (("UpLeg", 0.15), ("Leg", 0.12), ("ForeArm", 0.3), ("Arm", 0.4), ("Shoulder", 0.08), ("Neck", 0.12))
_LOOSE_ELSE = 0.05
_MEAN_STATURE = 1.688
# m above the floor, and m before the camera.
_ANKLE, _NEAREST = 0.075, 1.0


class People(NamedTuple):
    """Joints (N, T, 17, 3) m in the world, y up; stature (N,) m; there (N, T), False before and after the motion."""

    joints: Tensor
    stature: Tensor
    there: Tensor


@dataclass(frozen=True)
class Changes:
    """How motion is varied. Chances are 0..1.

    Attributes:
        speed: least and most. blended: chance that trunk and arms do what another clip's do. loosened: chance that
        all bones are turned besides; flung: of those, that the arms go anywhere. limbs: standard deviation of the
        logarithm of a bone's length. held: chance that a clip's ends are its ends, rather than turning points.
        mixed: chance that joints are placed somewhere between the definitions. crouched: chance of bending hips, knees
        and back; tilted: of turning the whole body, up to lying down, by `tilt` rad (standard deviation).
        placed: standard deviation in m by which each joint is placed elsewhere in the body, both sides alike; slid:
        share of the way from the joint before, along which knees, elbows, shoulders and the others are placed elsewhere
        besides; raised: m, least and most by which hips and pelvis are placed higher. Data sets differ in all that.
    """

    speed: tuple[float, float] = (0.65, 1.4)
    blended: float = 0.4
    loosened: float = 0.6
    flung: float = 0.3
    limbs: float = 0.06
    held: float = 0.3
    mixed: float = 0.3
    crouched: float = 0.25
    tilted: float = 0.2
    tilt: float = 0.7
    placed: float = 0.015
    slid: float = 0.08
    raised: tuple[float, float] = (-0.09, 0.04)


@dataclass(frozen=True)
class Views:
    """Where the camera stands: least and most distance in m and height in m; spread of its roll, and how far from the
    middle of the image people are, in rad to either side and up or down.
    """

    distance: tuple[float, float] = (2.0, 16.0)
    height: tuple[float, float] = (0.3, 4.5)
    roll: float = 0.04
    aside: float = 0.6
    above: float = 0.22


@dataclass(frozen=True, eq=False)
class Actors:
    """Draws people who move."""

    clips: Clips
    bodies: Bodies
    changes: Changes = field(default_factory=Changes)

    def __call__(self, count: int, frames: int, dice: Dice) -> People:
        how = self.changes
        rotations, translation, there = self._played(count, frames, dice)
        other = self._played(count, frames, dice)[0]
        upper = torch.tensor([name in UPPER for name in KEPT], device=dice.device)
        mix = dice.chance(how.blended, count, 1, 1) & upper
        rotations = self._loosened(torch.where(mix[..., None, None], other, rotations), dice)
        body = dice.whole(len(self.bodies.stature), count)
        heads = self.bodies.heads[body]
        share = self._definition(count, dice)
        local = (share[..., None, None] * self.bodies.local[body]).sum(1)
        carried = (share[..., None] * self.bodies.share).sum(1)
        rest = local.sum(2) + torch.einsum("nbi,njb->nji", heads, carried)
        local = local + carried[..., None] * self._elsewhere(rest, dice)[:, :, None]
        stretch = torch.exp(how.limbs * dice.normal(count, len(KEPT)))[:, list(_SIDED)]
        joints, rest = self._posed(rotations, heads, local, carried, stretch)
        plain = self._posed(rotations[:, :1], heads, local, carried, torch.ones_like(stretch))[1]
        stature = self.bodies.stature[body] * _height(rest) / _height(plain)
        joints = joints + (translation * (stature / _MEAN_STATURE)[:, None, None])[:, :, None]
        return People(joints, stature, there)

    def _played(self, count: int, frames: int, dice: Dice) -> tuple[Tensor, Tensor, Tensor]:
        clips, how = self.clips, self.changes
        clip = dice.weighted(clips.weight, count)
        last = (clips.length[clip] - 1).float()
        speed = dice.uniform(count, low=how.speed[0], high=how.speed[1])
        span = speed * (frames - 1)
        # Windows may reach beyond both ends.
        start = dice.uniform(count) * (last - 0.4 * span).clamp(min=0.1) - 0.3 * span
        start = torch.where(span < last, start, -0.5 * dice.uniform(count) * (span - last).clamp(min=0))
        at = start[:, None] + speed[:, None] * torch.arange(frames, device=dice.device)
        there = ~dice.chance(how.held, count, 1) | ((at >= 0) & (at <= last[:, None]))
        at = at.abs() % (2 * last[:, None].clamp(min=1))
        at = torch.where(at > last[:, None], 2 * last[:, None] - at, at).clamp(min=0)
        low = at.long()
        part = at - low
        first = clips.start[clip][:, None] + low
        second = clips.start[clip][:, None] + torch.minimum(low + 1, (clips.length[clip] - 1)[:, None])
        turns = torch.lerp(clips.rotations[first], clips.rotations[second], part[..., None, None, None])
        place = torch.lerp(clips.translation[first], clips.translation[second], part[..., None])
        return turns, place - place[:, frames // 2, None] * place.new_tensor((1.0, 0.0, 1.0)), there

    def _loosened(self, rotations: Tensor, dice: Dice) -> Tensor:
        n, t, b = rotations.shape[:3]
        how = self.changes
        size = [next((s for part, s in _LOOSE if part in name), _LOOSE_ELSE) for name in KEPT]
        arms = [2.0 * ("Arm" in name) for name in KEPT]
        spread, flung = (torch.tensor(v, device=dice.device)[:, None] for v in (size, arms))
        strength = dice.chance(how.loosened, n, 1, 1, 1) * (1 + flung * dice.chance(how.flung, n, 1, 1, 1))
        vector = 0.7 * dice.normal(n, 1, b, 3) + 0.6 * dice.lasting(n, t, b, 3, width=20)
        vector = vector + 0.25 * dice.lasting(n, t, b, 3, width=7)
        vector = strength * dice.uniform(n, 1, 1, 1) * spread * vector + self._lowered(n, t, dice)
        return _product(rotations, _rotation(vector))

    def _lowered(self, n: int, t: int, dice: Dice) -> Tensor:
        """Rotation vectors (N, T, B, 3) that make people crouch, kneel, bend down, lean or lie."""
        how = self.changes
        vector = torch.zeros(n, t, len(KEPT), 3, device=dice.device)
        down = dice.chance(how.crouched, n, 1) * dice.uniform(n, 1) * (0.8 + 0.25 * dice.lasting(n, t, width=15))
        # At rest axes are those of the world, x to the left: hips and the back bend forwards about it, knees backwards.
        for side in ("Left", "Right"):
            own = down.clamp(min=0) * dice.uniform(n, 1, low=0.3, high=1.2)
            vector[:, :, KEPT.index(f"{side}UpLeg"), 0] = -2.0 * own
            vector[:, :, KEPT.index(f"{side}Leg"), 0] = 2.2 * own * dice.uniform(n, 1, low=0.4, high=1.1)
        lean = dice.chance(0.5 * how.crouched, n, 1) * dice.uniform(n, 1) * (0.8 + 0.25 * dice.lasting(n, t, width=15))
        for name, share in (("LowerBack", 0.5), ("Spine", 0.4), ("Spine1", 0.3), ("Hips", 0.5)):
            vector[:, :, KEPT.index(name), 0] = share * lean
        turn = how.tilt * (dice.normal(n, 1, 3) + 0.3 * dice.lasting(n, t, 3, width=20))
        vector[:, :, KEPT.index("Hips")] += dice.chance(how.tilted, n, 1, 1) * turn
        return vector

    def _definition(self, count: int, dice: Dice) -> Tensor:
        """Share (N, D, 17) of each definition in each joint."""
        draw = dice.uniform(count, DEFINITIONS, 1)
        one = (draw == draw.amax(1, keepdim=True)).float().expand(-1, -1, len(BODY17))
        # Left and right are placed alike.
        some = dice.uniform(count, DEFINITIONS, len(BODY17)) ** 2
        some = some + BODY17.flip(some.transpose(1, 2)).transpose(1, 2)
        mixed = dice.chance(self.changes.mixed, count, 1, 1)
        return torch.where(mixed, some / some.sum(1, keepdim=True), one)

    def _elsewhere(self, rest: Tensor, dice: Dice) -> Tensor:
        """By how much (N, 17, 3) m joints that rest there are placed elsewhere, in the axes of the world at rest."""
        how, count = self.changes, len(rest)
        mirror = torch.tensor((-1.0, 1.0, 1.0), device=dice.device)
        away = how.placed * dice.normal(count, len(BODY17), 3)
        away = (away + BODY17.flip(away) * mirror) * math.sqrt(0.5)
        hips = torch.tensor([name.endswith(("hip", "pelvis")) for name in BODY17.names], device=dice.device)
        up = torch.tensor((0.0, 1.0, 0.0), device=dice.device)
        away = away + dice.uniform(count, 1, 1, low=how.raised[0], high=how.raised[1]) * hips[:, None] * up
        slid = dice.normal(count, len(BODY17), 1)
        slid = how.slid * math.sqrt(0.5) * (slid + BODY17.flip(slid))
        before = [max(parent, 0) for parent in BODY17.parents]
        return away + slid * (rest - rest[:, before])

    @staticmethod
    def _posed(
        rotations: Tensor, heads: Tensor, local: Tensor, carried: Tensor, stretch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Joints (N, T, 17, 3) about the hips, and (N, 17, 3) at rest, with bones `stretch` times as long."""
        above = parents()
        turns: list[Tensor] = []
        places: list[Tensor] = []
        rest: list[Tensor] = []
        for bone, parent in enumerate(above):
            if parent < 0:
                turns.append(rotations[:, :, bone])
                places.append(torch.zeros_like(rotations[:, :, bone, 0]))
                rest.append(torch.zeros_like(heads[:, 0]))
                continue
            offset = stretch[:, bone, None] * (heads[:, bone] - heads[:, parent])
            turns.append(_product(turns[parent], rotations[:, :, bone]))
            places.append(places[parent] + (turns[parent] * offset[:, None, None]).sum(-1))
            rest.append(rest[parent] + offset)
        posed = torch.einsum("ntbik,njbk->ntji", torch.stack(turns, 2), local)
        posed = posed + torch.einsum("ntbi,njb->ntji", torch.stack(places, 2), carried)
        still = local.sum(2) + torch.einsum("nbi,njb->nji", torch.stack(rest, 1), carried)
        return posed, still


def _height(rest: Tensor) -> Tensor:
    """Height (N,) from the ankles to the top of the head of joints (N, 17, 3) at rest, to compare by."""
    ankle, top = BODY17.indices("left_ankle", "head_top")
    return rest[:, top, 1] - rest[:, ankle, 1]


def _rotation(vector: Tensor) -> Tensor:
    """Matrices of rotation vectors (…, 3)."""
    angle = torch.linalg.vector_norm(vector, dim=-1, keepdim=True).clamp(min=1e-6)
    x, y, z = (vector / angle).unbind(-1)
    sin, cos = angle[..., 0].sin(), angle[..., 0].cos()
    k = 1 - cos
    rows = (
        torch.stack((cos + x * x * k, x * y * k - z * sin, x * z * k + y * sin), -1),
        torch.stack((x * y * k + z * sin, cos + y * y * k, y * z * k - x * sin), -1),
        torch.stack((x * z * k - y * sin, y * z * k + x * sin, cos + z * z * k), -1),
    )
    return torch.stack(rows, -2)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Products of small matrices; quicker than a batched product of 3 by 3."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


def seen_from(people: People, views: Views, dice: Dice) -> tuple[Tensor, Tensor]:
    """Joints (N, T, 17, 3) m in the axes of a camera for each sequence, and the direction (N, 3) against gravity."""
    n = len(people.stature)
    flip = dice.chance(0.5, n, 1, 1, 1)
    mirrored = BODY17.flip(people.joints * people.joints.new_tensor((-1.0, 1.0, 1.0)))
    joints = turned(_yawed(dice.uniform(n, high=2 * math.pi))[:, None], torch.where(flip, mirrored, people.joints))
    pelvis = joints[:, :, BODY17.index("pelvis")]
    lowest = joints[..., 1].amin((1, 2))
    nearest, farthest = pelvis.amin(1), pelvis.amax(1)
    middle = 0.5 * (nearest + farthest)
    joints = joints - torch.stack((middle[:, 0], lowest - _ANKLE, middle[:, 2]), -1)[:, None, None]
    away = dice.between(n, low=views.distance[0], high=views.distance[1]) + 0.5 * (farthest - nearest)[:, 2]
    height = dice.between(n, low=views.height[0], high=views.height[1])
    # The camera stands at +z and looks along -z; whoever stands at the origin is `aside` and `above` of its middle.
    pitch = torch.atan2(height - 0.95, away) + views.above * dice.normal(n).clamp(-2, 2)
    axes = _looking(dice.uniform(n, low=-views.aside, high=views.aside), pitch, views.roll * dice.normal(n))
    place = torch.stack((torch.zeros_like(away), height, away), -1)
    camera = turned(axes[:, None], joints - place[:, None, None])
    # Nobody is nearer than this.
    short = (_NEAREST - camera[..., 2].amin((1, 2))).clamp(min=0)
    back = torch.stack((torch.zeros_like(short), torch.zeros_like(short), short), -1)
    return camera + back[:, None, None], axes[:, :, 1]


def _yawed(angle: Tensor) -> Tensor:
    """Rotations (N, 3, 3) about the vertical."""
    cos, sin, none, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = (cos, none, sin), (none, one, none), (-sin, none, cos)
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _looking(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """World axes to camera axes (N, 3, 3) of cameras that look along -z, turned aside, down and sideways, rad."""
    ahead = torch.stack((yaw.sin() * pitch.cos(), -pitch.sin(), -yaw.cos() * pitch.cos()), -1)
    right = torch.stack((yaw.cos(), torch.zeros_like(yaw), yaw.sin()), -1)
    below = torch.linalg.cross(ahead, right)
    cos, sin = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack((cos * right + sin * below, cos * below - sin * right, ahead), -2)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Batches for `training.loop`, the same for a step whenever it is asked for.

    Attributes:
        batch: sequences a step, of `frames` frames; each motion is seen from `cameras` sides, a divisor of it.
        told: chance that the network is told where up is. device: where they are made.
    """

    actors: Actors
    noise: Noise
    views: Views
    batch: int
    frames: int
    seed: int
    cameras: int = 2
    told: float = 0.5
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __call__(self, start: int) -> Iterator[Batch]:
        for step in itertools.count(start):
            yield self.at(step)

    def at(self, step: int) -> dict[str, Tensor]:
        """The batch of a step; poses and their roots in statures, in the axes of each frame's virtual camera."""
        dice = Dice.of(self.seed * 1_000_003 + step, self.device)
        moving = self.actors(self.batch // self.cameras, self.frames, dice)
        people = People(*(value.repeat_interleave(self.cameras, 0) for value in moving))
        xyz, up = seen_from(people, self.views, dice)
        seen = self.noise(xyz, dice)
        confidence = torch.where(people.there[..., None], seen.confidence, torch.zeros_like(seen.confidence))
        guess = functional.normalize(up + 0.04 * dice.normal(*up.shape), dim=-1)
        looks = sight(seen.rays, confidence, dice.chance(self.told, len(up), 1) * guess)
        return {
            "joints": looks.joints,
            "frames": looks.frames,
            "scale": looks.scale,
            "pose": turned_back(looks.turn, xyz) / people.stature[:, None, None, None],
            "up": turned_back(looks.turn, up[:, None, None].expand(-1, self.frames, -1, -1))[:, :, 0],
            "stature": people.stature,
            "there": people.there,
        }
