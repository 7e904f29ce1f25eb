import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, COCO17, LSP14, MUPOTS17, Skeleton
from dyad.core.tracks import Tracks
from dyad.export.motion import Motion, forward, motions
from dyad.export.rig import rig_skeleton
from dyad.export.upright import Upright, upright
from dyad.geometry.bones import with_bone_lengths
from dyad.synthetic.demo import demo_clip
from tests.export.walking import FPS, WITH_FEET, stacked, tracks_of, truth, walk, walkers

JOINTS = ("left_knee", "right_ankle", "neck", "head_top", "left_wrist", "right_elbow", "spine", "left_hip")


def off(motion: Motion, space: Upright) -> dict[str, float]:
    """Largest distance in m between a joint of the rig and the joint of the tracks."""
    places, _ = forward(motion.rig, motion.root, motion.turns)
    person = next(p for p in space.people() if p.number == motion.number)
    source = space.tracks.skeleton
    xyz = source.convert(torch.from_numpy(person.xyz), rig_skeleton(source)).numpy()
    names = rig_skeleton(source).names
    return {
        joint: float(np.nanmax(np.linalg.norm(places[:, k] - xyz[:, names.index(joint)], axis=-1)))
        for joint, k in motion.rig.places.items()
    }


def steps(motion: Motion) -> np.ndarray:
    """How far each joint turns from one frame to the next, as its parent sees it, degrees (T - 1, K)."""
    _, turns = motion.at(np.arange(motion.times[0], motion.times[-1] + 1e-6, 1 / FPS))
    cosine = np.abs((turns[1:] * turns[:-1]).sum(-1))
    return np.degrees(2 * np.arccos(np.clip(cosine, 0, 1)))


@pytest.mark.parametrize("skeleton", [None, WITH_FEET])
def test_constant_bones_are_followed_exactly(skeleton) -> None:
    space = upright(walkers(**({"skeleton": skeleton} if skeleton else {})))
    found = motions(space)
    assert [m.number for m in found] == [3, 8]
    for motion in found:
        assert max(off(motion, space).values()) < 1e-4
        assert set(JOINTS) <= set(off(motion, space))
        assert ("left_foot_index" in off(motion, space)) == (skeleton is not None)
        assert steps(motion).max() < 12


def test_rotations_mirror_nothing_and_people_face_their_way() -> None:
    space = upright(walkers())
    for motion in motions(space):
        places, rotations = forward(motion.rig, motion.root, motion.turns)
        assert np.linalg.det(rotations) == pytest.approx(1)
        way = places[-1, 0] - places[0, 0]
        ahead = rotations[:, 0] @ [0.0, 0, 1]
        assert (ahead @ (way / np.linalg.norm(way)) > 0.99).all()
        names = motion.rig.names()
        for bone, axis in (("LeftUpLeg", (0, 0, 1)), ("LeftForeArm", (0, 1, 0)), ("RightArm", (0, 1, 0))):
            # The front of a thigh and what was the upper side of a lowered arm show where they must.
            front = rotations[:, names.index(bone)] @ np.array(axis, float)
            outside = ahead if bone == "LeftUpLeg" else rotations[:, 0] @ [1.0 if bone[0] == "L" else -1.0, 0, 0]
            assert ((front * outside).sum(-1) > 0.6).all(), bone


def test_rendered_people_are_followed_within_five_millimetres() -> None:
    clip = demo_clip(3, size=(64, 64), seconds=0.4, fps=10, people=2)
    assert clip.truth is not None
    space = upright(clip.truth)
    for motion in motions(space):
        assert max(off(motion, space).values()) < 0.005
        height = [space.xyz[:, clip.truth.skeleton.index(name), 1] for name in ("left_ankle", "head_top")]
        assert 0 < height[0].min() < 0.12 < 1.3 < height[1].min()


