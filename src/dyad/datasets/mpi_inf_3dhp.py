"""MPI-INF-3DHP: one person before fourteen cameras (train: `S1` … `S8`), and the test set (`TS1` … `TS6`).

(Mehta et al., Monocular 3D Human Pose Estimation in the Wild Using Improved CNN Supervision, 3DV 2017.)
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, about
from dyad.core.ordering import natural
from dyad.core.skeleton import MUPOTS17, Skeleton
from dyad.datasets.reading import FARTHEST, chosen, numbers, read_hdf5, read_mat, video_at
from dyad.datasets.truth import fitted_camera, truth_tracks

_PARENTS = {
    "spine3": "spine2",
    "spine4": "spine3",
    "spine2": "spine",
    "spine": "pelvis",
    "pelvis": "",
    "neck": "spine4",
    "head": "neck",
    "head_top": "head",
    "left_clavicle": "spine4",
    "left_shoulder": "left_clavicle",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "left_hand": "left_wrist",
    "right_clavicle": "spine4",
    "right_shoulder": "right_clavicle",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "right_hand": "right_wrist",
    "left_hip": "pelvis",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "left_foot": "left_ankle",
    "left_toe": "left_foot",
    "right_hip": "pelvis",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "right_foot": "right_ankle",
    "right_toe": "right_foot",
}
MPI28 = Skeleton("mpi28", tuple(_PARENTS), tuple(_PARENTS.values()), "captured")
TRAIN_SIZE = (2048, 2048)
_SLOW = frozenset({"S1/Seq1", "S7/Seq1", "S7/Seq2", "S8/Seq1", "S8/Seq2"})
"""Train sequences of 25 frames a second; the others have 50."""
TEST_FPS = 25.0
"""Nominal: the files of the test set state no rate."""


def read_mpi_inf_3dhp(
    folder: str | Path, *, split: str | None = None, cameras: Sequence[int] | None = None, universal: bool = False
) -> Iterator[Clip]:
    """A clip for each sequence and camera of the splits `train` (28 joints) and `test` (the 17 of MuPoTS-3D).

    Without `split` whatever the folder holds is read. The camera comes from `camera.calibration` where it is there,
    else it is fitted to the 2D and 3D joints. `cameras` (train) picks some of 0 … 13. `universal` takes the 3D that
    is scaled to one height for all. Frames that the test set declares not valid have no row. Nothing tells occlusion:
    every joint inside the image counts as visible.

    Raises BadInput for files that are missing, damaged, or contradict themselves; MissingExtra where the test set's
    HDF5 needs h5py.
    """
    folder = Path(folder)
    found = False
    if "train" in (wanted := chosen(split, ("train", "test"), "MPI-INF-3DHP")):
        for path in sorted(folder.glob("S*/Seq*/annot.mat"), key=lambda p: (natural(p.parents[1]), natural(p.parent))):
            found = True
            yield from _train(path, cameras, universal)
    if "test" in wanted:
        for path in sorted(
            [*folder.glob("TS*/annot_data.mat"), *folder.glob("*/TS*/annot_data.mat")], key=lambda p: natural(p.parent)
        ):
            found = True
            yield _test(path, universal)
    if not found:
        raise BadInput(f"{folder} holds neither S1/Seq1/annot.mat … nor TS1/annot_data.mat … of MPI-INF-3DHP")


def _train(path: Path, cameras: Sequence[int] | None, universal: bool) -> Iterator[Clip]:
    name = f"{path.parents[1].name}/{path.parent.name}"
    kind = "univ_annot3" if universal else "annot3"
    content = read_mat(path, "annot2", kind, "annot3", "cameras", "frames")
    numbered = numbers(content["cameras"], f"{path}, cameras", (None,), limit=1e3, flat=True).astype(int).tolist()
    frames = numbers(content["frames"], f"{path}, frames", (None,), limit=1e9, flat=True).astype(np.int64)
    if len(set(frames.tolist())) != len(frames) or not len(frames) or frames.min() < 0:
        raise BadInput(f"{path}, frames should be different numbers from 0 on")
    calibration = _calibration(path.with_name("camera.calibration"))
    fps = 25.0 if name in _SLOW else 50.0
    for place, number in enumerate(numbered):
        if cameras is not None and number not in cameras:
            continue
        what = f"{path}, camera {number}"
        xy = _joints(content, "annot2", place, len(frames), 2, what)
        metric = _joints(content, "annot3", place, len(frames), 3, what) / 1000
        xyz = _joints(content, kind, place, len(frames), 3, what) / 1000
        camera = calibration.get(number) or fitted_camera(metric, xy, TRAIN_SIZE, what)
        images = path.parent / "imageSequence"
        video = video_at(
            images / f"video_{number}.avi",
            images / f"video_{number}",
            camera=camera,
            fps=fps,
            frames=int(frames.max()) + 1,
        )
        truth = truth_tracks(
            skeleton=MPI28,
            camera=camera,
            frame=frames,
            person=np.zeros(len(frames), dtype=np.int64),
            xyz=xyz,
            xy=xy,
            frames=np.sort(frames),
            fps=fps,
            video=f"{name}/video_{number}",
        )
        yield Clip(video, truth)


def _joints(content: dict[str, Any], name: str, place: int, frames: int, axes: int, what: str) -> np.ndarray:
    """(F,28,axes) of one camera out of a column of MATLAB cells."""
    cells = np.ravel(content[name])
    if cells.dtype != object or place >= len(cells):
        raise BadInput(f"{what}: {name} should be one cell a camera, got {len(cells)} of {cells.dtype}")
    limit = FARTHEST * 1000 if axes == 3 else np.inf
    return numbers(cells[place], f"{what}, {name}", (frames, 28 * axes), limit=limit).reshape(frames, 28, axes)


def _calibration(path: Path) -> dict[int, Camera]:
    """Cameras by number out of the capture system's text file; none where it is absent."""
    if not path.is_file():
        return {}
    cameras = {}
    text = path.read_text("utf-8", errors="replace")
    for block in re.split(r"(?m)^name\s+", text)[1:]:
        try:
            number = int(block.split()[0])
            fields = {line.split()[0]: line.split()[1:] for line in block.splitlines()[1:] if line.split()}
            width, height = (int(float(side)) for side in fields["size"])
            matrix = numbers([float(v) for v in fields["intrinsic"]], f"{path}, intrinsic", (16,)).reshape(4, 4)
        except (KeyError, ValueError, IndexError) as error:
            raise BadInput(f"{path} should state name, size and intrinsic of each camera: {error}") from error
        focal, centre = torch.from_numpy(matrix.diagonal()[:2].copy()), torch.from_numpy(matrix[:2, 2].copy())
        with about(path):
            cameras[number] = Camera((width, height), focal, centre, source="file")
    if not cameras:
        raise BadInput(f"{path} names no camera")
    return cameras


