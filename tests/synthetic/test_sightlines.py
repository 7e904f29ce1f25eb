"""Who is hidden, by whom, and what is taken away for it."""

import numpy as np

from dyad.core.camera import Camera
from dyad.synthetic.actors import Actor
from dyad.synthetic.bodies.body import BodyModel, Phenotype
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.solids import box
from dyad.synthetic.places.staging import Place
from dyad.synthetic.places.surroundings import FIRST_THING, Surroundings, Thing
from dyad.synthetic.rendering.looks import Look, Material
from dyad.synthetic.sightlines import cleared, hidden

PATH = CameraPath.static(Camera.from_focal((320, 240), 300.0), 4, position=(0.0, 1.2, 0.0))


def somebody(z: float) -> Actor:
    shape = BodyModel.load().shape(Phenotype())
    take = Take(np.tile(np.eye(3), (4, 31, 1, 1)), np.tile(shape.joints[0], (4, 1)), 12.0)
    return Actor(shape, take, Look(), Place(0.0, z, 0.0), detail="low")


def thing(width: float, x: float, number: int) -> Thing:
    return Thing(box(width, 3.0, 0.2).placed((x, 0.0, -3.0)), Material(), FIRST_THING + number)


def test_people_hide_one_another_only_from_one_side() -> None:
    assert hidden([somebody(-4.0), somebody(-2.0)], PATH, 4) == {0: [-2]}
    assert hidden([somebody(-4.0)], PATH, 4) == {}
    # Who is behind the camera is not hidden, but absent.
    assert hidden([somebody(4.0), somebody(-2.0)], PATH, 4) == {}


def test_what_hides_somebody_is_taken_away_and_nothing_else() -> None:
    slim, wide, aside = thing(0.1, 0.0, 0), thing(1.5, 0.0, 1), thing(1.0, 2.0, 2)
    people = [somebody(-4.0)]
    around = Surroundings([slim, wide, aside])
    points = [(t.solid.points, t.solid.faces) for t in around.things]
    assert hidden(people, PATH, 4, points)[0][0] == 1
    assert cleared(around, people, PATH, 4).things == [slim, aside]
    assert cleared(around, [somebody(-2.0)], PATH, 4) is around
