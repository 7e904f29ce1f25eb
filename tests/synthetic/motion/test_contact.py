import numpy as np
import pytest

from dyad.synthetic.bodies.body import BodyModel
from dyad.synthetic.motion.contact import penetration, winding
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.places.solids import ball, box
from tests.synthetic.people import somebody

BALL = ball(0.5, 16)
EDGE = np.pi * 0.5 / 16


def moved(x: float) -> np.ndarray:
    return BALL.points + np.array((x, 0.0, 0.0))


@pytest.mark.parametrize("apart", [0.5, 0.8, 0.95])
def test_two_balls_reach_as_deep_as_their_radii_say(apart: float) -> None:
    depth = penetration(BALL.points, moved(apart), BALL.faces)
    # The point on the line between the middles lies 1 - apart inside; vertices miss it by part of an edge.
    assert 1 - apart - 0.3 * EDGE < depth < 1 - apart + 0.6 * EDGE
    assert penetration(moved(apart), BALL.points, BALL.faces) == depth


@pytest.mark.parametrize("apart", [1.01, 1.5, 40.0])
def test_what_is_apart_does_not_reach_in(apart: float) -> None:
    assert penetration(BALL.points, moved(apart), BALL.faces) == 0


def test_a_ball_within_a_ball_is_found() -> None:
    small = 0.3 * BALL.points + (0.0, 0.1, 0.0)
    assert penetration(small, BALL.points, BALL.faces) == pytest.approx(0.5 - 0.3 * 0.5 + 0.1, abs=0.06)


@pytest.mark.parametrize("solid", [BALL, box(1.0, 0.8, 0.6)])
def test_the_winding_number_is_one_inside_and_zero_outside(solid) -> None:
    rng = np.random.default_rng(0)
    low, high = solid.points.min(0), solid.points.max(0)
    middle = (low + high) / 2
    inside = middle + 0.55 * (high - low) / 2 * unit_ball(rng, 200)
    outside = middle + (high - low) * unit_ball(rng, 200, shell=True) * 1.2
    faces = np.asarray(solid.faces)
    np.testing.assert_allclose(winding(inside, solid.points, faces), 1, atol=1e-9)
    np.testing.assert_allclose(winding(outside, solid.points, faces), 0, atol=1e-9)
    np.testing.assert_allclose(winding(inside, solid.points, faces[:, ::-1]), -1, atol=1e-9)


def unit_ball(rng: np.random.Generator, count: int, *, shell: bool = False) -> np.ndarray:
    """Points in the box of side 2, or on the sphere."""
    points = rng.uniform(-1, 1, (count, 3))
    return points / np.linalg.norm(points, axis=-1, keepdims=True) if shell else points


def test_a_body_is_closed_for_the_winding_number() -> None:
    shape = somebody()
    take = Take.standing(shape)
    points = shape.pose(take.rotations, take.translation, "low")[0]
    faces = BodyModel.load().mesh("low").faces
    probes = shape.joints[[0, 8, 18]]  # hips, chest, head
    np.testing.assert_allclose(winding(probes, points, faces), 1, atol=0.1)
    np.testing.assert_allclose(winding(probes + np.array((0, 0, 1.0)), points, faces), 0, atol=0.05)


def test_bodies_that_stand_apart_and_in_each_other() -> None:
    shape = somebody()
    faces = BodyModel.load().mesh("low").faces
    points = shape.pose(Take.standing(shape).rotations, Take.standing(shape).translation, "low")[0]
    behind = points + np.array((0.0, 0.0, 0.6))
    assert penetration(points, behind, faces) == 0
    assert penetration(points, points + np.array((0.0, 0.0, 0.12)), faces) > 0.03