def _test(path: Path, universal: bool) -> Clip:
    name = path.parent.name
    kind = "univ_annot3" if universal else "annot3"
    content = read_hdf5(path, "annot2", "annot3", kind, "valid_frame")
    valid = numbers(content["valid_frame"], f"{path}, valid_frame", (None,), flat=True) > 0
    frames = len(valid)
    joints = {
        key: numbers(content[key], f"{path}, {key}", (frames, 1, 17, axes), missing=True)[:, 0]
        for key, axes in (("annot2", 2), ("annot3", 3), (kind, 3))
    }
    for key, values in joints.items():
        numbers(values[valid], f"{path}, {key}", (None, 17, None), limit=FARTHEST * 1000)
    video = video_at(path.parent / "imageSequence", fps=TEST_FPS, frames=frames)
    size = video.size if video else ((1920, 1080) if name in ("TS5", "TS6") else (2048, 2048))
    camera = fitted_camera(joints["annot3"][valid] / 1000, joints["annot2"][valid], size, str(path))
    truth = truth_tracks(
        skeleton=MUPOTS17,
        camera=camera,
        frame=np.flatnonzero(valid),
        person=np.zeros(int(valid.sum()), dtype=np.int64),
        xyz=joints[kind][valid] / 1000,
        xy=joints["annot2"][valid],
        frames=np.arange(frames),
        fps=TEST_FPS,
        video=name,
    )
    if video:
        video = video_at(path.parent / "imageSequence", camera=camera, fps=TEST_FPS, frames=frames)
    return Clip(video, truth)
