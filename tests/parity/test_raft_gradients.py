import pytest
from torch.nn import functional as F

from dyad.models.namings import adopt
from dyad.models.raft import RAFT_NAMINGS, raft_basic
from tests.parity.raft_checks import images
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity) -> Fixture:
    return state_of(parity, "raft_gradients")


WAYS = [("all_pairs", True), ("all_pairs", False), ("on_the_fly", True)]


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize(("correlation", "checkpoint"), WAYS)
def test_loss_gradients_and_statistics_are_the_originals(fixture, mode, correlation, checkpoint) -> None:
    network = raft_basic(correlation=correlation, checkpoint=checkpoint).train(mode == "train")
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    found = network(*images(fixture), iterations=4).flow
    target = fixture.tensor("target").repeat_interleave(8, 2).repeat_interleave(8, 3)
    loss = F.smooth_l1_loss(found, target)
    loss.backward()
    close(loss, fixture, f"{mode}_loss")
    close(found[..., ::4, ::4], fixture, f"{mode}_flow_part")
    parameters = dict(network.named_parameters())
    names = [name.partition(":")[2] for name in fixture.arrays if name.startswith(f"{mode}_grad:")]
    assert names
    for theirs in names:
        # The original lists the norm of the shortcut by its other name.
        ours = RAFT_NAMINGS[0].ours(theirs.replace("0.norm3.", "0.downsample.1."))
        assert ours is not None
        gradient = parameters[ours].grad
        assert gradient is not None
        close(gradient[:, ::4] if gradient.dim() == 4 else gradient, fixture, f"{mode}_grad:{theirs}")
    if mode == "train":
        close(network.context.norm1.running_mean, fixture, "train_running_mean")
        close(network.context.norm1.running_var, fixture, "train_running_var")
        assert int(network.context.norm1.num_batches_tracked) == 1


def test_batch_statistics_of_the_wrong_mode_are_noticed(fixture) -> None:
    network = raft_basic().eval()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    found = network(*images(fixture), iterations=1).flow
    with pytest.raises(AssertionError, match="train_flow_part: off by"):
        close(found[..., ::4, ::4], fixture, "train_flow_part")
