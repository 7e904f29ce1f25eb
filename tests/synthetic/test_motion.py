import numpy as np
import pytest

from dyad.core.skeleton import BLAZEPOSE33
from dyad.synthetic.anatomy import Anatomy
from dyad.synthetic.gait import Walk
from dyad.synthetic.motion import Person, Shake, Span
from dyad.synthetic.paths import Arc, Line, forward, leftward

TIMES = np.arange(0, 5, 0.01)
BODY = Anatomy.of_height(1.75)
GAITS = {
    "line": Walk(BODY, Line((1.0, 1.0), -np.pi / 4), 1.3, phase=0.3),
    "arc": Walk(BODY, Arc((0.0, 0.0), 0.4, 3.0), 1.1, phase=0.8),
    "right arc": Walk(BODY, Arc((0.0, 0.0), 0.4, -2.5), 1.0),
    "stop": Walk(BODY, Line((0.0, 0.0), 1.0), 1.2, stop=2.0, phase=0.55),
}
LIMBS = {
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}


@pytest.fixture(params=GAITS, scope="module")
def person(request):
    return Person(GAITS[request.param], wave=Span(1, 3), talk=Span(2.5, 4), shake=None)


def joint(joints, name):
    return joints[:, BLAZEPOSE33.index(name)]


def middle(joints, kind):
    return (joint(joints, f"left_{kind}") + joint(joints, f"right_{kind}")) / 2


def test_all_joints_move_smoothly(person):
    joints = person.joints(TIMES)
    assert joints.shape == (len(TIMES), 33, 3)
    assert np.isfinite(joints).all()
    assert joints[..., 1].min() > 0
    assert joints[..., 1].max() < 2.2
    assert np.abs(np.diff(joints, axis=0)).max() < 0.01 * 8.0  # nothing faster than 8 m/s
    assert np.abs(np.diff(joints, 2, axis=0)).max() < 1e-4 * 120  # nor does it jerk


@pytest.mark.parametrize("side", ["left", "right"])
def test_bones_keep_their_length(person, side):
    joints = person.joints(TIMES)
    for bone, (first, last) in LIMBS.items():
        length = np.linalg.norm(joint(joints, f"{side}_{first}") - joint(joints, f"{side}_{last}"), axis=-1)
        np.testing.assert_allclose(length, getattr(BODY, bone), atol=1e-6, err_msg=bone)
    np.testing.assert_allclose(
        np.linalg.norm(middle(joints, "hip") - middle(joints, "shoulder"), axis=-1), BODY.trunk, atol=1e-6
    )
    np.testing.assert_allclose(
        np.linalg.norm(joint(joints, "nose") - middle(joints, "shoulder"), axis=-1).std(), 0, atol=1e-6
    )


def test_a_handshake_keeps_the_arm_and_reaches_the_place():
    walk = GAITS["stop"]
    place = 2.43 * forward(np.array(1.0)) + (0.0, 1.0, 0.0)
    joints = Person(walk, shake=Shake(Span(1, 4), tuple(place))).joints(TIMES)
    for bone in ("upper_arm", "forearm"):
        first, last = LIMBS[bone]
        length = np.linalg.norm(joint(joints, f"right_{first}") - joint(joints, f"right_{last}"), axis=-1)
        np.testing.assert_allclose(length, getattr(BODY, bone), atol=1e-6)
    knuckles = (joint(joints, "right_index") + joint(joints, "right_pinky")) / 2
    assert np.linalg.norm(knuckles[250:350] - place, axis=-1).max() < 0.08


