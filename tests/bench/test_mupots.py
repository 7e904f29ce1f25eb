import json
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from dyad.bench.mupots import bench_mupots
from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, MUPOTS17, Skeleton
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.datasets.mupots import find_mupots, read_mupots
from dyad.datasets.mupots_official import read_mupots_official
from tests.datasets.test_mupots_official import write as official

SIZE = (374, 210)


@dataclass(frozen=True)
class Result:
    tracks: Tracks


@dataclass(frozen=True)
class Cheat:
    """A pipeline that reads the truth beside the clip, projects it with the camera it was given, and errs as told."""

    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    without: int | None = None
    filled: bool = False
    pixels: float = 0.0
    skeleton: Skeleton = MUPOTS17

    def __call__(self, path: Path, *, camera: Camera) -> Result:
        truth = read_mupots(path.with_name(path.name.replace("_374px.mp4", ".npz")))
        frame, person = np.nonzero(truth.valid)
        keep = person != (-1 if self.without is None else self.without)
        frame, person = frame[keep], person[keep]
        xyz = torch.from_numpy(truth.xyz[frame, person])
        tracks = Tracks.of_rows(
            skeleton=MUPOTS17,
            camera=camera,
            frame=torch.from_numpy(frame),
            person=torch.from_numpy(person),
            xy=camera.project(xyz).float() + self.pixels,
            xyz=xyz.float() + torch.tensor(self.shift),
            filled=torch.full((len(frame),), self.filled),
            frames=torch.arange(len(truth.valid)),
        )
        return Result(tracks.convert(self.skeleton))


