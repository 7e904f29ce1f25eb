from dataclasses import replace

import numpy as np
import pytest

from dyad.synthetic.motion.keyed import ArmKey, FootKey, Key, Keyed
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.posing import take_of
from tests.synthetic.people import are_rotations, bones_keep_their_length, joint, lowest_points, slides, somebody

SHAPE = somebody()
BODY = Anatomy.of(SHAPE)
LOW = Key(drop=0.3, lean=0.4, bow=0.2, look=0.3)
STEP = Key(left_foot=FootKey(0.3, 0.2, 0.4), right_foot=FootKey(0.25, -0.1))
TIMES = np.arange(0, 4, 0.02)


def test_a_key_is_reached_at_its_time_and_held_before_the_first_and_after_the_last() -> None:
    someone = Keyed(BODY, [(1.0, Key(drop=0.02)), (2.0, LOW)])
    height = someone.posture(np.array((-1.0, 0.5, 1.0, 1.5, 2.0, 3.0))).middle[:, 1]
    top, low = BODY.ankle + 0.999 * BODY.leg - np.array((0.02, 0.3))
    np.testing.assert_allclose(height, (top, top, top, (top + low) / 2, low, low), atol=1e-9)


def test_motion_between_keys_starts_and_ends_at_rest() -> None:
    height = Keyed(BODY, [(1.0, Key()), (2.0, LOW)]).posture(np.arange(0.9, 2.1, 1e-3)).middle[:, 1]
    speed = np.abs(np.diff(height)) * 1e3
    assert speed[:102].max() < 0.01
    assert speed[-102:].max() < 0.01
    assert speed.max() < 2 * 0.28 / 1.0


def test_feet_stay_while_keys_leave_them() -> None:
    take = take_of(Keyed(BODY, [(0.5, Key()), (2.5, LOW)]).posture(TIMES), SHAPE, 50)
    are_rotations(take.rotations)
    bones_keep_their_length(take, SHAPE)
    for name in ("LeftFoot", "RightFoot"):
        assert np.ptp(joint(take, SHAPE, name), axis=0).max() < 1e-9
    assert slides(take, SHAPE).max() < 0.01
    assert lowest_points(take, SHAPE).min() > -0.01


def test_feet_step_one_after_the_other() -> None:
    posture = Keyed(BODY, [(0.5, Key()), (2.5, STEP)]).posture(TIMES)
    lift = np.stack([foot.ankle[:, 1] - BODY.ankle for foot in posture.feet], -1)
    assert (lift.max(0) > 0.05).all()
    assert ((lift > 0.005).sum(1) < 2).all()
    assert lift[:, 0].argmax() < lift[:, 1].argmax()
    for foot, key, sign in zip(posture.feet, (STEP.left_foot, STEP.right_foot), (1, -1), strict=True):
        # Facing +z, left is +x.
        np.testing.assert_allclose(foot.ankle[-1], (sign * key.out, BODY.ankle, key.ahead), atol=1e-9)
        moves = np.linalg.norm(np.diff(foot.ankle[:, (0, 2)], axis=0), axis=-1) > 1e-6
        assert (foot.ankle[1:, 1][moves] > BODY.ankle).mean() > 0.9


def test_both_arms_are_described_alike() -> None:
    arm = ArmKey((0.6, 0.3, 0.5), (-0.3, 0.4, 0.5), (-0.2, 0.8, 0.3), 1.0)
    someone = replace(Keyed(BODY, [(0.0, Key().with_arms(arm))]), beat=0.0)
    take = take_of(someone.posture(np.array((0.0,))), SHAPE, 25)
    for name in ("Arm", "ForeArm", "Hand"):
        left, right = (joint(take, SHAPE, f"{side}{name}")[0] for side in ("Left", "Right"))
        # The body itself is symmetric; what sets the sides apart is a drift of 0.03 rad.
        np.testing.assert_allclose(left * (-1, 1, 1), right, atol=0.04)
    assert joint(take, SHAPE, "LeftHand")[0, 0] > joint(take, SHAPE, "LeftUpLeg")[0, 0]


@pytest.mark.parametrize(("field", "axis", "sign"), [("shift", 0, 1), ("ahead", 2, 1), ("drop", 1, -1)])
def test_lengths_move_the_hips_the_way_they_say(field: str, axis: int, sign: int) -> None:
    at = [Keyed(BODY, [(0.0, replace(Key(), **{field: v}))]).posture(np.zeros(1)).middle[0] for v in (0.0, 0.1)]
    moved = np.zeros(3)
    moved[axis] = 0.1 * sign
    np.testing.assert_allclose(at[1] - at[0], moved, atol=1e-9)


@pytest.mark.parametrize("field", ["look", "twist", "turn"])
def test_angles_turn_the_face_to_the_left(field: str) -> None:
    head = Keyed(BODY, [(0.0, replace(Key(), **{field: 0.5}))]).posture(np.zeros(1)).head
    assert head.forward[0, 0] == pytest.approx(np.sin(0.5), abs=0.05)


def test_place_and_heading_move_everything() -> None:
    keys = [(0.5, Key()), (2.0, STEP)]
    here, there = (Keyed(BODY, keys, place, yaw) for place, yaw in (((0, 0), -np.pi / 2), ((1.0, -2.0), 0.0)))
    one, two = (someone.posture(TIMES) for someone in (here, there))
    # From facing +z to facing +x.
    turn = np.array(((0, 0, 1), (0, 1, 0), (-1, 0, 0)))
    np.testing.assert_allclose(two.middle, one.middle @ turn.T + (1, 0, -2), atol=1e-9)
    np.testing.assert_allclose(two.feet[0].ankle, one.feet[0].ankle @ turn.T + (1, 0, -2), atol=1e-9)