def test_noise_makes_nothing_flip_and_bones_constant() -> None:
    tracks = walkers(75)
    noise = torch.randn(tracks.xyz.shape, generator=torch.Generator().manual_seed(0)) * 0.005
    space = upright(tracks.with_(xyz=tracks.xyz + noise))
    for motion in motions(space):
        places, _ = forward(motion.rig, motion.root, motion.turns)
        person = next(p for p in space.people() if p.number == motion.number)
        skeleton = tracks.skeleton
        bones = [np.linalg.norm(person.xyz - person.xyz[:, np.maximum(skeleton.parents, 0)], axis=-1)]
        same = with_bone_lengths(
            torch.from_numpy(person.xyz), torch.from_numpy(np.median(bones[0], 0)), skeleton.parents
        ).numpy()
        for joint, k in motion.rig.places.items():
            assert np.abs(places[:, k] - same[:, skeleton.index(joint)]).max() < 1e-4
        assert steps(motion).max() < 25


def test_a_straight_body_that_turns_round_takes_its_arms_along() -> None:
    times = np.arange(100) / FPS
    still = {name: joint[:1] for name, joint in walk(np.zeros(1)).items()}
    for side in ("left", "right"):
        for parts, origin in ((("knee", "ankle"), "hip"), (("elbow", "wrist"), "shoulder")):
            for n, part in enumerate(parts, 1):
                still[f"{side}_{part}"] = still[f"{side}_{origin}"] - (0, 0.3 * n, 0)
    pose = stacked(still)[0]
    middle = pose[0] * (1, 0, 1)
    turned = [Rotation.from_euler("y", 2 * a).apply(pose - middle) + middle for a in times]
    motion = motions(upright(tracks_of({0: (list(range(100)), np.stack(turned))}, times)))[0]
    # Only the hips turn.
    assert steps(motion)[:, 0] == pytest.approx(np.full(99, np.degrees(2 / FPS)), abs=0.01)
    assert steps(motion)[:, 1:].max() < 0.1


def test_gaps_are_bridged_and_ends_held() -> None:
    space = upright(walkers())
    motion = motions(space)[1]
    assert len(motion.times) == 31
    grid = np.arange(50) / FPS
    places, _ = forward(motion.rig, *motion.at(grid))
    whole = walk(grid, start=(-1.5, -5.0), heading=np.pi / 2, size=0.85)
    for joint, k in motion.rig.places.items():
        missed = np.linalg.norm(places[:, k] - whole[joint], axis=-1)
        assert missed[10:20].max() < 1e-3
        assert missed[24:45].max() < 1e-3
        assert missed[20:24].max() < 0.05, joint
        assert places[:10, k] == pytest.approx(np.broadcast_to(places[10, k], (10, 3)))
        assert places[45:, k] == pytest.approx(np.broadcast_to(places[44, k], (5, 3)))


def test_a_joint_that_is_missing_for_a_while_moves_on() -> None:
    tracks = walkers()
    xyz = tracks.xyz.clone()
    xyz[20:25, tracks.skeleton.index("left_elbow")] = torch.nan
    space = upright(tracks)
    motion = motions(upright(tracks.with_(xyz=xyz)))[0]
    assert np.isfinite(motion.turns).all()
    assert off(motion, space)["left_elbow"] < 0.03
    xyz = tracks.xyz.clone()
    xyz[:3, tracks.skeleton.index("pelvis")] = torch.nan
    motion = motions(upright(tracks.with_(xyz=xyz)))[0]
    # The pelvis is held where it was first seen.
    assert motion.root[:3] == pytest.approx(np.tile(space.people()[0].xyz[3, 0], (3, 1)), abs=1e-5)
    assert steps(motion).max() < 12


def test_a_joint_that_is_never_known_has_no_node() -> None:
    tracks = walkers()
    xyz = tracks.xyz.clone()
    for name in ("left_wrist", "right_knee", "spine", "head_top"):
        xyz[:, tracks.skeleton.index(name)] = torch.nan
    space = upright(tracks.with_(xyz=xyz))
    motion = motions(space)[0]
    names = motion.rig.names()
    assert {"LeftHand", "RightLeg", "Spine", "HeadTop_End"} & set(names) == set()
    assert {"LeftForeArm", "RightFoot", "LowerBack", "Spine1", "Head"} <= set(names)
    # Where a knee is left out, the way from hip to ankle changes its length.
    assert max(value for joint, value in off(motion, space).items() if joint != "right_ankle") < 1e-4


