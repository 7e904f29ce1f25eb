import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.bench.evaluate import evaluate
from dyad.bench.mupots import bench_mupots
from dyad.bench.stored import FINAL, Stored, find_stored, sample_truth
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.datasets.mupots import read_mupots
from tests.bench.test_mupots import Cheat, sequence

# PCK, PCK_abs and AUC that the released scripts' rule gives to the stored final poses: the README of the material.
PUBLISHED = {
    "TS01": (91.22, 70.97, 61.01),
    "TS06": (80.43, 37.29, 49.81),
    "TS10": (93.65, 78.94, 66.45),
    "TS12": (83.49, 46.97, 54.55),
    "TS18": (86.47, 20.73, 55.13),
}
TOPDOWN_STRICT = {"TS01": 57, "TS06": 46, "TS10": 56, "TS12": 70, "TS18": 67}


def store(folder: Path, name: str = "TS01", *, error: float = 0.0, clip: bool = True, zero: bool = False) -> Path:
    """A tiny sequence with stored poses: the truth, whose left wrist is `error` m off along the view."""
    sequence(folder, name)
    path = folder / f"{name}.npz"
    if not clip:
        (folder / f"{name}_374px.mp4").unlink()
    with np.load(path) as archive:
        arrays = dict(archive)
    xyz = arrays["gt_xyz_mm"].copy()
    xyz[:, :, MUPOTS17.index("left_wrist"), 2] += 1000 * error
    xy = torch.from_numpy(arrays["gt_xy"])
    pelvis = xyz[:, :, [MUPOTS17.index("pelvis")]]
    final = xyz.copy()
    if zero:
        final[0, 0] = 0
    np.savez(
        path,
        **arrays,
        est_xy=MUPOTS17.convert(xy, BODY17).nan_to_num().numpy(),
        est_confidence=np.where(np.isfinite(MUPOTS17.convert(xy, BODY17).numpy()[..., 0]), 0.07, 0.0),
        topdown_rel_m=(xyz - pelvis) / 1000,
        final_camera_xyz_mm=final,
    )
    return path


def test_absolute_poses_are_read_in_their_unit(tmp_path: Path) -> None:
    path = store(tmp_path)
    stored = Stored(path)
    assert stored.arrays == ("final_camera_xyz_mm", "topdown_rel_m")
    truth = sample_truth(read_mupots(path))
    found = stored.tracks(FINAL)
    assert torch.equal(found.frames, truth.frames)
    assert found.xyz.numpy() == pytest.approx(truth.xyz.numpy(), abs=1e-5)
    assert found.xy.numpy() == pytest.approx(truth.xy.numpy(), abs=0.02)
    with pytest.raises(BadUsage, match=r"has no poses 'x'; it has final_camera_xyz_mm, topdown_rel_m"):
        stored.tracks("x")


def test_relative_poses_are_placed_by_their_2d_joints(tmp_path: Path) -> None:
    path = store(tmp_path)
    truth, found = sample_truth(read_mupots(path)), Stored(path).tracks("topdown_rel_m")
    assert found.xyz.numpy() == pytest.approx(truth.xyz.numpy(), abs=0.01)
    # Nothing of the true place goes in: the same poses before another camera stand elsewhere.
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "gt_xyz_mm": arrays["gt_xyz_mm"] + 1000, "gt_xy": arrays["gt_xy"] * 0})
    assert torch.equal(Stored(path).tracks("topdown_rel_m").xyz, found.xyz)


def test_poses_of_zeros_are_nobody_unless_asked_for(tmp_path: Path) -> None:
    stored = Stored(store(tmp_path, zero=True))
    assert (len(stored.tracks(FINAL)), len(stored.tracks(FINAL, zeros=True))) == (5, 6)
    released = evaluate(tmp_path, tmp_path, "mupots-released")
    strict = evaluate(tmp_path, tmp_path, "mupots-strict", array=FINAL)
    assert strict["coverage"] == pytest.approx(5 / 6)
    assert strict["pck"] == pytest.approx(500 / 6)
    # The joints of a zero pose that lie within 150 mm of the true pelvis count as found.
    assert released["pck"] >= strict["pck"]
    assert released["person_frames"] == 6
    benched = bench_mupots(tmp_path, run=None)["released"]["TS01"]
    assert benched == pytest.approx(dict(released.total))
    assert any("no strict figure" in note for note in strict.notes)
    assert not any("no strict figure" in note for note in released.notes)


