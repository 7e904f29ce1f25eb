"""How estimators of 3D poses err, for training and judging what integrates them, before and besides real ones.

Errors are of many kinds, most of which last: a constant offset of each joint, lengths of bones, the size of the body
and with it the distance, depths that a lifter shrinks towards the mean or takes the wrong way round, axes of a camera
that looks at the person and not of the one that took the picture, noise that drifts. Hidden joints err more, and land
on the neighbour. Confidences tell of all this a little, and not always.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, Skeleton
from dyad.geometry.looking import toward
from dyad.stages.pose_similarity import joints_of


@dataclass(frozen=True, kw_only=True)
class BranchErrors:
    """How one estimator errs. Lengths in m are standard deviations; those of joints are of the trunk's, faces have as
    much, elbows and knees 1.3, hands and feet 2 times it.

    Attributes:
        level: factors between which all but sizes and distances are drawn for each clip, logarithmically.
        white, drift, offset: m of noise from frame to frame, of noise that lasts about `memory` s, of constant error.
        memory: s, between which it is drawn. along: factor of all these in depth.
        bones: share of length, of each bone. size: share, of the body. placed: share of clips in which the distance is
            wrong by as much as the size, since the pose was placed by its 2D joints.
        shrunk: factors between which depths about the root are shrunk, clip by clip.
        turned: share of clips in the axes of a camera that looks at the person. tilt: rad, of a constant turn.
        flipped: share of time in which a limb's depths are the wrong way round. lapse: share of time in which the
            pose is a wholly different one.
        depth, depth_drift: share of the distance, of an error that is constant for a clip, and of one that drifts.
        aside: m, drifting error of the root across the view.
        hidden: factor of the errors of hidden joints. taken: share of time in which hidden joints are the neighbour's.
        lost: share of time in which a person of whom more than half is hidden is not found; missed: the same for
            anybody.
        frank: 0..1, how much confidence tells about actual errors rather than about what is hidden.
    """

    level: tuple[float, float] = (0.5, 1.6)
    white: float = 0.008
    drift: float = 0.025
    offset: float = 0.02
    memory: tuple[float, float] = (0.1, 0.6)
    along: float = 1.8
    bones: float = 0.05
    size: float = 0.08
    placed: float = 0.5
    shrunk: tuple[float, float] = (0.75, 1.1)
    turned: float = 0.3
    tilt: float = 0.08
    flipped: float = 0.04
    lapse: float = 0.01
    depth: float = 0.06
    depth_drift: float = 0.02
    aside: float = 0.02
    hidden: float = 2.5
    taken: float = 0.1
    lost: float = 0.1
    missed: float = 0.01
    frank: float = 0.5

    def __post_init__(self) -> None:
        shares = (self.placed, self.turned, self.flipped, self.lapse, self.taken, self.lost, self.missed, self.frank)
        if not all(0 <= share <= 1 for share in shares):
            raise BadUsage(f"shares of time and clips lie between 0 and 1, got {self}")

    @classmethod
    def top_down(cls) -> "BranchErrors":
        """Good poses of people in the open, poor ones of hidden people, poor distances."""
        return cls(depth=0.1, depth_drift=0.03, size=0.12, turned=0.5, hidden=4.0, taken=0.25, lost=0.2, lapse=0.02)

    @classmethod
    def bottom_up(cls) -> "BranchErrors":
        """Better distances, noisier limbs, less upset by hidden joints."""
        return cls(
            **{"level": (0.9, 2.4), "white": 0.015, "drift": 0.035, "depth": 0.05, "hidden": 1.8, "taken": 0.08},
            **{"placed": 0.2, "lost": 0.08, "turned": 0.3, "bones": 0.1, "shrunk": (0.5, 1.1)},
        )

    @classmethod
    def any(cls) -> "BranchErrors":
        """Something between and beyond."""
        return cls(level=(0.3, 2.6), size=0.12, depth=0.08, depth_drift=0.03, hidden=2.5, taken=0.15, turned=0.3)


class Common(NamedTuple):
    """What estimators of one video have in common: they see the same picture and learnt from the same data.

    seed: of the luck that they share. share: (N,) 0..1 how much of each clip's errors that is.
    """

    seed: int
    share: Tensor


class Branch(NamedTuple):
    """What an estimator says of N people in T frames: xyz (N, T, J, 3) m, NaN for who is not found, and confidence."""

    xyz: Tensor
    confidence: Tensor


class Seen(NamedTuple):
    """2D joints as rays (N, T, J, 2), NaN for missing ones, and confidence (N, T, J)."""

    rays: Tensor
    confidence: Tensor


def simulate_branch(
    truth: Tensor,
    hidden: Tensor,
    beside: Tensor,
    step: Tensor,
    errors: Sequence[BranchErrors],
    random: torch.Generator,
    *,
    skeleton: Skeleton = BODY17,
    common: Common | None = None,
) -> Branch:
    """Err about true poses.

    Args:
        truth: (N, T, J, 3) m in the camera frame. hidden: (N, T, J). beside: (N, T, J, 3) the neighbour, NaN for none.
        step: (N,) s from frame to frame. errors: one for each of the N. common: luck shared with other branches.
    """
    n, t, j = truth.shape[:3]
    draw = _Draw(random, n, t, common)
    spread = torch.from_numpy(joints_of(skeleton.names).spread.astype("float32"))
    spread = spread / spread.min()
    get = {name: torch.tensor([getattr(e, name) for e in errors]) for name in _NUMBERS}
    low, high = (torch.tensor([e.level[side] for e in errors]) for side in (0, 1))
    level = low * (high / low) ** draw.uniform()
    memory = _between(errors, "memory", draw)
    root = skeleton.index(skeleton.root)
    middle = truth[:, :, root, None]
    larger = (1 + get["size"] * draw.normal()).clamp(0.6, 1.5)
    pose = (truth - middle) * larger[:, None, None, None]
    pose = _other_bones(pose, get["bones"] * level.sqrt(), draw, skeleton)
    # From here on in the axes of a camera that looks at the person.
    rotation = toward(middle[:, :, 0])
    pose = torch.einsum("ntji,ntkj->ntki", rotation, pose)
    stay = torch.exp(-step / memory)
    ill = 1 + (get["hidden"] - 1)[:, None, None] * hidden
    along = torch.stack((torch.ones(n), torch.ones(n), get["along"]), -1)[:, None, None]
    noise = get["white"][:, None, None, None] * draw.normal(t, j, 3)
    noise = noise + get["drift"][:, None, None, None] * draw.drift(stay, j, 3)
    noise = noise * ill[..., None] + get["offset"][:, None, None, None] * draw.normal(1, j, 3)
    own = level[:, None, None, None] * along * spread[:, None] * noise
    own[:, :, root] *= 0.3
    shrunk = _between(errors, "shrunk", draw)
    pose = torch.cat((pose[..., :2], pose[..., 2:] * shrunk[:, None, None, None]), -1) + own
    pose = _flipped(pose, get["flipped"] * level.sqrt(), draw, stay, skeleton)
    lapsed = draw.burst(get["lapse"], stay)[:, :, None, None]
    pose = torch.where(lapsed, pose[torch.randperm(n, generator=random)].flip(1), pose)
    tilt = _tilts(get["tilt"][:, None] * draw.normal(3))
    pose = torch.einsum("nij,ntkj->ntki", tilt, pose)
    straight = (draw.uniform() < get["turned"])[:, None, None, None]
    pose = torch.where(straight, pose, torch.einsum("ntij,ntkj->ntki", rotation, pose))
    placed = (draw.uniform() < get["placed"])[:, None]
    constant = torch.where(placed, larger[:, None] - 1, get["depth"][:, None] * draw.normal(1))
    further = constant + get["depth_drift"][:, None] * draw.drift(stay)
    place = middle[:, :, 0] * (1 + further).clamp(0.4, 2.0)[..., None]
    place = place + get["aside"][:, None, None] * draw.drift(stay, 3) * torch.tensor((1.0, 1.0, 0.0))
    xyz = pose + place[:, :, None]
    xyz = _taken(xyz, hidden, beside, get["taken"], draw, stay)
    error = torch.linalg.vector_norm((xyz - place[:, :, None]) - (truth - middle), dim=-1)
    confidence = _told(error, hidden, get["frank"], draw, stay, scale=0.12)
    mostly = hidden.float().mean(-1) > 0.5
    gone = (mostly & draw.burst(get["lost"] / 0.4, stay)) | draw.burst(get["missed"], stay)
    xyz = torch.where(gone[..., None, None], torch.nan, xyz)
    return Branch(xyz, torch.where(gone[..., None], 0.0, confidence))


def simulate_view(
    truth: Tensor,
    hidden: Tensor,
    beside: Tensor,
    focal: Tensor,
    step: Tensor,
    random: torch.Generator,
    *,
    level: tuple[float, float] = (0.3, 1.5),
    skeleton: Skeleton = BODY17,
) -> Seen:
    """2D joints like a detector's of people (N, T, J, 3): biased, drifting, worse on what is hidden, now and then wild.

    `focal` (N,) px of an image 1000 px wide; other arguments are as for `simulate_branch`.
    """
    n, t, j = truth.shape[:3]
    draw = _Draw(random, n, t)
    spread = torch.from_numpy(joints_of(skeleton.names).spread.astype("float32"))
    spread = spread / spread.min()
    factor = level[0] * (level[1] / level[0]) ** draw.uniform()
    stay = torch.exp(-step / (0.1 + 0.3 * draw.uniform()))
    root = skeleton.index(skeleton.root)
    depth = truth[..., 2].clamp(min=0.3)
    rays = truth[..., :2] / depth[..., None]
    # In m at the person: bias 1.5 cm, drift 1.5 cm, white noise 0.7 cm; hidden joints three to five times it.
    ill = 1 + (2 + 2 * draw.uniform())[:, None, None] * hidden
    noise = 0.015 * draw.drift(stay, j, 2) + 0.007 * draw.normal(t, j, 2)
    noise = spread[:, None] * (noise * ill[..., None] + 0.015 * draw.normal(1, j, 2)) * factor[:, None, None, None]
    far = truth[:, :, root, 2].clamp(min=0.5)[..., None, None]
    rays = rays + noise / far + draw.normal(t, j, 2) * (draw.uniform() * 1.5 / focal)[:, None, None, None]
    other = beside[..., :2] / beside[..., 2:].clamp(min=0.3)
    mixed = draw.burst(0.1 * factor, stay)[..., None] & hidden & torch.isfinite(other).all(-1)
    rays = torch.where(mixed[..., None], other, rays)
    wild = torch.rand(n, t, j, generator=random) < 0.01 * factor[:, None, None]
    rays = torch.where(wild[..., None], rays + 0.3 * draw.normal(t, j, 2) / far, rays)
    error = torch.linalg.vector_norm((rays - truth[..., :2] / depth[..., None]) * far, dim=-1)
    confidence = _told(error, hidden, torch.full((n,), 0.5), draw, stay, scale=0.08)
    outside = rays.abs().amax(-1) * focal[:, None, None] > 500
    outside &= (draw.uniform() < 0.7)[:, None, None]
    confidence = torch.where(outside, 0.0, confidence)
    blind = (draw.uniform() < 0.04)[:, None, None]
    rays = torch.where((blind | outside)[..., None], torch.nan, rays)
    return Seen(rays, torch.where(blind, 0.0, confidence))


_NUMBERS = tuple(name for name in BranchErrors.__dataclass_fields__ if name not in ("level", "memory", "shrunk"))


def _between(errors: Sequence[BranchErrors], name: str, draw: "_Draw") -> Tensor:
    low, high = (torch.tensor([getattr(e, name)[side] for e in errors]) for side in (0, 1))
    return low + (high - low) * draw.uniform()


class _Draw:
    """Random numbers for N clips of T frames."""

    def __init__(self, random: torch.Generator, n: int, t: int, common: Common | None = None) -> None:
        self.random, self.n, self.t = random, n, t
        self.common = common
        self._shared = torch.Generator().manual_seed(0 if common is None else common.seed)

    def uniform(self) -> Tensor:
        own = torch.rand(self.n, generator=self.random)
        if self.common is None:
            return own
        same = torch.rand(self.n, generator=self._shared) < self.common.share
        return torch.where(same, torch.rand(self.n, generator=self._shared), own)

    def normal(self, *shape: int) -> Tensor:
        own = torch.randn(self.n, *shape, generator=self.random)
        if self.common is None:
            return own
        share = self.common.share.reshape(-1, *[1] * len(shape))
        return share * torch.randn(self.n, *shape, generator=self._shared) + (1 - share.square()).sqrt() * own

    def drift(self, stay: Tensor, *shape: int) -> Tensor:
        """(N, T, …) normal numbers that resemble those of the frame before by `stay` (N,)."""
        fresh = self.normal(self.t, *shape)
        keep = stay.reshape(-1, *[1] * len(shape))
        new = (1 - keep.square()).sqrt()
        out = [fresh[:, 0]]
        for k in range(1, self.t):
            out.append(keep * out[-1] + new * fresh[:, k])
        return torch.stack(out, 1)

    def burst(self, share: Tensor, stay: Tensor, *shape: int) -> Tensor:
        """(N, T, …) whether it is one of the times that make up `share` (N,); they last about as long as drift does."""
        edge = torch.special.ndtri((1 - share).clamp(1e-6, 1 - 1e-6)).reshape(-1, *[1] * (len(shape) + 1))
        return self.drift(stay, *shape) > edge


def _other_bones(pose: Tensor, by: Tensor, draw: _Draw, skeleton: Skeleton) -> Tensor:
    """Each bone longer or shorter by a share of its own, left and right alike for the better part."""
    factor = draw.normal(len(skeleton))
    alike = factor[:, list(skeleton.mirror)]
    factor = 1 + by[:, None] * (0.75 * factor + 0.66 * alike)
    out: list[Tensor] = [pose[:, :, 0]] * len(skeleton)
    for joint in _outwards(skeleton):
        parent = skeleton.parents[joint]
        if parent < 0:
            out[joint] = pose[:, :, joint]
        else:
            bone = pose[:, :, joint] - pose[:, :, parent]
            out[joint] = out[parent] + bone * factor[:, joint, None, None]
    return torch.stack(out, 2)


def _outwards(skeleton: Skeleton) -> list[int]:
    """All joints, each after its parent."""
    return skeleton.hops()[skeleton.index(skeleton.root)].argsort(stable=True).tolist()


def _flipped(pose: Tensor, share: Tensor, draw: _Draw, stay: Tensor, skeleton: Skeleton) -> Tensor:
    """Depths of limbs about where they hang, the wrong way round in bursts of their own; the whole body's too."""
    depth = pose[..., 2].clone()
    for hang, joints in _LIMBS:
        at, ends = skeleton.index(hang), skeleton.indices(*joints)
        wrong = draw.burst(share, stay)[..., None]
        other = 2 * depth[..., at, None] - depth[..., ends]
        depth[..., ends] = torch.where(wrong, other, depth[..., ends])
    return torch.cat((pose[..., :2], depth[..., None]), -1)


