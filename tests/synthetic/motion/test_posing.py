from dataclasses import replace

import numpy as np
import pytest

from dyad.synthetic.bodies.body import BONES, bone
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.posing import Arm, Foot, Frame, Hand, Posture, hinged, take_of, within_reach
from dyad.synthetic.motion.rotations import unit
from tests.synthetic.people import are_rotations, bones_keep_their_length, heads, joint, knees_ahead, somebody, turned

SHAPE = somebody()
BODY = Anatomy.of(SHAPE)
AHEAD = np.array((-np.pi / 2,))  # towards +z
UP = np.array((0.0, 1.0, 0.0))


def standing(**changes: object) -> Posture:
    """One frame of someone who stands at the origin, faces +z and lets the arms hang."""
    frame = Frame.of(AHEAD)
    arms = [Arm(frame.at(s * 0.1, -1, 0), frame.at(0, 0, 1), frame.at(0, 0, 1), np.array((0.2,))) for s in (1, -1)]
    feet = [Foot(np.array(((s * 0.1, BODY.ankle, 0.0),)), AHEAD, np.zeros(1)) for s in (1, -1)]
    middle = np.array(((0.0, BODY.ankle + 0.97 * BODY.leg, 0.0),))
    knees = (frame.forward, frame.forward)
    posture = Posture(middle, frame, frame, frame, (feet[0], feet[1]), knees, (arms[0], arms[1]))
    return replace(posture, **changes)


def test_frames_are_square_and_right_handed() -> None:
    yaw, lean, roll = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 50))
    frame = Frame.of(yaw, lean=lean, roll=roll)
    are_rotations(frame.matrix)
    np.testing.assert_allclose(Frame.of(AHEAD).matrix[0], np.eye(3), atol=1e-12)
    assert (Frame.of(yaw, lean=0.3).forward[:, 1] < 0).all()  # who leans looks down
    assert (Frame.of(yaw, roll=0.3).left[:, 1] > 0).all()  # left side up


def test_hips_and_ankles_are_where_the_posture_has_them() -> None:
    posture = standing()
    take = take_of(posture, SHAPE, 25)
    are_rotations(take.rotations)
    bones_keep_their_length(take, SHAPE)
    middle = (joint(take, SHAPE, "LeftUpLeg") + joint(take, SHAPE, "RightUpLeg")) / 2
    np.testing.assert_allclose(middle, posture.middle, atol=1e-9)
    for name, foot in zip(("Left", "Right"), posture.feet, strict=True):
        np.testing.assert_allclose(joint(take, SHAPE, f"{name}Foot"), foot.ankle, atol=1e-9)
    assert (knees_ahead(take, SHAPE) > 0.02).all()
    at = heads(take, SHAPE)[0]
    for name in ("UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand"):
        assert at[bone(f"Left{name}"), 0] > 0.05 > -0.05 > at[bone(f"Right{name}"), 0]


@pytest.mark.parametrize("part", ["pelvis", "chest", "head"])
def test_parts_are_turned_as_told(part: str) -> None:
    frame = Frame.of(AHEAD + 0.3, lean=0.4, roll=-0.1)
    take = take_of(standing(**{part: frame}), SHAPE, 25)
    name = {"pelvis": "Hips", "chest": "Spine1", "head": "Head"}[part]
    np.testing.assert_allclose(turned(take, name), frame.matrix, atol=1e-9)
    bones_keep_their_length(take, SHAPE)


def test_the_back_bends_in_all_its_bones() -> None:
    take = take_of(standing(chest=Frame.of(AHEAD, lean=0.9)), SHAPE, 25)
    for name in ("LowerBack", "Spine", "Spine1"):
        up = take.rotations[0, BONES.index(name)][:, 1]
        assert np.degrees(np.arccos(up @ UP)) == pytest.approx(np.degrees(0.3), abs=1e-6)


def test_a_foot_out_of_reach_is_reached_for() -> None:
    far = Foot(np.array(((0.1, BODY.ankle, 1.5),)), AHEAD, np.zeros(1))
    posture = standing()
    take = take_of(replace(posture, feet=(far, posture.feet[1])), SHAPE, 25)
    bones_keep_their_length(take, SHAPE)
    hip, ankle = joint(take, SHAPE, "LeftUpLeg"), joint(take, SHAPE, "LeftFoot")
    assert np.linalg.norm(ankle - hip) == pytest.approx(BODY.leg, rel=2e-3)
    np.testing.assert_allclose(unit(ankle - hip), unit(far.ankle - hip), atol=1e-9)


@pytest.mark.parametrize(("side", "sign"), [(0, 1.0), (1, -1.0)])
def test_a_hand_goes_where_it_is_held(side: int, sign: float) -> None:
    place = np.array(((sign * 0.25, 1.1, 0.35),))
    hand = Hand(place, np.ones(1), np.array(((sign, -0.5, 0.0),)))
    hands = (hand, None) if side == 0 else (None, hand)
    take = take_of(standing(hands=hands), SHAPE, 25)
    name = ("Left", "Right")[side]
    np.testing.assert_allclose(joint(take, SHAPE, f"{name}Hand"), place, atol=1e-9)
    bones_keep_their_length(take, SHAPE)
    free = take_of(standing(hands=(None, None)), SHAPE, 25)
    loose = hand._replace(weight=np.zeros(1))
    none = take_of(standing(hands=(loose, None) if side == 0 else (None, loose)), SHAPE, 25)
    np.testing.assert_allclose(joint(none, SHAPE, f"{name}Hand"), joint(free, SHAPE, f"{name}Hand"), atol=3e-3)


def test_thumbs_point_where_they_are_told() -> None:
    for thumb in ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.2)):
        frame = Frame.of(AHEAD)
        arms = tuple(
            Arm(frame.at(0, -1, 0), frame.at(0, 0, 1), frame.at(s * thumb[0], thumb[1], thumb[2]), np.array((0.05,)))
            for s in (1, -1)
        )
        take = take_of(standing(arms=arms), SHAPE, 25)
        for name, s in (("Left", 1), ("Right", -1)):
            wrist, tip = joint(take, SHAPE, f"{name}Hand"), joint(take, SHAPE, f"{name[0]}Thumb")
            along = joint(take, SHAPE, f"{name}HandFinger1") - wrist
            aside = (tip - wrist) - ((tip - wrist) * unit(along)).sum(-1, keepdims=True) * unit(along)
            wanted = unit(np.array(((s * thumb[0], thumb[1], thumb[2]),)))
            assert float((unit(aside) * wanted).sum()) > 0.75


def test_hinges_and_reach() -> None:
    rng = np.random.default_rng(1)
    up, hinge = rng.normal(size=(2, 40, 3))
    matrix = hinged(up, hinge)
    are_rotations(matrix)
    np.testing.assert_allclose(matrix[..., 1], unit(up), atol=1e-9)
    assert ((matrix[..., 0] * hinge).sum(-1) > 0).all()
    near = within_reach(np.zeros((40, 3)), up, 1.0)
    length = np.linalg.norm(up, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(near, axis=-1), np.minimum(length, 1))
    np.testing.assert_allclose(near[length < 1], up[length < 1])
