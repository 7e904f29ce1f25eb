"""JTA: crowds out of a video game, `annotations/{train,val,test}/seq_0.json` with 22 joints a person.

(Fabbri et al., Learning to Detect and Track Visible and Occluded Body Joints in a Virtual World, ECCV 2018.)
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, one_line
from dyad.core.ordering import natural
from dyad.core.skeleton import Skeleton
from dyad.datasets.reading import FARTHEST, chosen, numbers, read_json, video_at
from dyad.datasets.truth import truth_tracks

FPS = 30.0
FRAMES = 900
"""Each sequence lasts thirty seconds, also where nobody is in its last frames."""
_LONGEST = 1e6
SIZE = (1920, 1080)
FOCAL = 1158.0
CENTRE = (960.0, 540.0)
SPLITS = ("train", "val", "test")

# The spine is numbered from the neck (0) to the pelvis (4).
_PARENTS = {
    "head_top": "head",
    "head": "neck",
    "neck": "spine0",
    "right_clavicle": "neck",
    "right_shoulder": "right_clavicle",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "left_clavicle": "neck",
    "left_shoulder": "left_clavicle",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "spine0": "spine1",
    "spine1": "spine2",
    "spine2": "spine3",
    "spine3": "spine4",
    "spine4": "",
    "right_hip": "spine4",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "left_hip": "spine4",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
}
JTA22 = Skeleton("jta22", tuple(_PARENTS), tuple(_PARENTS.values()))


def read_jta(folder: str | Path, *, split: str | None = None) -> Iterator[Clip]:
    """A clip for each sequence of `train`, `val` and `test`, people by the game's numbers.

    The file's frames begin at 1, here at 0. A joint is hidden (confidence 0.25) where the file says occluded, by
    others or by the person. Videos are `videos/SPLIT/seq_0.mp4`, or images `frames/SPLIT/seq_0/1.jpg` ….

    Raises BadInput for files that are missing, damaged, or contradict themselves.
    """
    folder = Path(folder)
    found = False
    for name in chosen(split, SPLITS, "JTA"):
        for path in sorted((folder / "annotations" / name).glob("seq_*.json"), key=natural):
            if re.fullmatch(r"seq_\d+", path.stem):
                found = True
                yield _sequence(folder, name, path)
    if not found:
        raise BadInput(f"{folder} holds no annotations/{split or SPLITS[0]}/seq_*.json of JTA")


def _sequence(folder: Path, split: str, path: Path) -> Clip:
    content = read_json(path)
    try:
        values = np.array(content or np.empty((0, 10)), dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{path} should be a list of rows of 10 numbers: {one_line(error)}") from error
    rows = numbers(values, str(path), (None, 10))
    numbers(rows[:, 5:8], f"{path}, 3D joints", (None, 3), limit=FARTHEST)
    numbers(rows[:, 0], f"{path}, frames", (None,), limit=_LONGEST)
    numbers(rows[:, 1:3], f"{path}, people and joints", (None, 2), limit=2**31)
    frame, person, joint = rows[:, :3].astype(np.int64).T
    if (rows[:, :3] != np.stack((frame, person, joint), -1)).any() or (frame < 1).any():
        raise BadInput(f"{path}: frames (from 1), people and joints should be whole numbers")
    if ((joint < 0) | (joint >= len(JTA22))).any():
        raise BadInput(f"{path} should have the joints 0 to 21, got {joint.min()} to {joint.max()}")
    keys, row = np.unique(np.stack((frame, person), -1), axis=0, return_inverse=True)
    row = row.ravel()
    if len(np.unique(row * len(JTA22) + joint)) != len(row):
        raise BadInput(f"{path}: a joint of somebody appears twice in a frame")
    xy, xyz = np.full((len(keys), 22, 2), np.nan), np.full((len(keys), 22, 3), np.nan)
    hidden = np.zeros((len(keys), 22), dtype=bool)
    xy[row, joint], xyz[row, joint] = rows[:, 3:5], rows[:, 5:8]
    hidden[row, joint] = (rows[:, 8:] != 0).any(-1)
    frames = max(FRAMES, int(frame.max(initial=1)))
    camera = _camera()
    truth = truth_tracks(
        skeleton=JTA22,
        camera=camera,
        frame=keys[:, 0] - 1,
        person=keys[:, 1],
        xyz=xyz,
        xy=xy,
        hidden=hidden,
        frames=np.arange(frames),
        fps=FPS,
        video=f"{split}/{path.stem}",
    )
    places = folder / "videos" / split / f"{path.stem}.mp4", folder / "frames" / split / path.stem
    return Clip(video_at(*places, camera=camera, fps=FPS, frames=frames), truth)


def _camera() -> Camera:
    return Camera.from_json({"size": SIZE, "focal": FOCAL, "centre": CENTRE, "source": "file"})
