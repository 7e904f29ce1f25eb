import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, LSP14, MUPOTS17, Skeleton
from dyad.synthetic.bodies.body import BONES, PARTS, BodyModel, Phenotype, bone
from dyad.synthetic.bodies.keypoints import FEET, definition, keypoints

MODEL = BodyModel.load()
ADULT = MODEL.shape(Phenotype())
SHAPES = {"adult": ADULT, "child": MODEL.shape(Phenotype(gender=1, age=7).with_stature(1.2))}
SKELETONS = {s.name: s for s in (BODY17, COCO17, MUPOTS17, LSP14, BLAZEPOSE33, FEET)}
MIRRORED_BONES = [
    BONES.index(
        name.replace("Left", "Right") if name.startswith("Left")
        else name.replace("Right", "Left") if name.startswith("Right")
        else {"L": "R", "R": "L"}[name[0]] + name[1:] if name[1:] in ("HipJoint", "Thumb")
        else name
    )
    for name in BONES
]  # fmt: skip


@pytest.fixture(params=SHAPES)
def shape(request):
    return SHAPES[request.param]


@pytest.fixture(params=SKELETONS)
def skeleton(request):
    return SKELETONS[request.param]


def still(shape):
    return np.tile(np.eye(3), (1, len(BONES), 1, 1)), shape.joints[None, 0]


def random_pose(shape, frames=20, degrees=35.0):
    rng = np.random.default_rng(1)
    turns = Rotation.from_rotvec(rng.normal(0, np.radians(degrees), (frames * len(BONES), 3))).as_matrix()
    return turns.reshape(frames, len(BONES), 3, 3), rng.normal(0, 2, (frames, 3))


def at_rest(skeleton, shape=ADULT):
    return dict(zip(skeleton.names, keypoints(shape, *still(shape), skeleton)[0], strict=True))


def half_width(points, name):
    return (points[f"left_{name}"] - points[f"right_{name}"])[0] / 2


def test_every_joint_is_defined_by_shares_that_sum_to_one(skeleton):
    for joint in skeleton.names:
        point = definition(skeleton, joint)
        assert sum(share for _, share in point.at) == pytest.approx(1)
        assert not point.on or sum(share for _, share in point.on) == pytest.approx(1)


def test_rest_is_symmetric_and_left_is_left(shape, skeleton):
    points = torch.from_numpy(keypoints(shape, *still(shape), skeleton))
    assert torch.allclose(skeleton.flip(points) * torch.tensor([-1, 1, 1]), points, atol=0.0005)
    for name, place in zip(skeleton.names, points[0], strict=True):
        if "left" in name:
            assert place[0] > 0.01
        elif "right" not in name:
            assert abs(place[0]) < 0.001


def test_points_stay_inside_the_body_or_on_its_skin(shape, skeleton):
    rotations, translation = random_pose(shape, frames=5, degrees=20)
    vertices = shape.pose(rotations, translation)
    for points, skin in zip(keypoints(shape, rotations, translation, skeleton), vertices, strict=True):
        distance, _ = cKDTree(skin).query(points)
        assert distance.max() < 0.14


def test_a_rigid_motion_of_the_root_moves_them_rigidly(shape, skeleton):
    rotations, translation = random_pose(shape)
    turn, shift = Rotation.from_euler("yxz", [2.0, 0.5, -0.3]).as_matrix(), np.array([0.3, -2.0, 5.0])
    moved = rotations.copy()
    moved[:, 0] = turn @ rotations[:, 0]
    expected = keypoints(shape, rotations, translation, skeleton) @ turn.T + shift
    assert np.allclose(keypoints(shape, moved, translation @ turn.T + shift, skeleton), expected, atol=1e-9)


def test_a_mirrored_pose_gives_mirrored_keypoints(shape, skeleton):
    flip = np.diag([-1.0, 1, 1])
    rotations, translation = random_pose(shape)
    mirrored = flip @ rotations[:, MIRRORED_BONES] @ flip
    points = torch.from_numpy(keypoints(shape, rotations, translation, skeleton) @ flip)
    got = keypoints(shape, mirrored, translation @ flip, skeleton)
    assert np.allclose(got, skeleton.flip(points).numpy(), atol=0.001)


def test_points_of_the_skin_go_where_skinning_takes_them(shape):
    rotations, translation = random_pose(shape, degrees=60)
    vertices = shape.pose(rotations, translation)
    landmarks = {
        **{n: n for n in ("nose", "left_eye", "right_ear")},
        "mouth_left": "left_mouth",
        "left_heel": "left_heel",
    }
    points = keypoints(shape, rotations, translation, BLAZEPOSE33)
    for joint, landmark in landmarks.items():
        chosen, weights = MODEL.landmarks[landmark]
        expected = np.einsum("k,tkd->td", weights, vertices[:, chosen])
        assert np.allclose(points[:, BLAZEPOSE33.index(joint)], expected, atol=1e-5)


