import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.datasets import read_dataset
from dyad.datasets.mupots_official import read_mupots_official

from .walking import miss, pixels, walk

CAMERA = Camera((1920, 1080), torch.tensor([1480.0, 1476.0]), torch.tensor([930.0, 560.0]))


def write(folder: Path, name: str = "TS7", *, occlusion: bool = True, frames: int = 4, **changes) -> dict:
    """A sequence in the real layout, mm and px in columns; returns what it holds, in m."""
    folder = folder / name
    folder.mkdir()
    xyz = walk(MUPOTS17, frames=frames, people=3)
    xy = pixels(CAMERA, xyz)
    valid = np.ones((frames, 3), dtype=bool)
    valid[1, 2] = valid[3] = False
    hidden = np.random.default_rng(1).uniform(size=(frames, 3, 17)) < 0.3
    cells, labels = np.empty((frames, 3), dtype=object), np.empty((frames, 3), dtype=object)
    for at in np.ndindex(frames, 3):
        cells[at] = {
            "annot2": xy[at].T if valid[at] else np.zeros((2, 17)),
            "annot3": xyz[at].T * 1000 if valid[at] else np.zeros((3, 17)),
            "univ_annot3": xyz[at].T * 900 if valid[at] else np.zeros((3, 17)),
            "isValidFrame": np.array([[int(valid[at])]]),
        }
        labels[at] = hidden[at][None].astype(np.uint8)
    for key, value in changes.items():
        cells[0, 0] = {**cells[0, 0], key: value}
    savemat(folder / "annot.mat", {"annotations": cells})
    if occlusion:
        savemat(folder / "occlusion.mat", {"occlusion_labels": labels})
    return {"xyz": xyz, "xy": xy, "valid": valid, "hidden": hidden}


def test_people_frames_occlusion_and_camera_come_out(tmp_path: Path) -> None:
    wrote = write(tmp_path)
    (clip,) = read_dataset("mupots", tmp_path)
    truth = clip.truth
    assert (clip.video, clip.name, truth.skeleton, truth.camera.size) == (None, "TS7", MUPOTS17, (1920, 1080))
    assert truth.people == [0, 1, 2]
    assert truth.frames.tolist() == [0, 1, 2, 3]
    assert list(zip(truth.frame.tolist(), truth.person.tolist(), strict=True)) == [
        (f, p) for p in range(3) for f in range(3) if wrote["valid"][f, p]
    ]
    at = truth.frame.numpy(), truth.person.numpy()
    assert truth.xyz.numpy() == pytest.approx(wrote["xyz"][at], abs=1e-6)
    assert truth.xy.numpy() == pytest.approx(wrote["xy"][at], abs=1e-3)
    assert miss(truth) < 0.01
    assert truth.camera.focal.tolist() == pytest.approx([1480, 1476], abs=1e-6)
    inside = ((wrote["xy"][at] >= -0.5) & (wrote["xy"][at] <= (1919.5, 1079.5))).all(-1)
    expected = np.where(inside, np.where(wrote["hidden"][at], 0.25, 1), 0)
    assert truth.confidence.tolist() == expected.tolist()
    assert {0.0, 0.25, 1.0} >= set(expected.ravel()) >= {0.25, 1.0}
    neck = truth.xyz[:, MUPOTS17.index("neck")]
    assert torch.equal(truth.convert(BODY17).xyz[:, BODY17.index("neck")], neck)
    scaled = next(read_mupots_official(tmp_path, universal=True)).truth
    assert torch.allclose(scaled.xyz, truth.xyz * 0.9)
    assert torch.equal(scaled.xy, truth.xy)


def test_images_give_the_video_and_the_size(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "TS6")
    for name in ("TS10", "TS2"):
        write(tmp_path, name, occlusion=False)
        for frame in range(4 if name == "TS10" else 3):
            Image.new("RGB", (1900, 1070)).save(tmp_path / name / f"img_{frame:06d}.jpg")
    with caplog.at_level(logging.WARNING):
        clips = list(read_mupots_official(tmp_path, split="test"))
    assert [clip.name for clip in clips] == ["TS2", "TS6", "TS10"]
    assert "holds 3 images, expected 4" in caplog.text
    assert "every joint counts as visible" in caplog.text
    # Without all of its images, the size is the published one.
    assert clips[0].video is None
    assert [clip.truth.camera.size for clip in clips] == [(2048, 2048), (1920, 1080), (1900, 1070)]
    assert clips[2].video is not None
    assert len(clips[2].video) == 4
    assert clips[2].video.camera == clips[2].truth.camera
    assert set(clips[2].truth.confidence.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"annot3": np.zeros((17, 3))}, "annot3 should have the shape 3 x 17, got 17 x 3"),
        ({"annot3": np.full((3, 17), np.nan)}, "not finite"),
        ({"annot3": np.full((3, 17), 1e9)}, "other units"),
        ({"annot2": "text"}, "should hold numbers"),
        ({"isValidFrame": np.ones((2, 2))}, "isValidFrame should have the shape"),
    ],
)
def test_wrong_values_are_said_in_a_sentence(tmp_path: Path, changes: dict, match: str) -> None:
    write(tmp_path, **changes)
    with pytest.raises(BadInput, match=match):
        list(read_mupots_official(tmp_path))


