"""From tracked people with per-frame 3D to motion in metres: constant bones, one scale a person, no gaps, sigma."""

import math
from bisect import bisect_right
from dataclasses import dataclass

import torch
from torch import Tensor

from dyad.core.camera import GUESSED_FOCAL_SPREAD, Camera
from dyad.core.columns import Columns
from dyad.core.memory import give_back_memory
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Flag, Tracks
from dyad.geometry.alignment import place
from dyad.geometry.bones import bone_lengths, with_bone_lengths
from dyad.geometry.filtering import gaussian_smooth, to_nearest, weighted_median
from dyad.stages.floor import ANKLE_HEIGHT, FloorEstimator, Footing
from dyad.stages.placing import flat_people

# Errors of root-relative joints in m, one standard deviation, by the number of bones between a joint and the trunk.
_POSE_SIGMA = {"wrist": 0.12, "ankle": 0.11, "elbow": 0.08, "knee": 0.08, "nose": 0.07, "head_top": 0.07}
_TRUNK_SIGMA = 0.05
_SCALE_SIGMA = 0.05
_GAP_SPEED = 0.5
# Of poses without 3D: half the depth of a body with its limbs spread, and how far off the distance is at which bones
# have the length they have on average, in spite of foreshortening.
_FLAT_SIGMA = 0.3
_FLAT_DISTANCE_SIGMA = 0.1


@dataclass(frozen=True)
class _Person:
    """One person's motion while it is being worked on: T rows, relative pose and root apart."""

    identity: int
    frame: Tensor
    time: Tensor
    filled: Tensor
    xy: Tensor
    confidence: Tensor
    box: Tensor
    flags: Tensor
    relative: Tensor
    root: Tensor
    height: float
    flat: bool


