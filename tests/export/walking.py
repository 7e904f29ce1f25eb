"""People of constant bones who walk on a floor, in front of a camera that is tilted and rolled."""

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks, World

FPS = 25.0
HEIGHT = 1.5
ANKLE = 0.076
WITH_FEET = Skeleton(
    "feet",
    (*BODY17.names, "left_heel", "right_heel", "left_foot_index", "right_foot_index"),
    (*BODY17.parent_names, "left_ankle", "right_ankle", "left_heel", "right_heel"),
)


def walk(times: np.ndarray, *, start=(0.0, -4.0), heading: float = 0.0, size: float = 1.0) -> dict[str, np.ndarray]:
    """Joints (T, 3) of somebody who walks at 1.2 m/s, y up and the floor at 0; heading 0 is towards z.

    Elbows are bent forwards and knees backwards, and the lower ankle is as high above the floor as an ankle is.
    """
    phase = 2 * np.pi * times
    zero = np.zeros_like(times)

    def sagittal(down: np.ndarray, length: float) -> np.ndarray:
        """Hanging down where the angle is 0, pointing forward (z) at a right angle."""
        return length * size * np.stack([zero, -np.cos(down), np.sin(down)], -1)

    def aside(x: float, y: float, z: float) -> np.ndarray:
        return size * np.stack([zero + x, zero + y, zero + z], -1)

    pose = {"pelvis": aside(0, 0, 0), "spine": aside(0, 0.24, 0.0), "neck": aside(0, 0.5, 0)}
    pose |= {"nose": aside(0.0, 0.61, 0.07), "head_top": aside(0, 0.74, 0.04)}
    for side, sign in (("left", 1), ("right", -1)):
        swing = sign * 0.45 * np.sin(phase)
        bend = 0.35 + 0.3 * np.sin(phase + sign * 1.0) ** 2
        pose[f"{side}_hip"] = aside(sign * 0.13, 0, 0)
        pose[f"{side}_knee"] = pose[f"{side}_hip"] + sagittal(swing, 0.42)
        pose[f"{side}_ankle"] = pose[f"{side}_knee"] + sagittal(swing - bend, 0.43)
        pose[f"{side}_heel"] = pose[f"{side}_ankle"] + aside(0, -0.04, -0.05)
        pose[f"{side}_foot_index"] = pose[f"{side}_ankle"] + aside(0, -0.06, 0.2)
        pose[f"{side}_shoulder"] = aside(sign * 0.18, 0.46, 0)
        pose[f"{side}_elbow"] = pose[f"{side}_shoulder"] + sagittal(-0.7 * swing, 0.28)
        pose[f"{side}_wrist"] = pose[f"{side}_elbow"] + sagittal(-0.7 * swing + 0.6, 0.25)
    lowest = np.minimum(pose["left_ankle"][:, 1], pose["right_ankle"][:, 1])
    turn = Rotation.from_euler("y", heading).as_matrix()
    way = np.stack([zero + start[0], ANKLE - lowest, zero + start[1]], -1)
    way += 1.2 * times[:, None] * (turn @ [0.0, 0, 1])
    return {name: joint @ turn.T + way for name, joint in pose.items()}


def tilted() -> tuple[np.ndarray, World]:
    """The rotation (3, 3) from the upright axes to those of the camera, and the camera's world."""
    tilt, roll = math.radians(12), math.radians(4)
    forward = np.array([0.0, -math.sin(tilt), -math.cos(tilt)])
    right = np.array([1.0, 0, 0])
    down = np.cross(forward, right)
    x, y = math.cos(roll) * right + math.sin(roll) * down, math.cos(roll) * down - math.sin(roll) * right
    rotation = np.stack([x, y, forward])
    gravity = rotation @ [0.0, -1, 0]
    return rotation, World(torch.from_numpy(gravity), torch.from_numpy(np.append(-gravity, HEIGHT)))


def to_camera(xyz: np.ndarray) -> np.ndarray:
    rotation, _ = tilted()
    return (xyz - (0, HEIGHT, 0)) @ rotation.T


def tracks_of(
    people: dict[int, tuple[list[int], np.ndarray]],
    times: np.ndarray,
    *,
    skeleton: Skeleton = BODY17,
    fps: float = FPS,
    **changes,
) -> Tracks:
    """Tracks of people given as (frames, joints (n, J, 3) in upright axes); `times` (T,) of all frames."""
    frame = np.concatenate([np.array(frames, np.int64) for frames, _ in people.values()])
    person = np.concatenate([np.full(len(frames), number) for number, (frames, _) in people.items()])
    xyz = torch.from_numpy(to_camera(np.concatenate([joints for _, joints in people.values()])))
    camera = Camera.from_fov((1280, 720), 60)
    given = {
        "xyz": xyz,
        "xy": camera.project(xyz),
        "sigma": torch.tensor([0.01, 0.02, 0.05]).expand(xyz.shape),
        "confidence": torch.full(xyz.shape[:2], 0.75),
        "agreement": torch.full(xyz.shape[:2], 0.5),
        "box": torch.tensor([[10.0, 20, 110, 220]]).expand(len(frame), 4),
        "world": tilted()[1],
        "frames": np.arange(len(times)),
        "times": times,
        "fps": fps,
        "video": "walk.mp4",
    }
    return Tracks.of_rows(skeleton=skeleton, camera=camera, frame=frame, person=person, **{**given, **changes})


def stacked(joints: dict[str, np.ndarray], skeleton: Skeleton = BODY17) -> np.ndarray:
    return np.stack([joints[name] for name in skeleton.names], 1)


def walkers(count: int = 50, *, skeleton: Skeleton = BODY17, start: float = 2.0, **changes) -> Tracks:
    """Person 3 walks towards the camera all the time; person 8, smaller, to the right, from the tenth frame to the
    last but five, without a row in frames 20 to 23."""
    times = np.arange(count) / FPS
    one = stacked(walk(times), skeleton)
    late = [f for f in range(10, count - 5) if not 20 <= f < 24]
    other = stacked(walk(times[late], start=(-1.5, -5.0), heading=np.pi / 2, size=0.85), skeleton)
    people = {3: (list(range(count)), one), 8: (late, other)}
    return tracks_of(people, times + start, skeleton=skeleton, **changes)


def truth(tracks: Tracks, person: int) -> np.ndarray:
    """Joints (n, J, 3) of a person of `walkers` in upright axes, from the camera's."""
    rotation, _ = tilted()
    return tracks.xyz[tracks.rows(person)].double().numpy() @ rotation + (0, HEIGHT, 0)
