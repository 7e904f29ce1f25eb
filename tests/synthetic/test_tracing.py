import numpy as np
import pytest

from dyad.synthetic.tracing import Cone, Solids

SIDE = np.array((1.0, 0, 0))


def march(start, ray, a, b, r0, r1):
    """First entry by dense steps along the ray into a chain of balls."""
    t = np.linspace(0, 8, 80_001)
    points = start + t[:, None] * ray
    inside = np.zeros(len(t), bool)
    for share in np.linspace(0, 1, 400):
        inside |= np.linalg.norm(points - (a + share * (b - a)), axis=-1) < r0 + share * (r1 - r0)
    return t[inside][0] if inside.any() else np.inf


@pytest.mark.parametrize("seed", range(12))
def test_hit_agrees_with_marching_through_a_chain_of_balls(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.array((0, 0, 4.0)) + rng.uniform(-0.5, 0.5, 3) for _ in range(2))
    r0, r1 = rng.uniform(0.05, 0.3, 2)
    solids = Solids.of([Cone(a, b, r0, r1)])
    aim = (a + b) / 2 + rng.uniform(-0.35, 0.35, 3)
    ray = aim / aim[2]
    got = float(solids.hit(0, np.zeros(3, np.float32), ray.astype(np.float32)))
    want = march(np.zeros(3), ray, a, b, *(solids.r0[0], solids.r1[0]))
    assert got == pytest.approx(want, abs=2e-3)


def test_a_squashed_ball_is_an_ellipsoid():
    solids = Solids.of([Cone(np.array((0, 0, 3.0)), np.array((0, 0.002, 3.0)), 0.1, 0.1, SIDE, 2.0, 0.5)])
    front = solids.hit(0, np.zeros(3, np.float32), np.array((0, 0.0003, 1), np.float32))
    assert float(front) == pytest.approx(3 - 0.05, abs=1e-3)
    beside = solids.hit(0, np.zeros(3, np.float32), np.array((0.19 / 3, 0, 1), np.float32))
    assert np.isfinite(beside)
    assert np.isinf(solids.hit(0, np.zeros(3, np.float32), np.array((0.21 / 3, 0, 1), np.float32)))


def test_normals_are_square_to_the_surface():
    rng = np.random.default_rng(0)
    solids = Solids.of([Cone(np.array((0.1, -0.2, 3.0)), np.array((0.2, 0.3, 3.3)), 0.2, 0.1, SIDE, 1.2, 0.6)])
    x, y = rng.uniform(-0.05, 0.1, (2, 400)).astype(np.float32)

    def at(dx, dy):
        ray = np.stack((x + np.float32(dx), y + np.float32(dy), np.ones_like(x)))
        return (ray * solids.hit(0, np.zeros(3, np.float32), ray)).T

    points = at(0, 0)
    seen = np.isfinite(points).all(1)
    assert seen.sum() > 50
    normal, _ = solids.surface(np.zeros(len(points), int)[seen], points[seen])
    for step in ((1e-3, 0), (0, 1e-3)):
        with np.errstate(invalid="ignore"):
            along = (at(*step) - at(-step[0], -step[1]))[seen]
        smooth = np.isfinite(along).all(1)
        along = along[smooth] / np.linalg.norm(along[smooth], axis=-1, keepdims=True)
        assert np.median(np.abs((along * normal[smooth]).sum(-1))) < 0.01
    assert ((normal * points[seen]).sum(-1) < 0.05).all()  # towards the camera
