"""CMU Panoptic Studio: groups before 31 HD cameras, `hdPose3d_stage1_coco19` and `calibration_NAME.json`.

(Joo et al., Panoptic Studio: A Massively Multiview System for Social Motion Capture, ICCV 2015.)
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage, about
from dyad.core.skeleton import Skeleton
from dyad.core.video import Video
from dyad.datasets.reading import FARTHEST, numbers, read_json, video_at
from dyad.datasets.truth import check_rotation, into_camera, truth_tracks

FPS = 29.97
_PARENTS = {
    "neck": "pelvis",
    "nose": "neck",
    "pelvis": "",
    "left_shoulder": "neck",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "left_hip": "pelvis",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "right_shoulder": "neck",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "right_hip": "pelvis",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "left_eye": "nose",
    "left_ear": "left_eye",
    "right_eye": "nose",
    "right_ear": "right_eye",
}
PANOPTIC19 = Skeleton("panoptic19", tuple(_PARENTS), tuple(_PARENTS.values()))


def read_panoptic(
    folder: str | Path, *, split: str | None = None, cameras: Sequence[str] | None = None, least: float = 0.1
) -> Iterator[Clip]:
    """A clip for each sequence and HD camera: `170407_haggling_a1/00_16`, people by the data set's numbers.

    `folder` holds sequences, or is one. `cameras` picks some by name (`00_00` … `00_30`). A joint whose score is below
    `least` is missing. Nothing tells what a camera sees of a joint: every one inside the image counts as visible. The
    frames are those with a `body3DScene_` file. Videos are `hdVideos/hd_00_16.mp4`. The data set has no splits.

    Raises BadInput for files that are missing, damaged, or contradict themselves; BadUsage for `split`.
    """
    if split is not None:
        raise BadUsage(f"CMU Panoptic has no splits, got {split!r}: pick sequences by their folders")
    folder = Path(folder)
    calibrations = sorted(folder.glob("calibration_*.json")) or sorted(folder.glob("*/calibration_*.json"))
    if not calibrations:
        raise BadInput(f"{folder} holds no calibration_NAME.json of CMU Panoptic")
    for path in calibrations:
        frame, person, world, frames = _people(path.parent, least)
        for name, camera, rotation, translation in _cameras(path):
            if cameras is not None and name not in cameras:
                continue
            truth = truth_tracks(
                skeleton=PANOPTIC19,
                camera=camera,
                frame=frame,
                person=person,
                xyz=into_camera(world, rotation, translation),
                frames=frames,
                fps=FPS,
                video=f"{path.stem.removeprefix('calibration_')}/{name}",
            )
            yield Clip(_video(path.parent, name, camera, frames), truth)


def _video(folder: Path, name: str, camera: Camera, frames: NDArray[np.int64]) -> Video | None:
    return video_at(folder / "hdVideos" / f"hd_{name}.mp4", camera=camera, fps=FPS, frames=int(frames.max()) + 1)


def _cameras(path: Path) -> Iterator[tuple[str, Camera, NDArray[np.float64], NDArray[np.float64]]]:
    """Name, lens, rotation (3,3) and translation (3,) m from the world to camera axes, of each HD camera."""
    content = read_json(path)
    try:
        entries = [entry for entry in content["cameras"] if entry["type"] == "hd"]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path} should list cameras with name, type, resolution, K, distCoef, R and t") from error
    for entry in entries:
        what = f"{path}, camera {entry.get('name')}"
        matrix = numbers(_of(entry, "K", what), f"{what}, K", (3, 3), limit=1e5)
        lens = numbers(_of(entry, "distCoef", what), f"{what}, distCoef", (5,), limit=100)
        width, height = numbers(_of(entry, "resolution", what), f"{what}, resolution", (2,), limit=1e5).astype(int)
        rotation = check_rotation(numbers(_of(entry, "R", what), f"{what}, R", (3, 3)), f"{what}, R")
        shift = numbers(_of(entry, "t", what), f"{what}, t", (3,), limit=FARTHEST * 100, flat=True) / 100
        focal, centre = torch.from_numpy(matrix.diagonal()[:2].copy()), torch.from_numpy(matrix[:2, 2].copy())
        with about(what):
            camera = Camera((int(width), int(height)), focal, centre, torch.from_numpy(lens), source="file")
        yield str(entry.get("name")), camera, rotation, shift


def _of(entry: dict[str, Any], name: str, what: str) -> Any:
    if name not in entry:
        raise BadInput(f"{what} lacks {name}")
    return entry[name]


def _people(
    folder: Path, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Frame (N,), person (N,), world positions (N,19,3) m, and the frames (T,) there are files of."""
    poses = folder / "hdPose3d_stage1_coco19"
    files = {}
    for path in [*poses.glob("body3DScene_*.json"), *poses.glob("hd/body3DScene_*.json")]:
        if match := re.fullmatch(r"body3DScene_(\d{1,9})", path.stem):
            files[int(match[1])] = path
    if not files:
        raise BadInput(f"{folder} holds no hdPose3d_stage1_coco19/body3DScene_*.json of CMU Panoptic")
    frame, person, xyz = [], [], []
    for number, path in sorted(files.items()):
        content = read_json(path)
        try:
            bodies = [(int(body["id"]), body["joints19"]) for body in content["bodies"]]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadInput(f"{path} should list bodies with id and joints19: {error}") from error
        seen: set[int] = set()
        for identity, values in bodies:
            if not -(2**62) < identity < 2**62 or identity in seen:
                raise BadInput(f"{path} holds the body {str(identity)[:40]} twice, or by a number that is none")
            seen.add(identity)
            joints = numbers(values, f"{path}, joints19 of {identity}", (76,)).reshape(19, 4)
            known = joints[:, 3:] >= least
            limit = FARTHEST * 100
            place = numbers(np.where(known, joints[:, :3], 0), f"{path}, joints19 of {identity}", (19, 3), limit=limit)
            frame.append(number)
            person.append(identity)
            xyz.append(np.where(known, place / 100, np.nan))
    numbered = np.array(sorted(files), dtype=np.int64)
    return (
        np.array(frame, dtype=np.int64),
        np.array(person, dtype=np.int64),
        np.array(xyz, dtype=np.float64).reshape(-1, 19, 3),
        numbered,
    )
