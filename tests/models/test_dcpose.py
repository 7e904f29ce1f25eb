import pytest
import torch

from dyad.models.dcpose import DCPose, dcpose


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def consecutive() -> DCPose:
    torch.manual_seed(2)
    network = dcpose(width=4, joints=3, dilations=(1, 2), difference=6, combined=8)
    for module in network.modules():
        # With channels as few as these, some would be negative everywhere and pass nothing on.
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.bias)
    return network.eval()


def frames(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return images, images.roll(2, -1), images.roll(-3, -1)


def test_frames_are_refined_each_alone_and_every_parameter_takes_part(consecutive, images) -> None:
    now, before, after = frames(images)
    found = consecutive(now, before, after, distances=torch.tensor([[1, 1], [1, 3]]))
    assert found.heatmaps.shape == (2, 3, 16, 8)
    assert found.rough.shape == (3, 2, 3, 16, 8)
    alone = consecutive(now[1:], before[1:], after[1:], distances=torch.tensor([[1, 3]]))
    torch.testing.assert_close(found.heatmaps[1:], alone.heatmaps, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(found.rough[1], consecutive.rough(before), rtol=1e-4, atol=1e-6)
    found.heatmaps.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in consecutive.parameters())
    still = [name for name, p in consecutive.named_parameters() if not p.grad.abs().sum() > 0]
    assert still == []


def test_the_nearer_neighbour_weighs_more(consecutive, images) -> None:
    """What the support network is given: the frame itself, and its neighbours by the distance of the other one."""
    given: list[torch.Tensor] = []
    consecutive.support.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    with torch.no_grad():
        found = consecutive(*frames(images), distances=torch.tensor([[1, 3], [0, 0]]))
    now, before, after = given[0].unflatten(1, (3, 3)).unbind(2)
    torch.testing.assert_close(now, found.rough[0])
    torch.testing.assert_close(before, found.rough[1] * torch.tensor([0.75, 0.5]).view(2, 1, 1, 1))
    torch.testing.assert_close(after, found.rough[2] * torch.tensor([0.25, 0.5]).view(2, 1, 1, 1))
    assert torch.isfinite(found.heatmaps).all()


def test_frames_that_do_not_fit_one_another_are_refused(consecutive, images) -> None:
    with pytest.raises(ValueError, match=r"distances \(N, 2\)"):
        consecutive(*frames(images), distances=torch.ones(2, 3))
    with pytest.raises(ValueError, match="of one shape"):
        consecutive(images, images[:1], images, distances=torch.ones(2, 2))
