import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17
from dyad.datasets import read_dataset
from dyad.datasets.muco import MUCO21

from .walking import miss, pixels, walk

CAMERAS = {
    7: Camera((2048, 2048), torch.tensor([1500.5, 1495.0]), torch.tensor([1030.0, 1045.0])),
    2: Camera((2048, 2048), torch.tensor([2000.0, 1990.0]), torch.tensor([1000.0, 1010.0])),
    5: Camera((2048, 2048), torch.tensor([1500.0, 1500.0]), torch.tensor([1024.0, 1024.0])),
}


def content() -> tuple[dict, dict[int, np.ndarray]]:
    """The JSON of three images with 3, 2 and 0 people, and their joints in m."""
    rng, images, people, poses = np.random.default_rng(0), [], [], {}
    for number, camera in CAMERAS.items():
        images.append(
            {
                "id": number,
                "file_name": f"augmented_set/0/{number:06d}.jpg",
                "width": 2048,
                "height": 2048,
                "f": camera.focal.tolist(),
                "c": camera.centre.tolist(),
            }
        )
        poses[number] = walk(MUCO21, frames=1, people=3, seed=number)[0][: {7: 3, 2: 2, 5: 0}[number]]
        for one in poses[number]:
            xy = pixels(camera, one)
            people.append(
                {
                    "id": len(people),
                    "image_id": number,
                    "bbox": [0, 0, 1, 1],
                    "keypoints_cam": (one * 1000).tolist(),
                    "keypoints_img": xy.tolist(),
                    "keypoints_vis": (rng.uniform(size=21) < 0.7).tolist(),
                }
            )
    return {"images": images, "annotations": people}, poses


def test_every_image_is_a_clip_of_its_own_camera(tmp_path: Path) -> None:
    written, poses = content()
    (tmp_path / "MuCo-3DHP.json").write_text(json.dumps(written))
    (tmp_path / "augmented_set/0").mkdir(parents=True)
    Image.new("RGB", (2048, 2048)).save(tmp_path / "augmented_set/0/000002.jpg")
    clips = list(read_dataset("muco", tmp_path, split="train"))
    assert [clip.name for clip in clips] == [f"augmented_set/0/00000{n}.jpg" for n in (2, 5, 7)]
    assert [len(clip.truth) for clip in clips] == [2, 0, 3]
    assert [clip.video is not None for clip in clips] == [True, False, False]
    assert clips[0].video is not None
    assert clips[0].video[0].shape == (2048, 2048, 3)
    for clip, number in zip(clips, (2, 5, 7), strict=True):
        assert clip.truth.frames.tolist() == [0]
        assert clip.truth.camera.focal.tolist() == CAMERAS[number].focal.tolist()
        assert clip.truth.xyz.numpy() == pytest.approx(poses[number], abs=1e-6)
    assert max(miss(clip.truth) for clip in clips if len(clip.truth)) < 0.01
    visible = np.array([p["keypoints_vis"] for p in written["annotations"] if p["image_id"] == 7])
    confidence = clips[2].truth.confidence.numpy()
    assert (confidence[~visible] <= 0.25).all()
    assert np.isin(confidence[visible], (0, 1)).all()
    assert not clips[2].truth.convert(MUPOTS17).xyz.isnan().any()


def _change(written: dict, where: str, name: str, value: object) -> dict:
    written[where][0][name] = value
    return written


@pytest.mark.parametrize(
    ("where", "name", "value", "match"),
    [
        ("annotations", "keypoints_cam", [[0, 0, 1]] * 17, "21 x 3, got 17 x 3"),
        ("annotations", "keypoints_cam", [[0, 0, float("nan")]] * 21, "not finite"),
        ("annotations", "keypoints_cam", [[0, 0, 1e8]] * 21, "other units"),
        ("annotations", "keypoints_vis", None, "keypoints_vis"),
        ("annotations", "image_id", 99, "image 99, which is not listed"),
        ("annotations", "image_id", "x", "not as MuCo"),
        ("images", "f", [1500], "f should have the shape 2"),
        ("images", "f", [0, 0], "positive"),
        ("images", "width", "wide", "not as MuCo"),
        ("images", "width", float("inf"), "not as MuCo"),
        ("annotations", "keypoints_img", [[1, 2], [3]], "different lengths"),
        ("images", "file_name", "../../etc/passwd", "outside its folder"),
    ],
)
def test_wrong_values_are_said_in_a_sentence(tmp_path: Path, where: str, name: str, value: object, match: str) -> None:
    (tmp_path / "MuCo-3DHP.json").write_text(json.dumps(_change(content()[0], where, name, value)))
    with pytest.raises(BadInput, match=match):
        list(read_dataset("muco", tmp_path))


@pytest.mark.parametrize(
    ("text", "match"), [("{", "no whole JSON"), ("[]", "not as MuCo"), ('{"images": []}', "not as")]
)
def test_wrong_files_are_said_in_a_sentence(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(BadInput, match=r"holds no MuCo-3DHP\.json"):
        list(read_dataset("muco", tmp_path))
    (tmp_path / "MuCo-3DHP.json").write_text(text)
    with pytest.raises(BadInput, match=match):
        list(read_dataset("muco", tmp_path))
