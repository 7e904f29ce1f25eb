"""People together before a camera as joints alone: what networks on poses are trained on, without a picture drawn.

Who hides whom follows from bones with flesh: a joint is hidden where the sight line to it runs through a limb that is
nearer. It costs milliseconds a scene, and it is what a renderer would say of most joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dyad.core.archives import read_npz
from dyad.core.errors import BadInput, BadUsage, one_line
from dyad.core.flesh import fleshed
from dyad.core.skeleton import BODY17, Skeleton
from dyad.synthetic.casting import Casting
from dyad.synthetic.places.solids import turned
from dyad.synthetic.places.staging import Place

Floats = NDArray[np.float32]

_BEHIND = 0.12
"""How much nearer in m than a joint the bone of a limb must be to hide it; a joint lies under its own skin."""
_NEAREST = 1.0
"""Least depth in m of a joint."""
_TRUNK = ("spine", "neck", "hip")


@dataclass(frozen=True, eq=False)
class Gathering:
    """P people in T frames before a camera.

    Attributes:
        xyz: (T, P, J, 3) m of body17 in the camera frame. hidden: (T, P, J) something lies before the joint.
        focal: px of an image 1000 px wide whose middle is the camera's axis. fps: frames a second.
        together: (P,) number of the company; people of one company act with one another.
    """

    xyz: Floats
    hidden: NDArray[np.bool_]
    focal: float
    fps: float
    together: NDArray[np.int64]

    @cached_property
    def rays(self) -> Floats:
        """(T, P, J, 2) x / z and y / z."""
        return self.xyz[..., :2] / np.maximum(self.xyz[..., 2:], 0.1)


@dataclass(frozen=True, eq=False)
class Troupe:
    """A stock of acted motions, from which gatherings are drawn.

    Attributes:
        companies: joints (T, P, 17, 3) m of people who act together, y up, on the floor y = 0, about an origin.
        fps: of all.
    """

    companies: Sequence[Floats]
    fps: float = 30.0

    @classmethod
    def rehearse(
        cls,
        rng: np.random.Generator,
        *,
        pairs: int,
        singles: int,
        seconds: float = 3.2,
        fps: float = 30.0,
        motions: Path | None = None,
        recorded: float = 0.7,
    ) -> "Troupe":
        """Make so many companies of two, and of one; `recorded` of the latter from the folder `motions`."""
        frames = round(seconds * fps)
        shared: dict[str, Any] = {"frames": frames, "fps": fps, "detail": "low", "motions": motions}
        made: list[Floats] = []
        for count, casting in (
            (pairs, Casting(pairs=1.0, **shared)),
            (singles, Casting(pairs=0.0, recorded=recorded, **shared)),
        ):
            for _ in range(count):
                company = casting(2 if casting.pairs else 1, rng)[0]
                made.append(np.stack([a.joints(BODY17) for a in company.actors], 1).astype(np.float32))
        return cls(made, fps)

    def save(self, path: Path | BinaryIO) -> None:
        """Write the stock as an npz."""
        sizes = np.array([company.shape[:2] for company in self.companies])
        flat = np.concatenate([company.reshape(-1, len(BODY17), 3) for company in self.companies])
        np.savez(path, sizes=sizes, joints=flat.astype(np.float32), fps=np.float64(self.fps))

    @classmethod
    def load(cls, path: Path) -> "Troupe":
        """Read what `save` wrote; BadInput for anything else."""
        try:
            stored = read_npz(path)
            sizes, joints, fps = stored["sizes"], stored["joints"], float(stored["fps"])
            if sizes.dtype.kind not in "iu" or joints.dtype.kind != "f" or (sizes < 0).any() or not 0 < fps < 1e6:
                raise ValueError("sizes should be whole numbers, joints and fps numbers")
            ends = np.cumsum(sizes.prod(-1))[:-1]
            parts = np.split(joints, ends)
            return cls([part.reshape(*size, len(BODY17), 3) for part, size in zip(parts, sizes, strict=True)], fps)
        except (BadInput, ValueError, KeyError, TypeError, IndexError) as error:
            raise BadInput(f"{path} is no stock of motions: {one_line(error)}") from error

    def gather(
        self,
        rng: np.random.Generator,
        *,
        people: tuple[int, int] = (2, 4),
        frames: int = 48,
        near: float = 2.2,
        far: float = 16.0,
        close: float = 0.6,
        every: tuple[int, ...] = (1, 1, 2),
    ) -> Gathering:
        """Companies on one floor before a camera at a random height and tilt.

        Args:
            people: least and most. frames: of the gathering. near, far: m to their middle.
            close: share of gatherings where companies stand as near to one another as they can.
            every: frames of the stock for one of the gathering; one of these.
        """
        if not self.companies:
            raise BadUsage("a stock without companies gathers nobody")
        step = int(rng.choice(every))
        wanted = int(rng.integers(people[0], people[1] + 1))
        spread = float(rng.uniform(0.0, 0.6) if rng.uniform() < close else rng.uniform(0.6, 3.0))
        chosen: list[Floats] = []
        together: list[int] = []
        while len(together) < wanted:
            company = self.companies[int(rng.integers(len(self.companies)))]
            if company.shape[1] > wanted - len(together):
                continue
            chosen.append(self._placed(company, rng, frames, step, spread, chosen))
            together += [len(chosen)] * company.shape[1]
        return self._seen(np.concatenate(chosen, 1), rng, near, far, step, np.array(together))

    def _placed(
        self, company: Floats, rng: np.random.Generator, frames: int, step: int, spread: float, others: list[Floats]
    ) -> Floats:
        length = len(company)
        take = np.arange(frames) * step
        start = int(rng.integers(max(1, length - int(take[-1]))))
        moving = company[np.minimum(start + take, length - 1)].astype(np.float64)
        if rng.uniform() < 0.5:
            moving = (moving * (-1, 1, 1))[..., list(BODY17.mirror), :]
        # Who is larger is so in all; limbs differ by the bodies themselves.
        moving = moving * rng.uniform(0.93, 1.07)
        middle = moving[frames // 2, :, 0].mean(0) * (1, 0, 1)
        moving = (moving - middle) @ turned(float(rng.uniform(-np.pi, np.pi))).T
        best: tuple[float, Floats] | None = None
        for _ in range(8):
            away, angle = rng.uniform(0.3, 0.8) + spread * rng.uniform(0.3, 1.0), rng.uniform(-np.pi, np.pi)
            shift = Place(away * np.cos(angle), away * np.sin(angle), 0.0) if others else Place(0.0, 0.0, 0.0)
            here = shift(moving).astype(np.float32)
            gap = _gap(here, others)
            if best is None or gap > best[0]:
                best = gap, here
            if gap > 0.25:
                break
        if best is None:
            raise RuntimeError("no place was tried")
        return best[1]

    def _seen(
        self, world: Floats, rng: np.random.Generator, near: float, far: float, step: int, together: NDArray[np.int64]
    ) -> Gathering:
        # Cameras look slightly down from about the height of a head, more from above where they stand far away.
        distance = float(np.exp(rng.uniform(np.log(near), np.log(far))))
        pitch = float(np.clip(rng.normal(0.08, 0.13), -0.25, 0.7))
        roll = float(rng.normal(0, 0.02))
        focal = 1000 * float(np.exp(rng.uniform(np.log(0.6), np.log(2.0))))
        # Where in the image the people are: anywhere where most of them are seen.
        aside = rng.uniform(-0.7, 0.7) * 500 / focal
        turn = turned(float(rng.uniform(-np.pi, np.pi)))
        middle = world[len(world) // 2, :, 0].mean(0)
        points = (world - middle * (1, 0, 1)) @ turn.T
        height = float(middle[1])
        cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
        # World y up, z away from the camera after the half turn about the vertical; camera y down.
        flip = np.diag((-1.0, -1.0, 1.0))
        tilt = np.array(((1, 0, 0), (0, cp, -sp), (0, sp, cp)))
        rolled = np.array(((cr, -sr, 0), (sr, cr, 0), (0, 0, 1)))
        camera = rolled @ tilt @ flip
        aim = np.array((aside, float(rng.normal(0, 0.08)) * 1000 / focal, 1.0))
        xyz = (points - (0, height, 0)) @ camera.T + distance * aim / np.linalg.norm(aim)
        # Nobody steps through the camera.
        xyz += max(0.0, _NEAREST - float(xyz[..., 2].min())) * aim
        return Gathering(xyz.astype(np.float32), hidden(xyz), focal, self.fps / step, together)


def _gap(here: Floats, others: list[Floats]) -> float:
    """Least distance in m between hips, necks and hands of somebody and of the others, in some frames."""
    if not others:
        return np.inf
    joints = BODY17.indices("pelvis", "neck", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
    frames = np.unique(np.linspace(0, len(here) - 1, 6).astype(int))
    own = here[frames][:, :, joints].reshape(len(frames), -1, 1, 3)
    rest = np.concatenate(others, 1)[frames][:, :, joints].reshape(len(frames), 1, -1, 3)
    return float(np.linalg.norm(own - rest, axis=-1).min())


def hidden(xyz: NDArray[np.floating], skeleton: Skeleton = BODY17) -> NDArray[np.bool_]:
    """Which joints (T, P, J) of people (T, P, J, 3) m in the camera frame others' limbs or the own trunk hide.

    The nearest points of the sight line and of a bone are found as if the bone were seen flat: along its image, at the
    depth that the bone has there.
    """
    xyz = np.asarray(xyz, np.float32)
    t, p, j = xyz.shape[:3]
    bones, flesh = fleshed(skeleton)
    starts, ends = (np.array(side) for side in zip(*bones, strict=True))
    thick = flesh.numpy()
    trunk = np.array([skeleton.names[end].endswith(_TRUNK) for end in ends])
    seen = xyz[..., :2] / np.maximum(xyz[..., 2:], 0.1)
    a, b = seen[:, :, starts], seen[:, :, ends]
    za, zb = xyz[:, :, starts, 2], xyz[:, :, ends, 2]
    out = np.zeros((t, p, j), bool)
    along, square = b - a, np.maximum(((b - a) ** 2).sum(-1), 1e-8)
    for q in range(p):
        # Joints (T, P, J, 1, 2) against the bones (T, 1, 1, B, 2) of person q.
        way = seen[:, :, :, None] - a[:, q, None, None]
        share = np.clip((way * along[:, q, None, None]).sum(-1) / square[:, q, None, None], 0, 1)
        off = np.linalg.norm(way - share[..., None] * along[:, q, None, None], axis=-1)
        depth = za[:, q, None, None] + share * (zb - za)[:, q, None, None]
        over = (off * depth < thick) & (depth < xyz[..., 2, None] - thick - _BEHIND / 2) & (depth > 0.1)
        over[:, q] &= trunk & (depth[:, q] < xyz[:, q, :, 2, None] - _BEHIND)
        out |= over.any(-1)
    return out
