import json
from pathlib import Path

import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.datasets import read_dataset
from dyad.datasets.jta import JTA22, read_jta
from dyad.export.video import clip_writer

from .walking import miss, pixels, walk

CAMERA = Camera.from_json({"size": [1920, 1080], "focal": 1158.0, "centre": [960.0, 540.0]})
IDS = (42, 7, 100)


def rows(frames: int = 3) -> tuple[list[list[float]], np.ndarray]:
    """Rows of a file: person 7 is not in the second frame; and positions (F,3,22,3) m."""
    xyz = walk(JTA22, frames=frames, people=3)
    xy = pixels(CAMERA, xyz)
    out = []
    for frame in range(frames):
        for at, identity in enumerate(IDS):
            if (frame, identity) == (1, 7):
                continue
            for joint in range(22):
                hidden = int(joint % 5 == at), int(joint % 7 == at)
                out.append([frame + 1, identity, joint, *xy[frame, at, joint], *xyz[frame, at, joint], *hidden])
    return out, xyz


def write(folder: Path, content: object, split: str = "train", name: str = "seq_3") -> Path:
    path = folder / "annotations" / split / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_people_frames_and_occlusion_come_out(tmp_path: Path) -> None:
    wrote, xyz = rows()
    rng = np.random.default_rng(0)
    write(tmp_path, [wrote[at] for at in rng.permutation(len(wrote))])
    (clip,) = read_dataset("jta", tmp_path, split="train")
    truth = clip.truth
    assert (clip.name, clip.video, truth.fps, truth.camera.size) == ("train/seq_3", None, 30.0, (1920, 1080))
    assert truth.people == [7, 42, 100]
    assert truth.frames.tolist() == list(range(900))
    assert truth.frame[truth.person == 7].tolist() == [0, 2]
    at = truth.frame.numpy(), np.array([IDS.index(p) for p in truth.person.tolist()])
    assert truth.xyz.numpy() == pytest.approx(xyz[at], abs=1e-6)
    assert miss(truth) < 0.01
    joints = np.arange(22)
    hidden = (joints % 5 == at[1][:, None]) | (joints % 7 == at[1][:, None])
    xy = truth.xy.numpy()
    inside = ((xy >= -0.5) & (xy <= (1919.5, 1079.5))).all(-1)
    assert truth.confidence.tolist() == np.where(inside, np.where(hidden, 0.25, 1), 0).tolist()
    for skeleton in (BODY17, MUPOTS17):
        converted = truth.convert(skeleton)
        known = [name for name in skeleton.names if name != "nose"]
        assert converted.xyz[:, skeleton.indices(*known)].isfinite().all()


def test_splits_videos_and_empty_sequences(tmp_path: Path) -> None:
    wrote, _ = rows()
    for split, name in (("train", "seq_10"), ("train", "seq_9"), ("val", "seq_256"), ("test", "seq_400")):
        write(tmp_path, wrote if split != "val" else [], split, name)
    (tmp_path / "videos/train").mkdir(parents=True)
    with clip_writer(tmp_path / "videos/train/seq_9.mp4") as writer:
        writer.write(np.zeros((1080, 1920, 3), np.uint8), 0.0)
    clips = list(read_jta(tmp_path))
    assert [clip.name for clip in clips] == ["train/seq_9", "train/seq_10", "val/seq_256", "test/seq_400"]
    assert [clip.video is not None for clip in clips] == [True, False, False, False]
    assert [len(clip.truth) for clip in clips] == [8, 8, 0, 8]
    assert [clip.name for clip in read_jta(tmp_path, split="test")] == ["test/seq_400"]


def test_a_joint_that_is_not_listed_is_missing(tmp_path: Path) -> None:
    wrote, _ = rows()
    write(tmp_path, wrote[1:])
    truth = next(read_jta(tmp_path)).truth
    row = int(((truth.person == 42) & (truth.frame == 0)).nonzero())
    assert truth.xyz[row, 0].isnan().all()
    assert truth.confidence[row, 0] == 0
    assert truth.xyz[row, 1:].isfinite().all()


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (0, 0, "frames"),
        (0, 1.5, "whole numbers"),
        (0, 1e12, "frames holds 1e[+]12"),
        (1, 1e300, "people and joints holds"),
        (2, 22, "joints 0 to 21, got 0 to 22"),
        (2, 1, "appears twice"),
        (3, float("nan"), "not finite"),
        (5, 1e6, "other units"),
        (4, "x", "rows of 10 numbers"),
    ],
)
def test_wrong_values_are_said_in_a_sentence(tmp_path: Path, place: int, value: object, match: str) -> None:
    wrote: list = rows()[0]
    wrote[0][place] = value
    write(tmp_path, wrote)
    with pytest.raises(BadInput, match=match):
        list(read_jta(tmp_path))


def test_wrong_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no annotations/train"):
        list(read_jta(tmp_path))
    with pytest.raises(BadUsage, match="splits train, val, test"):
        list(read_jta(tmp_path, split="validation"))
    for content in ([[1, 2, 3]], {"a": 1}, [1, 2], [[1] * 10, [1] * 9], "x"):
        write(tmp_path, content)
        with pytest.raises(BadInput, match="should"):
            list(read_jta(tmp_path))
    path = write(tmp_path, rows()[0])
    path.write_text(path.read_text()[:-100])
    with pytest.raises(BadInput, match="no whole JSON"):
        list(read_jta(tmp_path))
