from dataclasses import replace

import numpy as np
import pytest

from dyad.synthetic.motion.gait import Walk
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.paths import Arc, Line, forward, leftward
from dyad.synthetic.motion.rotations import unit
from dyad.synthetic.motion.strolling import Reach, Span, Stroller
from dyad.synthetic.motion.takes import Take
from tests.synthetic.people import (
    are_rotations,
    bones_keep_their_length,
    heads,
    joint,
    knees_ahead,
    lowest_points,
    slides,
    somebody,
    turned,
)

SHAPE = somebody()
BODY = Anatomy.of(SHAPE)
FPS, FRAMES = 100, 500
TIMES = np.arange(FRAMES) / FPS
STROLLERS = {
    "line": Stroller(Walk(BODY, Line((1.0, 1.0), -np.pi / 4), 1.3, phase=0.3)),
    "arc": Stroller(Walk(BODY, Arc((0.0, 0.0), 0.4, 3.0), 1.1, phase=0.8), wave=Span(1, 3)),
    "right arc": Stroller(Walk(BODY, Arc((0.0, 0.0), 0.4, -2.5), 1.0), talk=Span(1, 4)),
    "stop": Stroller(Walk(BODY, Line((0.0, 0.0), 1.0), 1.2, stop=2.0, phase=0.55), wave=Span(1, 3), talk=Span(2.5, 4)),
}


@pytest.fixture(params=STROLLERS, scope="module")
def played(request: pytest.FixtureRequest) -> tuple[Stroller, Take]:
    stroller = STROLLERS[request.param]
    return stroller, stroller.take(SHAPE, frames=FRAMES, fps=FPS)


def test_everything_moves_smoothly(played: tuple[Stroller, Take]) -> None:
    _, take = played
    assert (len(take), take.fps) == (FRAMES, FPS)
    are_rotations(take.rotations)
    bones_keep_their_length(take, SHAPE)
    at = heads(take, SHAPE)
    assert np.abs(np.diff(at, axis=0)).max() * FPS < 8  # m/s
    assert np.abs(np.diff(at, 2, axis=0)).max() * FPS**2 < 120  # m/s²: nor does it jerk
    turns = np.linalg.norm(np.diff(take.rotations, axis=0), axis=(-2, -1))
    assert turns.max() * FPS < 30


def test_soles_stay_on_the_floor_and_where_they_are(played: tuple[Stroller, Take]) -> None:
    _, take = played
    lowest = lowest_points(take, SHAPE)
    assert lowest.min() > -0.01
    assert lowest.max() < 0.02  # a walker has a foot down all the time
    speed = slides(take, SHAPE)
    # What is that low rolls on or off the floor now and then; all the rest lies still.
    assert np.quantile(speed, 0.9) < 0.15
    assert np.quantile(speed, 0.99) < 0.4


def test_a_foot_that_stands_flat_lies_still(played: tuple[Stroller, Take]) -> None:
    stroller, take = played
    for side, name in enumerate(("Left", "Right")):
        phase = (stroller.walk.cycle(TIMES) + 0.5 * side) % 1
        flat = (phase > 0.11) & (phase < 0.36)
        moved = np.linalg.norm(np.diff(joint(take, SHAPE, f"{name}Foot"), axis=0), axis=-1)
        assert moved[flat[1:] & flat[:-1]].max() < 1e-6
        assert moved.max() * FPS > 1.5


def test_knees_bend_like_knees(played: tuple[Stroller, Take]) -> None:
    _, take = played
    ahead = knees_ahead(take, SHAPE)
    assert (ahead > 0.01).all()
    assert 0.1 < ahead.max() < 0.3


def test_left_is_left_of_right(played: tuple[Stroller, Take]) -> None:
    stroller, take = played
    left = leftward(stroller.walk.heading(TIMES))
    for kind in ("UpLeg", "Arm", "Leg", "Foot"):
        across = joint(take, SHAPE, f"Left{kind}") - joint(take, SHAPE, f"Right{kind}")
        assert ((across * left).sum(-1) > 0.02).all(), kind
    face = turned(take, "Head")[..., 2]
    assert ((face * forward(stroller.walk.heading(TIMES))).sum(-1) > 0.9).all()


