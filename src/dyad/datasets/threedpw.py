"""3DPW: people outdoors before a hand-held camera, `sequenceFiles/{train,validation,test}/*.pkl`.

(von Marcard et al., Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera, ECCV 2018.) The
files are pickles; `dyad.datasets.safe_pickle` takes the data out of them and carries nothing out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, about
from dyad.core.skeleton import Skeleton
from dyad.datasets.reading import FARTHEST, chosen, numbers, video_at
from dyad.datasets.safe_pickle import read_pickle
from dyad.datasets.truth import check_rotation, into_camera, truth_tracks

FPS = 30.0
SPLITS = ("train", "validation", "test")

# The joint that SMPL calls head is where the skull meets the neck: another name here, so that nothing takes it for one.
_PARENTS = {
    "pelvis": "",
    "left_hip": "pelvis",
    "right_hip": "pelvis",
    "spine1": "pelvis",
    "left_knee": "left_hip",
    "right_knee": "right_hip",
    "spine2": "spine1",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "spine3": "spine2",
    "left_foot": "left_ankle",
    "right_foot": "right_ankle",
    "neck": "spine3",
    "left_collar": "spine3",
    "right_collar": "spine3",
    "skull_base": "neck",
    "left_shoulder": "left_collar",
    "right_shoulder": "right_collar",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
}
SMPL24 = Skeleton("smpl24", tuple(_PARENTS), tuple(_PARENTS.values()), "captured")


def read_3dpw(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip for each sequence of `train`, `validation` and `test`, people in the file's order, the joints of SMPL.

    3D is the file's `jointPositions` (24 joints of the SMPL body) in the camera frame of each image; the 14 joints of
    the published protocol are regressed from the mesh of SMPL, whose licence asks everyone to fetch it themselves,
    and are not in these files. A person has no row in a frame where `campose_valid` says that camera and person do
    not fit. 2D is where the 3D appears; nothing tells occlusion. Images are `imageFiles/NAME/image_00000.jpg` ….

    Raises BadInput for files that are missing, damaged, contradict themselves, or hold anything but data.
    """
    for path in _files(folder, split):
        yield _sequence(path)


def read_3dpw_detections(path: str | Path) -> NDArray[np.float64]:
    """The 2D joints (P,F,18,3) that the authors detected, as `OPENPOSE18`: px and score; NaN px where score is 0.

    `path` is one pkl file. Raises BadInput.
    """
    path = Path(path)
    content = _content(path)
    frames = len(_array(content, "cam_poses", path, (None, 4, 4)))
    found = []
    for at, value in enumerate(_people(content, "poses2d", path)):
        person = numbers(value, f"{path}, poses2d of person {at}", (frames, 3, 18)).transpose(0, 2, 1)
        found.append(np.where(person[..., 2:] > 0, person, (np.nan, np.nan, 0.0)))
    return np.stack(found)


def _files(folder: str | Path, split: str | None) -> list[Path]:
    folder = Path(folder)
    root = folder / "sequenceFiles" if (folder / "sequenceFiles").is_dir() else folder
    found = [path for name in chosen(split, SPLITS, "3DPW") for path in sorted((root / name).glob("*.pkl"))]
    if not found:
        raise BadInput(f"{folder} holds no sequenceFiles/{split or SPLITS[0]}/*.pkl of 3DPW")
    return found


def _content(path: Path) -> dict[str, Any]:
    content = read_pickle(path)
    if not isinstance(content, dict):
        raise BadInput(f"{path} should hold a table, got {type(content).__name__}")
    return content


def _sequence(path: Path) -> Clip:
    content = _content(path)
    matrix = _array(content, "cam_intrinsics", path, (3, 3), limit=1e5)
    poses = _array(content, "cam_poses", path, (None, 4, 4), limit=FARTHEST)
    rotation = check_rotation(poses[:, :3, :3], f"{path}, cam_poses")
    frames = len(poses)
    # The file does not state the size of the images; the principal point of its cameras is the middle of them.
    focal, centre = torch.from_numpy(matrix.diagonal()[:2].copy()), torch.from_numpy(matrix[:2, 2].copy())
    images = path.parents[2] / "imageFiles" / path.stem
    video = video_at(images, fps=FPS, frames=frames)
    size = video.size if video else (round(2 * matrix[0, 2]), round(2 * matrix[1, 2]))
    with about(path):
        camera = Camera(size, focal, centre, source="file")
    xyz, frame, person = [], [], []
    joints, valid = _people(content, "jointPositions", path), _people(content, "campose_valid", path)
    if len(joints) != len(valid):
        raise BadInput(f"{path}: jointPositions is of {len(joints)} people, campose_valid of {len(valid)}")
    for at, (values, fits) in enumerate(zip(joints, valid, strict=True)):
        world = numbers(values, f"{path}, jointPositions of person {at}", (frames, 72), limit=FARTHEST)
        seen = np.flatnonzero(numbers(fits, f"{path}, campose_valid of person {at}", (frames,)) > 0)
        xyz.append(into_camera(world.reshape(-1, 24, 3)[seen], rotation[seen], poses[seen, :3, 3]))
        frame.append(seen)
        person.append(np.full(len(seen), at))
    truth = truth_tracks(
        skeleton=SMPL24,
        camera=camera,
        frame=np.concatenate(frame),
        person=np.concatenate(person),
        xyz=np.concatenate(xyz),
        frames=np.arange(frames),
        fps=FPS,
        video=path.stem,
    )
    return Clip(video_at(images, camera=camera, fps=FPS, frames=frames) if video else None, truth)


def _array(
    content: dict[str, Any], name: str, path: Path, shape: tuple[int | None, ...], limit: float = np.inf
) -> NDArray[np.float64]:
    if name not in content:
        raise BadInput(f"{path} lacks {name}")
    return numbers(content[name], f"{path}, {name}", shape, limit=limit)


def _people(content: dict[str, Any], name: str, path: Path) -> list[Any]:
    """One entry a person."""
    value = content.get(name)
    value = list(value) if isinstance(value, np.ndarray) and value.ndim else value
    if not isinstance(value, list | tuple) or not value:
        raise BadInput(f"{path}: {name} should be a list with one entry a person, got {type(value).__name__}")
    return list(value)
