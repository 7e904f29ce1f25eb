import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage, MissingExtra
from dyad.core.skeleton import MUPOTS17
from dyad.datasets import read_dataset
from dyad.datasets.mpi_inf_3dhp import MPI28, read_mpi_inf_3dhp
from dyad.export.video import clip_writer

from .walking import miss, pixels, walk

CAMERAS = [
    Camera((2048, 2048), torch.tensor([1497.5 + i, 1490.0]), torch.tensor([1024.0 + 3 * i, 1050.0])) for i in range(3)
]
NUMBERS = (0, 4, 8)


def train(folder: Path, name: str = "S1/Seq1", *, calibration: bool = True, **changes) -> np.ndarray:
    """One sequence before three cameras; returns positions (3,F,28,3) m."""
    path = folder / name
    path.mkdir(parents=True)
    xyz = np.stack([walk(MPI28, frames=5, seed=n)[:, 0] for n in NUMBERS])
    flat, solid, scaled = (np.empty((3, 1), dtype=object) for _ in range(3))
    for at, camera in enumerate(CAMERAS):
        flat[at, 0] = pixels(camera, xyz[at]).reshape(5, 56)
        solid[at, 0] = xyz[at].reshape(5, 84) * 1000
        scaled[at, 0] = xyz[at].reshape(5, 84) * 950
    content = {
        "annot2": flat,
        "annot3": solid,
        "univ_annot3": scaled,
        "cameras": np.array([NUMBERS], dtype=np.uint8),
        "frames": np.arange(5)[:, None],
    }
    savemat(path / "annot.mat", {**content, **changes})
    if calibration:
        lines = ["Skeletal capture calibration v1"]
        for number, camera in zip(NUMBERS, CAMERAS, strict=True):
            (fx, fy), (cx, cy) = camera.focal.tolist(), camera.centre.tolist()
            lines += [
                f"name          {number}",
                "  sensor      10 10",
                "  size        2048 2040",
                "  animated    0",
                f"  intrinsic   {fx} 0 {cx} 0 0 {fy} {cy} 0 0 0 1 0 0 0 0 1 ",
                "  extrinsic   1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 ",
                "  radial      0",
            ]
        (path / "camera.calibration").write_text("\n".join(lines) + "\n")
    return xyz


def test_every_camera_of_a_sequence_is_a_clip(tmp_path: Path) -> None:
    xyz = train(tmp_path)
    train(tmp_path, "S1/Seq2", calibration=False)
    train(tmp_path, "S7/Seq1")
    clips = list(read_dataset("mpi-inf-3dhp", tmp_path, split="train"))
    assert [clip.name for clip in clips] == [
        f"{s}/video_{n}" for s in ("S1/Seq1", "S1/Seq2", "S7/Seq1") for n in NUMBERS
    ]
    assert [clip.truth.fps for clip in clips] == [25.0] * 3 + [50.0] * 3 + [25.0] * 3
    for clip, (at, camera) in zip(clips, list(enumerate(CAMERAS)) * 3, strict=True):
        assert clip.video is None
        assert clip.truth.xyz.numpy() == pytest.approx(xyz[at], abs=1e-6)
        # From the calibration's text, or fitted to the annotations where that is absent.
        assert clip.truth.camera.focal.numpy() == pytest.approx(camera.focal.numpy(), abs=1e-3)
        assert clip.truth.camera.size == (2048, 2048 if clip.name.startswith("S1/Seq2") else 2040)
        assert miss(clip.truth) < 0.01
    assert not clips[0].truth.convert(MUPOTS17).xyz.isnan().any()
    assert next(read_mpi_inf_3dhp(tmp_path, cameras=[4])).name == "S1/Seq1/video_4"
    scaled = next(read_mpi_inf_3dhp(tmp_path, universal=True)).truth
    assert torch.allclose(scaled.xyz, clips[0].truth.xyz * 0.95)


def test_the_joints_are_in_the_order_of_the_seventeen_that_matter() -> None:
    """The published list of the relevant joints (counted from 1) gives the order of MuPoTS-3D."""
    relevant = (8, 6, 15, 16, 17, 10, 11, 12, 24, 25, 26, 19, 20, 21, 5, 4, 7)
    assert tuple(MPI28.names[at - 1] for at in relevant) == MUPOTS17.names


def test_a_train_video_is_found(tmp_path: Path) -> None:
    train(tmp_path)
    path = tmp_path / "S1/Seq1/imageSequence/video_4.avi"
    path.parent.mkdir()
    with clip_writer(path.with_suffix(".mp4")) as writer:
        for frame in range(5):
            writer.write(np.zeros((2040, 2048, 3), np.uint8), frame / 25)
    path.with_suffix(".mp4").rename(path)
    clips = list(read_mpi_inf_3dhp(tmp_path))
    assert [clip.video is not None for clip in clips] == [False, True, False]
    assert clips[1].video is not None
    assert clips[1].video.camera == clips[1].truth.camera


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"annot3": np.zeros((3, 84))}, "one cell a camera"),
        ({"frames": np.arange(4)[:, None]}, "annot2 should have the shape 4 x 56, got 5 x 56"),
        ({"frames": np.zeros((5, 1))}, "different numbers"),
        ({"frames": np.arange(5)[:, None] - 1}, "different numbers"),
        ({"cameras": np.array([[0, 1, 2, 3]])}, "annot2 should be one cell a camera"),
    ],
)
def test_wrong_train_values_are_said_in_a_sentence(tmp_path: Path, changes: dict, match: str) -> None:
    train(tmp_path, **changes)
    with pytest.raises(BadInput, match=match):
        list(read_mpi_inf_3dhp(tmp_path))


