"""The temporal block: two forms of one function, and which frames a result may see."""

import pytest
import torch

from dyad.models.temporal import TemporalModel, pad_edges


def model(seed: int = 0, **arguments) -> TemporalModel:
    torch.manual_seed(seed)
    return TemporalModel(4, 3, channels=8, **arguments).eval()


@pytest.mark.parametrize("kernels", [(3,), (3, 3, 3), (3, 5), (5, 3, 1)])
@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_both_forms_give_the_same_for_one_window(kernels, causal) -> None:
    dilated, strided = (model(kernels=kernels, causal=causal, form=form) for form in ("dilated", "strided"))
    strided.load_state_dict(dilated.state_dict())
    window = torch.randn(2, 4, dilated.receptive_field)
    assert torch.allclose(dilated(window), strided(window), atol=1e-6)


@torch.no_grad()
def test_a_sequence_is_its_windows() -> None:
    network = model(kernels=(3, 3))
    sequence = torch.randn(1, 4, 14)
    windows = torch.cat([sequence[..., t : t + 9] for t in range(6)])
    assert torch.allclose(network(sequence)[0].T, network(windows)[..., 0], atol=1e-6)


@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_padding_gives_each_frame_a_result_and_a_causal_one_sees_no_future(causal) -> None:
    network = model(kernels=(3, 3), causal=causal)
    sequence = torch.randn(1, 4, 20)
    changed = sequence.clone()
    changed[..., 12] += 1
    before, after = (network(pad_edges(s, *network.padding)) for s in (sequence, changed))
    assert before.shape[-1] == 20
    touched = torch.nonzero((before - after).abs().amax((0, 1)) > 1e-6).flatten().tolist()
    assert touched == (list(range(12, 20)) if causal else list(range(8, 17)))


@torch.no_grad()
def test_the_residual_is_about_the_frame_that_the_result_is_about() -> None:
    for causal, place in ((False, 4), (True, 8)):
        network = model(kernels=(3, 3), causal=causal)
        block = network.blocks[0]
        block.point.norm.weight.zero_()  # only the residual is left
        features = torch.randn(1, 8, 7)
        assert torch.equal(block(features)[0, :, 0], features[0, :, 6 if causal else 3])
        assert network.padding[0] == place


def test_gradients_reach_everything_and_slips_are_refused() -> None:
    network = model(kernels=(3, 3)).train()
    network(torch.randn(4, 4, 12)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    with pytest.raises(ValueError, match="at least 9 frames"):
        network(torch.randn(1, 4, 8))
    with pytest.raises(ValueError, match="expected features"):
        network(torch.randn(1, 5, 12))
    with pytest.raises(ValueError, match="odd"):
        TemporalModel(4, 3, kernels=(2,))
    with pytest.raises(ValueError, match="form"):
        TemporalModel(4, 3, form="Strided")
