"""Tracked 2D joints to motion in metres by a trained network; what it cannot know comes from height, floor, bones."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dyad.core.camera import GUESSED_FOCAL_SPREAD, Camera
from dyad.core.columns import BLOCK, Column, Columns, column, mapped, rest
from dyad.core.errors import BadUsage, MissingWeights
from dyad.core.memory import give_back_memory
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Flag, Tracks
from dyad.geometry.bones import bone_lengths, with_bone_lengths
from dyad.geometry.filtering import gaussian_smooth, to_nearest, weighted_median
from dyad.models.checkpoints import Checkpoint, find_weights
from dyad.models.lifting import LiftingNetwork
from dyad.models.weights import WeightsError
from dyad.stages.floor import FloorEstimator, Footing
from dyad.stages.lifting import rows_of
from dyad.stages.lifting_network import Estimate, Sequence, SequenceLifter, linear

# A confidence that is only just seen as such; detectors differ in what they call certain.
_CERTAIN = 0.9
_GAP_SPEED = 0.5
# What `bench.uncertainty` finds on crowds of other seeds than its own: the error of a person's size as a share, what a
# m of distance adds to it, and standard deviations of poses as multiples of the mean absolute errors that the network
# states.
_SCALE_SIGMA = torch.tensor(0.042)
_FAR_SIGMA = 0.005
_POSE_SIGMA = 1.24
# Shin, thigh, the way along the spine to the neck, and from there straight to the top of the head as a share of
# stature, on adult bodies (docs/joints.md). Where data sets place knees, hips and neck matters little to the sum.
_OF_STATURE = 0.945
_SHORTEST = 0.1
# In statures. Joints that are only hard to find lie within 0.06 of where the network has them, half of the time.
_MISTAKEN = 0.12
# Mean absolute error to standard deviation, of a Laplace distribution.
_SIGMA = math.sqrt(2.0)


@dataclass(frozen=True)
class _Person:
    """One person at T times: detected rows and filled ones; what the network says, in statures."""

    identity: int
    frame: Tensor
    row: Tensor
    time: Tensor
    rays: Tensor
    confidence: Tensor
    said: Estimate

    @property
    def filled(self) -> Tensor:
        return self.row < 0

    @property
    def xyz(self) -> Tensor:
        """(T, 17, 3) in statures."""
        return self.said.pose + self.said.root[:, None]


@dataclass(frozen=True)
class _Seen:
    """Tracks, and their joints as those of body17: xy (N, 17, 2) px and confidence (N, 17)."""

    tracks: Tracks
    xy: Tensor
    confidence: Tensor

    @classmethod
    def of(cls, tracks: Tracks) -> "_Seen":
        xy, confidence = tracks.xy, tracks.confidence
        if tracks.skeleton != BODY17:
            xy = mapped(lambda some: tracks.skeleton.convert(some, BODY17), xy)
            confidence = mapped(lambda some: tracks.skeleton.convert_confidence(some, BODY17), confidence)
        return cls(tracks, xy, levelled(confidence))

    def time_of(self, frame: Tensor) -> Tensor:
        """Times (T,) of frames (T,)."""
        return self.tracks.times[torch.searchsorted(self.tracks.frames, frame)]

    def rest(self) -> None:
        self.tracks.rest()
        rest(self.xy, self.confidence)


class _Shot:
    """People of a shot, of whom one at a time is in memory."""

    def __init__(self) -> None:
        # What stays of each person goes into columns: small arrays between the network's large ones tear the heap.
        self._feet, self._upright = Columns(), Columns()
        self._footings: list[tuple[slice, slice, float]] = []
        self._rows = Columns()
        self._facts: list[tuple[int, slice, float, float]] = []

    def add(self, person: _Person) -> None:
        said = dict(vars(person.said))
        stature, spread = said.pop("stature"), said.pop("stature_spread")
        own = {name: value for name, value in vars(person).items() if name not in ("identity", "said")}
        told = _footing(person)
        feet, upright = self._feet.append({"": told.feet}), self._upright.append({"": told.upright})
        self._footings.append((feet, upright, told.height))
        self._facts.append((person.identity, self._rows.append({**own, **said}), stature, spread))

    def footings(self) -> list[Footing]:
        """What everyone tells about the floor, once."""
        feet, upright = (kept.tensors().get("", torch.zeros(0, 3)) for kept in (self._feet, self._upright))
        return [Footing(feet[some], upright[others], height) for some, others, height in self._footings]

    def people(self) -> Iterator[_Person]:
        """Everyone again, in order, once."""
        kept = self._rows.tensors()
        told = [field.name for field in fields(Estimate)]
        for identity, place, stature, spread in self._facts:
            part = {name: values[place] for name, values in kept.items()}
            said = {name: part.pop(name) for name in told if name in part}
            yield _Person(identity, **part, said=Estimate(**said, stature=stature, stature_spread=spread))
            rest(*kept.values())


class LearnedLifter:
    """Gives tracked people their joints in metres, from their 2D joints over time alone; any xyz there is, is ignored.

    The network says poses and distances in units of each person's stature, and where up is; told the direction on
    which everybody's answers agree, and without joints that are plainly mistaken all the time, it is asked again.
    Bones then keep one length a track, poses and distances are smoothed as far as the network is unsure of them,
    and one scale a track follows from a prior on human stature, the network's own guess of it, and a floor that all
    share. Last, joints move towards their 2D positions, the further the surer these are and the less sure the
    network is.

    Args:
        height: stature of everyone in m, if known.
        up: (3,) unit vector against gravity in the camera's axes, if known.
        pose_width, depth_width: standard deviations in s of the smoothing of poses and of the root's depth.
        longest_gap: s; longer gaps stay empty.
        pixel_sigma: what a joint of full confidence is off in the image, as a share of the person's stature; infinite
            leaves joints where the network has them.
    """

    def __init__(
        self,
        lift: SequenceLifter,
        *,
        height: float | None = None,
        up: Tensor | None = None,
        floor: FloorEstimator | None = None,
        pose_width: float = 0.03,
        depth_width: float = 0.5,
        longest_gap: float = 2.0,
        pixel_sigma: float = 0.02,
    ) -> None:
        self.lift = lift
        self.height = height
        self.up = up
        self.floor = floor or FloorEstimator(scale_error=0.12, foot_error=0.1)
        self.pose_width = pose_width
        self.depth_width = depth_width
        self.longest_gap = longest_gap
        self.pixel_sigma = pixel_sigma

    def __call__(self, tracks: Tracks) -> Tracks:
        """Tracks of any skeleton that gives body17 → body17 tracks in the camera frame, short gaps filled."""
        seen = _Seen.of(tracks)
        rows, world = Columns(), None
        for chosen in _shots(tracks):
            shot = self._shot(seen, chosen)
            scales, world = self.floor(shot.footings(), self.height)
            for person, scale in zip(shot.people(), scales, strict=True):
                rows.append(self._rows(person, scale, seen))
                seen.rest()
        return Tracks.of_rows(
            skeleton=BODY17,
            camera=tracks.camera,
            fps=tracks.fps,
            video=tracks.video,
            frames=tracks.frames,
            times=tracks.times,
            # Behind a cut the camera stands elsewhere: one world would be wrong for all shots but one.
            world=None if tracks.cuts else world,
            cuts=tracks.cuts,
            **rows_of(rows),
        )

    def _shot(self, seen: "_Seen", identities: list[int]) -> "_Shot":
        """People one after the other, twice: of the first answers only what they say of all is kept."""
        asked: list[tuple[int, Tensor, Estimate | None]] = []
        ups = Column()
        for identity in identities:
            sequence, frame, row = self._asked(seen, identity)
            if len(frame):
                first = self.lift(sequence, seen.time_of(frame), self.up)
                wrong = _mistaken(sequence, first, row >= 0)
                asked.append((identity, wrong, None if self.up is None or wrong.any() else first))
                ups.append(first.up)
            seen.rest()
            give_back_memory()
        up = _agreed(ups.tensor()) if self.up is None and asked else self.up
        shot = _Shot()
        for identity, wrong, one in asked:
            sequence, frame, row = self._asked(seen, identity)
            time = seen.time_of(frame)
            if one is None:
                one = self.lift(replace(sequence, confidence=torch.where(wrong, 0.0, sequence.confidence)), time, up)
            known = (row >= 0)[:, None] & ~wrong
            rays = seen.tracks.camera.rays(seen.xy[row])[..., :2]
            rays = torch.where(known[..., None], rays, torch.full_like(rays, torch.nan))
            confidence = torch.where(known, seen.confidence[row], torch.zeros_like(rays[..., 0]))
            shot.add(self._steadied(_Person(identity, frame, row, time, rays, confidence, one)))
            seen.rest()
            give_back_memory()
        return shot

    def _asked(self, seen: "_Seen", identity: int) -> tuple[Sequence, Tensor, Tensor]:
        """What the network is shown of a person, and of which frames (T,) it is asked, with their rows, -1 if none."""
        tracks = seen.tracks
        rows = tracks.rows(identity)
        known = (seen.confidence[rows] > 0) & torch.isfinite(seen.xy[rows]).all(-1)
        rows = rows[known.sum(-1) >= 2]
        if not len(rows):
            return Sequence(torch.zeros(0), torch.zeros(0, 17, 2), torch.zeros(0, 17)), rows, rows
        sequence = Sequence(tracks.time[rows], tracks.camera.rays(seen.xy[rows])[..., :2], seen.confidence[rows])
        frame = tracks.frame[rows]
        inside = (tracks.frames > frame[0]) & (tracks.frames < frame[-1]) & ~torch.isin(tracks.frames, frame)
        missing = tracks.frames[inside]
        after = torch.searchsorted(frame, missing)
        short = sequence.time[after] - sequence.time[after - 1] <= self.longest_gap
        every = torch.cat((frame, missing[short]))
        order = every.argsort()
        return sequence, every[order], torch.cat((rows, torch.full_like(missing[short], -1)))[order]

    def _steadied(self, person: _Person) -> _Person:
        """Bones of one length, the pose and the root's depth smoothed, what the network is surer of counting more."""
        said = person.said
        trust = said.pose_spread.square().clamp(min=1e-6).reciprocal().flatten(1)
        pose = gaussian_smooth(said.pose, person.time, trust, self.pose_width).float()
        lengths = bone_lengths(pose, BODY17.parents)
        ends = [max(parent, 0) for parent in BODY17.parents]
        unsure = said.pose_spread.mean(-1)
        median = weighted_median(lengths, 1 / torch.maximum(unsure, unsure[:, ends]).square())
        median = torch.nan_to_num(0.5 * (median + median[list(BODY17.mirror)]))
        neck, top = BODY17.indices("neck", "head_top")
        head = float(torch.linalg.vector_norm(pose[:, top] - pose[:, neck], dim=-1).nanmedian())
        # Bones say better than the network's idea of a stature what its unit is.
        unit = _stature(median, head)
        pose = with_bone_lengths(pose, median.expand(len(pose), -1), BODY17.parents) / unit
        depth = said.root[:, 2].double().log()
        depth = gaussian_smooth(depth, person.time, said.depth_spread.double() ** -2, self.depth_width)
        # Nobody saw where the person went meanwhile: straight on, from the last place in view to the next.
        place = torch.cat(((said.root[:, :2] / said.root[:, 2:]).double(), depth[:, None]), -1)
        seen = ~person.filled
        place = linear(place[seen], person.time[seen], person.time)
        root = torch.cat((place[:, :2], torch.ones_like(place[:, :1])), -1) * (place[:, 2:].exp() / unit)
        return replace(person, said=replace(said, pose=pose, root=root.float()))

    def _rows(self, person: _Person, scale: float, given: "_Seen") -> dict[str, Tensor]:
        tracks, metres = given.tracks, scale * person.said.stature
        xyz = metres * self._met(person)
        row, filled = person.row, person.filled
        camera = tracks.camera
        seen = camera.project(xyz).float()
        box = torch.cat((seen.amin(1), seen.amax(1)), -1)
        xy = torch.where(filled[:, None, None], seen, given.xy[row])
        outside = ((seen < 0) | (seen > seen.new_tensor(camera.size) - 1)).flatten(1).any(1)
        flags = torch.where(filled, torch.zeros_like(row), tracks.flags[row] & ~int(Flag.FLAT))
        return {
            "frame": person.frame,
            "person": torch.full_like(person.frame, person.identity),
            "time": person.time,
            "xy": xy,
            "confidence": person.confidence,
            "xyz": xyz,
            "sigma": self._sigma(person, metres, xyz, camera),
            "box": torch.where(filled[:, None] | ~torch.isfinite(tracks.box[row]), box, tracks.box[row]),
            "filled": filled,
            "flags": flags | torch.where(outside, int(Flag.BORDER), 0),
        }

    def _met(self, person: _Person) -> Tensor:
        """Joints (T, 17, 3) in statures after their move across the view towards where they are seen."""
        xyz = person.xyz
        wanted = torch.cat((person.rays, torch.ones_like(person.rays[..., :1])), -1) * xyz[..., 2:]
        known = torch.isfinite(wanted).all(-1) & (person.confidence > 0)
        off = torch.where(known[..., None], wanted - xyz, torch.zeros_like(xyz))[..., :2]
        own = (_SIGMA * person.said.pose_spread[..., 0]).square()
        seen = (self.pixel_sigma / person.confidence.clamp(0.05, 1)).square()
        # A joint far from where it should be is no measurement.
        seen = seen * (1 + off.square().sum(-1) / (9 * (own + seen)))
        share = own / (own + seen)
        return torch.cat((xyz[..., :2] + share[..., None] * off, xyz[..., 2:]), -1)

    def _sigma(self, person: _Person, metres: float, xyz: Tensor, camera: Camera) -> Tensor:
        """One standard deviation (T, 17, 3) in m: pose, the root's depth, the scale, the focal length, and gaps.

        People are moved along their rays: what the distance is off by, in parts, so is the place across the view. Of a
        guessed focal length it is the depth alone: depth grows with it and rays narrow, so the place across stays.
        """
        pose = _POSE_SIGMA * metres * person.said.pose_spread
        far = xyz[:, BODY17.index(BODY17.root), 2]
        size = torch.full_like(far, 0.005) if self.height is not None else torch.hypot(far * _FAR_SIGMA, _SCALE_SIGMA)
        relative = torch.hypot(_SIGMA * person.said.depth_spread, size)
        focal = torch.tensor((0.0, 0.0, GUESSED_FOCAL_SPREAD if camera.guessed else 0.0))
        walk = (_GAP_SPEED * to_nearest(person.time, ~person.filled)).float()[:, None, None].expand_as(pose)
        return torch.hypot(torch.hypot(pose, walk), xyz.abs() * torch.hypot(relative[:, None, None], focal))