def test_wrong_train_files_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds neither"):
        list(read_mpi_inf_3dhp(tmp_path))
    with pytest.raises(BadUsage, match="splits train, test"):
        list(read_mpi_inf_3dhp(tmp_path, split="val"))
    train(tmp_path)
    with pytest.raises(BadInput, match="holds neither"):
        list(read_mpi_inf_3dhp(tmp_path, split="test"))
    for text, match in (("name 0\n  size 2048\n", "should state"), ("hello", "names no camera")):
        (tmp_path / "S1/Seq1/camera.calibration").write_text(text)
        with pytest.raises(BadInput, match=match):
            list(read_mpi_inf_3dhp(tmp_path))
    whole = (tmp_path / "S1/Seq1/annot.mat").read_bytes()
    (tmp_path / "S1/Seq1/annot.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"no whole MATLAB file|lacks"):
        list(read_mpi_inf_3dhp(tmp_path))
    savemat(tmp_path / "S1/Seq1/annot.mat", {"annot2": np.zeros(3)})
    with pytest.raises(BadInput, match="lacks annot3"):
        list(read_mpi_inf_3dhp(tmp_path))


def hdf5(folder: Path, name: str, **changes) -> np.ndarray:
    """A sequence of the test set, HDF5 as MATLAB 7.3 writes it; returns positions (F,17,3) m."""
    h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install 'dyad-pose[datasets]'")
    path = folder / name
    path.mkdir(parents=True)
    camera = (
        CAMERAS[1] if name != "TS5" else Camera((1920, 1080), torch.tensor([1700.0] * 2), torch.tensor([950.0, 530]))
    )
    xyz = walk(MUPOTS17, frames=6)[:, 0]
    valid = np.array([1, 1, 0, 1, 1, 0.0])
    solid, flat = xyz * 1000, pixels(camera, xyz)
    solid[2] = flat[2] = 0
    flat[5] = np.nan
    content = {"annot2": flat[:, None], "annot3": solid[:, None], "univ_annot3": solid[:, None] * 0.9}
    content |= {"valid_frame": valid[:, None], "activity_annotation": valid[:, None], **changes}
    with h5py.File(path / "annot_data.mat", "w", userblock_size=512) as file:
        for key, value in content.items():
            if value is not None:
                file[key] = value
    return xyz


def test_the_test_set_is_read(tmp_path: Path) -> None:
    wrote = {name: hdf5(tmp_path / "mpi_inf_3dhp_test_set", name) for name in ("TS5", "TS1")}
    clips = list(read_dataset("mpi-inf-3dhp", tmp_path))
    assert [clip.name for clip in clips] == ["TS1", "TS5"]
    assert [clip.truth.camera.size for clip in clips] == [(2048, 2048), (1920, 1080)]
    for clip in clips:
        assert clip.truth.frame.tolist() == [0, 1, 3, 4]
        assert clip.truth.frames.tolist() == list(range(6))
        assert clip.truth.xyz.numpy() == pytest.approx(wrote[clip.name][[0, 1, 3, 4]], abs=1e-6)
        assert miss(clip.truth) < 0.01


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"annot3": np.zeros((6, 17, 3))}, r"annot3 should have the shape 6 x 1 x 17 x 3"),
        ({"annot3": np.full((6, 1, 17, 3), np.nan)}, "not finite"),
        ({"annot3": np.full((6, 1, 17, 3), 1e8)}, "other units"),
        ({"annot2": None}, "lacks annot2"),
        ({"valid_frame": np.zeros((6, 1))}, "too few joints"),
    ],
)
def test_wrong_test_values_are_said_in_a_sentence(tmp_path: Path, changes: dict, match: str) -> None:
    hdf5(tmp_path, "TS1", **changes)
    with pytest.raises(BadInput, match=match):
        list(read_mpi_inf_3dhp(tmp_path))


def test_a_damaged_test_set_and_a_missing_extra_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hdf5(tmp_path, "TS1")
    path = tmp_path / "TS1/annot_data.mat"
    whole = path.read_bytes()
    for content in (b"", whole[:600], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"no whole HDF5|lacks"):
            list(read_mpi_inf_3dhp(tmp_path))
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name in ("annot2", "annot3", "univ_annot3", "valid_frame"):
            file.create_dataset(name, (1 << 40, 1), "f8", chunks=(1024, 1))
    with pytest.raises(BadInput, match="beyond 1 GiB"):
        list(read_mpi_inf_3dhp(tmp_path))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"dyad-pose\[datasets\]"):
        list(read_mpi_inf_3dhp(tmp_path))
