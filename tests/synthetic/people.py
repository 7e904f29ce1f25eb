"""What the tests of made-up motion share: bodies, joints by name, and laws that every take obeys."""

from functools import lru_cache

import numpy as np

from dyad.synthetic.bodies.body import BodyModel, Phenotype, Shape, bone
from dyad.synthetic.motion.rotations import unit
from dyad.synthetic.motion.takes import Take, soles

Array = np.ndarray


@lru_cache(maxsize=8)
def somebody(stature: float = 1.75, gender: float = 0.5) -> Shape:
    return BodyModel.load().shape(Phenotype(gender=gender).with_stature(stature))


def heads(take: Take, shape: Shape) -> Array:
    """(T, 31, 3) m."""
    return shape.skeleton(take.rotations, take.translation)


def joint(take: Take, shape: Shape, name: str) -> Array:
    return heads(take, shape)[:, bone(name)]


def turned(take: Take, name: str) -> Array:
    """Rotations (T, 3, 3) of a bone in the world: a column is where the rest pose's left, up or ahead now points."""
    parents, at, out = BodyModel.load().parents, bone(name), None
    while at >= 0:
        out = take.rotations[:, at] if out is None else take.rotations[:, at] @ out
        at = parents[at]
    return out


def lowest_points(take: Take, shape: Shape) -> Array:
    """(T,) m, of the lower sole."""
    return np.concatenate(list(soles(take, shape).values()), 1)[..., 1].min(-1)


def slides(take: Take, shape: Shape, height: float = 0.012) -> Array:
    """Speeds (N,) m/s over the ground of all points of the soles that are lower than `height` m in two frames."""
    points = np.concatenate(list(soles(take, shape).values()), 1)
    low = (points[1:, :, 1] < height) & (points[:-1, :, 1] < height)
    speed = np.linalg.norm(np.diff(points[..., (0, 2)], axis=0), axis=-1) * take.fps
    return speed[low]


def knees_ahead(take: Take, shape: Shape) -> Array:
    """(T, 2): how far each knee lies before the line from hip to ankle, m, towards where the thigh's front looks."""
    out = []
    for side in ("Left", "Right"):
        hip, knee, ankle = (joint(take, shape, f"{side}{n}") for n in ("UpLeg", "Leg", "Foot"))
        front = turned(take, f"{side}UpLeg")[..., 2]
        line = unit(ankle - hip)
        aside = (knee - hip) - ((knee - hip) * line).sum(-1, keepdims=True) * line
        out.append((aside * unit(front)).sum(-1))
    return np.stack(out, -1)


def bones_keep_their_length(take: Take, shape: Shape) -> None:
    at = heads(take, shape)
    for limb in (("UpLeg", "Leg"), ("Leg", "Foot"), ("Arm", "ForeArm"), ("ForeArm", "Hand")):
        for side in ("Left", "Right"):
            one, two = (bone(f"{side}{name}") for name in limb)
            length = np.linalg.norm(at[:, one] - at[:, two], axis=-1)
            rest = np.linalg.norm(shape.joints[one] - shape.joints[two])
            np.testing.assert_allclose(length, rest, atol=1e-9)


def are_rotations(matrices: Array) -> None:
    eye = np.broadcast_to(np.eye(3), matrices.shape)
    np.testing.assert_allclose(matrices @ np.swapaxes(matrices, -1, -2), eye, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-6)
