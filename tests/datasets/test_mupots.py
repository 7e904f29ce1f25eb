import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput
from dyad.datasets.mupots import find_mupots, read_mupots


def sample(folder: Path, name: str = "TS01", *, frames: int = 3, people: int = 2, clip: bool = True) -> dict:
    """A tiny sequence in the real layout, its clip an empty file; returns its arrays."""
    rng = np.random.default_rng(0)
    xyz = rng.uniform((-1000, -1000, 3000), (1000, 1000, 6000), (frames, people, 17, 3))
    matrix = np.array([[1100.0, 0, 950], [0, 1105, 530], [0, 0, 1]])
    seen = xyz @ matrix.T
    arrays = {
        "gt_xy": (seen[..., :2] / seen[..., 2:]).astype(np.float32),
        "gt_xyz_mm": xyz.astype(np.float32),
        "gt_valid": np.ones((frames, people), dtype=bool),
        "gt_occluded": rng.uniform(size=(frames, people, 17)) < 0.3,
        "K": matrix,
        "image_size": np.array([1920, 1080]),
    }
    np.savez(folder / f"{name}.npz", **arrays)
    if clip:
        (folder / f"{name}_374px.mp4").touch()
    return arrays


def test_a_sequence_is_read_in_metres_and_its_camera_meets_its_pixels(tmp_path: Path) -> None:
    arrays = sample(tmp_path)
    got = read_mupots(tmp_path / "TS01.npz")
    assert (got.name, got.clip) == ("TS01", tmp_path / "TS01_374px.mp4")
    assert got.xyz == pytest.approx(arrays["gt_xyz_mm"] / 1000.0)
    assert got.camera.size == (1920, 1080)
    assert got.camera.project(torch.from_numpy(got.xyz)).numpy() == pytest.approx(got.xy, abs=1e-2)
    assert got.occluded.tolist() == arrays["gt_occluded"].tolist()


def test_the_clip_camera_keeps_edges_in_place(tmp_path: Path) -> None:
    sample(tmp_path)
    got = read_mupots(tmp_path / "TS01.npz")
    small = got.clip_camera((374, 210))
    points = torch.from_numpy(got.xyz)
    expected = (got.camera.project(points) + 0.5) * 374 / 1920 - 0.5
    assert small.size == (374, 210)
    assert torch.allclose(small.project(points), expected)


def test_only_sequences_with_clips_are_found_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, clip in (("TS10", True), ("TS02", True), ("TS03", False)):
        sample(tmp_path, name, clip=clip)
    np.savez(tmp_path / "TSunrelated.npz", x=1)
    with caplog.at_level(logging.WARNING):
        assert [s.name for s in find_mupots(tmp_path)] == ["TS02", "TS10"]
    assert "TS03" in caplog.text


def test_bad_input_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no MuPoTS sequence"):
        list(find_mupots(tmp_path))
    with pytest.raises(BadInput, match="no MuPoTS annotations"):
        read_mupots(tmp_path / "TS01.npz")
    (tmp_path / "TS01.npz").write_text("no archive")
    with pytest.raises(BadInput, match="does not hold"):
        read_mupots(tmp_path / "TS01.npz")
    np.savez(tmp_path / "TS02.npz", gt_xy=np.zeros(3))
    with pytest.raises(BadInput, match="does not hold"):
        read_mupots(tmp_path / "TS02.npz")
    arrays = sample(tmp_path, "TS03")
    np.savez(tmp_path / "TS03.npz", **{**arrays, "gt_xy": arrays["gt_xy"][:, :, :14]})
    with pytest.raises(BadInput, match=r"gt_xy should have the shape \(3, 2, 17, 2\)"):
        read_mupots(tmp_path / "TS03.npz")


def test_real_annotations_project_onto_themselves(real: Path) -> None:
    if not (real / "mupots").is_dir():
        pytest.skip("no MuPoTS sample")
    for sequence in find_mupots(real / "mupots"):
        there = sequence.camera.project(torch.from_numpy(sequence.xyz)).numpy()
        error = np.linalg.norm(there - sequence.xy, axis=-1)[sequence.valid]
        # the spine of one person in TS01 is wrong in 2D
        error = np.delete(error, sequence.skeleton.index("spine"), axis=-1)
        assert np.median(error) < 0.2
        assert error.max() < 6
        assert 2 < np.median(sequence.xyz[sequence.valid][..., 2]) < 15
