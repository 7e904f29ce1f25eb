"""What lifting networks learn from: recorded and made motion, and bodies to put it on, as tensors."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dyad.core.skeleton import BLAZEPOSE33, BODY17, MUPOTS17
from dyad.synthetic.bodies.body import BONES, BodyModel, Phenotype, Shape
from dyad.synthetic.bodies.keypoints import joint_shares
from dyad.synthetic.motion.moves import KINDS, random_take
from dyad.synthetic.motion.pairs import PAIRS, pair_takes
from dyad.synthetic.motion.recordings import find_motions, read_motion
from dyad.synthetic.motion.retarget import retarget
from dyad.synthetic.motion.takes import Take

FPS = 30.0
_TIPS = ("Thumb", "Finger", "Toe")
KEPT = tuple(name for name in BONES if not any(tip in name for tip in _TIPS))
"""The bones that joints hang on, parents first."""
UPPER = tuple(name for name in KEPT if not any(part in name for part in ("Hip", "Leg", "Foot")))
"""Those from the waist up."""
DEFINITIONS = 3
"""Ways of placing the joints of body17: as Human3.6M, as MuPoTS-3D, as they follow from BlazePose's 33."""
_MADE_FRAMES = 150
# One in so many recordings is kept for judging.
_HELD_OUT = 8


@dataclass(frozen=True, eq=False)
class Clips:
    """Motion of the mean body, 30 frames a second, all clips end to end.

    Attributes:
        rotations: (F, B, 3, 3) of `KEPT` bones relative to their parents. translation: (F, 3) m of the hips, y up.
        start, length: (C,) where each clip begins and its frames. weight: (C,) how often it comes, of 1 in all.
    """

    rotations: Tensor
    translation: Tensor
    start: Tensor
    length: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> "Clips":
        return Clips(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(frozen=True, eq=False)
class Bodies:
    """P bodies at rest.

    Attributes:
        heads: (P, B, 3) m of `KEPT` bones. local: (P, D, 17, B, 3) where each definition's joints lie about the bones
        that carry them, times `share` (D, 17, B), which sums to 1 over the bones. stature: (P,) m.
    """

    heads: Tensor
    local: Tensor
    share: Tensor
    stature: Tensor

    def to(self, device: torch.device) -> "Bodies":
        return Bodies(*(getattr(self, each.name).to(device) for each in fields(self)))


def parents() -> tuple[int, ...]:
    """Of each of the `KEPT` bones; -1 for the hips."""
    above = BodyModel.load().parents
    return tuple(KEPT.index(BONES[above[BONES.index(name)]]) if name != BONES[0] else -1 for name in KEPT)


def bodies(count: int, seed: int, *, children: float = 0.1) -> Bodies:
    """Somebody from the street, `count` times."""
    rng = np.random.default_rng((seed, 1))
    shapes = [BodyModel.load().shape(Phenotype.random(rng, children=children)) for _ in range(count)]
    kept = [BONES.index(name) for name in KEPT]
    parts = [_definitions(shape) for shape in shapes]
    share = parts[0][..., 3]
    heads = torch.stack([torch.from_numpy(shape.joints[kept]) for shape in shapes])
    local = torch.stack([each[..., :3] for each in parts]) - share[..., None] * heads[:, None, None]
    stature = torch.tensor([shape.stature for shape in shapes])
    return Bodies(heads.float(), local.float(), share.float(), stature.float())


def _definitions(shape: Shape) -> Tensor:
    """(D, 17, B, 4) what each bone carries of each joint's place at rest, with a 1 appended."""
    found = []
    for skeleton in (BODY17, MUPOTS17, BLAZEPOSE33):
        carried = torch.from_numpy(joint_shares(shape, skeleton))
        placed = skeleton.convert(carried.transpose(0, 1), BODY17).transpose(0, 1)
        if skeleton is MUPOTS17:
            # Others' 2D joints of this kind have the head where body17 has its nose.
            placed[BODY17.index("nose")] = carried[skeleton.index("head")]
        found.append(placed)
    every = torch.stack(found)
    kept = [BONES.index(name) for name in KEPT]
    # What little a fingertip or a toe carries goes with the bone above.
    rest = [b for b in range(len(BONES)) if b not in kept]
    for bone in sorted(rest, reverse=True):
        every[:, :, BodyModel.load().parents[bone]] += every[:, :, bone]
    return every[:, :, kept]


def clips(motions: Path | None, *, made: int, seed: int, held_out: bool = False) -> Clips:
    """Recordings in a folder and `made` takes without data, on the mean body; `held_out` gives those kept for judging.

    BadInput where the folder has no motion.
    """
    shape = BodyModel.load().shape(Phenotype())
    takes = list(_recorded(shape, motions, held_out=held_out))
    takes += [(take, 0.35) for take in _made(shape, made, (seed, 2 + held_out))]
    kept = [BONES.index(name) for name in KEPT]
    count = [len(take) for take, _ in takes]
    # A kind of motion comes as often as its share says, a clip within it by the root of its length.
    total: dict[float, float] = {}
    for (_, share), frames in zip(takes, count, strict=True):
        total[share] = total.get(share, 0.0) + math.sqrt(frames)
    weight = torch.tensor([share * math.sqrt(n) / total[share] for (_, share), n in zip(takes, count, strict=True)])
    length = torch.tensor(count)
    return Clips(
        torch.cat([torch.from_numpy(take.rotations[:, kept]).float() for take, _ in takes]),
        torch.cat([torch.from_numpy(take.translation).float() for take, _ in takes]),
        length.cumsum(0) - length,
        length,
        weight / weight.sum(),
    )


def _made(shape: Shape, count: int, seed: tuple[int, ...]) -> Iterator[Take]:
    """Takes without data: each kind of one person's, and of two people's, equally often."""
    rng = np.random.default_rng(seed)
    kinds = (*KINDS, *PAIRS)
    made = 0
    while made < count:
        kind = kinds[made % len(kinds)]
        if kind in KINDS:
            takes = (random_take(shape, rng, frames=_MADE_FRAMES, fps=FPS, kinds=(kind,)),)
        else:
            takes = pair_takes(kind, (shape, shape), rng, frames=_MADE_FRAMES, fps=FPS)
        yield takes[int(rng.integers(len(takes)))]
        made += 1


def _recorded(shape: Shape, motions: Path | None, *, held_out: bool) -> Iterator[tuple[Take, float]]:
    """Takes of a folder of motion capture, and the share of their kind: much of what there is to have is walking."""
    files = [] if motions is None else find_motions(motions)
    for place, file in enumerate(files):
        if (place % _HELD_OUT == _HELD_OUT // 2) != held_out:
            continue
        motion = read_motion(file)
        motion = motion if motion.fps == FPS else motion.resampled(FPS)
        yield retarget(motion, shape), 0.15 if "walk" in file.stem else 0.5
