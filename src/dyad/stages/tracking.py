"""Identities: detections of a whole clip become tracks of people.

Three passes. Frame to frame, predicted poses take the detections that suit them (`tracklets`). With the whole clip in
view, pieces are joined over gaps and identities exchanged where people met (`linking`, on `evidence`). Then those go
who were too short, too doubtful or somebody else's double.
"""

import logging
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.columns import BLOCK, Columns, picked, rest
from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Flag, Tracks
from dyad.core.video import Video
from dyad.stages.evidence import Witness, log_bones
from dyad.stages.linking import Linking, gaps, link, overlap, untangle
from dyad.stages.pose_similarity import crowding, joints_of
from dyad.stages.sightings import Looks, Rows, Sightings, unit_looks
from dyad.stages.tracklets import Follower, Following

log = logging.getLogger(__name__)

# Frames whose rows are kept apart before they are joined.
_LOOSE = 64

# Two people at the same place in the image are two for certain if one is this much farther, in log distance.
_ANOTHER_DEPTH = 0.3


@dataclass(frozen=True)
class Proof:
    """What it takes to be a person.

    Attributes:
        duration: s from first to last sighting; in shots under twice that, presence in half of the frames instead.
        score: least mean score. seen: least share of frames with a detection, where long absences count as 0.5 s:
            whoever flickers is a fold of cloth.
        evidence: least sum of scores times the frame step, s: so much certain sight.
        twin: similarity from which two people claim the same joints. twin_share: a track that does so in this share of
            its frames, at the same distance where distances are known, is a double of the other: the one with less
            evidence goes.
    """

    duration: float = 0.5
    score: float = 0.3
    seen: float = 0.45
    evidence: float = 0.3
    twin: float = 0.75
    twin_share: float = 0.6


@dataclass(frozen=True, kw_only=True)
class PoseTracker:
    """Tracks of everyone, from detections with 2D joints and, where given, 3D joints and looks.

    Rows exist for frames with a detection only; nobody crosses a hard cut; ids count from 0 by first appearance.
    `max_people` keeps those with the most evidence (sum of scores).
    """

    max_people: int | None = None
    following: Following = field(default_factory=Following)
    linking: Linking = field(default_factory=Linking)
    proof: Proof = field(default_factory=Proof)

    def __post_init__(self) -> None:
        if self.max_people is not None and self.max_people < 1:
            raise BadUsage(f"max_people should be at least 1, got {self.max_people}")

    def __call__(self, detections: Iterable[Detections], video: Video) -> Tracks:
        """Consume the detections, which come by frame, once. BadInput where frames go back or skeletons change."""
        clip = _Clip()
        follower: Follower | None = None
        for found in detections:
            if follower is None:
                follower = Follower(self.following, joints_of(found.skeleton.names))
            if found.cut:
                follower.cut()
            first = clip.rows
            seen, crowd = clip.add(found, near=self.proof.twin)
            if len(seen) > 1:
                crowd = np.where(np.abs(seen.depth[:, None] - seen.depth[None]) > _ANOTHER_DEPTH, 0.0, crowd)
            follower.step(seen, time=found.time, first_row=first, crowd=crowd)
        pieces = follower.finish() if follower is not None else []
        people = self._people(pieces, clip) if pieces else []
        log.info("%d detections in %d pieces became %d people", clip.rows, len(pieces), len(people))
        return clip.tracks(people, video)

    def _people(self, pieces: list[Rows], clip: "_Clip") -> list[Rows]:
        seen = clip.sightings()
        witness = Witness(
            seen,
            joints_of(clip.skeleton.names),
            bones=clip.bones(),
            looks=clip.looks(),
            clean=~clip.contested(np.concatenate(pieces)),
        )
        witness.learn_traits(pieces)
        tracks = pieces
        for step in (untangle, link, untangle, link):
            tracks = step(tracks, witness, self.linking)
            clip.rest()
        tracks = [rows for rows in tracks if self._proven(rows, seen, clip)]
        tracks = self._without_doubles(tracks, seen, clip)
        if self.max_people is not None and len(tracks) > self.max_people:
            evident = sorted(range(len(tracks)), key=lambda i: (-float(seen.score[tracks[i]].sum()), i))
            tracks = [tracks[i] for i in sorted(evident[: self.max_people])]
        return sorted(tracks, key=lambda rows: int(rows[0]))

    def _proven(self, rows: Rows, seen: Sightings, clip: "_Clip") -> bool:
        proof = self.proof
        if float(seen.score[rows].mean()) < proof.score:
            return False
        shot = clip.times_of_shot(int(seen.shot[rows[0]]))
        step = gaps(shot)
        if len(shot) < 6 or shot[-1] - shot[0] + step < 2 * proof.duration:
            return len(rows) >= max(1, len(shot) / 2)
        if float(seen.score[rows].sum()) * step < proof.evidence:
            return False
        span = float(seen.time[rows[-1]] - seen.time[rows[0]]) + step
        ahead = np.diff(seen.place[rows])
        frames = 1 + int(np.minimum(ahead, max(3, round(0.5 / step))).sum())
        return span >= proof.duration - 1e-6 and len(rows) >= max(3, proof.seen * frames)

    def _without_doubles(self, tracks: list[Rows], seen: Sightings, clip: "_Clip") -> list[Rows]:
        gone: set[int] = set()
        evidence = [float(seen.score[rows].sum()) for rows in tracks]
        pairs = clip.crowded()
        same = ~(np.abs(seen.depth[pairs[:, 0]] - seen.depth[pairs[:, 1]]) > _ANOTHER_DEPTH)
        shared = overlap(tracks, pairs[same], len(seen))
        for (a, b), frames in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
            less = a if (evidence[a], -a) < (evidence[b], -b) else b
            if not gone & {a, b} and frames >= self.proof.twin_share * len(tracks[less]):
                gone.add(less)
        return [rows for number, rows in enumerate(tracks) if number not in gone]


