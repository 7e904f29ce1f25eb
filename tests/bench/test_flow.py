"""A network that knows the flow scores 0; real weights score what their authors' code does."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dyad.bench.flow import bench_flow, load_flow_network, load_with_iterations
from dyad.bench.flow_pairs import find_pairs
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.models.checkpoints import Checkpoint
from dyad.models.raft import RAFT, Estimate, raft_small
from dyad.stages import FLOW
from dyad.stages.flow import ITERATIONS, make_flow

SIZE = (70, 66)
MOVE = (3.0, -4.0)


class Shifting(RAFT):
    """Says that everything moves by the same."""

    def __init__(self, move: tuple[float, float]) -> None:
        torch.nn.Module.__init__(self)
        self.move = move

    def forward(self, first, second, *, iterations=20, start=None, every=False) -> Estimate:
        assert first.shape[-1] % 8 == first.shape[-2] % 8 == 0
        assert 0 <= float(first.min()) <= float(first.max()) <= 1
        flow = torch.tensor(self.move)[None, :, None, None].expand(1, 2, *first.shape[-2:])
        return Estimate(flow, flow, (flow,))


def _image(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def _flow(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flow(path, Flow(torch.tensor(MOVE)[:, None, None].expand(2, SIZE[1], SIZE[0]).clone()))
    return path


def _names(folder: Path) -> list[tuple[str, str, str]]:
    return [
        tuple(path.relative_to(folder).as_posix() for path in (p.first, p.second, p.truth)) for p in find_pairs(folder)
    ]


LAYOUTS = {
    "sintel": (
        [f"training/{r}/alley_1/frame_{n:04}.png" for r in ("clean", "final") for n in (1, 2, 3)],
        [f"training/flow/alley_1/frame_{n:04}.flo" for n in (1, 2)],
        4,
    ),
    "middlebury": (
        ["other-data/Dime/frame10.png", "other-data/Dime/frame11.png"],
        ["other-gt-flow/Dime/flow10.flo"],
        1,
    ),
    "chairs": (
        [f"data/{n:05}_img{k}.ppm" for n in (1, 2, 10) for k in (1, 2)],
        [f"data/{n:05}_flow.flo" for n in (1, 2, 10)],
        3,
    ),
    "kitti": (
        ["training/image_2/000007_10.png", "training/image_2/000007_11.png", "training/image_2/000008_10.png"],
        ["training/flow_occ/000007_10.png", "training/flow_noc/000007_10.png"],
        1,
    ),
    "plain": (["a/1.png", "a/2.png", "a/readme.png"], ["a/truth.flo"], 1),
    "beside": (["b/frame_0009.ppm", "b/frame_0010.ppm", "b/frame_0011.ppm"], ["b/frame_0009.flo"], 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_are_found_wherever_they_lie_and_one_who_knows_makes_no_error(tmp_path, layout) -> None:
    images, flows, count = LAYOUTS[layout]
    for name in images:
        _image(tmp_path / name)
    for name in flows:
        _flow(tmp_path / name)
    scores = bench_flow(tmp_path, network=Shifting(MOVE), iterations=2)
    assert len(scores["pairs"]) == count
    assert scores["mean"]["epe"] == pytest.approx(0, abs=1e-6)
    assert scores["mean"]["fl_all"] == 0
    assert scores["mean"]["ms"] > 0
    off = bench_flow(tmp_path, network=Shifting((0.0, 0.0)))
    assert off["mean"]["epe"] == pytest.approx(5)
    assert off["mean"]["fl_all"] == 100
    assert {(row["width"], row["height"], row["pixels"]) for row in off["pairs"]} == {(*SIZE, SIZE[0] * SIZE[1])}


def test_the_second_frame_is_the_one_after_the_first(tmp_path) -> None:
    for number in (9, 10, 11):
        _image(tmp_path / f"frame_{number:04}.png")
    _flow(tmp_path / "frame_0010.flo")
    _image(tmp_path / "other" / "frame10.png")
    _image(tmp_path / "other" / "frame12.png")
    _flow(tmp_path / "other" / "flow10.flo")
    assert _names(tmp_path) == [("frame_0010.png", "frame_0011.png", "frame_0010.flo")]


def test_of_kitti_the_flow_with_occluded_pixels_counts_padded_as_its_networks_are(tmp_path) -> None:
    for name in LAYOUTS["kitti"][0]:
        _image(tmp_path / name)
    for name in LAYOUTS["kitti"][1]:
        _flow(tmp_path / name)
    [pair] = find_pairs(tmp_path)
    assert pair.truth.parent.name == "flow_occ"
    assert pair.padding == "kitti"
    assert pair.name == "training/image_2/000007_10.png"


def test_a_folder_without_truth_and_files_that_disagree_are_named(tmp_path) -> None:
    with pytest.raises(BadInput, match="there is no folder"):
        find_pairs(tmp_path / "none")
    _image(tmp_path / "1.png")
    with pytest.raises(BadInput, match="no two frames whose flow is known"):
        find_pairs(tmp_path)
    _flow(tmp_path / "1.flo")
    _image(tmp_path / "2.png", (64, 64))
    with pytest.raises(BadInput, match=r"2.png is 64x64 px, but 1.png is 70x66"):
        bench_flow(tmp_path, network=Shifting(MOVE))


def test_weights_come_from_a_file_and_their_lack_is_told(tmp_path) -> None:
    assert isinstance(load_flow_network(None), RAFT)
    with pytest.raises(MissingWeights, match="no weights 'nothing'"):
        load_flow_network("nothing")
    with pytest.raises(BadUsage, match="no flow network 'hrnet-w32'"):
        load_flow_network("hrnet-w32", tmp_path / "a.pth")
    network = raft_small()
    torch.save({"other." + name: value for name, value in network.state_dict().items()}, tmp_path / "wrong.pth")
    with pytest.raises(MissingWeights, match="of no network"):
        load_flow_network(None, tmp_path / "wrong.pth")
    Checkpoint.of(network, "raft-small").save(tmp_path / "right.safetensors")
    found = load_flow_network(None, tmp_path / "right.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), network.parameters(), strict=True))
    torch.save(network.state_dict(), tmp_path / "plain.pth")
    assert isinstance(load_flow_network("raft-small", tmp_path / "plain.pth"), RAFT)


def test_weights_know_how_often_they_update_their_flow(tmp_path) -> None:
    network, usual = load_with_iterations(None)
    assert usual == make_flow(FLOW).iterations != ITERATIONS
    Checkpoint.of(network, "raft-small", iterations=7).save(tmp_path / "mine.safetensors")
    assert load_with_iterations(None, tmp_path / "mine.safetensors")[1] == 7
    torch.save(network.state_dict(), tmp_path / "plain.pth")
    assert load_with_iterations("raft-small", tmp_path / "plain.pth")[1] == ITERATIONS


@pytest.mark.parametrize(("scene", "most"), [("sintel_alley_1", 0.25), ("rubberwhale", 0.35)])
def test_the_official_weights_score_what_is_known_of_them(real, scene, most) -> None:
    folder = Path(os.environ.get("DYAD_WEIGHTS", real.parent / "weights"))
    if not (folder / "raft-small.pth").is_file():
        pytest.skip(f"the official weights are not at {folder}; set DYAD_WEIGHTS")
    scores = bench_flow(real / "flow" / scene, network=load_flow_network(None, folder / "raft-small.pth"))
    [pair] = scores["pairs"]
    assert 0.1 < pair["epe"] <= most
    assert pair["fl_all"] < 3
