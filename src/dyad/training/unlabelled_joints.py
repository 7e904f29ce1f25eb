"""2D joints of people whose poses nobody knows, with what a teacher makes of them: tracks of `dyad run` as batches."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.stages.lifting_joints import read_joints
from dyad.stages.lifting_learned import levelled
from dyad.stages.lifting_network import Sequence, SequenceLifter, sampled
from dyad.training.dice import Dice

# A frame shows somebody from so many joints on; a window is of use where this share of its frames do.
_JOINTS, _SHARE = 6, 0.3


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """W windows of T frames, 30 a second, of one person each.

    Attributes:
        rays: (W, T, 17, 2) of the 2D joints at depth 1, NaN where missing. confidence: (W, T, 17).
        there: (W, T) bool, whether enough joints are seen for a frame to count.
        pose: (W, T, 17, 3) what the teacher says: joints in statures in the camera's axes. up: (W, 3), stature: (W,) m.
    """

    rays: Tensor
    confidence: Tensor
    there: Tensor
    pose: Tensor
    up: Tensor
    stature: Tensor

    def __len__(self) -> int:
        return len(self.rays)

    def __getitem__(self, chosen: Tensor) -> dict[str, Tensor]:
        """The windows of these numbers, by the names of the attributes."""
        return {each.name: getattr(self, each.name)[chosen] for each in fields(self)}

    @property
    def digest(self) -> str:
        """Other joints have another."""
        return hashlib.sha256(self.rays.numpy().tobytes() + self.confidence.numpy().tobytes()).hexdigest()[:16]


def find_tracks(path: Path) -> list[Path]:
    """The files of tracks that a path means: itself, or every tracks.npz below it, or else all npz files in it."""
    if not path.is_dir():
        return [path]
    found = sorted(path.rglob("tracks.npz")) or sorted(path.glob("*.npz"))
    if not found:
        raise BadInput(f"{path} holds no tracks.npz; `dyad run VIDEO -o {path}` makes one of a video")
    return found


def unlabelled(path: Path, teacher: SequenceLifter, *, frames: int) -> Unlabelled:
    """All that is of use in the tracks that a path means; of any 3D and any truth in them nothing is read.

    Args:
        path: see `find_tracks`; files as `read_joints` takes them. frames: of a window.

    Raises BadInput for files that are no tracks, and where nobody is seen for long enough.
    """
    parts = [part for file in find_tracks(path) for part in _people(read_joints(file), teacher, frames)]
    if not parts:
        raise BadInput(f"in the tracks of {path} nobody is seen well enough to learn from")
    return Unlabelled(*(torch.stack([getattr(part, each.name) for part in parts]) for each in fields(Unlabelled)))


def _people(tracks: Tracks, teacher: SequenceLifter, frames: int) -> Iterator[Unlabelled]:
    """Single windows, half a window apart."""
    source = tracks.convert(BODY17)
    # What was filled in, was made by somebody's 3D.
    told = torch.where(source.filled[:, None], 0.0, source.confidence)
    confidence = torch.where(torch.isfinite(source.xy).all(-1), levelled(told), 0.0)
    for identity in source.people:
        rows = source.rows(identity)
        rows = rows[(confidence[rows] > 0).sum(-1) >= 2]
        if not len(rows):
            continue
        person = Sequence(source.time[rows], source.camera.rays(source.xy[rows])[..., :2], confidence[rows])
        time, rays, sure = sampled(person)
        said = teacher(person, time.clamp(max=float(person.time[-1])))
        there = (torch.isfinite(rays).all(-1) & (sure > 0)).sum(-1) >= _JOINTS
        pose = said.pose + said.root[:, None]
        for start in range(0, max(len(time) - frames // 2, 1), max(frames // 2, 1)):
            part = slice(start, start + frames)
            if there[part].float().sum() < _SHARE * frames:
                continue
            up = functional.normalize(said.up[part].median(0).values, dim=0)
            padded = (_padded(value[part], frames) for value in (rays, sure, there, pose))
            yield Unlabelled(*padded, up, torch.tensor(said.stature))


def _padded(values: Tensor, frames: int) -> Tensor:
    """Values (t, …) of up to `frames` frames and then nobody: NaN for rays, the last pose again, else 0."""
    missing = frames - len(values)
    if not missing:
        return values
    last = values[-1:]
    blank = last if values.shape[-1:] == (3,) else torch.full_like(last, torch.nan if values.dim() == 3 else 0)
    return torch.cat((values, blank.expand(missing, *values.shape[1:])))


def unlabelled_batches(
    data: Unlabelled, batch: int, seed: int, start: int, *, masked: float, steps: int
) -> Iterator[dict[str, Tensor]]:
    """Batches from a step on: all windows in one order after another; `epoch` counts these from 1.

    After `steps` it is counted anew: there another process that trains along begins, see `peers`.
    `shown` (N, 17) is False for joints that the student does not get to see, a share `masked` of them.
    """
    step = start
    while True:
        places = range(step * batch, (step + 1) * batch)
        turns = [divmod(place, len(data)) for place in places]
        orders = {turn: np.random.default_rng((seed, turn)).permutation(len(data)) for turn, _ in turns}
        rows = torch.tensor([int(orders[turn][at]) for turn, at in turns])
        dice = Dice.of(seed * 1_000_003 + step, torch.device("cpu"))
        yield {
            **data[rows],
            "shown": ~dice.chance(masked, batch, len(BODY17)),
            "angle": dice.uniform(batch, low=-torch.pi, high=torch.pi),
            "epoch": torch.tensor(1.0 + step % steps * batch // len(data)),
        }
        step += 1
