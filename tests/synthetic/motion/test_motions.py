"""Motions of any skeleton: kinematics, mirrors, time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.synthetic.motion.motions import Motion, partners
from dyad.synthetic.motion.rotations import about

NAMES = ("root", "lhip", "lknee", "rhip", "rknee", "chest")
PARENTS = (-1, 0, 1, 0, 3, 0)
OFFSETS = np.array([[0, 0, 0], [0.1, -0.1, 0], [0.05, -0.4, 0], [-0.12, -0.1, 0], [-0.05, -0.42, 0], [0, 0.5, 0]])


def wild(frames: int = 7, fps: float = 30.0, seed: int = 0) -> Motion:
    """A motion whose every joint turns at random."""
    rotations = Rotation.random(frames * 6, random_state=seed).as_matrix().reshape(frames, 6, 3, 3)
    return Motion(NAMES, PARENTS, OFFSETS, rotations, np.random.default_rng(seed).normal(size=(frames, 3)), fps, "wild")


def smooth(frames: int, fps: float = 30.0, turn: float = 1.0, pace: float = 1.5, yaw: float = 0.0) -> Motion:
    """A motion that turns about the vertical at `turn` rad/s and goes ahead at `pace` m/s."""
    time = np.arange(frames) / fps
    rotations = np.broadcast_to(np.eye(3), (frames, 6, 3, 3)).copy()
    rotations[:, 0] = about((0.0, 1.0, 0.0), yaw + turn * time)
    rotations[:, 2] = about((1.0, 0.0, 0.0), 0.5 * np.sin(time))
    return Motion(NAMES, PARENTS, OFFSETS, rotations, np.stack((0 * time, 1 + 0 * time, pace * time), -1), fps)


def test_joints_lie_where_their_parents_carry_them() -> None:
    motion = smooth(1)
    rotations = motion.rotations.copy()
    rotations[0, 0] = about((0, 1, 0), np.pi / 2)
    rotations[0, 1] = about((1, 0, 0), np.pi / 2)
    places = replace(motion, rotations=rotations).positions()[0]
    # The root's turn takes x to -z; the hip's turn takes the shin's -y to -z, and the root's that to -x.
    np.testing.assert_allclose(places[1], [0, 0.9, -0.1], atol=1e-12)
    np.testing.assert_allclose(places[2], [-0.4, 0.9, -0.15], atol=1e-12)
    np.testing.assert_allclose(places[5], [0, 1.5, 0], atol=1e-12)


def test_bones_keep_their_length() -> None:
    places = wild().positions()
    for joint, parent in enumerate(PARENTS[1:], 1):
        length = np.linalg.norm(places[:, joint] - places[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(OFFSETS[joint]), atol=1e-12)


def test_a_mirror_shows_the_other_side_at_the_other_place() -> None:
    motion = wild()
    seen = motion.mirrored().positions()
    other = [0, 3, 4, 1, 2, 5]
    np.testing.assert_allclose(seen, motion.positions()[:, other] * (-1, 1, 1), atol=1e-12)
    again = motion.mirrored().mirrored()
    np.testing.assert_array_equal(again.rotations, motion.rotations)
    np.testing.assert_array_equal(again.offsets, motion.offsets)
    assert np.linalg.det(motion.mirrored().rotations) == pytest.approx(1)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("LeftArm", "RightArm"),
        ("mixamorig:LeftUpLeg", "mixamorig:RightUpLeg"),
        ("left_hip", "right_hip"),
        ("lfemur", "rfemur"),
        ("LHipJoint", "RHipJoint"),
        ("LThumb", "RThumb"),
        ("arm_l", "arm_r"),
        ("Arm.L", "Arm.R"),
        ("L_Foot", "R_Foot"),
        ("Bip01 L Thigh", "Bip01 R Thigh"),
        ("ltoes_end", "rtoes_end"),
    ],
)
def test_sides_are_told_by_many_kinds_of_names(left: str, right: str) -> None:
    names = ("root", "lowerback", left, "Head", right, "LowerBack")
    assert partners(names) == (0, 1, 4, 3, 2, 5)


def test_a_side_without_the_other_is_refused() -> None:
    with pytest.raises(BadInput, match="LeftArm has no partner"):
        partners(("Hips", "LeftArm"))
    lopsided = Motion(
        ("root", "larm", "rarm"), (-1, 0, 1), np.ones((3, 3)), np.ones((1, 3, 1, 1)) * np.eye(3), [[0, 0, 0]], 30
    )
    with pytest.raises(BadInput, match="hangs elsewhere"):
        lopsided.mirrored()


def test_a_new_rate_keeps_the_old_frames() -> None:
    motion = wild(9)
    double = motion.resampled(60)
    assert len(double) == 17
    np.testing.assert_array_equal(double.rotations[::2], motion.rotations)
    np.testing.assert_array_equal(double.translation[::2], motion.translation)
    back = double.resampled(30)
    np.testing.assert_array_equal(back.rotations, motion.rotations)
    assert motion.resampled(10).seconds <= motion.seconds
    np.testing.assert_array_equal(motion.resampled(10).rotations, motion.rotations[::3])


def test_between_frames_a_steady_turn_stays_steady() -> None:
    np.testing.assert_allclose(smooth(31).resampled(25).rotations[:, 0], smooth(26, fps=25).rotations[:, 0], atol=1e-12)


def test_warping_shows_other_times() -> None:
    motion = smooth(31)
    np.testing.assert_array_equal(motion.warped(np.arange(31)[::-1] / 30).rotations, motion.rotations[::-1])
    held = motion.warped([-1.0, 0.0, 5.0])
    np.testing.assert_array_equal(held.translation, motion.translation[[0, 0, 30]])


def test_a_part_has_the_frames_within() -> None:
    motion = wild(31)
    np.testing.assert_array_equal(motion.part(0.5, 0.7).rotations, motion.rotations[15:22])
    assert len(motion.part(0, 99)) == 31
    with pytest.raises(BadInput, match="no frame"):
        motion.part(2, 3)


def test_moving_turns_and_shifts_every_joint() -> None:
    motion = wild()
    turn = about((0, 1, 0), 0.7)
    moved = motion.moved(0.7, 3, -2).positions()
    np.testing.assert_allclose(moved, motion.positions() @ turn.T + (3, 0, -2), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("a",) * 6}, "differ"),
        ({"parents": (-1, 0, 1, 0, 5, 0)}, "before its children"),
        ({"parents": (-1, 0, 1, -1, 3, 0)}, "single root"),
        ({"parents": (0, 0, 1, 0, 3, 0)}, "-1 for the first"),
        ({"offsets": np.full((6, 3), np.nan)}, "finite offsets"),
        ({"fps": 0.0}, "above 0"),
        ({"fps": float("nan")}, "above 0"),
        ({"translation": np.full((7, 3), np.inf)}, "finite"),
        ({"translation": np.zeros((6, 3))}, "translation"),
        ({"rotations": np.zeros((0, 6, 3, 3)), "translation": np.zeros((0, 3))}, "no frame"),
    ],
)
def test_what_is_no_motion_is_refused(change: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        replace(wild(), **change)