def test_speed_along_a_line_is_the_speed_asked_for():
    walk = Walk(BODY, Line((0.0, 0.0), -np.pi / 4), 1.3)
    hips = middle(Person(walk).joints(np.arange(0, 10 * walk.stride / 1.3 + 1e-9, walk.stride / 1.3)), "hip")
    steps = np.diff(hips, axis=0)  # whole cycles: swaying and bobbing cancel
    np.testing.assert_allclose(steps[:, 0], walk.stride / np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(steps[:, 2], walk.stride / np.sqrt(2), atol=1e-9)
    np.testing.assert_allclose(steps[:, 1], 0, atol=1e-3)


def test_an_arc_keeps_its_distance_to_the_centre():
    arc = Arc((1.0, 2.0), 0.7, -2.5)
    place, yaw = arc(np.linspace(-3, 3, 50))
    centre = np.array((1.0, 0.0, 2.0)) - 2.5 * leftward(np.array(0.7))
    np.testing.assert_allclose(np.linalg.norm(place - centre, axis=-1), 2.5)
    ahead = np.gradient(place, 6 / 49, axis=0)[1:-1]
    np.testing.assert_allclose(ahead, forward(yaw)[1:-1], atol=5e-3)


@pytest.mark.parametrize("side", [0, 1])
def test_feet_do_not_slide(person, side):
    walk, name = person.walk, ("left", "right")[side]
    joints = person.joints(TIMES)
    heel, toe = joint(joints, f"{name}_heel"), joint(joints, f"{name}_foot_index")
    speed = np.minimum(*(np.linalg.norm(np.diff(p, axis=0), axis=-1) for p in (heel, toe))) / 0.01
    phase = (walk.cycle(TIMES) + 0.5 * side) % 1
    stance = (phase[1:] < 0.6) & (phase[:-1] < phase[1:]) | (np.diff(walk.cycle(TIMES)) == 0)
    assert stance.mean() > 0.5
    assert speed[stance].max() < 0.02  # m/s, of whichever end is down: 0.2 mm a frame
    flat = stance & (phase[1:] > 0.11) & (phase[:-1] < 0.37)
    assert np.linalg.norm(np.diff(heel, axis=0), axis=-1)[flat].max() < 1e-9
    assert min(heel[:, 1].min(), toe[:, 1].min()) > 0.01  # and never sink in


def test_legs_and_arms_swing_against_each_other():
    joints = Person(GAITS["line"]).joints(TIMES)
    ahead = forward(np.array(-np.pi / 4))
    leg = (joint(joints, "left_ankle") - joint(joints, "right_ankle")) @ ahead
    arm = (joint(joints, "left_wrist") - joint(joints, "right_wrist")) @ ahead
    assert np.corrcoef(leg, arm)[0, 1] < -0.9
    assert 0.5 < leg.max() < 0.85


def test_knees_bend_like_knees(person):
    joints = person.joints(TIMES)
    for side in ("left", "right"):
        hip, knee, ankle = (joint(joints, f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        toe, heel = joint(joints, f"{side}_foot_index"), joint(joints, f"{side}_heel")
        upper, lower = hip - knee, ankle - knee
        cosine = (upper * lower).sum(-1) / BODY.thigh / BODY.shin
        flexion = 180 - np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        assert flexion.min() > 3
        assert 45 < flexion.max() < 75
        assert (((knee - (hip + ankle) / 2) * (toe - heel)).sum(-1) > 0).all()  # forward, not backward


def test_left_is_left_of_right(person):
    joints = person.joints(TIMES)
    left = leftward(person.walk.heading(TIMES))
    for kind in ("hip", "shoulder", "ear", "eye", "knee", "ankle"):
        across = joint(joints, f"left_{kind}") - joint(joints, f"right_{kind}")
        assert ((across * left).sum(-1) > 0.02).all(), kind


def test_who_stops_stands_with_feet_side_by_side():
    joints = Person(GAITS["stop"]).joints(np.array((4.8, 4.9, 5.0)))
    assert np.ptp(middle(joints, "hip"), axis=0).max() < 1e-3
    apart = joint(joints, "left_ankle")[0] - joint(joints, "right_ankle")[0]
    assert np.abs(apart @ forward(np.array(1.0))) < 0.01
    assert 0.1 < np.linalg.norm(apart) < 0.25


def test_random_bodies_are_functions_of_the_seed():
    first, again, other = (Anatomy.random(np.random.default_rng(s)) for s in (5, 5, 6))
    assert first == again != other
    for seed in range(20):
        body = Anatomy.random(np.random.default_rng(seed))
        assert 0.9 < (body.leg + body.ankle) / (0.527 * body.height) < 1.1
