"""A clip of Human3.6M, whichever form of the data set it was read from."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, Skeleton
from dyad.core.tracks import World
from dyad.datasets.human36m_cameras import StudioCamera
from dyad.datasets.reading import video_at
from dyad.datasets.truth import truth_tracks

FPS = 50.0

# "left_…" and "right_…" are the person's own. The joints whose names `body17` has are the seventeen that all use; the
# others do not move on their own, or repeat one.
_PARENTS = {
    "pelvis": "",
    "right_hip": "pelvis",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "right_toe_base": "right_ankle",
    "right_toe_end": "right_toe_base",
    "left_hip": "pelvis",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "left_toe_base": "left_ankle",
    "left_toe_end": "left_toe_base",
    "spine_base": "pelvis",
    "spine": "spine_base",
    "neck": "spine",
    "nose": "neck",
    "head_top": "nose",
    "left_collar": "neck",
    "left_shoulder": "left_collar",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "left_wrist_copy": "left_wrist",
    "left_thumb": "left_wrist_copy",
    "left_hand": "left_wrist",
    "left_hand_end": "left_hand",
    "right_collar": "neck",
    "right_shoulder": "right_collar",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "right_wrist_copy": "right_wrist",
    "right_thumb": "right_wrist_copy",
    "right_hand": "right_wrist",
    "right_hand_end": "right_hand",
}
H36M32 = Skeleton("h36m32", tuple(_PARENTS), tuple(_PARENTS.values()), "captured")


def check_pixels(studio: StudioCamera, xyz: NDArray[np.float64], xy: NDArray[np.float64], what: str) -> None:
    """BadInput unless 2D truth (F,17 or 32,2) lies where this camera sees the 3D (F,32,3)."""
    solid = xyz if xy.shape[1] == 32 else xyz[:, H36M32.indices(*BODY17.names)]
    miss = np.linalg.norm(studio.pixels(solid) - xy, axis=-1)
    if miss.size and not np.median(miss) < 1:
        raise BadInput(f"{what}: 2D truth is {np.median(miss):.3g} px from where the camera sees 3D, expected below 1")


def clip_of(
    folder: Path,
    subject: str,
    action: str,
    studio: StudioCamera,
    xyz: NDArray[np.float64],
    xy: NDArray[np.float64] | None,
    joints: int,
) -> Clip:
    """The clip of F frames with 3D (F,32,3) m in the camera frame and perhaps 2D (F,17 or 32,2) px."""
    if joints == 17:
        xyz = xyz[:, H36M32.indices(*BODY17.names)]
        xy = xy[:, H36M32.indices(*BODY17.names)] if xy is not None and xy.shape[1] == 32 else xy
    elif xy is not None and xy.shape[1] != joints:
        xy = None
    frames = np.arange(len(xyz))
    up = studio.rotation[2].copy()
    camera = studio.camera
    truth = truth_tracks(
        skeleton=BODY17 if joints == 17 else H36M32,
        camera=camera,
        frame=frames,
        person=np.zeros(len(xyz), dtype=np.int64),
        xyz=xyz,
        xy=xy,
        frames=frames,
        fps=FPS,
        video=f"{subject}/{action}.{studio.name}",
        world=World(torch.from_numpy(-up), torch.from_numpy(np.append(up, studio.place[2]))),
    )
    videos = folder / subject / "Videos"
    # VideoPose3D gives two actions a shorter name than the videos have.
    long = action.replace("WalkDog", "WalkingDog").replace("Photo", "TakingPhoto").replace("TakingTaking", "Taking")
    names = [f"{name}.{studio.name}.mp4" for name in dict.fromkeys((action, long))]
    video = video_at(*(videos / name for name in names), camera=camera, fps=FPS, frames=len(frames))
    return Clip(video, truth)