def sequence(folder: Path, name: str, *, frames: int = 3, people: int = 2, distance: float = 4000.0) -> None:
    """A tiny sequence in the real layout: npz in mm and a clip 374 px wide."""
    rng = np.random.default_rng(frames)
    body = rng.uniform((-300, -800, -200), (300, 800, 200), (1, people, 17, 3))
    place = np.stack([np.arange(people) * 1200.0 - 600, np.zeros(people), np.full(people, distance)], -1)
    xyz = body + place[None, :, None] + np.arange(frames)[:, None, None, None] * np.array([20.0, 0, 30])
    matrix = np.array([[1100.0, 0, 950], [0, 1105, 530], [0, 0, 1]])
    seen = xyz @ matrix.T
    np.savez(
        folder / f"{name}.npz",
        gt_xy=seen[..., :2] / seen[..., 2:],
        gt_xyz_mm=xyz,
        gt_valid=np.ones((frames, people), dtype=bool),
        gt_occluded=np.zeros((frames, people, 17), dtype=bool),
        K=matrix,
        image_size=np.array([1920, 1080]),
    )
    with av.open(str(folder / f"{name}_374px.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for _ in range(frames):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.zeros((*SIZE[::-1], 3), np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sequence(tmp_path, "TS01")
    sequence(tmp_path, "TS12", frames=5, people=3)
    return tmp_path


@pytest.mark.parametrize("skeleton", [MUPOTS17, BODY17])
def test_a_pipeline_that_is_right_scores_everything(folder: Path, skeleton: Skeleton) -> None:
    report = bench_mupots(folder, run=Cheat(skeleton=skeleton))
    rows = report["strict"]["dyad-run"]
    assert list(rows) == ["TS01", "TS12", "mean"]
    for row in rows.values():
        assert [row[k] for k in ("pck", "pck_abs", "pck_matched", "roots_25cm")] == [100] * 4
        assert [row[k] for k in ("coverage", "coverage_clear", "coverage_detected", "idf1")] == [1] * 4
        assert row["oks"] == pytest.approx(1, abs=1e-4)
        assert row["mpjpe_mm"] == pytest.approx(0, abs=1e-2)
        assert row["id_switches"] == 0
    assert rows["TS01"]["person_frames"] == 6
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_depth_that_is_off_is_an_absolute_error(folder: Path) -> None:
    mean = bench_mupots(folder, run=Cheat(shift=(0, 0, 0.16)))["strict"]["dyad-run"]["mean"]
    assert (mean["pck"], mean["pck_abs"], mean["coverage"]) == (100, 0, 1)
    assert mean["root_error_mm"] == pytest.approx(160, abs=0.01)


def test_a_missing_person_fails_and_the_mean_is_over_sequences(folder: Path) -> None:
    rows = bench_mupots(folder, run=Cheat(without=0))["strict"]["dyad-run"]
    assert (rows["TS01"]["pck"], rows["TS01"]["coverage"]) == (50, 0.5)
    assert rows["TS12"]["pck"] == pytest.approx(200 / 3)
    for name in ("pck", "pck_abs"):
        # not 60.9, as over all person-frames
        assert rows["mean"][name] == pytest.approx((50 + 200 / 3) / 2)
    assert rows["mean"]["pck_matched"] == 100


def test_nobody_found_is_zero_and_errors_of_nobody_are_none(folder: Path) -> None:
    @dataclass(frozen=True)
    class Blind:
        def __call__(self, path: Path, *, camera: Camera) -> Result:
            tracks = Cheat()(path, camera=camera).tracks
            return Result(tracks[tracks.frame < 0])

    report = bench_mupots(folder, run=Blind())
    row = report["strict"]["dyad-run"]["mean"]
    assert (row["pck"], row["coverage"], row["coverage_clear"]) == (0, 0, 0)
    assert row["mpjpe_mm"] is None
    json.dumps(report, allow_nan=False)


def test_filled_rows_are_not_detections(folder: Path) -> None:
    mean = bench_mupots(folder, run=Cheat(filled=True))["strict"]["dyad-run"]["mean"]
    assert (mean["coverage"], mean["coverage_detected"], mean["coverage_clear"], mean["pck"]) == (1, 0, 0, 100)


def test_pixels_are_brought_from_the_clip_to_the_annotated_image(folder: Path) -> None:
    """Ten clip pixels are 51 annotated ones: far more than joints of a person 440 px tall tolerate."""
    near = bench_mupots(folder, run=Cheat(pixels=0.2))["strict"]["dyad-run"]["mean"]
    far = bench_mupots(folder, run=Cheat(pixels=10.0))["strict"]["dyad-run"]["mean"]
    assert near["oks"] > 0.95
    assert far["coverage_clear"] < 0.5


def test_heights_count_in_the_clip(tmp_path: Path) -> None:
    """1.6 m at 4 m and 1100 px are 440 px annotated and 86 in the clip; at 8 m they are 43."""
    for name, distance, clear in (("TS01", 4000.0, 6), ("TS02", 8000.0, 0)):
        sequence(tmp_path, name, distance=distance)
        rows = bench_mupots(tmp_path, run=Cheat(), sequences=[name])["strict"]["dyad-run"]
        assert rows[name]["clear_person_frames"] == clear
        assert rows[name]["coverage"] == 1
        assert list(rows) == [name, "mean"]
    assert rows["TS02"]["coverage_clear"] is None


def test_frames_beyond_the_truth_and_missing_ones(folder: Path) -> None:
    @dataclass(frozen=True)
    class Late:
        def __call__(self, path: Path, *, camera: Camera) -> Result:
            tracks = Cheat()(path, camera=camera).tracks
            return Result(replace(tracks, frame=tracks.frame + 1, frames=tracks.frames + 1))

    row = bench_mupots(folder, run=Late(), sequences=["TS01"])["strict"]["dyad-run"]["TS01"]
    assert row["coverage"] == pytest.approx(2 / 3)
    assert row["precision"] == 1


def test_the_data_set_as_it_is_distributed(tmp_path: Path) -> None:
    wrote = official(tmp_path, "TS7")
    official(tmp_path, "TS8")
    for frame in range(4):
        Image.new("RGB", (1920, 1080)).save(tmp_path / "TS7" / f"img_{frame:06d}.jpg")
    truth = {clip.name: clip.truth for clip in read_mupots_official(tmp_path)}
    asked = []

    def cheat(video: Video, *, camera: Camera | None) -> Result:
        asked.append((video.name, video.fps, camera, len(video)))
        return Result(truth["TS7"].with_(xyz=truth["TS7"].xyz + torch.tensor([0, 0, 0.16])))

    report = bench_mupots(tmp_path, run=cheat)
    assert asked == [("TS7", 30, None, 4)]
    assert list(report) == ["strict"]
    row = report["strict"]["dyad-run"]["TS7"]
    assert (row["pck"], row["pck_abs"], row["coverage"], row["person_frames"]) == (100, 0, 1, wrote["valid"].sum())
    assert sum(part["count"] for part in row["by_occlusion"]) == wrote["valid"].sum()
    assert row["by_occlusion"][0]["count"] < wrote["valid"].sum()
    with pytest.raises(BadInput, match="neither clips"):
        bench_mupots(tmp_path, run=cheat, sequences=["TS8"])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no MuPoTS sequence"):
        bench_mupots(tmp_path, run=Cheat())


def test_the_truth_of_real_clips_scores_everything(real: Path) -> None:
    material = real / "mupots"
    if not material.is_dir():
        pytest.skip("no MuPoTS sample")
    rows = bench_mupots(material, run=Cheat())["strict"]["dyad-run"]
    assert set(rows) == {*(s.name for s in find_mupots(material)), "mean"}
    assert (rows["mean"]["pck"], rows["mean"]["pck_abs"], rows["mean"]["coverage"]) == (100, 100, 1)
    counts = {name: (row["person_frames"], row["clear_person_frames"]) for name, row in rows.items() if name != "mean"}
    expected = {"TS01": (402, 357), "TS06": (1082, 49), "TS10": (502, 502), "TS12": (479, 408), "TS18": (378, 268)}
    assert {name: expected[name] for name in counts if name in expected} == counts