def test_limbs_of_joint_centres_keep_their_lengths(shape):
    for skeleton in (BODY17, MUPOTS17, LSP14):
        points = keypoints(shape, *random_pose(shape, frames=40, degrees=60), skeleton)
        rest = keypoints(shape, *still(shape), skeleton)
        bones = [("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")]
        for a, b in [*bones, ("hip", "knee")] if skeleton is LSP14 else bones:
            for side in ("left", "right"):
                pair = skeleton.indices(f"{side}_{a}", f"{side}_{b}")
                lengths, own = (np.linalg.norm(p[:, pair[0]] - p[:, pair[1]], axis=-1) for p in (points, rest))
                assert np.allclose(lengths, own, atol=1e-9)


def test_thighs_of_body17_are_as_long_as_shins_and_change_little():
    """Its hips lie 6 cm above the points about which the thighs turn, and go half with them, half with the pelvis."""
    rest = at_rest(BODY17)
    thigh, shin = (
        np.linalg.norm(rest[f"left_{a}"] - rest[f"left_{b}"]) for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    assert thigh / shin == pytest.approx(1.02, abs=0.02)
    rotations, translation = still(ADULT)
    hip, knee, pelvis, other = BODY17.indices("left_hip", "left_knee", "pelvis", "right_hip")
    for degrees, shorter in ((-30, 0.005), (-90, 0.04)):
        rotations[0, bone("LeftUpLeg")] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
        points = keypoints(ADULT, rotations, translation, BODY17)
        assert 0 < thigh - np.linalg.norm(points[0, hip] - points[0, knee]) < shorter
        assert np.allclose(points[:, pelvis], (points[:, hip] + points[:, other]) / 2, atol=1e-9)


def test_hips_of_the_data_sets_differ_as_documented():
    widths = {name: half_width(at_rest(SKELETONS[name]), "hip") for name in ("body17", "mupots17", "coco17", "lsp14")}
    assert widths["body17"] == pytest.approx(0.13, abs=0.003)
    assert widths["mupots17"] == pytest.approx(0.11, abs=0.003)
    assert widths["lsp14"] == pytest.approx(0.11, abs=0.003)
    assert widths["coco17"] == pytest.approx(0.10, abs=0.005)
    body, coco, mupots, lsp = (at_rest(s) for s in (BODY17, COCO17, MUPOTS17, LSP14))
    assert body["left_hip"][1] - coco["left_hip"][1] == pytest.approx(0.083, abs=0.005)
    assert body["left_hip"][1] - lsp["left_hip"][1] == pytest.approx(0.064, abs=0.005)
    assert mupots["left_hip"][1] == pytest.approx(body["left_hip"][1], abs=0.002)
    assert mupots["pelvis"][1] - body["pelvis"][1] == pytest.approx(0.01, abs=0.004)


def test_joint_adaptation_is_right_for_the_mean_adult():
    """What `Skeleton.convert` makes of clicked joints are the joints of motion capture, to 2.5 cm; and back."""
    for seen in (COCO17, BLAZEPOSE33):
        for captured in (BODY17, MUPOTS17):
            clicked, there = (torch.from_numpy(keypoints(ADULT, *still(ADULT), s)[0]) for s in (seen, captured))
            found, back = seen.convert(clicked, captured), captured.convert(there, seen)
            for name in ("pelvis", "left_hip", "right_hip", "neck"):
                assert (found[captured.index(name)] - there[captured.index(name)]).norm() < 0.025
            for name in ("left_hip", "right_hip"):
                assert (back[seen.index(name)] - clicked[seen.index(name)]).norm() < 0.025


def test_shoulders_necks_and_heads_differ_as_documented():
    body, coco, mupots, lsp = (at_rest(s) for s in (BODY17, COCO17, MUPOTS17, LSP14))
    assert coco["left_shoulder"][1] - body["left_shoulder"][1] == pytest.approx(0.025, abs=0.006)
    assert half_width(body, "shoulder") - half_width(coco, "shoulder") == pytest.approx(0.011, abs=0.004)
    assert [round(p["neck"][1], 2) for p in (body, mupots, lsp)] == [1.44, 1.44, 1.47]
    crown = ADULT.stature
    assert mupots["head_top"][1] == lsp["head_top"][1] == pytest.approx(crown, abs=0.002)
    assert crown - body["head_top"][1] == pytest.approx(0.045, abs=0.006)
    assert coco["nose"][2] - body["nose"][2] == pytest.approx(0.075, abs=0.01)
    assert coco["left_knee"][1] - body["left_knee"][1] == pytest.approx(-0.021, abs=0.004)
    assert coco["left_ankle"][1] - body["left_ankle"][1] == pytest.approx(0.013, abs=0.004)


def test_faces_hands_and_feet_are_where_they_are_on_people():
    points = at_rest(BLAZEPOSE33)
    pupils = points["left_eye"][0] - points["right_eye"][0]
    assert pupils == pytest.approx(0.062, abs=0.006)
    assert points["left_eye_inner"][0] < points["left_eye"][0] < points["left_eye_outer"][0]
    assert points["mouth_left"][0] - points["mouth_right"][0] == pytest.approx(0.05, abs=0.006)
    assert points["nose"][2] > points["left_eye"][2] > points["left_ear"][2]
    assert points["left_eye"][1] > points["nose"][1] > points["mouth_left"][1]
    assert points["left_ear"][0] - points["right_ear"][0] == pytest.approx(0.155, abs=0.015)
    foot = points["left_foot_index"] - points["left_heel"]
    assert np.linalg.norm(foot) == pytest.approx(0.152 * ADULT.stature, abs=0.015)
    assert foot[2] > 0.2
    assert max(points["left_heel"][1], points["left_foot_index"][1]) < 0.05
    feet = at_rest(FEET)
    assert feet["left_small_toe"][0] > feet["left_big_toe"][0] + 0.03
    assert feet["left_big_toe"][2] > feet["left_small_toe"][2]
    # The thumb is on the side of the index finger, which is farther from the wrist than it.
    wrist, thumb, index, pinky = (points[f"left_{n}"] for n in ("wrist", "thumb", "index", "pinky"))
    assert np.linalg.norm(thumb - index) < np.linalg.norm(thumb - pinky)
    assert 0.07 < np.linalg.norm(index - wrist) < 0.13


def test_definitions_scale_with_the_body():
    for skeleton in SKELETONS.values():
        small, large = (
            keypoints(s, *still(s), skeleton)[0] for s in (SHAPES["child"], MODEL.shape(Phenotype().with_stature(1.9)))
        )
        assert np.ptp(large[:, 1]) >= np.ptp(small[:, 1])
    child = at_rest(BODY17, SHAPES["child"])
    assert 0.06 < half_width(child, "hip") < 0.11


def test_the_knee_of_a_bent_leg_lies_inside_it():
    rotations, translation = still(ADULT)
    rotations[0, bone("LeftLeg")] = Rotation.from_euler("x", 100, degrees=True).as_matrix()
    skin = ADULT.pose(rotations, translation)[0]
    leg = skin[np.isin(MODEL.mesh().part, [PARTS.index("left_thigh"), PARTS.index("left_shin")])]
    for skeleton in (BODY17, COCO17):
        knee = keypoints(ADULT, rotations, translation, skeleton)[0, skeleton.index("left_knee")]
        near = leg[np.linalg.norm(leg - knee, axis=-1) < 0.09]
        assert len(near) > 30
        assert near[:, 2].max() > knee[2] > near[:, 2].min()


def test_an_unknown_skeleton_is_refused():
    with pytest.raises(BadInput, match="strange"):
        keypoints(ADULT, *still(ADULT), Skeleton.of_names(("tail",), "strange"))


def test_the_page_about_joints_tells_the_truth():
    page = (Path(__file__).parents[3] / "docs" / "joints.md").read_text(encoding="utf-8")
    checked = 0
    for section in page.split("\n### ")[1:]:
        skeleton = SKELETONS[re.findall(r"`(\w+)`", section)[0]]
        points = at_rest(skeleton)
        for joint, stated in re.findall(r"^\| (\w+) \| (-?[\d.]+ -?[\d.]+ -?[\d.]+) \|", section, re.MULTILINE):
            assert np.allclose(points[joint] * 100, [float(n) for n in stated.split()], atol=0.06), joint
            checked += 1
    assert checked == 11 + 11 + 9 + 8 + 2 + 3
    first = page.split("\n### ")[0]
    for joint, stated in re.findall(r"^\| (\w+) \| (-?[\d.]+ -?[\d.]+ -?[\d.]+) \|", first, re.MULTILINE):
        assert np.allclose(at_rest(LSP14)[f"left_{joint}"] * 100, [float(n) for n in stated.split()], atol=0.06)
