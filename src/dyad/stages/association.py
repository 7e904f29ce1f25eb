"""Who in one estimate of the people in a video is who in another: pose similarity in space, and one answer a track.

[TB], equations 5 and 6: joints that lie near one another in the camera's space speak for two poses' being one
person's, as loud as the less sure of the two, and the Hungarian algorithm makes the best of all pairs of a frame.
Estimators differ most in distance, which moves a pose along its own ray and changes its size with it. So before they
are compared, two poses are brought most of the way to the same distance; what is left of the difference still counts,
and the allowed error grows with depth.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Tracks
from dyad.models.pose_matching import match_poses, pose_similarity


class Matching(Protocol):
    """Gives the people of the second tracks the ids that they have in the first; others get ids of their own."""

    def __call__(self, first: Tracks, second: Tracks) -> Tracks: ...


@dataclass(frozen=True, kw_only=True)
class PoseMatching:
    """Pose matching: similarity frame by frame, steadied by that of the frames around, then one-to-one.

    Attributes:
        base, growth: m, and m for each m of depth: the s of equation 6, at which similarity has fallen to 0.6.
        along: share of the difference in distance that counts, 1 as printed.
        at_least: similarity below which two poses are not one person's.
        window: s before and after over which similarity is averaged; memory: 0..1, how much this average weighs.
    """

    base: float = 0.1
    growth: float = 0.04
    along: float = 0.3
    at_least: float = 0.02
    window: float = 0.7
    memory: float = 0.7

    def __post_init__(self) -> None:
        if not self.base > 0 or self.growth < 0 or not 0 <= self.along <= 1 or not 0 <= self.memory <= 1:
            raise BadUsage(f"base is above 0, growth not negative, along and memory lie between 0 and 1, got {self}")

    def similarity(self, first: Tensor, second: Tensor, first_sure: Tensor, second_sure: Tensor) -> Tensor:
        """How alike (N, M) poses (N, J, 3) and (M, J, 3) m in the camera frame are, 0..1; NaN joints add nothing."""
        columns = []
        here = _middle(first)
        for pose, sure in zip(second, second_sure, strict=True):
            there = _middle(pose[None])
            # A pose of twice the size at twice the distance looks the same.
            nearer = (there / here) ** (1 - self.along)
            size = self.base + self.growth * (there if torch.isfinite(there).all() else torch.ones_like(there))
            columns.append(
                pose_similarity(
                    first * nearer[:, None, None], pose[None], first_sure, sure[None], size=size, sigma=1.0
                )[:, 0]
            )
        return torch.stack(columns, 1) if columns else first.new_zeros(len(first), 0)

    def __call__(self, first: Tracks, second: Tracks) -> Tracks:
        """The rows of `second` with the ids of `first`, frame by frame; rows of nobody in `first` get new ids.

        Someone of `second` whom `first` lacks for a while keeps the id that they had around that time.
        """
        second = second.convert(first.skeleton)
        scale = _most(first.confidence), _most(second.confidence)
        pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        for frame in sorted({*first.frame.tolist()} & {*second.frame.tolist()}):
            mine, theirs = (torch.nonzero(t.frame == frame)[:, 0] for t in (first, second))
            alike = self.similarity(
                first.xyz[mine].double(),
                second.xyz[theirs].double(),
                (first.confidence[mine] / scale[0]).clamp(max=1).double(),
                (second.confidence[theirs] / scale[1]).clamp(max=1).double(),
            )
            pairs.append((mine, theirs, alike))
        person = torch.full((len(second),), -1)
        lasting = self._lasting(first, second, pairs)
        for (mine, theirs, _), alike in zip(pairs, lasting, strict=True):
            found = match_poses(alike, at_least=self.at_least)
            person[theirs[found.second]] = first.person[mine[found.first]]
        return _renamed(first, second, person)

    def _lasting(self, first: Tracks, second: Tracks, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> list[Tensor]:
        """Similarities with those of the same two people in the frames around mixed in."""
        ids = [torch.unique(tracks.person) for tracks in (first, second)]
        if not pairs:
            return []
        total = torch.zeros(len(pairs), len(ids[0]), len(ids[1]), dtype=torch.float64)
        count = torch.zeros_like(total)
        times = torch.empty(len(pairs), dtype=torch.float64)
        places = []
        for f, (mine, theirs, alike) in enumerate(pairs):
            a = torch.searchsorted(ids[0], first.person[mine])
            b = torch.searchsorted(ids[1], second.person[theirs])
            places.append((a, b))
            total[f, a[:, None], b], count[f, a[:, None], b] = alike, 1.0
            times[f] = first.time[mine[0]]
        total, count = (torch.cat((torch.zeros_like(v[:1]), v.cumsum(0))) for v in (total, count))
        low = torch.searchsorted(times, times - self.window)
        high = torch.searchsorted(times, times + self.window, right=True)
        mean = (total[high] - total[low]) / (count[high] - count[low]).clamp(min=1)
        return [
            (1 - self.memory) * alike + self.memory * mean[f][a[:, None], b]
            for f, ((a, b), (_, _, alike)) in enumerate(zip(places, pairs, strict=True))
        ]


@dataclass(frozen=True, kw_only=True)
class RootMatching:
    """Without pose matching: in each frame by itself, the two roots nearest in the image, and so on.

    within: as a share of the height of the person's box or pose, beyond which nobody is taken.
    """

    within: float = 0.5

    def __call__(self, first: Tracks, second: Tracks) -> Tracks:
        second = second.convert(first.skeleton)
        root = first.skeleton.index(first.skeleton.root)
        person = torch.full((len(second),), -1)
        places = [tracks.camera.project(tracks.xyz.double()) for tracks in (first, second)]
        low, high = (torch.nan_to_num(places[0][..., 1], nan=blank) for blank in (torch.inf, -torch.inf))
        height = (high.amax(-1) - low.amin(-1)).clamp(min=1)
        for frame in sorted({*first.frame.tolist()} & {*second.frame.tolist()}):
            mine, theirs = (torch.nonzero(t.frame == frame)[:, 0] for t in (first, second))
            apart = torch.cdist(places[0][mine][:, root], places[1][theirs][:, root])
            apart = torch.nan_to_num(apart / height[mine, None], nan=torch.inf)
            for _ in range(min(apart.shape)):
                a, b = divmod(int(apart.argmin()), apart.shape[1])
                if apart[a, b] > self.within:
                    break
                person[theirs[b]] = first.person[mine[a]]
                apart[a], apart[:, b] = torch.inf, torch.inf
        return _renamed(first, second, person)


def associate(
    detections: Iterable[Detections], tracks: Tracks, *, matching: Matching | None = None, memory: float = 0.5
) -> Tracks:
    """What a detector finds, frame by frame and nameless, as tracks with the ids of `tracks`.

    Whom `tracks` lack is followed from frame to frame by pose similarity, over gaps of up to `memory` s, and gets an id
    of their own. Detections need 3D joints; BadInput where they have none.
    """
    matching = matching or PoseMatching()
    alike = matching if isinstance(matching, PoseMatching) else PoseMatching()
    # What was seen last of each: its time, pose, confidence.
    known: dict[int, tuple[float, Tensor, Tensor]] = {}
    rows: dict[str, list[Tensor]] = {}
    frames, times = [], []
    skeleton = tracks.skeleton
    for found in detections:
        found = found.convert(skeleton)
        xyz = found.xyz
        if xyz is None:
            raise BadInput(f"frame {found.frame}: people who are to be associated need 3D joints")
        frames.append(found.frame)
        times.append(found.time)
        if found.cut:
            known = {}
        known = {name: seen for name, seen in known.items() if found.time - seen[0] <= memory}
        names = _followed(found, known, alike, sum(len(p) for p in rows.get("person", [])))
        for k, name in enumerate(names):
            known[name] = (found.time, xyz[k].double(), found.confidence[k].double())
        said = {
            "frame": torch.full((len(found),), found.frame),
            "person": torch.tensor(names, dtype=torch.int64),
            **{"xy": found.xy, "xyz": xyz, "confidence": found.confidence, "box": found.boxes},
        }
        for key, value in said.items():
            rows.setdefault(key, []).append(value)
    if not frames:
        return tracks[torch.zeros(len(tracks), dtype=torch.bool)]
    followed = Tracks.of_rows(
        skeleton=skeleton,
        camera=tracks.camera,
        fps=tracks.fps,
        video=tracks.video,
        frames=torch.tensor(frames),
        times=torch.tensor(times, dtype=torch.float64),
        **{key: torch.cat(value) for key, value in rows.items()},
    )
    return matching(tracks, followed)


def _followed(
    found: Detections, known: dict[int, tuple[float, Tensor, Tensor]], alike: PoseMatching, fresh: int
) -> list[int]:
    """A name for everyone in a frame: that of whom they resemble among the known, or a new one from `fresh` on."""
    names = [-1] * len(found)
    if known and len(found) and found.xyz is not None:
        pose, sure = (torch.stack([seen[k] for seen in known.values()]) for k in (1, 2))
        table = alike.similarity(pose, found.xyz.double(), sure, found.confidence.double())
        pairs = match_poses(table, at_least=alike.at_least)
        for a, b in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True):
            names[b] = list(known)[a]
    for k, name in enumerate(names):
        if name < 0:
            names[k], fresh = fresh, fresh + 1
    return names


def _renamed(first: Tracks, second: Tracks, person: Tensor) -> Tracks:
    """`second` with ids (N,); where they are -1, that of the nearest time at which this person had one, if it is free
    there, or else a new one."""
    taken = {*zip(first.frame.tolist(), first.person.tolist(), strict=True)}
    taken |= {*zip(second.frame.tolist(), person.tolist(), strict=True)}
    fresh = max([-1, *first.person.tolist()]) + 1
    out = person.clone()
    for own in second.people:
        rows = second.rows(own)
        named = rows[person[rows] >= 0]
        new = -1
        for row in rows[person[rows] < 0].tolist():
            if len(named):
                nearest = named[(second.time[named] - second.time[row]).abs().argmin()]
                name = (int(second.frame[row]), int(person[nearest]))
                if name not in taken:
                    out[row] = name[1]
                    taken.add(name)
                    continue
            if new < 0:
                new, fresh = fresh, fresh + 1
            out[row] = new
    order = torch.from_numpy(np.lexsort((second.frame.numpy(), out.numpy())))
    return second[order].with_(person=out[order]) if _sorted(second, order) else _reordered(second, order, out)


def _sorted(tracks: Tracks, order: Tensor) -> bool:
    return bool((order == torch.arange(len(tracks))).all())


def _reordered(tracks: Tracks, order: Tensor, person: Tensor) -> Tracks:
    names = ("frame", "time", "xy", "confidence", "xyz", "sigma", "box", "filled", "agreement", "flags")
    return tracks.with_(**{name: getattr(tracks, name)[order] for name in names}, person=person[order])


def _middle(pose: Tensor) -> Tensor:
    """Depth (N,) m of the middle of poses (N, J, 3)."""
    return pose[..., 2].nanmedian(-1).values.clamp(min=0.2)


def _most(confidence: Tensor) -> Tensor:
    """What counts as sure: estimators say it on scales of their own."""
    known = confidence[confidence > 0]
    return known.quantile(0.95) if 0 < len(known) < 10**6 else confidence.new_tensor(1.0)
