"""Flow networks as a stage, flow from files, and what is made of several."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.flow import Flow
from dyad.core.flow_files import write_flow
from dyad.core.pairs import pairs, part
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Chunk, Video
from dyad.models.raft import Estimate, raft_small
from dyad.models.warm_start import warm_start
from dyad.refinement.flow import networks_of
from dyad.stages.flow import CheckedFlow, FileFlow, MeanFlow, NetworkFlow, between_images, make_flow
from tests.other_device import DEVICE, other_device


def video(count: int = 6, size: tuple[int, int] = (52, 42), seed: int = 0) -> Video:
    """Frames of grey noise, of which every one is the last moved by 2 px to the right."""
    wide = np.random.default_rng(seed).integers(0, 255, (size[1], size[0] + 2 * count, 3)).astype(np.uint8)
    return Video(np.stack([wide[:, 2 * (count - t) :][:, : size[0]] for t in range(count)]), fps=25)


def all_pairs(source: Video) -> tuple[Chunk, Chunk]:
    return next(pairs(source, len(source), across_cuts=True))


def test_a_batch_is_as_large_as_memory_bears() -> None:
    estimator = NetworkFlow(Probe())
    shapes = {}
    for size in ((64, 64), (512, 384), (1024, 768)):
        image = np.zeros((40, size[1], size[0], 3), np.uint8)
        chunk = Chunk(np.arange(40), np.arange(40.0), image, np.zeros(40, bool))
        estimator(part(chunk, slice(0, 9)), part(chunk, slice(1, 10)))
        shapes[size] = estimator.network.asked[-9:]
        estimator.network.asked.clear()
    assert [[shape[0] for shape, _, _ in asked] for asked in shapes.values()] == [[9], [5, 4], [1] * 9]


class Probe(nn.Module):
    """Says of every pixel how much brighter the second image is, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.asked: list[tuple[tuple[int, ...], int, Tensor | None]] = []

    def forward(self, first: Tensor, second: Tensor, *, iterations: int = 20, start: Tensor | None = None) -> Estimate:
        self.asked.append((tuple(first.shape), iterations, start))
        flow = self.gain * torch.stack(((second - first).mean(1), first.mean(1)), 1)
        low = torch.full((len(first), 2, first.shape[2] // 8, first.shape[3] // 8), 0.25 * len(self.asked))
        return Estimate(flow, low, (flow,))


def test_batches_change_nothing() -> None:
    network = raft_small(checkpoint=False)
    source = video(size=(70, 66))
    first, second = all_pairs(source)
    whole = NetworkFlow(network, iterations=2)(first, second)
    assert whole.uv.shape == (5, 2, 66, 70)
    assert not whole.uv.requires_grad
    for batch in (1, 2):
        parts = [
            NetworkFlow(network, iterations=2, batch=batch)(*pair).uv for pair in pairs(source, 3, across_cuts=True)
        ]
        torch.testing.assert_close(torch.cat(parts), whole.uv, atol=1e-4, rtol=1e-4)
    nobody = part(first, slice(0, 0))
    assert NetworkFlow(network)(nobody, nobody).uv.shape == (0, 2, 66, 70)


@pytest.mark.parametrize(("padding", "above"), [("sintel", 3), ("kitti", 0)])
def test_images_are_padded_and_flow_is_cut_back(padding, above: int) -> None:
    probe = Probe()
    first, second = all_pairs(video())
    flow = NetworkFlow(probe, padding=padding, iterations=7, batch=4)(first, second)
    assert [(shape, n) for shape, n, _ in probe.asked] == [((4, 3, 48, 56), 7), ((1, 3, 48, 56), 7)]
    expected = (second.images.astype(np.float32) - first.images).mean(-1) / 255
    np.testing.assert_allclose(flow.uv[:, 0].numpy(), expected, atol=1e-6)


def test_a_copy_is_tuned_without_a_trace() -> None:
    network = raft_small()
    estimator = NetworkFlow(network, iterations=2)
    first, second = all_pairs(video(2, (70, 66)))
    before = estimator(first, second)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    tuned: FlowEstimator = estimator.copy()
    flow = tuned(first, second)
    assert flow.uv.requires_grad
    with torch.no_grad():
        assert not tuned(first, second).uv.requires_grad
    flow.uv.square().mean().backward()
    with torch.no_grad():
        for weight in tuned.network.parameters():
            if weight.grad is not None:
                weight -= 0.1 * weight.grad.sign()
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert torch.equal(estimator(first, second).uv, before.uv)
    assert float((tuned(first, second).uv.detach() - before.uv).abs().max()) > 0.01


def test_a_warm_start_follows_the_images() -> None:
    probe = Probe()
    estimator = NetworkFlow(probe, warm=True)
    source = video(6)
    for pair in pairs(source, 3, across_cuts=True):
        estimator(*pair)
    starts = [start for _, _, start in probe.asked]
    assert [shape[0] for shape, _, _ in probe.asked] == [1] * 5
    assert starts[0] is None
    for k, start in enumerate(starts[1:], 1):
        # What the last call said, carried along.
        torch.testing.assert_close(start, warm_start(torch.full((1, 2, 6, 7), 0.25 * k)))
    # Another video, the same pair again, and a copy begin from nothing.
    estimator(*all_pairs(video(2, seed=1)))
    estimator(*all_pairs(video(2)))
    assert [start for _, _, start in probe.asked[5:]] == [None, None]
    copied = estimator.copy()
    first, second = all_pairs(source)
    copied(part(first, slice(1, 2)), part(second, slice(1, 2)))
    assert copied.network.asked[-1][2] is None


@pytest.mark.parametrize("size", [1, 3, 5])
def test_flow_back_neither_starts_from_the_flow_there_nor_ends_its_warm_start(size: int) -> None:
    probe = Probe()
    checked, asked = CheckedFlow(NetworkFlow(probe, warm=True)), []
    first, second = all_pairs(video(6))
    for k in range(0, 5, size):
        some = part(first, slice(k, k + size))
        checked(some, part(second, slice(k, k + size)))
        asked += [True] * len(some) + [False] * len(some)
    starts = [start for _, _, start in probe.asked]
    assert len(starts) == len(asked) == 10
    onwards = [k for k, there in enumerate(asked) if there]
    assert all(start is None for k, start in enumerate(starts) if k not in onwards[1:])
    for last, k in pairwise(onwards):
        # The probe's low flow tells which call it came from.
        torch.testing.assert_close(starts[k], warm_start(torch.full((1, 2, 6, 7), 0.25 * (last + 1))))


def test_half_precision_changes_little() -> None:
    torch.manual_seed(0)
    network = raft_small(checkpoint=False)
    first, second = all_pairs(video(2, (70, 66)))
    full, half = (NetworkFlow(network, iterations=3, half=half)(first, second).uv for half in (False, True))
    assert half.dtype == torch.float32
    assert 0 < float((half - full).abs().mean()) < 0.05 * float(full.abs().mean()) + 0.02
    assert not NetworkFlow(network).half


def test_what_makes_no_sense_is_refused() -> None:
    first, second = all_pairs(video())
    with pytest.raises(BadInput, match="one size"):
        NetworkFlow(Probe())(first, all_pairs(video(6, (40, 42)))[1])
    for policy in ({"iterations": 0}, {"batch": 0}, {"padding": "chairs"}):
        with pytest.raises(BadUsage):
            NetworkFlow(Probe(), **policy)
    with pytest.raises(BadInput, match=r"52x42 px.*at least 64 px"):
        NetworkFlow(raft_small())(first, second)
    with pytest.raises(BadInput, match="8x4 and 4x8 px"):
        between_images(np.zeros((4, 8, 3), np.uint8), np.zeros((8, 4, 3), np.uint8))
    with pytest.raises(BadUsage, match="at least one estimator"):
        MeanFlow(())


def flows(count: int = 5) -> list[Flow]:
    return [Flow(torch.full((2, 42, 52), float(t))) for t in range(count)]


@pytest.mark.parametrize("name", ["{:06d}.flo", "flow_{:d}.png", "{:06d}_10.png", "frame-{:04d}.pfm", "{:03d}.npz"])
def test_files_go_by_the_frame_in_their_names(tmp_path: Path, name: str) -> None:
    for t, flow in enumerate(flows()):
        write_flow(tmp_path / name.format(t), flow)
    (tmp_path / "flow.mp4").touch()
    (tmp_path / "notes1.txt").touch()
    source = FileFlow.of(tmp_path)
    first, second = all_pairs(video())
    found = source(part(first, slice(2, 5)), part(second, slice(2, 5)))
    assert found.uv[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert source.copy() is source
    with pytest.raises(BadInput, match="no flow from frame 3 to frame 2"):
        source(part(second, slice(2, 3)), part(first, slice(2, 3)))
    with pytest.raises(BadInput, match="no flow from frame 1 to frame 3"):
        source(part(first, slice(1, 2)), part(second, slice(2, 3)))
    late = FileFlow.of(tmp_path, first=1)
    assert late(part(first, slice(0, 1)), part(second, slice(0, 1))).uv[0, 0, 0, 0] == 1
    with pytest.raises(BadInput, match="from frame 4"):
        late(part(first, slice(4, 5)), part(second, slice(4, 5)))
    with pytest.raises(BadInput, match="images of"):
        source(*all_pairs(video(2, (40, 32))))


def test_one_archive_of_all(tmp_path: Path) -> None:
    write_flow(tmp_path / "flow.npz", Flow.stack(flows()))
    first, second = all_pairs(video())
    for path in (tmp_path, tmp_path / "flow.npz"):
        assert FileFlow.of(path)(first, second).uv[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    numbers = np.array([4, 3, 2, 1, 0])
    np.savez(tmp_path / "flow.npz", flow=Flow.stack(flows()).numpy(), frames=numbers)
    assert FileFlow.of(tmp_path)(first, second).uv[:, 0, 0, 0].tolist() == [4, 3, 2, 1, 0]
    np.savez(tmp_path / "flow.npz", flow=Flow.stack(flows()).numpy(), frames=numbers[:2])
    with pytest.raises(BadInput, match="5 different whole numbers"):
        FileFlow.of(tmp_path)
    write_flow(tmp_path / "flow.npz", flows()[0])
    with pytest.raises(BadInput, match=r"\(N, H, W, 2\)"):
        FileFlow.of(tmp_path)


def test_folders_without_sense_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BadInput, match=str(path)):
            FileFlow.of(path)
    for name in ("a_01.flo", "b_1.flo"):
        write_flow(tmp_path / name, flows()[0])
    with pytest.raises(BadInput, match="two flows of frame 1"):
        FileFlow.of(tmp_path)


class Shifting:
    """Knows that `video` moves by 2 px each frame; off by `error` px on the left half on the way back."""

    def __init__(self, error: float = 0.0) -> None:
        self.error = error

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        back = first.indices[0] > second.indices[0]
        uv = torch.zeros(len(first), 2, *first.images.shape[1:3])
        uv[:, 0] = -2.0 if back else 2.0
        if back:
            uv[..., :20] += self.error
        return Flow(uv)

    def copy(self) -> "Shifting":
        return Shifting(self.error)


def test_checked_backwards_it_says_what_is_hidden() -> None:
    first, second = all_pairs(video())
    occluded = CheckedFlow(Shifting())(first, second).occluded
    assert occluded is not None
    assert occluded[:, :, :50].sum() == 0
    assert bool(occluded[:, :, 50:].all())
    wrong = CheckedFlow(Shifting(5.0)).copy()(first, second).occluded
    assert wrong is not None
    assert bool(wrong[:, :, :17].all())
    assert wrong[:, :, 20:50].sum() == 0


def test_a_mean_of_estimators() -> None:
    first, second = all_pairs(video())
    mean = MeanFlow((Shifting(), FileFlow({t: t for t in range(5)}, "five", Flow.stack(flows())))).copy()
    assert mean(first, second).uv[:, 0, 0, 0].tolist() == [1, 1.5, 2, 2.5, 3]


def test_estimators_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    for t, flow in enumerate(flows()):
        write_flow(tmp_path / "flo" / f"{t}.flo", flow)
    assert isinstance(make_flow(str(tmp_path / "flo")), FileFlow)
    assert isinstance(make_flow(f"{tmp_path / 'flo'}, {tmp_path / 'flo'}"), MeanFlow)
    with pytest.raises(MissingWeights, match=r"'raft-small' cannot be had.*dyad weights import.*raft-small\.pth"):
        make_flow("raft-small")
    with pytest.raises(MissingWeights, match="dyad weights pull raft-large-torchvision"):
        make_flow("raft-large-torchvision")


def test_imported_weights_are_used_and_others_refused(tmp_path: Path) -> None:
    from dyad.models.checkpoints import Checkpoint
    from dyad.models.zoo import make

    network = make("raft-small")
    Checkpoint.of(network, "raft-small").save(tmp_path / "mine.safetensors")
    Checkpoint.of(make("blending"), "blending").save(tmp_path / "other.safetensors")
    estimator = make_flow(str(tmp_path / "mine.safetensors"), iterations=2)
    first, second = all_pairs(video(2, (70, 66)))
    assert torch.equal(estimator(first, second).uv, NetworkFlow(network, iterations=2)(first, second).uv)
    with pytest.raises(BadUsage, match="gives no flow"):
        make_flow(str(tmp_path / "other.safetensors"))


def test_gradients_are_recorded_in_32_bits() -> None:
    narrow = []

    class Watched(Probe):
        def forward(self, *images: Tensor, **policy: Any) -> Estimate:
            narrow.append(torch.is_autocast_enabled("cpu"))
            return super().forward(*images, **policy)

    estimator = NetworkFlow(Watched(), half=True)
    pair = all_pairs(video(2))
    estimator(*pair)
    tuned = estimator.copy()
    with torch.no_grad():
        tuned(*pair)
    assert tuned(*pair).uv.requires_grad
    assert narrow == [True, True, False]


def test_a_mean_of_a_network_elsewhere_and_of_files_is_tuned() -> None:
    pair = all_pairs(video())
    files = FileFlow({t: t for t in range(5)}, "five", Flow.stack(flows()))
    with other_device():
        for estimators in ((files, NetworkFlow(Probe(), device=DEVICE)), (NetworkFlow(Probe(), device=DEVICE), files)):
            tuned = MeanFlow(estimators).copy()
            found = tuned(*pair)
            assert found.uv.device == DEVICE
            found.uv.sum().backward()
            (network,) = networks_of(tuned)
            assert network.gain.grad != 0
            with torch.no_grad():
                assert tuned(*pair).uv.device.type == "cpu"