@pytest.mark.parametrize("skeleton", [COCO17, MUPOTS17, BLAZEPOSE33], ids=lambda s: s.name)
def test_other_skeletons_turn_too(skeleton: Skeleton) -> None:
    times = np.arange(12) / FPS
    pose = walk(times)
    pose |= {"head": (pose["nose"] + pose["head_top"]) / 2}
    for side, sign in (("left", 1), ("right", -1)):
        for part, shift in (("eye", (0.03, 0.02, 0.02)), ("ear", (0.07, 0, -0.06))):
            pose[f"{side}_{part}"] = pose["nose"] + np.array(shift) * (sign, 1, 1)
        for inner in ("eye_inner", "eye_outer"):
            pose[f"{side}_{inner}"] = pose[f"{side}_eye"]
        pose[f"mouth_{side}"] = pose["nose"] + np.array([0.02 * sign, -0.03, 0.01])
        for finger in ("pinky", "index", "thumb"):
            pose[f"{side}_{finger}"] = pose[f"{side}_wrist"] + np.array([0.0, -0.05, 0.05])
    tracks = tracks_of({0: (list(range(12)), stacked(pose, skeleton))}, times, skeleton=skeleton)
    space = upright(tracks)
    motion = motions(space)[0]
    assert {"Hips", "LeftLeg", "RightForeArm", "Neck", "Head"} <= set(motion.rig.names())
    assert ("LeftToeBase" in motion.rig.names()) == (skeleton is BLAZEPOSE33)
    assert max(off(motion, space).values()) < 0.005
    assert steps(motion).max() < 15


def test_names_are_unique_and_those_of_programs() -> None:
    rig = motions(upright(walkers(3, skeleton=WITH_FEET)))[0].rig
    for style in ("cmu", "mixamo"):
        names = rig.names(style)
        assert len(set(names)) == len(names)
        swapped = [n.replace("Left", "*").replace("Right", "Left").replace("*", "Right") for n in names]
        swapped = [n.replace("LH", "*H").replace("RH", "LH").replace("*H", "RH") for n in swapped]
        assert sorted(swapped) == sorted(names)
    assert {"LHipJoint", "LeftUpLeg", "LeftToeBase", "RightHeel", "HeadTop_End"} <= set(rig.names())
    mixamo = {"Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"}
    assert {f"mixamorig:{name}" for name in mixamo} <= set(rig.names("mixamo"))
    rest = rig.rest()
    assert rest[rig.places["left_wrist"], 0] > 0.5 > -0.5 > rest[rig.places["right_wrist"], 0]
    assert rest[rig.places["left_foot_index"], 2] > 0.1


def test_one_frame_is_enough() -> None:
    space = upright(walkers(1, skeleton=WITH_FEET)[torch.arange(1)])
    motion = motions(space)[0]
    assert motion.turns.shape[0] == 1
    assert max(off(motion, space).values()) < 1e-5


def test_what_has_no_hips_is_refused() -> None:
    tracks = walkers(4)
    xyz = tracks.xyz.clone()
    xyz[:, tracks.skeleton.index("pelvis")] = torch.nan
    with pytest.raises(BadInput, match="person 3 cannot be given turning joints: the middle of the hips"):
        motions(upright(tracks.with_(xyz=xyz)))
    xyz = tracks.xyz.clone()
    xyz[:, 1:] = torch.nan
    with pytest.raises(BadInput, match="none but the pelvis"):
        motions(upright(tracks.with_(xyz=xyz)))
    legs = Tracks.of_rows(skeleton=LSP14, camera=tracks.camera, frame=[0], person=[0], xyz=torch.rand(1, 14, 3))
    assert "Spine1" in motions(upright(legs))[0].rig.names()


def test_truth_is_what_the_tracks_say() -> None:
    tracks = walkers()
    assert truth(tracks, 3) == pytest.approx(stacked(walk(np.arange(50) / FPS)), abs=1e-5)