def test_wrong_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no MuPoTS-3D sequences"):
        list(read_mupots_official(tmp_path))
    with pytest.raises(BadInput, match="no folder"):
        list(read_mupots_official(tmp_path / "none"))
    with pytest.raises(BadUsage, match="splits test"):
        list(read_mupots_official(tmp_path, split="train"))
    write(tmp_path)
    whole = (tmp_path / "TS7/annot.mat").read_bytes()
    for length in (0, 100, 200, len(whole) // 2, len(whole) - 8):
        (tmp_path / "TS7/annot.mat").write_bytes(whole[:length])
        with pytest.raises(BadInput, match=r"annot\.mat"):
            list(read_mupots_official(tmp_path))
    savemat(tmp_path / "TS7/annot.mat", {"annotations": np.zeros((3, 2))})
    with pytest.raises(BadInput, match="should be cells"):
        list(read_mupots_official(tmp_path))
    (tmp_path / "TS7/annot.mat").write_bytes(whole)
    savemat(tmp_path / "TS7/occlusion.mat", {"occlusion_labels": np.full((2, 2), "x", dtype=object)})
    with pytest.raises(BadInput, match="4 x 3 cells"):
        list(read_mupots_official(tmp_path))
    (tmp_path / "TS7/annot.mat").unlink()
    with pytest.raises(BadInput, match="no file"):
        list(read_mupots_official(tmp_path))


def test_2d_that_does_not_belong_to_3d_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    cells = np.empty((1, 1), dtype=object)
    rng = np.random.default_rng(0)
    cells[0, 0] = {
        "annot2": rng.uniform(0, 1000, (2, 17)),
        "annot3": rng.uniform(-900, 900, (3, 17)) + np.array([[0], [0], [5000]]),
        "univ_annot3": np.ones((3, 17)),
        "isValidFrame": np.ones((1, 1)),
    }
    savemat(tmp_path / "TS7/annot.mat", {"annotations": cells})
    (tmp_path / "TS7/occlusion.mat").unlink()
    with pytest.raises(BadInput, match="do not agree"):
        list(read_mupots_official(tmp_path))


def test_real_files_hold_what_the_npz_of_the_same_sequence_holds(real: Path) -> None:
    folder = real / "mupots"
    if not (folder / "official_layout").is_dir():
        pytest.skip("no original MuPoTS files")
    clips = list(read_mupots_official(folder / "official_layout"))
    assert [clip.name for clip in clips] == ["TS1", "TS18"]
    for clip, npz in zip(clips, ("TS01.npz", "TS18.npz"), strict=True):
        arrays, truth = np.load(folder / npz), clip.truth
        valid = arrays["gt_valid"]
        frame, person = truth.frame.numpy(), truth.person.numpy()
        assert len(truth) == valid.sum()
        assert valid[frame, person].all()
        assert len(truth.frames) == len(valid)
        assert np.abs(truth.xyz.double().numpy() * 1000 - arrays["gt_xyz_mm"][frame, person]).max() < 1e-3
        assert truth.xy.numpy() == pytest.approx(arrays["gt_xy"][frame, person], abs=1e-3)
        occluded = arrays["gt_occluded"][frame, person]
        confidence = truth.confidence.numpy()
        assert (confidence[occluded] <= 0.25).all()
        assert np.isin(confidence[~occluded], (0, 1)).all()
        matrix = arrays["K"]
        assert truth.camera.size == tuple(arrays["image_size"])
        assert truth.camera.focal.numpy() == pytest.approx(matrix.diagonal()[:2], rel=1e-3)
        assert truth.camera.centre.numpy() == pytest.approx(matrix[:2, 2], abs=1)
        # The files' 2D of hips and spine is not where their 3D is; all others meet.
        gap = (truth.reproject() - truth.xy).norm(dim=-1)
        meeting = [name for name in MUPOTS17.names if name not in ("right_hip", "left_hip", "spine")]
        assert float(gap[:, MUPOTS17.indices(*meeting)].max()) < 0.02
        assert float(gap[:, MUPOTS17.indices("right_hip", "left_hip")].max()) < 6
