"""Readers of flow data sets, on tiny trees in the real layouts and on real samples laid out so."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow, write_flow, write_png16
from dyad.datasets import read_dataset
from dyad.datasets.flyingchairs import read_flyingchairs
from dyad.datasets.flyingthings import read_flyingthings3d
from dyad.datasets.kitti import read_kitti
from dyad.datasets.middlebury import read_middlebury
from dyad.datasets.sintel import read_sintel
from dyad.datasets.stills import Stills

W, H = 12, 8


def image(path: Path, value: int, size=(W, H)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def flow(path: Path, u: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flow(path, Flow(torch.stack((torch.full((H, W), u), torch.zeros(H, W)))))


def u_of(found: Flow) -> list[float]:
    return torch.unique(found.uv[0][found.known]).tolist()


def test_sintel(tmp_path):
    root = tmp_path / "training"
    for scene, frames in (("cave_2", 3), ("alley_1", 2)):
        for t in range(1, frames + 1):
            image(root / "final" / scene / f"frame_{t:04}.png", 10 * t)
            mask = np.zeros((H, W), np.uint8)
            mask[3, 4] = 255
            for kind in ("occlusions", "invalid"):
                (root / kind / scene).mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(root / kind / scene / f"frame_{t:04}.png")
            if t < frames:
                flow(root / "flow" / scene / f"frame_{t:04}.flo", float(t))
    clips = list(read_sintel(tmp_path))
    assert [clip.name for clip in clips] == ["sintel/final/alley_1", "sintel/final/cave_2"]
    clip = clips[1]
    assert len(clip.video) == len(clip.flow) + 1 == 3
    assert clip.video.fps == 24
    assert [int(clip.video[t][0, 0, 0]) for t in range(3)] == [10, 20, 30]
    assert [u_of(clip.flow[t]) for t in range(2)] == [[1.0], [2.0]]
    occluded = torch.zeros(H, W, dtype=torch.bool)
    occluded[3, 4] = True
    occluded[:, W - 2 :] = True
    assert torch.equal(clip.flow[1].occluded, occluded)
    assert clip.flow[1].known.all()
    (left_out,) = read_sintel(tmp_path, scenes=["cave_2"], leave_out_invalid=True)
    assert torch.nonzero(~left_out.flow[1].known).tolist() == [[3, 4]]
    (root / "flow/cave_2/frame_0002.flo").unlink()
    with pytest.raises(BadInput, match=r"lacks .*frame_0002\.flo"):
        list(read_sintel(tmp_path))
    (whole,) = read_sintel(tmp_path, scenes=["alley_1"])
    assert whole.flow is not None
    with pytest.raises(BadInput, match="holds none of training/clean, test/clean"):
        list(read_sintel(tmp_path, rendering="clean"))
    image(tmp_path / "test/clean/a/frame_0001.png", 1)
    image(tmp_path / "test/clean/a/frame_0002.png", 1)
    (test,) = read_sintel(tmp_path, rendering="clean", split="test")
    assert test.flow is None


def test_read_flyingchairs(tmp_path):
    for pair in (1, 2, 3):
        for number in (1, 2):
            image(tmp_path / f"data/{pair:05}_img{number}.ppm", 10 * pair + number)
        flow(tmp_path / f"data/{pair:05}_flow.flo", float(pair))
    assert [u_of(clip.flow[0])[0] for clip in read_flyingchairs(tmp_path)] == [1, 2, 3]
    with pytest.raises(BadInput, match="lacks the list"):
        list(read_flyingchairs(tmp_path, split="val"))
    (tmp_path / "FlyingChairs_train_val.txt").write_text("1\n2\n1\n")
    (val,) = read_flyingchairs(tmp_path, split="val")
    assert val.name == "flyingchairs/00002"
    assert val.video[0:2][:, 0, 0, 0].tolist() == [21, 22]
    assert len(list(read_flyingchairs(tmp_path, split="train"))) == 2
    (tmp_path / "FlyingChairs_train_val.txt").write_text("1\n2\n")
    with pytest.raises(BadInput, match="each of 3 pairs, got 2"):
        list(read_flyingchairs(tmp_path, split="val"))
    with pytest.raises(BadInput, match="no FlyingChairs"):
        list(read_flyingchairs(tmp_path / "nowhere"))


def test_read_flyingthings3d(tmp_path):
    for t in (6, 7, 8):
        image(tmp_path / f"frames_cleanpass/TRAIN/B/0003/left/{t:04}.png", t)
        # As in the original, flow exists also beyond the ends.
        flow(tmp_path / f"optical_flow/TRAIN/B/0003/into_future/left/OpticalFlowIntoFuture_{t:04}_L.pfm", float(t))
        flow(tmp_path / f"optical_flow/TRAIN/B/0003/into_past/left/OpticalFlowIntoPast_{t:04}_L.pfm", -float(t))
    (clip,) = read_flyingthings3d(tmp_path)
    assert clip.name == "flyingthings3d/cleanpass/train/B/0003/left"
    assert [u_of(clip.flow[i]) for i in range(2)] == [[6.0], [7.0]]
    assert [u_of(clip.backward[i]) for i in range(2)] == [[-7.0], [-8.0]]
    with pytest.raises(BadInput, match="no scene"):
        list(read_flyingthings3d(tmp_path, side="right"))


@pytest.mark.parametrize("images", ["image_2", "colored_0"])
def test_kitti(tmp_path, images):
    root = tmp_path / "training"
    for t in (10, 11):
        image(root / images / f"000004_{t}.png", t)
    all_flow = np.zeros((H, W, 3), np.uint16)
    all_flow[2, 3] = all_flow[4, 5] = (32768 + 64, 32768, 1)
    seen = all_flow.copy()
    seen[4, 5] = 0
    for kind, values in (("flow_occ", all_flow), ("flow_noc", seen)):
        (root / kind).mkdir()
        write_png16(root / kind / "000004_10.png", values)
    (clip,) = read_kitti(tmp_path)
    assert clip.name == "kitti/training/000004"
    found = clip.flow[0]
    assert torch.nonzero(found.known).tolist() == [[2, 3], [4, 5]]
    assert torch.nonzero(found.occluded).tolist() == [[4, 5]]
    assert u_of(found) == [1.0]
    (root / images / "000004_11.png").unlink()
    with pytest.raises(BadInput, match="000004_11"):
        list(read_kitti(tmp_path))
    with pytest.raises(BadInput, match="testing"):
        list(read_kitti(tmp_path, split="testing"))
    for t in (10, 11):
        image(tmp_path / f"testing/image_2/000000_{t}.png", t)
    (test,) = read_kitti(tmp_path, split="testing")
    assert test.flow is None
    with pytest.raises(BadUsage, match="training, testing"):
        list(read_kitti(tmp_path, split="val"))


def test_middlebury(tmp_path):
    for scene in ("Venus", "Dimetrodon"):
        for t in (10, 11):
            image(tmp_path / f"other-data/{scene}/frame{t}.png", t)
        flow(tmp_path / f"other-gt-flow/{scene}/flow10.flo", 1.0)
    image(tmp_path / "other-data/Alone/frame10.png", 1)
    assert [clip.name for clip in read_middlebury(tmp_path)] == ["middlebury/Dimetrodon", "middlebury/Venus"]
    with pytest.raises(BadInput, match="eval-data"):
        list(read_middlebury(tmp_path, split="eval"))


def test_they_are_read_by_name(tmp_path):
    for t in (10, 11):
        image(tmp_path / f"eval-data/Army/frame{t}.png", t)
    (clip,) = read_dataset("middlebury", tmp_path)
    assert clip.flow is None
    for name in ("flyingchairs", "flyingthings3d", "kitti", "sintel"):
        with pytest.raises(BadInput):
            list(read_dataset(name, tmp_path))
        with pytest.raises(BadUsage):
            list(read_dataset(name, tmp_path, split="nowhere"))


def test_sizes_that_disagree_are_found_on_reading(tmp_path):
    for t in (10, 11):
        image(tmp_path / f"other-data/Venus/frame{t}.png", t, size=(W + 1, H))
    flow(tmp_path / "other-gt-flow/Venus/flow10.flo", 1.0)
    (clip,) = read_middlebury(tmp_path)
    with pytest.raises(BadInput, match="its images are of"):
        clip.flow[0]
    image(tmp_path / "other-data/Venus/frame11.png", 11)
    with pytest.raises(BadInput, match="all be of one size"):
        clip.video[1]
    with pytest.raises(BadInput, match="no images"):
        Stills([], name="nothing")


def test_real_samples(real, tmp_path):
    """Warping the second image by the true flow gives the first one where it stays visible."""
    alley, whale = real / "flow/sintel_alley_1", real / "flow/rubberwhale"
    for folder, files in (
        ("training/final/alley_1", [alley / "frame_0001.png", alley / "frame_0002.png"]),
        ("training/flow/alley_1", [alley / "frame_0001.flo"]),
        ("other-data/RubberWhale", [whale / "frame10.png", whale / "frame11.png"]),
        ("other-gt-flow/RubberWhale", [whale / "flow10.flo"]),
    ):
        (tmp_path / folder).mkdir(parents=True)
        for file in files:
            (tmp_path / folder / file.name).symlink_to(file)
    for clip in (next(read_sintel(tmp_path)), next(read_middlebury(tmp_path))):
        first, second = torch.from_numpy(clip.video[0:2].astype(np.float32)).permute(0, 3, 1, 2)
        truth = clip.flow[0]
        error = (truth.warp(second) - first).abs().mean(0)
        known = torch.isfinite(error)
        assert float(known.float().mean()) > 0.98
        assert float(error[known].mean()) < 3
        assert float(error[known].mean()) < 0.3 * float((second - first).abs().mean(0).mean())
        # A wrong sign, or u and v exchanged, is worse than no motion at all.
        for wrong in (Flow(-truth.uv), Flow(truth.uv.flip(0))):
            assert float((wrong.warp(second) - first).abs().nanmean()) > 2 * float(error[known].mean())
    assert read_flow(alley / "frame_0001.flo").size == (1024, 436)
