import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, OPENPOSE18
from dyad.datasets import read_dataset
from dyad.datasets.threedpw import SMPL24, read_3dpw, read_3dpw_detections

from .walking import miss, out_of_camera, pixels, turned, walk

CAMERA = Camera.from_json({"size": [1080, 1920], "focal": [1961.8, 1969.2], "centre": [540.0, 960.0]})


def sequence(frames: int = 5, people: int = 2) -> tuple[dict, np.ndarray]:
    """What one pkl file holds, and the joints (F,P,24,3) m in the camera's axes, which turns and moves."""
    xyz = walk(SMPL24, frames=frames, people=people)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    world = np.empty_like(xyz)
    for frame in range(frames):
        poses[frame, :3, :3] = turned(0.2 * frame, 0.1 * frame)
        poses[frame, :3, 3] = (0.1 * frame, 1, -0.2)
        world[frame] = out_of_camera(xyz[frame], poses[frame, :3, :3], poses[frame, :3, 3])
    valid = np.ones((people, frames), dtype=bool)
    valid[1, 2] = False
    flat = pixels(CAMERA, walk(OPENPOSE18, frames=frames, people=people))
    scored = np.concatenate((flat, np.full((*flat.shape[:-1], 1), 0.8)), -1)
    scored[0, 0, 3] = 0
    content = {
        "sequence": "street_00",
        "betas": [np.zeros(10)] * people,
        "poses": [np.zeros((frames, 72))] * people,
        "trans": [np.zeros((frames, 3))] * people,
        "genders": ["m", "f"][:people],
        "jointPositions": [world[:, p].reshape(frames, 72) for p in range(people)],
        "img_frame_ids": np.arange(frames) * 2,
        "cam_poses": poses,
        "cam_intrinsics": np.array([[1961.8, 0, 540], [0, 1969.2, 960], [0, 0, 1]]),
        "campose_valid": [valid[p].astype(int) for p in range(people)],
        "poses2d": [scored[:, p].transpose(0, 2, 1) for p in range(people)],
    }
    return content, xyz


def write(folder: Path, content: dict | object, split: str = "test", name: str = "street_00") -> Path:
    path = folder / "sequenceFiles" / split / f"{name}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))
    return path


def test_joints_come_out_before_the_moving_camera(tmp_path: Path) -> None:
    content, xyz = sequence()
    write(tmp_path, content)
    (clip,) = read_dataset("3dpw", tmp_path)
    truth = clip.truth
    assert (clip.name, clip.video, truth.skeleton) == ("street_00", None, SMPL24)
    assert truth.camera.size == (1080, 1920)
    assert truth.camera.focal.tolist() == [1961.8, 1969.2]
    assert list(zip(truth.person.tolist(), truth.frame.tolist(), strict=True)) == [
        (p, f) for p in range(2) for f in range(5) if (p, f) != (1, 2)
    ]
    assert truth.frames.tolist() == list(range(5))
    assert truth.xyz.numpy() == pytest.approx(xyz[truth.frame, truth.person], abs=2e-6)
    assert truth.xy.numpy() == pytest.approx(pixels(CAMERA, xyz)[truth.frame, truth.person], abs=2e-3)
    assert miss(truth) < 0.01
    body = truth.convert(BODY17)
    assert body.xyz[:, BODY17.indices("pelvis", "left_knee", "right_wrist", "spine")].isfinite().all()
    assert body.xyz[:, BODY17.index("head_top")].isnan().all()


def test_splits_images_and_detections(tmp_path: Path) -> None:
    content, _ = sequence()
    for split, name in (("train", "b"), ("train", "a"), ("validation", "c"), ("test", "d")):
        path = write(tmp_path, content, split, name)
    (tmp_path / "imageFiles/a").mkdir(parents=True)
    for frame in range(5):
        Image.new("RGB", (1080, 1920)).save(tmp_path / f"imageFiles/a/image_{frame:05d}.jpg")
    assert [clip.name for clip in read_3dpw(tmp_path)] == ["a", "b", "c", "d"]
    assert [clip.name for clip in read_3dpw(tmp_path, split="validation")] == ["c"]
    clips = list(read_3dpw(tmp_path, split="train"))
    assert [clip.video is not None for clip in clips] == [True, False]
    assert clips[0].video is not None
    assert clips[0].video.camera == clips[0].truth.camera
    found = read_3dpw_detections(path)
    assert found.shape == (2, 5, 18, 3)
    assert np.isnan(found[0, 0, 3, :2]).all()
    assert found[0, 0, 3, 2] == 0
    assert found[1, 2, :, :2] == pytest.approx(pixels(CAMERA, walk(OPENPOSE18, frames=5, people=2))[2, 1])
    assert OPENPOSE18.root == "neck"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"jointPositions": [np.zeros((5, 72))]}, "of 1 people, campose_valid of 2"),
        ({"jointPositions": [np.zeros((4, 72))] * 2}, "5 x 72, got 4 x 72"),
        ({"jointPositions": [np.full((5, 72), np.nan)] * 2}, "not finite"),
        ({"jointPositions": [np.full((5, 72), 1e6)] * 2}, "other units"),
        ({"jointPositions": np.array(1.0)}, "one entry a person"),
        ({"jointPositions": [[1, [2]], [1]]}, "different lengths"),
        ({"jointPositions": None}, "one entry a person"),
        ({"jointPositions": [["a"], ["b"]]}, "should hold numbers"),
        ({"campose_valid": [np.ones(4)] * 2}, "campose_valid of person 0 should have the shape 5"),
        ({"cam_poses": np.zeros((5, 4, 4))}, "rotation that is none"),
        ({"cam_poses": np.zeros((5, 3, 4))}, "any x 4 x 4"),
        ({"cam_intrinsics": np.zeros((3, 3))}, "positive"),
        ({"cam_intrinsics": np.full((3, 3), np.inf)}, "not finite"),
        ({"sequence": Path("x")}, "holds more than data"),
    ],
)
def test_wrong_values_are_said_in_a_sentence(tmp_path: Path, changes: dict, match: str) -> None:
    write(tmp_path, {**sequence()[0], **changes})
    with pytest.raises(BadInput, match=match):
        list(read_3dpw(tmp_path))


def test_wrong_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no sequenceFiles/train"):
        list(read_3dpw(tmp_path))
    with pytest.raises(BadUsage, match="splits train, validation, test"):
        list(read_3dpw(tmp_path, split="val"))
    path = write(tmp_path, [1, 2])
    with pytest.raises(BadInput, match="should hold a table"):
        list(read_3dpw(tmp_path))
    content, _ = sequence()
    write(tmp_path, {key: value for key, value in content.items() if key != "cam_poses"})
    with pytest.raises(BadInput, match="lacks cam_poses"):
        list(read_3dpw(tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    with pytest.raises(BadInput, match="no whole pickle"):
        list(read_3dpw(tmp_path))
    write(tmp_path, {**content, "poses2d": [np.zeros((5, 18, 3))] * 2})
    with pytest.raises(BadInput, match="poses2d of person 0"):
        read_3dpw_detections(path)
