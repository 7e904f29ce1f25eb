"""Several estimates of one video made into one: the mean of those that mean the same person (the paper's Table 2)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.estimates.likeness import assigned, by_frame, likeness

_PELVIS = Skeleton.of_names(("pelvis",), "pelvis", "captured")
_UNSURE = 1e-3
"""Weight of a joint of no confidence, or of one that is derived from others: it counts where nobody knows better."""


def ensemble(
    tracks: Sequence[Tracks], *, weights: Sequence[float] | None = None, confident: bool = True, least: float = 0.3
) -> Tracks:
    """The mean of several tracks of one video.

    People are matched by their joints in the image over all frames that two files share, one to one; who is in one file
    only is kept as there. In a frame where matched poses lie apart (identities are mixed up, or one is wrong) the
    earlier file counts alone. A joint's place in the image is the mean of those that have it; so is the pose about the
    pelvis, and the pelvis in the camera. Skeleton and camera are the first's. Joints are converted by name; those that
    follow from others (a neck from two shoulders) count where no file has the joint itself.

    Args:
        weights: of each file, positive; equal if None.
        confident: a joint counts as much as its confidence; else all alike, as in the paper.
        least: how alike (0 to 1, see `likeness`) people are to be the same.

    Raises BadUsage without tracks or for weights that do not fit, BadInput for tracks of images of several sizes.
    """
    share = [1.0] * len(tracks) if weights is None else list(weights)
    if not tracks or len(share) != len(tracks) or not all(0 < w < np.inf for w in share):
        raise BadUsage(f"a mean needs at least one estimate and a positive weight for each, got {len(tracks)}, {share}")
    first = tracks[0]
    if len({each.camera.size for each in tracks}) > 1:
        raise BadInput(f"a mean needs tracks of one video, got images of {[each.camera.size for each in tracks]} px")
    every = [each.convert(first.skeleton) if each.skeleton != first.skeleton else each for each in tracks]
    renamed = [first]
    for each in every[1:]:
        renamed.append(_renamed(each, renamed, least))
    frames, times = _timeline(renamed)
    rows = {(int(p), int(f)): None for each in renamed for p, f in zip(each.person, each.frame, strict=True)}
    keys = sorted(rows)
    place = {key: at for at, key in enumerate(keys)}
    native = torch.tensor([[name in each.skeleton.names for name in first.skeleton.names] for each in tracks])
    stacked = _Stack.of(renamed, place, native)
    return stacked.agreeing(least).mean(share, keys, first, confident=confident, frames=frames, times=times)


def _renamed(tracks: Tracks, before: Sequence[Tracks], least: float) -> Tracks:
    """Tracks whose people have the ids of those before whom they are; others get new ones."""
    new = 1 + max((max(each.people, default=-1) for each in before), default=-1)
    totals: dict[tuple[int, int], list[float]] = {}
    for other in before:
        for theirs, mine, value in _alike(other, tracks):
            totals.setdefault((theirs, mine), []).append(value)
    known, mine = sorted({key[0] for key in totals}), tracks.people
    scores = np.zeros((len(known), len(mine)))
    for (theirs, own), values in totals.items():
        # Many frames tell more than few: a chance likeness in one frame is not to win.
        if np.mean(values) >= least:
            scores[known.index(theirs), mine.index(own)] = np.sum(values)
    ids = {mine[b]: known[a] for a, b in assigned(scores, 1e-9)}
    for person in mine:
        if person not in ids:
            ids[person], new = new, new + 1
    person = torch.tensor([ids[p] for p in tracks.person.tolist()], dtype=torch.int64)
    order = torch.from_numpy(np.lexsort((tracks.frame.numpy(), person.numpy())))
    fields = ("frame", "time", "xy", "confidence", "xyz", "sigma", "box", "filled", "agreement", "flags")
    return replace(tracks, person=person[order], **{name: getattr(tracks, name)[order] for name in fields})


def _alike(first: Tracks, second: Tracks) -> list[tuple[int, int, float]]:
    """(person of the first, person of the second, likeness) for every pair in every frame that both have."""
    found = []
    one, two = _points(first), _points(second)
    rows = [by_frame(each) for each in (first, second)]
    for frame in sorted(set(rows[0]) & set(rows[1])):
        a, b = rows[0][frame], rows[1][frame]
        values = likeness(one[a], two[b])
        people = first.person.numpy()[a], second.person.numpy()[b]
        found += [
            (int(p), int(q), float(values[i, j])) for i, p in enumerate(people[0]) for j, q in enumerate(people[1])
        ]
    return found


def _points(tracks: Tracks) -> NDArray[np.float64]:
    """Places (N, J, 2) px: as seen, or where the 3D appears."""
    shown = tracks.reproject()
    return torch.where(torch.isfinite(tracks.xy), tracks.xy, shown).double().numpy()


def _timeline(tracks: Sequence[Tracks]) -> tuple[Tensor, Tensor]:
    times: dict[int, float] = {}
    for each in reversed(tracks):
        times |= dict(zip(each.frames.tolist(), each.times.tolist(), strict=True))
    frames = sorted(times)
    return torch.tensor(frames, dtype=torch.int64), torch.tensor([times[f] for f in frames], dtype=torch.float64)


class _Stack:
    """K estimates of the same N rows; NaN, and `there` False, where an estimate has no such row."""

    def __init__(self, rows: int, native: Tensor) -> None:
        count, joints = native.shape
        self.native = native
        self.there = torch.zeros(count, rows, dtype=torch.bool)
        self.filled = torch.zeros(count, rows, dtype=torch.bool)
        self.flags = torch.zeros(count, rows, dtype=torch.int64)
        self.confidence = torch.zeros(count, rows, joints)
        self.xy = torch.full((count, rows, joints, 2), torch.nan)
        self.xyz, self.sigma = (torch.full((count, rows, joints, 3), torch.nan) for _ in range(2))
        self.box = torch.full((count, rows, 4), torch.nan)

    @classmethod
    def of(cls, tracks: Sequence[Tracks], place: dict[tuple[int, int], int], native: Tensor) -> "_Stack":
        """`native` (K, J): whether an estimate has the joint itself."""
        stack = cls(len(place), native)
        for k, each in enumerate(tracks):
            at = torch.tensor([place[p, f] for p, f in zip(each.person.tolist(), each.frame.tolist(), strict=True)])
            at = at.long()
            stack.there[k, at] = True
            for name in ("filled", "flags", "confidence", "xy", "xyz", "sigma", "box"):
                getattr(stack, name)[k, at] = getattr(each, name)
        return stack

    def agreeing(self, least: float) -> "_Stack":
        """Without the rows that lie apart from those of the first estimate that has any."""
        count, rows = self.there.shape
        lead = self.there.int().argmax(0)
        shown = self.xy.double().numpy()
        for row in range(rows):
            first = int(lead[row])
            for k in range(first + 1, count):
                if self.there[k, row]:
                    a, b = shown[first, row], shown[k, row]
                    shared = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
                    if shared.any() and likeness(a[None], b[None])[0, 0] < least:
                        self.there[k, row] = False
        # A row that only bridges a gap does not count beside one that was seen.
        seen = self.there & ~self.filled
        self.there &= seen | ~seen.any(0)
        return self

    def mean(
        self,
        share: Sequence[float],
        keys: Sequence[tuple[int, int]],
        like: Tracks,
        *,
        confident: bool,
        frames: Tensor,
        times: Tensor,
    ) -> Tracks:
        weight = torch.tensor(share)[:, None] * self.there
        trust = self.confidence.nan_to_num().clamp(min=_UNSURE) if confident else torch.ones_like(self.confidence)
        own = torch.where(self.native, 1.0, _UNSURE)[:, None]
        joint = weight[..., None] * trust * own
        known = torch.isfinite(self.xyz).all(-1) & self.there[..., None]
        root = self._roots(like.skeleton, known)
        relative = _mean(self.xyz - root[:, :, None], joint * known)
        centre = _mean(root, weight * torch.isfinite(root).all(-1))
        spread = _share(joint * known)[..., None] * self.sigma
        sigma = torch.where(known[..., None], spread, 0.0).square().sum(0).sqrt()
        has_xy = torch.isfinite(self.xy).all(-1)
        # Confidence 0 of an estimator that never gives a joint is no doubt in it.
        told = weight[..., None] * own * has_xy
        confidence = (_share(told) * self.confidence.nan_to_num()).sum(0)
        person, frame = (torch.tensor([key[k] for key in keys], dtype=torch.int64) for k in (0, 1))
        flags = torch.zeros(len(keys), dtype=torch.int64)
        for k in range(len(share)):
            flags |= torch.where(self.there[k], self.flags[k], 0)
        return Tracks.of_rows(
            skeleton=like.skeleton,
            camera=like.camera,
            frame=frame,
            person=person,
            xy=_mean(self.xy, joint * has_xy),
            confidence=confidence,
            xyz=relative + centre[:, None],
            sigma=torch.where(known.any(0)[..., None], sigma, torch.nan),
            box=_mean(self.box, weight * torch.isfinite(self.box).all(-1)),
            filled=(self.filled | ~self.there).all(0),
            flags=flags,
            frames=frames,
            times=times,
            fps=like.fps,
            video=like.video,
            world=like.world,
            cuts=like.cuts,
        )

    def _roots(self, skeleton: Skeleton, known: Tensor) -> Tensor:
        """What each pose (K, N) is about: its pelvis, or the middle of the joints that all have, or else the camera."""
        pelvis = skeleton.convert(self.xyz, _PELVIS)[:, :, 0]
        shared = (known | ~known.any(-1, keepdim=True)).all(0) & known
        middle = _mean(self.xyz.transpose(0, 2), shared.transpose(0, 2).float()).transpose(0, 1)
        middle = torch.where(shared.any(-1, keepdim=True) | ~self.there[..., None], middle, 0.0)
        whole = (torch.isfinite(pelvis).all(-1) | ~known.any(-1)).all(0)
        return torch.where(whole[None, :, None], pelvis, middle)


def _share(weight: Tensor) -> Tensor:
    """Weights that add up to 1 over the estimates, where there are any."""
    return weight / weight.sum(0).clamp(min=1e-12)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean over the first dimension of (K, …, D) by weights (K, …); NaN where none weighs."""
    total = (_share(weight)[..., None] * torch.nan_to_num(values)).sum(0)
    return torch.where((weight.sum(0) > 0)[..., None], total, torch.nan)