class GeometricLifter:
    """Makes tracked per-frame poses one motion in metres.

    For each person: bone lengths are the confidence-weighted medians over the clip, equal on both sides; the pose is
    smoothed; the root follows from robust weighted least squares over all visible joints and is smoothed along its ray;
    gaps are filled in 3D; people share a floor, which with a height prior settles their sizes.

    Whoever has no 3D at all (a detector of 2D joints) gets a flat pose on a plane that faces the camera, marked
    `Flag.FLAT`, with a sigma along the view to match. Flat limbs are as long as they look.

    Args:
        height: stature of everyone in m, if known; else a prior on human height acts once a track.
        pose_width, ray_width, depth_width: standard deviations in s of the smoothing of the pose, of the root's
            direction and of its depth. Depth is smoothed most: it jitters by decimetres from frame to frame.
        longest_gap: s; longer gaps stay empty.
    """

    def __init__(
        self,
        *,
        height: float | None = None,
        pose_width: float = 0.06,
        ray_width: float = 0.04,
        depth_width: float = 0.5,
        longest_gap: float = 2.0,
        floor: FloorEstimator | None = None,
    ) -> None:
        self.height = height
        self.pose_width = pose_width
        self.ray_width = ray_width
        self.depth_width = depth_width
        self.longest_gap = longest_gap
        self.floor = floor or FloorEstimator()

    def __call__(self, tracks: Tracks) -> Tracks:
        """Tracks of any skeleton that gives body17, with xyz in the camera frame → body17 tracks without gaps."""
        # One person after the other, and each step gives up what it has used: a long clip is hardly in memory twice.
        each = (self._person(tracks[tracks.rows(identity)].convert(BODY17), identity) for identity in tracks.people)
        shots = _shots([person for person in each if person is not None], tracks.cuts)
        rows, world = [], None
        for shot in shots:
            scales, world = self.floor([_footing(person) for person in shot], self.height)
            rows += [self._rows(shot.pop(0), scale, tracks.camera) for scale in scales]
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
            **joined_rows(rows),
        )

    def _person(self, tracks: Tracks, identity: int) -> _Person | None:
        rows = tracks.rows(identity)
        xyz, confidence = tracks.xyz[rows], tracks.confidence[rows]
        known = torch.isfinite(xyz).all(-1).all(-1)
        flat = not known.any()
        if flat:
            xyz = flat_people(tracks.xy[rows], confidence, tracks.camera, stature=self.floor.height[0])
            known = torch.isfinite(xyz).all(-1).all(-1)
        if not known.any():
            return None
        rows, xyz, confidence = rows[known], xyz[known], confidence[known]
        relative = xyz - xyz[:, BODY17.index("pelvis"), None]
        time = tracks.time[rows]
        trust = (confidence**2 + 1e-3)[..., None].expand_as(relative).flatten(1)
        lengths = None if flat else _constant_lengths(relative, confidence)
        relative = _with_lengths(gaussian_smooth(relative, time, trust, self.pose_width).float(), lengths)
        root = self._root(relative, tracks.xy[rows], confidence, time, tracks.camera)
        body = _Person(
            identity,
            tracks.frame[rows],
            time,
            torch.zeros(len(rows), dtype=torch.bool),
            tracks.xy[rows],
            confidence,
            tracks.box[rows],
            tracks.flags[rows] | (int(Flag.FLAT) if flat else 0),
            relative,
            root,
            self.floor.height[0] if flat else _stature(relative),
            flat,
        )
        return self._fill(body, tracks, lengths)

    def _root(self, relative: Tensor, xy: Tensor, confidence: Tensor, time: Tensor, camera: Camera) -> Tensor:
        """Root positions (T, 3) m, smoothed little along the image and much along the ray."""
        size = (xy[..., 1].nan_to_num(nan=-math.inf).amax(-1) - xy[..., 1].nan_to_num(nan=math.inf).amin(-1)).clamp(
            min=10
        )
        # 2D joints scatter by about 2 % of the person's height.
        noise = 0.02 * size / float(camera.focal[..., 1])
        fit = place(relative, camera.rays(xy), confidence, noise=noise.double())
        depth = fit.translation[:, 2].clamp(min=0.3)
        log_depth = depth.double().log()
        trust = fit.information[:, 2, 2].double() * depth.double() ** 2
        # A few frames whose depth jumps away from their neighbours' must not pull the curve.
        for _ in range(3):
            curve = gaussian_smooth(log_depth, time, trust, self.depth_width)
            off = (log_depth - curve) / 0.08
            trust = fit.information[:, 2, 2].double() * depth.double() ** 2 / (1 + off**2) ** 2
        ray = fit.translation[:, :2].double() / depth.double()[:, None]
        ray = gaussian_smooth(ray, time, torch.ones(len(time), 1), self.ray_width)
        z = gaussian_smooth(log_depth, time, trust, self.depth_width).exp()
        return (torch.cat((ray, torch.ones_like(ray[:, :1])), -1) * z[:, None]).float()

    def _fill(self, body: _Person, tracks: Tracks, lengths: Tensor | None) -> _Person:
        """Rows for the frames between a person's detections, where the gap is not too long."""
        inside = (tracks.frames > body.frame[0]) & (tracks.frames < body.frame[-1])
        missing = torch.nonzero(inside & ~torch.isin(tracks.frames, body.frame))[:, 0]
        after = torch.searchsorted(body.frame, tracks.frames[missing])
        gap = body.time[after] - body.time[after - 1]
        missing, after = missing[gap <= self.longest_gap], after[gap <= self.longest_gap]
        if not len(missing):
            return body
        time = tracks.times[missing]
        share = ((time - body.time[after - 1]) / (body.time[after] - body.time[after - 1])).float()

        def between(values: Tensor) -> Tensor:
            part = share.reshape(-1, *[1] * (values.dim() - 1))
            return values[after - 1] * (1 - part) + values[after] * part

        relative = _with_lengths(between(body.relative), lengths)
        depth = body.root[:, 2:]
        root = between(body.root / depth) * torch.exp(between(depth.log()))
        xy = tracks.camera.project(relative + root[:, None])
        new = {
            "frame": tracks.frames[missing],
            "time": time,
            "filled": torch.ones(len(missing), dtype=torch.bool),
            "xy": xy.float(),
            "confidence": torch.zeros_like(xy[..., 0]),
            "box": between(body.box),
            "flags": torch.full_like(tracks.frames[missing], int(Flag.FLAT) if body.flat else 0),
            "relative": relative,
            "root": root,
        }
        order = torch.argsort(torch.cat((body.frame, new["frame"])))
        merged = {name: torch.cat((getattr(body, name), value))[order] for name, value in new.items()}
        return _Person(identity=body.identity, height=body.height, flat=body.flat, **merged)

    def _rows(self, person: _Person, scale: float, camera: Camera) -> dict[str, Tensor]:
        xyz = scale * (person.relative + person.root[:, None])
        return {
            "frame": person.frame,
            "person": torch.full_like(person.frame, person.identity),
            "time": person.time,
            "xy": person.xy,
            "confidence": person.confidence,
            "xyz": xyz,
            "sigma": self._sigma(person, xyz, camera),
            "box": person.box,
            "filled": person.filled,
            "flags": person.flags | torch.where(_outside(person.xy, camera), int(Flag.BORDER), 0),
        }

    def _sigma(self, person: _Person, xyz: Tensor, camera: Camera) -> Tensor:
        """One standard deviation (T, J, 3) in m.

        A pose error by joint, larger where confidence is low and larger along the view than across it; a relative
        error of the distance from the person's unknown size; one of the depth from the focal length if it was
        guessed, which does not move anybody across the view; a random walk inside gaps.
        """
        pose = torch.tensor([_pose_sigma(name) for name in BODY17.names])
        pose = pose * (1 + 1.5 * (1 - person.confidence.clamp(0, 1)))
        gap = (_GAP_SPEED * to_nearest(person.time, ~person.filled)).float()[:, None]
        size = 0.005 if self.height is not None else _SCALE_SIGMA
        relative = math.hypot(size, 0.03, GUESSED_FOCAL_SPREAD if camera.guessed else 0.0)
        relative = math.hypot(relative, _FLAT_DISTANCE_SIGMA) if person.flat else relative
        along = pose.clamp(min=_FLAT_SIGMA) if person.flat else 1.4 * pose
        depth = torch.hypot(torch.hypot(xyz[..., 2] * relative, along), gap)
        across = [torch.hypot(torch.hypot(pose, gap), xyz[..., axis].abs() * math.hypot(size, 0.03)) for axis in (0, 1)]
        return torch.stack((*across, depth), -1)