def test_the_bench_scores_what_is_stored(tmp_path: Path) -> None:
    store(tmp_path, "TS01", error=0.2)
    store(tmp_path, "TS10", clip=False)
    report = bench_mupots(tmp_path, run=None)
    assert set(report) == {"released", "strict"}
    assert set(report["strict"]) == {"topdown"}
    rows = report["strict"]["topdown"]
    assert (rows["TS01"]["pck"], rows["TS10"]["pck"]) == (pytest.approx(1300 / 14), 100)
    assert rows["mean"]["pck"] == pytest.approx((1300 / 14 + 100) / 2)
    assert report["released"]["TS01"]["pck"] == pytest.approx(1300 / 14)
    assert report["released"]["TS10"] == {
        "pck": 100, "pck_abs": 100, "auc": pytest.approx(97.5), "root_ap25": 100, "person_frames": 6,
    }  # fmt: skip
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    whole = bench_mupots(tmp_path, run=Cheat())
    assert list(whole["strict"]) == ["dyad-run", "topdown"]
    assert list(whole["strict"]["dyad-run"]) == ["TS01", "mean"]
    assert whole["released"] == report["released"]
    assert list(bench_mupots(tmp_path, run=None, sequences=["TS10"])["released"]) == ["TS10", "mean"]


def test_a_folder_with_nothing_to_score_is_refused(tmp_path: Path) -> None:
    sequence(tmp_path, "TS03")
    with pytest.raises(BadInput, match="neither clips to run on nor stored poses"):
        bench_mupots(tmp_path, run=None)
    with pytest.raises(BadInput, match="no MuPoTS sequence"):
        bench_mupots(tmp_path / "none", run=None)
    with pytest.raises(BadUsage, match=r"needs a folder of TSxx\.npz with stored poses"):
        evaluate(tmp_path, tmp_path, "mupots-strict", array=FINAL)


def test_several_arrays_want_a_choice(tmp_path: Path) -> None:
    store(tmp_path)
    with pytest.raises(BadUsage, match="choose one with --array: final_camera_xyz_mm, topdown_rel_m"):
        evaluate(tmp_path, tmp_path, "mupots-strict")
    damaged = tmp_path / "TS09.npz"
    damaged.write_bytes(b"no archive")
    with pytest.raises(BadInput, match="is no npz archive"):
        find_stored(tmp_path)[-1].tracks(FINAL)


@pytest.fixture
def material(real: Path) -> Path:
    folder = real / "mupots"
    if not folder.is_dir():
        pytest.skip("no MuPoTS sample")
    return folder


def test_the_published_numbers_come_out_of_the_published_poses(material: Path) -> None:
    report = evaluate(material, material, "mupots-released")
    assert report.clips
    for name, row in report.clips.items():
        assert (row["pck"], row["pck_abs"], row["auc"]) == pytest.approx(PUBLISHED[name], abs=0.0051), name
    mean = np.mean([PUBLISHED[name] for name in report.clips], axis=0)
    assert (report["pck"], report["pck_abs"], report["auc"]) == pytest.approx(tuple(mean), abs=0.0051)


def test_the_files_of_the_data_set_say_the_same_as_the_samples(material: Path) -> None:
    if not (material / "official_layout").is_dir():
        pytest.skip("no official layout")
    report = evaluate(material, material / "official_layout", "mupots-released")
    for name, row in report.clips.items():
        published = PUBLISHED[f"TS{int(name[2:]):02}"]
        assert (row["pck"], row["pck_abs"], row["auc"]) == pytest.approx(published, abs=0.0051)


def test_strictly_the_network_outputs_are_worth_less(material: Path) -> None:
    report = bench_mupots(material, run=None)
    rows = report["strict"]["topdown"]
    names = [name for name in rows if name != "mean"]
    assert [rows[name]["pck"] for name in names] == pytest.approx([TOPDOWN_STRICT[name] for name in names], abs=1)
    assert all(rows[name]["coverage"] == 1 for name in names)
    if len(names) == 5:
        means = {system: table["mean"]["pck"] for system, table in report["strict"].items()}
        assert means == pytest.approx({"topdown": 59.4, "bottomup": 45.2, "integrated": 59.5}, abs=0.5)
    for name in names:
        released = report["released"][name]
        assert [released[m] for m in ("pck", "pck_abs", "auc")] == pytest.approx(list(PUBLISHED[name]), abs=0.0051)
    one = evaluate(material, material, "mupots-strict", array="topdown_rel_m")
    assert [row["pck"] for row in one.clips.values()] == pytest.approx([rows[name]["pck"] for name in names], abs=1e-6)