def make_lifter(weights: str, device: torch.device, **policy: Any) -> LearnedLifter:
    """The lifter with weights by name or file. MissingWeights where there are none, BadUsage where of another network.

    Args:
        policy: of `LearnedLifter`.
    """
    try:
        checkpoint = Checkpoint.load(find_weights(weights))
        network = checkpoint.build()
    except WeightsError as error:
        raise MissingWeights(str(error)) from error
    if not isinstance(network, LiftingNetwork):
        raise BadUsage(f"the weights {weights!r} are of a network {checkpoint.network!r}; lifting needs those of one")
    return LearnedLifter(SequenceLifter(network, device=device), **policy)


def _stature(lengths: Tensor, head: float) -> float:
    """Standing height that bones of these lengths (17,) and a head make, in their unit; 1 where they make none."""
    bones = BODY17.indices("left_knee", "left_ankle", "spine", "neck")
    height = (float(lengths[bones].sum()) + head) / _OF_STATURE
    return height if height > _SHORTEST else 1.0


def _shots(tracks: Tracks) -> list[list[int]]:
    """People by shot; nobody is in two."""
    shots: dict[int, list[int]] = {}
    for identity in tracks.people:
        shots.setdefault(bisect_right(tracks.cuts, int(tracks.frame[tracks.rows(identity)[0]])), []).append(identity)
    return list(shots.values())