def _outside(xy: Tensor, camera: Camera) -> Tensor:
    """Whether any of a person's joints (T, J, 2) lies outside the image."""
    last = xy.new_tensor(camera.size) - 1
    return ((xy < 0) | (xy > last)).flatten(1).any(1)


def _constant_lengths(relative: Tensor, confidence: Tensor) -> Tensor:
    """Bone lengths (J,) m of a person: weighted medians over time, the mean of both sides."""
    lengths = bone_lengths(relative, BODY17.parents)
    parents = [max(parent, 0) for parent in BODY17.parents]
    trust = torch.minimum(confidence, confidence[:, parents]) ** 2 + 1e-4
    median = weighted_median(lengths, trust)
    return torch.nan_to_num(0.5 * (median + median[list(BODY17.mirror)]))


def _with_lengths(pose: Tensor, lengths: Tensor | None) -> Tensor:
    return pose if lengths is None else with_bone_lengths(pose, lengths.expand(len(pose), -1), BODY17.parents)


def _stature(relative: Tensor) -> float:
    """Standing height in m that a pose's (T, J, 3) bone lengths give."""

    def span(a: str, b: str) -> float:
        first, second = BODY17.indices(a, b)
        return float(torch.linalg.vector_norm(relative[:, first] - relative[:, second], dim=-1).median())

    leg = span("left_hip", "left_knee") + span("left_knee", "left_ankle")
    trunk = span("pelvis", "spine") + span("spine", "neck")
    return (leg + trunk + span("neck", "head_top")) / (1 - ANKLE_HEIGHT)


def _shots(people: list[_Person], cuts: tuple[int, ...]) -> list[list[_Person]]:
    """People by shot; nobody is in two."""
    shots: dict[int, list[_Person]] = {}
    for person in people:
        shots.setdefault(bisect_right(cuts, int(person.frame[0])), []).append(person)
    return list(shots.values())


def _footing(person: _Person) -> Footing:
    """Feet that carry weight: an ankle that hardly moves, seen with confidence, below the knees and hips."""
    seen = ~person.filled
    xyz, confidence, time = (person.relative + person.root[:, None])[seen], person.confidence[seen], person.time[seen]
    left, right, neck, pelvis = BODY17.indices("left_ankle", "right_ankle", "neck", "pelvis")
    if len(time) < 2:
        return Footing(torch.zeros(0, 3), torch.zeros(0, 3), person.height)
    pixels = person.xy[seen]
    step = (time[1:] - time[:-1]).clamp(min=1e-3).float()
    tall = (pixels[..., 1].nan_to_num(nan=-math.inf).amax(-1) - pixels[..., 1].nan_to_num(nan=math.inf).amin(-1)).clamp(
        min=10
    )
    feet = []
    for ankle, other in ((left, right), (right, left)):
        moved = torch.linalg.vector_norm(pixels[1:, ankle] - pixels[:-1, ankle], dim=-1) / step / tall[1:]
        speed = torch.cat((moved[:1], moved))
        # A foot on the ground stays put in the image, within a third of the body height a second, and is the lower one.
        still = (speed < 0.35) & (confidence[:, ankle] > 0.5)
        lower = pixels[:, ankle, 1] >= pixels[:, other, 1] - 0.06 * tall
        feet.append(xyz[still & lower, ankle])
    bodies = xyz[:, neck] - 0.5 * (xyz[:, left] + xyz[:, right])
    straight = torch.linalg.vector_norm(bodies, dim=-1) > 0.72 * person.height
    seen_whole = confidence[:, [left, right, pelvis]].amin(-1) > 0.5
    return Footing(torch.cat(feet), bodies[straight & seen_whole], person.height)


def _pose_sigma(name: str) -> float:
    return next((sigma for part, sigma in _POSE_SIGMA.items() if part in name), _TRUNK_SIGMA)


def joined_rows(rows: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The rows of all people, which are taken out of the list, so that a long clip is not in memory twice."""
    joined = Columns()
    while rows:
        joined.append(rows.pop(0))
    return rows_of(joined)


def rows_of(joined: Columns) -> dict[str, Tensor]:
    """What `Tracks.of_rows` needs, also of nobody."""
    found = joined.tensors() if len(joined) else _no_rows()
    give_back_memory()
    return found


def _no_rows(skeleton: Skeleton = BODY17) -> dict[str, Tensor]:
    return {"frame": torch.zeros(0, dtype=torch.int64), "person": torch.zeros(0, dtype=torch.int64)}
