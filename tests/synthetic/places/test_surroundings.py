"""Rooms, places outdoors and furniture: around people, out of their way, and on the ground."""

import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.synthetic.places.buildings import Area
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.furniture import INDOORS, OUTDOORS, car, random_piece
from dyad.synthetic.places.surroundings import FIRST_THING, Pictures, furnish, indoors, outdoors
from dyad.synthetic.rendering.materials import Stuffs

PATH = CameraPath.static(Camera.from_focal((160, 120), 150.0), 2, position=(1.0, 1.6, 2.0), yaw=0.7, pitch=-0.1)


def people(seed: int = 0) -> np.ndarray:
    """Places x z before the camera."""
    rng = np.random.default_rng(seed)
    ahead = np.array((-np.sin(0.7), -np.cos(0.7)))
    return np.array((1.0, 2.0)) + rng.uniform(2, 6, (60, 1)) * ahead + rng.normal(0, 0.8, (60, 2))


def test_an_area_has_axes_of_its_own_and_knows_what_lies_inside() -> None:
    area = Area((-1.0, 3.0), (0.0, 5.0), 0.7)
    # A camera that faces the area's yaw has u to its right and v ahead.
    right, _, ahead = PATH.rotation[0]
    np.testing.assert_allclose(area.spot(1.0, 0.0), right[[0, 2]], atol=1e-12)
    np.testing.assert_allclose(
        np.array(area.spot(0.0, 1.0)) / np.cos(0.1), ahead[[0, 2]] / np.cos(0.1) ** 2, atol=1e-12
    )
    assert area.inside(np.array(area.spot(2.9, 4.9)))
    assert not area.inside(np.array(area.spot(2.9, 4.9)), margin=0.2)
    assert not area.inside(np.array(area.spot(-1.1, 4.9)))
    around = Area.around(people(), 0.7)
    assert around.inside(people(), -1e-9).all()
    # People stand in a row before the camera, so that an area in its axes is narrow and deep.
    assert around.size[0] < 5 < around.size[1] + 2


@pytest.mark.parametrize("seed", range(4))
def test_a_room_holds_people_and_camera_and_its_walls_face_them(seed: int) -> None:
    things, area = indoors(people(), PATH, np.random.default_rng(seed))
    assert area.inside(people(), 0.3).all()
    assert area.inside(PATH.position[0, [0, 2]], 0.3)
    top = max(thing.solid.points[:, 1].max() for thing in things)
    assert top > 2.0
    middle = np.array((*people().mean(0), 1.2))[[0, 2, 1]]
    for thing in things:
        if not thing.solid.closed:
            a, b, c = (thing.solid.points[thing.solid.faces[:, k]] for k in range(3))
            towards = ((middle - a) * np.cross(b - a, c - a)).sum(-1)
            assert (towards > 0).all()
    assert {thing.identity for thing in things} == {0}


@pytest.mark.parametrize("seed", range(4))
def test_outdoors_there_is_ground_all_around_and_no_house_upon_people(seed: int) -> None:
    things, _ = outdoors(people(), PATH, np.random.default_rng(seed))
    ground = things[0].solid
    assert (ground.points[:, 1] == 0).all()
    assert np.ptp(ground.points, axis=0)[[0, 2]].min() > 200
    spots = np.concatenate((people(), PATH.position[:, [0, 2]]))
    for thing in things[1:]:
        flat = thing.solid.points[:, [0, 2]]
        gaps = np.linalg.norm(flat[:, None] - spots, axis=-1)
        assert gaps.min() > 0.4
        assert thing.solid.points[:, 1].min() > -1.5


@pytest.mark.parametrize("inside", [True, False])
def test_furniture_keeps_out_of_the_way_of_people_camera_and_itself(inside: bool) -> None:
    rng = np.random.default_rng(3)
    _, area = (indoors if inside else outdoors)(people(), PATH, rng)
    things = furnish(area, people(), PATH, rng, count=12, hiding=3, inside=inside)
    numbers = sorted({thing.identity for thing in things})
    assert len(numbers) >= 4
    assert numbers == list(range(FIRST_THING, FIRST_THING + len(numbers)))
    for thing in things:
        flat = thing.solid.points[:, [0, 2]]
        assert np.linalg.norm(flat[:, None] - people(), axis=-1).min() > 0.2
        assert np.linalg.norm(flat[:, None] - PATH.position[0, [0, 2]], axis=-1).min() > 1.0
        if inside:
            assert area.inside(flat, -1e-6).all()


@pytest.mark.parametrize("maker", [*dict.fromkeys((*INDOORS, *OUTDOORS))], ids=lambda maker: maker.__name__)
def test_each_thing_stands_on_the_floor_at_a_likely_size_of_known_stuff(maker) -> None:
    rng = np.random.default_rng(1)
    stuffs = Stuffs(rng)
    pieces = maker(rng)
    points = np.concatenate([solid.points for solid, _ in pieces])
    assert -0.6 < points[:, 1].min() < 0.06
    assert 0.3 < points[:, 1].max() < 6
    assert np.ptp(points[:, [0, 2]], axis=0).max() < 5
    for solid, kind in pieces:
        assert stuffs(kind).fabric.scale > 0
        assert solid.faces.max() < len(solid.points)


def test_wheels_stand_out_of_the_car() -> None:
    for seed in range(4):
        pieces = car(np.random.default_rng(seed))
        reach = {
            kind: np.abs(np.concatenate([s.points for s, k in pieces if k == kind])[:, 2]).max() for _, kind in pieces
        }
        assert reach["gloss"] + 0.02 < reach["rubber"] < reach["metal"]


def test_a_piece_knows_which_points_of_the_floor_it_covers() -> None:
    piece = random_piece(np.random.default_rng(0), indoors=True)
    rng = np.random.default_rng(1)
    points, position, yaw = rng.uniform(-3, 3, (500, 2)), np.array((0.4, -0.3)), 0.9
    covered = piece.covers(points, position, yaw, 0.1)
    # The same by turning each point back by hand.
    x, z = (points - position).T
    own = np.stack((np.cos(yaw) * x - np.sin(yaw) * z, np.sin(yaw) * x + np.cos(yaw) * z), 1)
    np.testing.assert_array_equal(covered, (np.abs(own) <= np.array(piece.half) + 0.1).all(1))
    assert covered.any()


def test_unknown_stuff_and_empty_folders_are_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="ectoplasm"):
        Stuffs(np.random.default_rng(0))("ectoplasm")
    with pytest.raises(BadInput, match="no images"):
        Pictures(tmp_path)
    with pytest.raises(BadInput, match="cannot read"):
        Pictures(tmp_path / "nowhere")
