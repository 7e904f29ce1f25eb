import json
from pathlib import Path

import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.datasets import read_dataset
from dyad.datasets.panoptic import PANOPTIC19, read_panoptic
from dyad.export.video import clip_writer

from .walking import miss, out_of_camera, pixels, turned, walk

LENS = [-0.28, 0.19, 0.0004, -0.0006, 0.02]
CAMERA = Camera.from_json(
    {"size": [1920, 1080], "focal": [1395.0, 1393.0], "centre": [951.0, 548.0], "distortion": LENS}
)
VIEWS = {"00_00": (turned(0, 0), np.array((0.1, 0.2, 0.3))), "00_16": (turned(0.1, -0.05), np.array((-0.2, 0.3, 0.1)))}
FRAMES = (151, 152, 154)
IDS = (3, 0)


def write(folder: Path, name: str = "170407_haggling_a1", *, sub: str = "", camera=None, body=None) -> np.ndarray:
    """A sequence in the real layout, cm; returns the positions (F,2,19,3) m before the first camera."""
    folder = folder / name
    poses = folder / "hdPose3d_stage1_coco19" / sub
    poses.mkdir(parents=True)
    xyz = walk(PANOPTIC19, frames=3, people=2)
    world = out_of_camera(xyz, *VIEWS["00_00"]) * 100
    (fx, fy), (cx, cy) = CAMERA.focal.tolist(), CAMERA.centre.tolist()
    cameras: list[dict] = [{"name": "01_01", "type": "vga", "resolution": [640, 480]}]
    for view, (rotation, shift) in VIEWS.items():
        cameras.append(
            {
                "name": view,
                "type": "hd",
                "resolution": [1920, 1080],
                "K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
                "distCoef": LENS,
                "R": rotation.tolist(),
                "t": (shift[:, None] * 100).tolist(),
            }
        )
    cameras[1].update(camera or {})
    (folder / f"calibration_{name}.json").write_text(json.dumps({"calibDataSource": "x", "cameras": cameras}))
    for at, frame in enumerate(FRAMES):
        bodies = []
        for person, identity in enumerate(IDS):
            if (frame, identity) == (152, 0):
                continue
            joints = np.concatenate((world[at, person], np.full((19, 1), 0.6)), -1)
            joints[5, 3] = 0.05
            joints[6] = (0, 0, 0, -1)
            bodies.append({"id": identity, "joints19": joints.ravel().tolist(), **(body or {})})
        scene = {"version": 0.7, "univTime": 1.0 * frame, "fpsType": "hd_29_97", "bodies": bodies}
        (poses / f"body3DScene_{frame:08d}.json").write_text(json.dumps(scene))
    return xyz


@pytest.mark.parametrize("sub", ["", "hd"])
def test_every_camera_is_a_clip(tmp_path: Path, sub: str) -> None:
    xyz = write(tmp_path, sub=sub)
    clips = list(read_dataset("panoptic", tmp_path))
    assert [clip.name for clip in clips] == ["170407_haggling_a1/00_00", "170407_haggling_a1/00_16"]
    truth = clips[0].truth
    assert (clips[0].video, truth.skeleton, truth.people) == (None, PANOPTIC19, [0, 3])
    assert truth.frames.tolist() == list(FRAMES)
    assert truth.times.tolist() == pytest.approx([frame / 29.97 for frame in FRAMES])
    assert truth.frame[truth.person == 0].tolist() == [151, 154]
    at = [FRAMES.index(f) for f in truth.frame.tolist()], [IDS.index(p) for p in truth.person.tolist()]
    known = [joint for joint in range(19) if joint not in (5, 6)]
    assert truth.xyz[:, known].numpy() == pytest.approx(xyz[at][:, known], abs=1e-6)
    assert truth.xy[:, known].numpy() == pytest.approx(pixels(CAMERA, xyz[at][:, known]), abs=2e-3)
    assert truth.xyz[:, (5, 6)].isnan().all()
    assert (truth.confidence[:, (5, 6)] == 0).all()
    assert {0.0, 1.0} >= set(truth.confidence[:, known].unique().tolist()) >= {1.0}
    assert max(miss(clip.truth) for clip in clips) < 0.01
    rotation, shift = VIEWS["00_16"]
    other = (xyz[at] - VIEWS["00_00"][1]) @ VIEWS["00_00"][0] @ rotation.T + shift
    assert clips[1].truth.xyz[:, known].numpy() == pytest.approx(other[:, known], abs=1e-6)
    body = truth.convert(BODY17)
    assert body.xyz[:, BODY17.indices("pelvis", "neck", "nose", "right_knee")].isfinite().all()