def test_legs_and_arms_swing_against_each_other() -> None:
    take = STROLLERS["line"].take(SHAPE, frames=FRAMES, fps=FPS)
    ahead = forward(np.array(-np.pi / 4))
    leg = (joint(take, SHAPE, "LeftFoot") - joint(take, SHAPE, "RightFoot")) @ ahead
    arm = (joint(take, SHAPE, "LeftHand") - joint(take, SHAPE, "RightHand")) @ ahead
    assert np.corrcoef(leg, arm)[0, 1] < -0.9
    assert 0.5 < leg.max() < 0.85
    lively = replace(STROLLERS["line"], liveliness=1.5).take(SHAPE, frames=FRAMES, fps=FPS)
    wider = (joint(lively, SHAPE, "LeftHand") - joint(lively, SHAPE, "RightHand")) @ ahead
    assert wider.max() > 1.2 * arm.max()


def test_the_right_hand_waves_and_then_hangs_again() -> None:
    walk = Walk(BODY, Line((0.0, 0.0), 1.0), 1.0, stop=0.0)
    take = Stroller(walk, wave=Span(1, 3)).take(SHAPE, frames=FRAMES, fps=FPS)
    height = {s: joint(take, SHAPE, f"{s}Hand")[:, 1] - joint(take, SHAPE, f"{s}Arm")[:, 1] for s in ("Left", "Right")}
    assert height["Right"][160:240].min() > 0.1
    assert max(height["Left"].max(), height["Right"][:95].max(), height["Right"][310:].max()) < -0.2
    beat = joint(take, SHAPE, "RightHand")[160:240] @ leftward(np.array(1.0))
    crossings = np.diff(np.sign(beat - beat.mean())) != 0
    assert 2 <= crossings.sum() <= 3  # 1.6 Hz over 0.8 s


def test_a_hand_that_reaches_for_a_place_holds_it() -> None:
    walk = Walk(BODY, Line((0.0, 0.0), 1.0), 1.2, stop=2.0)
    place = 2.3 * forward(np.array(1.0)) + (0.0, 1.15, 0.0)
    take = Stroller(walk, reaches=(Reach(Span(2, 4), tuple(place)),)).take(SHAPE, frames=FRAMES, fps=FPS)
    off = np.linalg.norm(joint(take, SHAPE, "RightHand") - place, axis=-1)
    assert off[260:340].max() < 0.01
    assert off[490] > 0.2
    left = np.linalg.norm(joint(take, SHAPE, "LeftHand") - place, axis=-1)
    assert left.min() > 0.2


def test_a_hand_that_reaches_along_goes_with_the_walker() -> None:
    walk = Walk(BODY, Arc((0.0, 0.0), 0.4, 3.0), 1.0)
    reach = Reach(Span(-9, 99), (0.25, 1.0, 0.28), side="left", along=True)
    take = Stroller(walk, reaches=(reach,)).take(SHAPE, frames=FRAMES, fps=FPS)
    place, yaw = walk.path(walk.travelled(TIMES))
    held = joint(take, SHAPE, "LeftHand") - place
    np.testing.assert_allclose((held * leftward(yaw)).sum(-1), 0.25, atol=0.02)
    np.testing.assert_allclose((held * forward(yaw)).sum(-1), 0.28, atol=0.02)
    np.testing.assert_allclose(held[:, 1], 1.0, atol=0.02)


def test_heads_turn_to_what_is_looked_at() -> None:
    walk = Walk(BODY, Line((0.0, 0.0), 0.0), 1.0)
    take = Stroller(walk, look=(1.0, 4.0, 0.8)).take(SHAPE, frames=FRAMES, fps=FPS)
    face = turned(take, "Head")[..., 2]
    towards = unit(forward(np.array(0.8)))
    assert (face[180:320] @ towards).min() > 0.97
    assert (face[:90] @ towards).max() < 0.85


def test_spans_begin_and_end_softly() -> None:
    times = np.array((0.9, 1.0, 1.25, 1.5, 2.5, 2.75, 3.0, 3.1))
    np.testing.assert_allclose(Span(1, 3)(times), (0, 0, 0.5, 1, 1, 0.5, 0, 0))
