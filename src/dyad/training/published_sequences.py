"""Motion of data sets as batches for GCN and TCNs: joints in 3D, and the 2D joints that an estimator would see of them.

Of Human3.6M, JTA, MPI-INF-3DHP or MuCo-3DHP, as the readers of `dyad.datasets` give them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.datasets import READERS, read_dataset
from dyad.training.dice import Dice
from dyad.training.lifting_noise import Noise
from dyad.training.loop import Batch

SETS = ("human36m", "jta", "mpi-inf-3dhp", "muco")


@dataclass(frozen=True, eq=False)
class Motion:
    """F frames of single people, sequences end to end.

    Attributes:
        xyz: (F, 17, 3) m in the camera. told: (F, 17) bool, joints that are known. hidden: (F, 17) bool.
        focal, centre: (F, 2) px. first, last: (F,) the rows at which each frame's sequence begins and ends.
    """

    xyz: Tensor
    told: Tensor
    hidden: Tensor
    focal: Tensor
    centre: Tensor
    first: Tensor
    last: Tensor

    def __len__(self) -> int:
        return len(self.xyz)


class _Sequence(NamedTuple):
    xyz: Tensor
    told: Tensor
    hidden: Tensor
    focal: Tensor
    centre: Tensor


def motion(data: Path, names: Sequence[str], *, held_out: int) -> tuple[Motion, Motion]:
    """What is learnt from and what is judged by, one sequence in `held_out`, of training splits in `data`/NAME.

    Raises BadUsage for names of other data sets, BadInput where nobody is to be found.
    """
    strange = sorted(set(names) - set(SETS))
    if strange or not names:
        raise BadUsage(f"--on names {', '.join(SETS)}, with commas between them; got {', '.join(strange) or 'nothing'}")
    parts: list[_Sequence] = []
    for name in names:
        if name not in READERS or not (data / name).is_dir():
            raise BadInput(f"{data} has no folder {name}")
        for clip in read_dataset(name, data / name, split="train"):
            if clip.truth is not None:
                parts += _sequences(clip.truth)
    if not parts:
        raise BadInput(f"in {', '.join(names)} in {data} there is nobody to learn from")
    kept = [k % held_out == held_out // 2 for k in range(len(parts))] if len(parts) > 1 else [False]
    if not any(kept):
        kept[-1] = len(parts) > 1
    learnt = [part for part, judged in zip(parts, kept, strict=True) if not judged]
    return _joined(learnt), _joined([part for part, judged in zip(parts, kept, strict=True) if judged] or learnt)


def _sequences(truth: Tracks) -> Iterator[_Sequence]:
    """Of each person the frames that follow one another and in which a pelvis and a neck are known."""
    body = truth.convert(BODY17)
    told = torch.isfinite(body.xyz).all(-1)
    whole = told[:, BODY17.indices("pelvis", "neck")].all(-1)
    steps = torch.diff(body.frames).median() if len(body.frames) > 1 else torch.tensor(1)
    focal, centre = (value.float().expand(len(body), 2) for value in (body.camera.focal, body.camera.centre))
    hidden = (body.confidence > 0) & (body.confidence < 1)
    for identity in body.people:
        rows = body.rows(identity)
        rows = rows[whole[rows]]
        cuts = (torch.nonzero(torch.diff(body.frame[rows]) > steps)[:, 0] + 1).tolist()
        for part in rows.tensor_split(cuts):
            if len(part):
                xyz = _filled(body.xyz[part].float())
                yield _Sequence(xyz, told[part], hidden[part], focal[part], centre[part])


def _filled(xyz: Tensor) -> Tensor:
    """Joints (F, 17, 3) that a data set does not tell lie where the neck is; nobody learns from them."""
    neck = xyz[:, BODY17.index("neck"), None]
    return torch.where(torch.isfinite(xyz).all(-1, keepdim=True), xyz, neck)


def _joined(parts: Sequence[_Sequence]) -> Motion:
    lengths = torch.tensor([len(part.xyz) for part in parts])
    ends = lengths.cumsum(0)
    first = (ends - lengths).repeat_interleave(lengths)
    last = (ends - 1).repeat_interleave(lengths)
    return Motion(*(torch.cat(values) for values in zip(*parts, strict=True)), first, last)


@dataclass(frozen=True, eq=False)
class Windows:
    """Batches of windows about every frame in turn, on the device that trains; the same for a step whenever asked for.

    A batch of N windows of T frames: `xy` (N, T, 17, 2) px and `confidence` (N, T, 17) as an estimator tells them, a
    joint that is missing lying amid the others with confidence 0; of the middle frame `pose` (N, 17, 3) m about the
    pelvis, `told` (N, 17) bool, and `root` (N,), Z / f in m per px.
    """

    source: Motion
    noise: Noise
    batch: int
    frames: int
    seed: int
    device: torch.device

    def __call__(self, start: int) -> Iterator[Batch]:
        step, turn, order = start, -1, np.zeros(0, np.int64)
        while True:
            rows = []
            for place in range(step * self.batch, (step + 1) * self.batch):
                epoch, at = divmod(place, len(self.source))
                if epoch != turn:
                    turn, order = epoch, np.random.default_rng((self.seed, epoch)).permutation(len(self.source))
                rows.append(int(order[at]))
            yield self.of(torch.tensor(rows), step)
            step += 1

    def of(self, rows: Tensor, draw: int) -> dict[str, Tensor]:
        """The windows about frames; `draw` chooses the errors."""
        source, device = self.source, self.device
        at = rows[:, None] + torch.arange(self.frames) - self.frames // 2
        # Beyond the ends of a sequence its first and its last frame go on.
        at = torch.maximum(torch.minimum(at, source.last[rows, None]), source.first[rows, None])
        xyz, told, hidden = (value[at].to(device) for value in (source.xyz, source.told, source.hidden))
        focal, centre = (value[rows].to(device)[:, None, None] for value in (source.focal, source.centre))
        seen = self.noise(xyz, Dice.of(self.seed * 1_000_003 + draw, device))
        confidence = torch.where(told, seen.confidence, 0.0) * torch.where(hidden, 0.5, 1.0)
        missing = ~torch.isfinite(seen.rays).all(-1) | (confidence <= 0)
        confidence = torch.where(missing, torch.zeros_like(confidence), confidence)
        rays = seen.rays.nan_to_num(0.0)
        weight = confidence[..., None]
        amid = (rays * weight).sum(-2, keepdim=True) / weight.sum(-2, keepdim=True).clamp(min=1e-6)
        rays = torch.where(missing[..., None], amid.expand_as(rays), rays)
        middle = xyz[:, self.frames // 2]
        pelvis = middle[:, BODY17.index("pelvis")]
        return {
            "xy": rays * focal + centre,
            "confidence": confidence,
            "pose": middle - pelvis[:, None],
            "told": told[:, self.frames // 2],
            "root": pelvis[:, 2] / focal[:, 0, 0, 0],
        }
