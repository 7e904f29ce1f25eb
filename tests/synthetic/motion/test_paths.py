import numpy as np

from dyad.synthetic.motion.paths import Arc, Line, forward, leftward


def test_an_arc_keeps_its_distance_to_the_centre() -> None:
    arc = Arc((1.0, 2.0), 0.7, -2.5)
    place, yaw = arc(np.linspace(-3, 3, 50))
    centre = np.array((1.0, 0.0, 2.0)) - 2.5 * leftward(np.array(0.7))
    np.testing.assert_allclose(np.linalg.norm(place - centre, axis=-1), 2.5)
    ahead = np.gradient(place, 6 / 49, axis=0)[1:-1]
    np.testing.assert_allclose(ahead, forward(yaw)[1:-1], atol=5e-3)


def test_a_line_goes_from_here_to_there() -> None:
    place, yaw = Line.between((1.0, 2.0), (-2.0, -2.0))(np.array((0.0, 5.0)))
    np.testing.assert_allclose(place, ((1, 0, 2), (-2, 0, -2)), atol=1e-12)
    np.testing.assert_allclose(forward(yaw[0]), (-0.6, 0, -0.8))


def test_left_is_left_of_ahead_seen_from_above() -> None:
    yaw = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(np.cross(forward(yaw), leftward(yaw)), np.tile((0, 1, 0), (9, 1)), atol=1e-12)
    np.testing.assert_allclose(forward(np.array(-np.pi / 2)), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(leftward(np.array(-np.pi / 2)), (1, 0, 0), atol=1e-12)