_LIMBS = tuple(
    (hang.format(side), tuple(joint.format(side) for joint in joints))
    for side in ("left", "right")
    for hang, joints in (("{}_shoulder", ("{}_elbow", "{}_wrist")), ("{}_hip", ("{}_knee", "{}_ankle")))
)


def _tilts(turn: Tensor) -> Tensor:
    """Rotation matrices (N, 3, 3) of rotation vectors (N, 3)."""
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def _taken(xyz: Tensor, hidden: Tensor, beside: Tensor, share: Tensor, draw: _Draw, stay: Tensor) -> Tensor:
    """Hidden joints where the neighbour has theirs, in bursts, at the person's own depth for the better part."""
    known = torch.isfinite(beside).all(-1)
    there = torch.where(known[..., None], beside, 0.0)
    same = xyz[..., 2:] / there[..., 2:].clamp(min=0.3)
    there = there * same
    now = draw.burst(share, stay)[..., None] & hidden & known
    return torch.where(now[..., None], there, xyz)


def _told(error: Tensor, hidden: Tensor, frank: Tensor, draw: _Draw, stay: Tensor, *, scale: float) -> Tensor:
    """Confidences (N, T, J)."""
    joints = error.shape[-1]
    by_error = torch.exp(-((error / scale).square()).clamp(max=8))
    by_sight = torch.where(hidden, 0.25, 0.9)
    mixed = frank[:, None, None] * by_error + (1 - frank[:, None, None]) * by_sight
    mixed = mixed + 0.12 * draw.drift(stay, joints) + 0.06 * draw.normal(1, joints)
    bend = 0.5 * 4 ** draw.uniform()
    return mixed.clamp(0.02, 1.0) ** bend[:, None, None]