def test_cameras_scores_and_videos(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "160906_pizza1")
    videos = tmp_path / "160906_pizza1/hdVideos"
    videos.mkdir()
    with clip_writer(videos / "hd_00_16.mp4") as writer:
        writer.write(np.zeros((1080, 1920, 3), np.uint8), 0.0)
    clips = list(read_panoptic(tmp_path, cameras=["00_16"]))
    assert [clip.name for clip in clips] == ["160906_pizza1/00_16", "170407_haggling_a1/00_16"]
    assert [clip.video is not None for clip in clips] == [True, False]
    low = next(read_panoptic(tmp_path / "160906_pizza1", least=0.01)).truth
    assert low.xyz[:, 5].isfinite().all()
    assert low.xyz[:, 6].isnan().all()


@pytest.mark.parametrize(
    ("camera", "body", "match"),
    [
        ({"K": [[1, 0], [0, 1]]}, None, "K should have the shape 3 x 3"),
        ({"K": [[0, 0, 0]] * 3}, None, "positive"),
        ({"R": [[0, 0, 0]] * 3}, None, "rotation that is none"),
        ({"t": [1, 2]}, None, "t should have the shape 3"),
        ({"distCoef": [0, 0]}, None, "distCoef should"),
        ({"resolution": "big"}, None, "should hold numbers"),
        (None, {"joints19": [0] * 75}, "shape 76, got 75"),
        (None, {"joints19": [float("nan")] * 76}, "not finite"),
        (None, {"joints19": [1e7] * 76}, "other units"),
        (None, {"joints19": [1, [2]]}, "different lengths"),
        (None, {"id": float("inf")}, "should list bodies"),
        (None, {"id": "x"}, "should list bodies"),
        (None, {"id": 3}, "holds the body 3 twice"),
    ],
)
def test_wrong_values_are_said_in_a_sentence(tmp_path: Path, camera: dict, body: dict, match: str) -> None:
    write(tmp_path, camera=camera, body=body)
    with pytest.raises(BadInput, match=match):
        list(read_panoptic(tmp_path))


def test_wrong_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no calibration"):
        list(read_panoptic(tmp_path))
    with pytest.raises(BadUsage, match="no splits"):
        list(read_panoptic(tmp_path, split="train"))
    write(tmp_path)
    folder = tmp_path / "170407_haggling_a1"
    calibration, scene = folder / f"calibration_{folder.name}.json", folder / "hdPose3d_stage1_coco19"
    keep = calibration.read_text()
    for text, match in (
        ("{}", "should list cameras"),
        ("[", "no whole JSON"),
        ('{"cameras": [{"type": "hd"}]}', "lacks K"),
    ):
        calibration.write_text(text)
        with pytest.raises(BadInput, match=match):
            list(read_panoptic(tmp_path))
    calibration.write_text(keep)
    first = scene / f"body3DScene_{FRAMES[0]:08d}.json"
    first.write_text(first.read_text()[:50])
    with pytest.raises(BadInput, match="no whole JSON"):
        list(read_panoptic(tmp_path))
    for path in scene.iterdir():
        path.unlink()
    with pytest.raises(BadInput, match="body3DScene"):
        list(read_panoptic(tmp_path))
