"""What holds of RAFT whatever its weights are."""

import pytest
import torch

from dyad.models.padding import Padding
from dyad.models.raft import RAFT, raft_basic, raft_small
from dyad.models.warm_start import warm_start


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, 72, 88, generator=draw), torch.rand(2, 3, 72, 88, generator=draw)


def _made(make, **arguments) -> RAFT:
    torch.manual_seed(2)
    return make(**arguments).eval()


@pytest.mark.parametrize(("make", "count"), [(raft_basic, 5_257_536), (raft_small, 990_162)])
def test_it_has_the_parameters_of_the_paper(make, count) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in make().parameters()) == count


@pytest.mark.parametrize("make", [raft_basic, raft_small])
def test_each_pair_has_its_own_flow_at_both_sizes(make, pair) -> None:
    network = _made(make)
    with torch.no_grad():
        both = network(*pair, iterations=2, every=True)
        alone = network(pair[0][1:], pair[1][1:], iterations=2)
    assert both.flow.shape == (2, 2, 72, 88)
    assert both.low.shape == (2, 2, 9, 11)
    assert len(both.every) == 2
    torch.testing.assert_close(both.flow[1:], alone.flow, rtol=1e-4, atol=1e-4)


def test_a_start_is_where_the_iterations_begin(pair) -> None:
    network = _made(raft_small)
    with torch.no_grad():
        assert torch.equal(
            network(*pair, iterations=1, start=torch.zeros(2, 2, 9, 11)).low, network(*pair, iterations=1).low
        )
        shifted = network(*pair, iterations=1, start=torch.full((2, 2, 9, 11), 50.0)).low
    assert float((shifted - 50).abs().max()) < 25


@pytest.mark.parametrize("make", [raft_basic, raft_small])
@pytest.mark.parametrize("correlation", ["all_pairs", "on_the_fly"])
def test_gradients_reach_every_parameter_and_are_the_same_when_computed_again(make, correlation, pair) -> None:
    gradients = []
    for checkpoint in (False, True):
        network = _made(make, correlation=correlation, checkpoint=checkpoint).train()
        sum(flow.square().mean() for flow in network(*pair, iterations=2, every=True).every).backward()
        gradients.append({name: p.grad for name, p in network.named_parameters()})
        assert [name for name, gradient in gradients[-1].items() if gradient is None] == []
        counts = {int(v) for name, v in network.named_buffers() if name.endswith("num_batches_tracked")}
        assert counts <= {1}
    largest = max(float(gradient.abs().max()) for gradient in gradients[0].values())
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name], rtol=1e-3, atol=1e-6 * largest, msg=name)


def test_without_gradients_nothing_is_computed_again(pair, monkeypatch) -> None:
    monkeypatch.setattr("dyad.models.raft.checkpoint", lambda *_, **__: pytest.fail("computed again"))
    with torch.no_grad():
        _made(raft_small)(*pair, iterations=1)


def test_bfloat16_leaves_the_flow_in_float32_and_nearby(pair) -> None:
    network = _made(raft_small)
    with torch.no_grad():
        exact = network(*pair, iterations=2).flow
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(*pair, iterations=2).flow
    assert rough.dtype == torch.float32
    assert float((rough - exact).square().mean().sqrt()) < 0.2 * float(exact.square().mean().sqrt())


def test_it_says_which_images_it_takes(pair) -> None:
    network = _made(raft_small)
    with pytest.raises(ValueError, match="multiples of 8 px, got 88x71: pad"):
        network(pair[0][:, :, 1:], pair[1][:, :, 1:])
    with pytest.raises(ValueError, match="two images"):
        network(pair[0], pair[1][..., 8:])
    with pytest.raises(ValueError, match="one iteration or more"):
        network(*pair, iterations=0)
    with pytest.raises(ValueError, match="auto, all_pairs, on_the_fly, got 'sparse'"):
        raft_basic(correlation="sparse")


@pytest.mark.parametrize("mode", ["sintel", "kitti"])
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (9, 31)])
def test_padding_repeats_the_border_and_is_undone(mode, size) -> None:
    image = torch.rand(1, 3, size[1], size[0])
    padding = Padding(size, mode=mode)
    padded = padding.pad(image)
    assert padded.shape[-1] % 8 == padded.shape[-2] % 8 == 0
    assert torch.equal(padding.crop(padded), image)
    assert torch.equal(padded[..., 0, 0], image[..., 0, 0])
    assert torch.equal(padded[..., -1, -1], image[..., -1, -1])
    if mode == "kitti":
        assert torch.equal(padding.crop(padded)[..., -1, :], padded[..., -1, padding.amounts[0] :][..., : size[0]])


def test_padding_is_for_one_size() -> None:
    with pytest.raises(ValueError, match=r"\(16, 24\)"):
        Padding((16, 24)).pad(torch.zeros(1, 3, 16, 24))
    with pytest.raises(ValueError, match="sintel or kitti"):
        Padding((16, 24), mode="middle")


def test_a_moving_square_takes_its_flow_along() -> None:
    flow = torch.zeros(1, 2, 12, 16)
    flow[:, 0, 4:8, 3:6] = 5.0
    carried = warm_start(flow)
    assert (carried[0, 0, 4:8, 8:11] == 5).all()
    assert (carried[0, 0, :, :3] == 0).all()
    assert (carried[0, 1] == 0).all()


def test_a_flow_that_leaves_the_image_starts_nothing() -> None:
    assert not warm_start(torch.full((2, 2, 6, 7), 100.0)).any()
    constant = torch.full((1, 2, 6, 7), 1.0)
    assert torch.equal(warm_start(constant), constant)
