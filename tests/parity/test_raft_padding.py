import pytest
import torch

from dyad.models.namings import adopt
from dyad.models.padding import Padding
from dyad.models.raft import RAFT, RAFT_NAMINGS, raft_basic
from dyad.models.warm_start import warm_start
from tests.parity.raft_checks import images
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "raft_padding")


@pytest.fixture(scope="module")
def network(fixture) -> RAFT:
    network = raft_basic().eval()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    return network


@pytest.mark.parametrize("mode", ["sintel", "kitti"])
def test_images_of_any_size_are_padded_as_the_original_does(network, fixture, mode) -> None:
    first, second = images(fixture)
    padding = Padding((first.shape[-1], first.shape[-2]), mode=mode)
    assert list(padding.amounts) == fixture.arrays[f"{mode}_pad"].tolist()
    padded = padding.pad(first)
    assert list(padded.shape) == fixture.arrays[f"{mode}_padded_shape"].tolist()
    corners = torch.cat((padded[..., :8, :8], padded[..., -8:, -8:]), -1)
    torch.testing.assert_close(255 * corners, fixture.tensor(f"{mode}_padded_corner"), rtol=1e-6, atol=1e-4)
    with torch.no_grad():
        found = network(padded, padding.pad(second), iterations=4)
    close(found.low, fixture, f"{mode}_flow_low_4")
    close(padding.crop(found.flow), fixture, f"{mode}_flow_unpadded_4")


def test_a_flow_is_carried_along_as_the_original_does(fixture) -> None:
    found = warm_start(fixture.tensor("warm_in")[None])[0]
    assert torch.equal(found, fixture.tensor("warm_out"))
