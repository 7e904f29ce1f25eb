"""Simple bodies: closed, outward, of the volume that their formula gives."""

import numpy as np
import pytest

from dyad.synthetic.places.solids import Solid, ball, box, cylinder, joined, sheet, turned


def volume(solid: Solid) -> float:
    """Volume by the divergence theorem: right only for closed meshes whose faces turn outward."""
    a, b, c = (solid.points[solid.faces[:, k]] for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


@pytest.mark.parametrize(
    ("solid", "expected", "tolerance"),
    [
        (box(1, 2, 3), 6, 1e-9),
        (cylinder(0.5, 2, sides=64), np.pi / 2, 0.01),
        (cylinder(0.6, 1.5, top=0.2, sides=64), np.pi * 1.5 / 3 * (0.36 + 0.12 + 0.04), 0.01),
        (ball(0.7, rings=40), 4 / 3 * np.pi * 0.343, 0.02),
    ],
)
def test_volumes_are_those_of_the_formula(solid: Solid, expected: float, tolerance: float) -> None:
    assert volume(solid) == pytest.approx(expected, rel=tolerance)
    # Moved and turned it is the same body; the origin of the theorem does not matter for a closed one.
    assert volume(solid.placed((3, 1, -2), 0.7)) == pytest.approx(expected, rel=tolerance)
    assert volume(joined([solid, solid.placed((9, 0, 0))])) == pytest.approx(2 * expected, rel=tolerance)


def test_boxes_and_columns_stand_on_the_floor() -> None:
    for solid in (box(1, 2, 3), cylinder(0.5, 2)):
        assert np.ptp(solid.points[:, 1]) == 2
        assert solid.points[:, 1].min() == 0
    middle, radius = box(3, 1, 4).placed((5, 0, 6)).circle()
    np.testing.assert_allclose(middle, (5, 6))
    assert radius == pytest.approx(2.5)


def test_a_sheet_is_seen_from_the_side_of_its_cross_product_and_measures_metres() -> None:
    wall = sheet((0, 0, 0), (4, 0, 0), (0, 3, 0), (4, 2))
    a, b, c = (wall.points[wall.faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    assert (normals[:, 2] > 0).all()
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(12)
    np.testing.assert_allclose(wall.texture[:, :2], wall.points[:, :2])


def test_each_side_of_a_box_carries_metres_of_texture() -> None:
    solid = box(1.0, 2.0, 3.0)
    for start in range(0, 24, 4):
        points, texture = solid.points[start : start + 4], solid.texture[start : start + 4]
        for k in range(1, 4):
            away = np.linalg.norm(points[k] - points[0])
            assert np.linalg.norm(texture[k] - texture[0]) == pytest.approx(away, rel=1e-5)


def test_turning_is_that_of_people() -> None:
    np.testing.assert_allclose(turned(np.pi / 2) @ (0, 0, 1), (1, 0, 0), atol=1e-12)