class _Clip:
    """What was consumed of the stream."""

    def __init__(self) -> None:
        self.rows = 0
        self._loose: list[Sightings] = []
        self._kept, self._looks = Columns(), Looks()
        self._seen: dict[str, torch.Tensor] = {}
        self._units = torch.zeros(0)
        self.skeleton: Skeleton = BODY17
        # Arrays, not lists of numbers: of an hour's frames these would be many megabytes.
        self._crowded, self._frames = array("q"), array("q")
        self._times, self._shots = array("d"), array("q")

    def add(self, found: Detections, *, near: float) -> tuple[Sightings, NDArray]:
        """Keep a frame; its rows, and how much (N, N) their joints are those of others."""
        if not self._frames:
            self.skeleton = found.skeleton
        elif found.skeleton.names != self.skeleton.names:
            raise BadInput(
                f"detections should keep one skeleton, got {found.skeleton.name!r} in frame {found.frame} "
                f"after {self.skeleton.name!r}"
            )
        elif found.frame <= self._frames[-1]:
            raise BadInput(f"detections should come by frame, got frame {found.frame} after {self._frames[-1]}")
        shot = (self._shots[-1] if self._shots else 0) + int(found.cut)
        joints = joints_of(found.skeleton.names)
        seen = Sightings.of_frame(found, place=len(self._frames), shot=shot, joints=joints)
        self._frames.append(int(found.frame))
        self._times.append(float(found.time))
        self._shots.append(shot)
        crowd = np.zeros((len(seen), len(seen)), dtype=np.float32)
        if len(seen) > 1:
            crowd = crowding(seen.xy, seen.weight, seen.height, joints.spread)
            pairs = np.argwhere(np.triu(crowd >= near))
            if len(pairs):
                self._crowded.frombytes((pairs + self.rows).astype(np.int64).tobytes())
        self._loose.append(seen)
        if len(self._loose) == _LOOSE:
            self._settle()
        self.rows += len(seen)
        return seen, crowd

    def _settle(self) -> None:
        """Put rows to those that are kept; many small arrays for good would tear the heap into pieces."""
        if self._loose:
            arrays = dict(vars(Sightings.joined(self._loose)))
            self._loose.clear()
            self._looks.append(arrays.pop("looks"))
            self._kept.append({name: torch.from_numpy(array) for name, array in arrays.items()})

    def sightings(self) -> Sightings:
        """All rows so far; no more can be added."""
        if not self._seen:
            self._settle()
            self._seen = self._kept.tensors() | {"looks": self._looks.tensor()}
        return Sightings(**{name: values.numpy() for name, values in self._seen.items()})

    def rest(self) -> None:
        """Let rows that lie in files leave memory until they are read again."""
        rest(*self._seen.values(), self._units)

    def bones(self) -> NDArray | None:
        """Log lengths (N, B) of all rows' long bones; None where nothing tells."""
        xyz = self._seen["xyz"]
        known = any((~some.isnan()).any() for some in xyz.split(BLOCK))
        return log_bones(xyz, self.skeleton) if known else None

    def looks(self) -> NDArray | None:
        """Unit descriptions (N, D) of all rows' looks; None where there are none."""
        units = unit_looks(self._seen["looks"])
        if units is None:
            return None
        self._units = units
        return units.numpy()

    def crowded(self) -> NDArray:
        """Pairs (M, 2) of rows of one frame that claim the same joints."""
        return np.array(self._crowded, dtype=np.int64).reshape(-1, 2)

    def contested(self, used: Rows) -> NDArray[np.bool_]:
        """Which rows (N,) share their joints with another one in use."""
        inside = np.zeros(self.rows, dtype=bool)
        inside[used] = True
        pairs = self.crowded()
        out = np.zeros(self.rows, dtype=bool)
        out[pairs[inside[pairs].all(-1)].ravel()] = True
        return out

    def times_of_shot(self, shot: int) -> NDArray:
        low, high = np.searchsorted(self._shots, (shot, shot + 1))
        return np.array(self._times[low:high])

    def tracks(self, people: list[Rows], video: Video) -> Tracks:
        used = np.concatenate(people) if people else np.zeros(0, dtype=np.int64)
        person = np.repeat(np.arange(len(people)), [len(rows) for rows in people])
        frames = torch.from_numpy(np.array(self._frames, dtype=np.int64))
        times = torch.from_numpy(np.array(self._times, dtype=np.float64))
        place = torch.from_numpy(self.sightings().place[used] if len(used) else used)
        return Tracks.of_rows(
            frame=frames[place],
            person=torch.from_numpy(person),
            time=times[place],
            frames=frames,
            times=times,
            skeleton=self.skeleton,
            camera=video.camera,
            fps=float(video.fps),
            video=video.name,
            cuts=tuple(
                frame for frame, change in zip(self._frames, np.diff(self._shots, prepend=0), strict=True) if change
            ),
            **(self._columns(used) if len(used) else {}),
        )

    def _columns(self, used: Rows) -> dict[str, torch.Tensor]:
        """What tracks say of rows; the sightings are given up, kind by kind."""
        flags = np.where(self.contested(used)[used], int(Flag.CONTESTED), 0)
        rows, names = torch.from_numpy(used), {"box": "box", "xy": "joints", "confidence": "confidence", "xyz": "xyz"}
        columns = {name: picked(self._seen.pop(own), rows) for name, own in names.items()}
        self._seen.clear()
        self._units = torch.zeros(0)
        return columns | {"flags": torch.from_numpy(flags)}
