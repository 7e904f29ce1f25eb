"""Takes: a body's motion, its mirror image, its feet."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.body import BONES, BodyModel, Phenotype, Shape
from dyad.synthetic.motion.motions import partners
from dyad.synthetic.motion.rotations import about
from dyad.synthetic.motion.takes import Take, contacts, lowest, soles


@pytest.fixture(scope="module")
def shape() -> Shape:
    return BodyModel.load().shape(Phenotype(gender=1.0))


def wild(shape: Shape, frames: int = 5) -> Take:
    """A take whose every bone turns a little at random."""
    turns = Rotation.from_rotvec(np.random.default_rng(0).normal(0, 0.3, (frames * 31, 3))).as_matrix()
    places = np.random.default_rng(1).normal(0, 0.1, (frames, 3)) + shape.joints[0]
    return Take(turns.reshape(frames, 31, 3, 3), places, 30.0, "wild")


def test_a_mirror_shows_the_other_side(shape: Shape) -> None:
    take = wild(shape)
    mirrored = take.mirrored()
    seen = shape.skeleton(mirrored.rotations, mirrored.translation)
    expected = shape.skeleton(take.rotations, take.translation)[:, list(partners(BONES))] * (-1, 1, 1)
    # The body itself is symmetric to a fraction of a millimetre.
    np.testing.assert_allclose(seen, expected, atol=1e-3)
    np.testing.assert_array_equal(mirrored.mirrored().rotations, take.rotations)


def test_time_moves_as_it_does_for_motions(shape: Shape) -> None:
    take = wild(shape, 9)
    np.testing.assert_array_equal(take.resampled(60).rotations[::2], take.rotations)
    np.testing.assert_array_equal(take.warped([8 / 30, 0.0]).translation, take.translation[[8, 0]])
    np.testing.assert_array_equal(take.at([3 / 30])[0][0], take.rotations[3])
    assert len(take.part(2 / 30, 4 / 30)) == 3
    assert take.seconds == pytest.approx(8 / 30)
    assert take.source == take.resampled(60).source == "wild"


def test_moving_moves_the_whole_body(shape: Shape) -> None:
    take = wild(shape)
    moved = take.moved(1.1, 2, 3)
    before = shape.pose(take.rotations, take.translation, "low")
    after = shape.pose(moved.rotations, moved.translation, "low")
    np.testing.assert_allclose(after, before @ about((0, 1, 0), 1.1).T + (2, 0, 3), atol=1e-5)


def test_soles_lie_where_the_posed_mesh_has_them(shape: Shape) -> None:
    take = Take.standing(shape, frames=2)
    assert np.abs(lowest(take, shape)).max() < 0.003
    tilted = wild(shape).moved(0, 30, 0)
    vertices = shape.pose(tilted.rotations, tilted.translation, "low")
    for points in soles(tilted, shape).values():
        assert points.shape[1] > 10
        gaps = np.linalg.norm(points[:, :, None] - vertices[:, None], axis=-1).min(-1)
        assert np.median(gaps) < 0.004
        assert gaps.max() < 0.03


def test_a_foot_in_the_air_or_on_the_move_does_not_stand(shape: Shape) -> None:
    take = Take.standing(shape, frames=10)
    assert contacts(take, shape).all()
    assert not contacts(take.lifted(0.1), shape).any()
    turns = take.rotations.copy()
    turns[:, BONES.index("LeftUpLeg")] = about((1, 0, 0), -0.8)
    assert contacts(Take(turns, take.translation, 30), shape).tolist() == [[False, True]] * 10
    sliding = take.translation + np.linspace(0, 1, 10)[:, None] * (1, 0, 0)
    assert not contacts(Take(take.rotations, sliding, 30), shape).any()
    assert contacts(take.part(0, 0), shape).all()


def test_what_is_no_take_is_refused() -> None:
    with pytest.raises(BadInput, match="31, 3, 3"):
        Take(np.zeros((2, 30, 3, 3)), np.zeros((2, 3)), 30)
    with pytest.raises(BadInput, match="above 0"):
        Take(np.zeros((2, 31, 3, 3)), np.zeros((2, 3)), -1)
