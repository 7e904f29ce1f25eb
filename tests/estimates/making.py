"""Files as other tools write them, of people who are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import Tracks
from dyad.estimates.reading import read_people

SIZE = (640, 480)
CAMERA = Camera.from_focal(SIZE, 600.0)
FRAMES = 5

# A standing person about the pelvis, metres, y down.
POSE = {
    "pelvis": (0.0, 0.0, 0.0),
    "right_hip": (-0.13, 0.0, 0.01),
    "right_knee": (-0.14, 0.42, -0.08),
    "right_ankle": (-0.15, 0.84, 0.02),
    "left_hip": (0.13, 0.0, -0.01),
    "left_knee": (0.15, 0.41, 0.05),
    "left_ankle": (0.16, 0.83, 0.12),
    "spine": (0.0, -0.25, 0.02),
    "neck": (0.0, -0.51, 0.0),
    "nose": (0.01, -0.62, -0.08),
    "head_top": (0.0, -0.75, -0.02),
    "left_shoulder": (0.17, -0.47, 0.02),
    "left_elbow": (0.25, -0.2, 0.05),
    "left_wrist": (0.3, 0.0, -0.12),
    "right_shoulder": (-0.17, -0.47, -0.02),
    "right_elbow": (-0.3, -0.25, -0.05),
    "right_wrist": (-0.2, -0.1, -0.25),
}


def truth(people: int = 1, frames: int = FRAMES) -> Tracks:
    """People who walk to the right, three metres and more away, 1.3 m beside each other."""
    pose = torch.tensor([POSE[name] for name in BODY17.names], dtype=torch.float64)
    rows = [(p, f) for p in range(people) for f in range(frames)]
    xyz = torch.stack([pose + torch.tensor([1.3 * p - 0.6 + 0.05 * f, 0.1, 4.0 + 0.5 * p]) for p, f in rows])
    return Tracks.of_rows(
        skeleton=BODY17,
        camera=CAMERA,
        frame=torch.tensor([f for _, f in rows]),
        person=torch.tensor([p for p, _ in rows]),
        xyz=xyz,
        xy=CAMERA.project(xyz),
        confidence=torch.full((len(rows), 17), 0.8),
        frames=torch.arange(frames),
        fps=10.0,
    )


def read_tracks(path: Path, **options: Any) -> Tracks:
    """What a file says of people who have identities."""
    return read_people(path, **options).tracks()


def relative(tracks: Tracks) -> NDArray[np.float64]:
    """Poses (N, 17, 3) about the pelvis."""
    xyz = tracks.xyz.double()
    return (xyz - xyz[:, :1]).numpy()


def spots(skeleton: Skeleton, seed: int = 0, people: int = 1) -> NDArray[np.float64]:
    """Whole-pixel joints (people, J, 3) with confidences."""
    random = np.random.default_rng(seed)
    xy = random.integers(50, 400, (people, len(skeleton), 2))
    return np.concatenate([xy, random.uniform(0.3, 0.9, (people, len(skeleton), 1)).round(3)], -1).astype(float)


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def openpose_folder(folder: Path, points: NDArray[np.float64], *, person: int = -1, frames: int = 3) -> Path:
    """OpenPose's --write_json of a clip."""
    for frame in range(frames):
        people = [
            {
                "person_id": [person if person < 0 else person + at],
                "pose_keypoints_2d": (found + np.array([frame, 0, 0])).ravel().tolist(),
                "face_keypoints_2d": [],
                "hand_left_keypoints_2d": [],
                "hand_right_keypoints_2d": [],
                "pose_keypoints_3d": [],
                "face_keypoints_3d": [],
                "hand_left_keypoints_3d": [],
                "hand_right_keypoints_3d": [],
            }
            for at, found in enumerate(points)
        ]
        write(folder / f"clip_{frame:012d}_keypoints.json", {"version": 1.3, "people": people})
    return folder


def mmpose_instance(points: NDArray[np.float64]) -> dict[str, Any]:
    """One person as MMPose writes: corners in a list of one."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return {
        "keypoints": points[:, :-1].tolist(),
        "keypoint_scores": points[:, -1].tolist(),
        "bbox": [[*low.tolist(), *high.tolist()]],
        "bbox_score": 0.75,
    }
