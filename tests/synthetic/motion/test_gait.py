import numpy as np
import pytest

from dyad.synthetic.motion.gait import Walk, middle_joint
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Arc, Line, forward, leftward
from tests.synthetic.people import somebody

TIMES = np.arange(0, 5, 0.01)
BODY = Anatomy.of(somebody())
WALKS = {
    "line": Walk(BODY, Line((1.0, 1.0), -np.pi / 4), 1.3, phase=0.3),
    "arc": Walk(BODY, Arc((0.0, 0.0), 0.4, 3.0), 1.1, phase=0.8),
    "right arc": Walk(BODY, Arc((0.0, 0.0), 0.4, -2.5), 1.0),
    "stop": Walk(BODY, Line((0.0, 0.0), 1.0), 1.2, stop=2.0, phase=0.55),
}
RUN = Walk(BODY, Line((0.0, 0.0), 0.3), 3.0, running=True)


def sole(walk: Walk, side: int, ahead: float) -> np.ndarray:
    """A point (T, 3) at 2 cm in the sole, `ahead` m of the ankle."""
    foot = walk.foot(TIMES, side)
    cos, sin = np.cos(foot.pitch)[:, None], np.sin(foot.pitch)[:, None]
    front, up = forward(foot.yaw), np.array((0.0, 1.0, 0.0))
    down = 0.02 - walk.anatomy.ankle
    return foot.ankle + ahead * (cos * front + sin * up) + down * (cos * up - sin * front)


@pytest.fixture(params=WALKS)
def walk(request: pytest.FixtureRequest) -> Walk:
    return WALKS[request.param]


@pytest.mark.parametrize("side", [0, 1])
def test_feet_do_not_slide(walk: Walk, side: int) -> None:
    heel, toe = sole(walk, side, -BODY.heel), sole(walk, side, BODY.toe)
    speed = np.minimum(*(np.linalg.norm(np.diff(p, axis=0), axis=-1) for p in (heel, toe))) / 0.01
    cycle = walk.cycle(TIMES) + 0.5 * side
    phase = cycle % 1
    stance = ((phase[1:] < walk.stance) & (phase[:-1] < phase[1:])) | (np.diff(cycle) == 0)
    assert stance.mean() > 0.5
    assert speed[stance].max() < 0.02  # m/s, of whichever end is down: 0.2 mm a frame
    flat = stance & (phase[:-1] > 0.11) & (phase[1:] < 0.37)
    assert np.linalg.norm(np.diff(walk.foot(TIMES, side).ankle, axis=0), axis=-1)[flat].max() < 1e-9
    assert min(heel[:, 1].min(), toe[:, 1].min()) > 0.01  # and never sink in


def test_feet_move_where_they_are_not_down(walk: Walk) -> None:
    """The law above is none if feet never move."""
    moved = np.linalg.norm(walk.foot(TIMES, 0).ankle[-1] - walk.foot(TIMES, 0).ankle[0])
    assert moved > 1.5


def test_a_walker_has_a_foot_on_the_ground_and_a_runner_does_not_always() -> None:
    for walk, least, most in ((WALKS["line"], 0.0, 0.0), (RUN, 0.15, 0.4)):
        phases = [(walk.cycle(TIMES) + 0.5 * side) % 1 for side in (0, 1)]
        airborne = (phases[0] > walk.stance) & (phases[1] > walk.stance)
        assert least <= airborne.mean() <= most
        low = np.minimum(*(np.minimum(sole(walk, s, -BODY.heel), sole(walk, s, BODY.toe))[:, 1] for s in (0, 1)))
        assert (low[airborne] > 0.0199).all()


def test_speed_along_a_line_is_the_speed_asked_for() -> None:
    walk = Walk(BODY, Line((0.0, 0.0), -np.pi / 4), 1.3)
    whole = np.arange(11) * walk.stride / 1.3
    middle, yaw, roll = walk.pelvis(whole)
    steps = np.diff(middle, axis=0)  # whole cycles: swaying and bobbing cancel
    np.testing.assert_allclose(steps[:, 0], walk.stride / np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(steps[:, 2], walk.stride / np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(steps[:, 1], 0, atol=1e-3)
    np.testing.assert_allclose(np.ptp(yaw), 0, atol=1e-9)
    np.testing.assert_allclose(np.ptp(roll), 0, atol=1e-9)


def test_legs_reach_the_ground(walk: Walk) -> None:
    """The pelvis rides as high as both legs allow, so that no foot is drawn along."""
    middle, yaw, roll = walk.pelvis(TIMES)
    for side in (0, 1):
        out = (1 - 2 * side) * BODY.hip
        hip = middle + out * (np.cos(roll)[:, None] * leftward(yaw) + np.sin(roll)[:, None] * (0, 1, 0))
        length = np.linalg.norm(hip - walk.foot(TIMES, side).ankle, axis=-1)
        assert length.max() <= BODY.leg + 1e-3
        assert length.max() > 0.97 * BODY.leg


def test_who_stops_stands_with_feet_side_by_side() -> None:
    walk = WALKS["stop"]
    late = np.array((4.8, 4.9, 5.0))
    assert np.ptp(walk.pelvis(late)[0], axis=0).max() < 1e-3
    apart = walk.foot(late, 0).ankle[0] - walk.foot(late, 1).ankle[0]
    assert abs(apart @ forward(np.array(1.0))) < 0.01
    assert 0.1 < apart @ leftward(np.array(1.0)) < 0.25
    np.testing.assert_allclose(walk.travelled(late), 2.0)
    assert walk.swing(late).max() == 0


def test_larger_people_take_longer_steps_and_the_fast_too() -> None:
    small = Anatomy.of(somebody(1.5))
    assert Walk(small, Line((0, 0), 0), 1.3).stride < WALKS["line"].stride < Walk(BODY, Line((0, 0), 0), 1.8).stride
    assert WALKS["line"].stride / 2 == pytest.approx(0.7, abs=0.06)  # m a step at 1.3 m/s, as people's


def test_a_joint_between_keeps_both_lengths() -> None:
    rng = np.random.default_rng(0)
    first, last, towards = rng.normal(0, 0.2, (3, 200, 3))
    last = first + 0.2 * (last - first) / np.linalg.norm(last - first, axis=-1, keepdims=True) * rng.uniform(
        1, 4, (200, 1)
    )
    knee = middle_joint(first, last, 0.45, 0.4, towards)
    np.testing.assert_allclose(np.linalg.norm(knee - first, axis=-1), 0.45, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(knee - last, axis=-1), 0.4, atol=1e-9)
    line = (last - first) / np.linalg.norm(last - first, axis=-1, keepdims=True)
    aside = towards - (towards * line).sum(-1, keepdims=True) * line
    assert (((knee - first) * aside).sum(-1) > 0).all()