def levelled(confidence: Tensor) -> Tensor:
    """Confidence (N, 17) on the scale of the training: nine in ten of a clip's joints are at most nearly certain."""
    told = column(some[some > 0] for some in confidence.split(BLOCK)) if len(confidence) else confidence
    if not len(told):
        return confidence
    high = float(torch.quantile(told[:: max(1, len(told) // 100_000)].float(), 0.75))
    if high >= _CERTAIN:
        return confidence
    return mapped(lambda some: (some * (_CERTAIN / high)).clamp(max=1.0), confidence)


def _mistaken(sequence: Sequence, said: Estimate, seen: Tensor) -> Tensor:
    """Joints (17,) that a person's 2D has elsewhere for good: most of the time far from where all others put them."""
    xyz = (said.pose + said.root[:, None])[seen]
    off = torch.linalg.vector_norm((xyz[..., :2] / xyz[..., 2:] - sequence.rays) * xyz[..., 2:], dim=-1)
    return torch.nan_to_num(off.nanmedian(0).values) > _MISTAKEN


def _agreed(every: Tensor) -> Tensor:
    """The direction (3,) nearest to most of those (N, 3) that were told of everybody."""
    middle = functional.normalize(every.median(0).values, dim=0)
    for _ in range(5):
        trust = 1 / (0.05 + (every - middle).square().sum(-1))
        middle = functional.normalize((trust[:, None] * every).sum(0), dim=0)
    return middle


def _footing(person: _Person) -> Footing:
    """Feet that carry weight: ankles that hardly move, are seen, and are the lower ones; and where up is."""
    seen = ~person.filled
    stature = person.said.stature
    xyz, confidence, time = stature * person.xyz[seen], person.confidence[seen], person.time[seen]
    if len(time) < 2:
        return Footing(torch.zeros(0, 3), torch.zeros(0, 3), stature)
    left, right = BODY17.indices("left_ankle", "right_ankle")
    up = functional.normalize(person.said.up[seen].median(0).values, dim=0)
    step = (time[1:] - time[:-1]).clamp(min=1e-3).float()
    feet = []
    for ankle, other in ((left, right), (right, left)):
        moved = torch.linalg.vector_norm(xyz[1:, ankle] - xyz[:-1, ankle], dim=-1) / step
        speed = torch.cat((moved[:1], moved))
        lower = (xyz[:, ankle] - xyz[:, other]) @ up < 0.06 * stature
        feet.append(xyz[(speed < 0.35 * stature) & lower & (confidence[:, ankle] > 0.5), ankle])
    # The network judges by more than those who stand where up is.
    return Footing(torch.cat(feet), person.said.up[seen], stature)
