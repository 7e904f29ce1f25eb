from dyad.models.namings import adopt
from dyad.models.raft import RAFT_NAMINGS, raft_basic
from tests.parity.raft_checks import flow
from tests.parity.recipe import close, state_of


def test_its_checkpoint_loads_and_its_flow_is_the_same(parity) -> None:
    fixture = state_of(parity, "torchvision_raft_large")
    network = raft_basic().eval()
    adopt(network, fixture.state, RAFT_NAMINGS[1])
    found = flow(network, fixture, 12, every=True).every
    close(found[11], fixture, "flow_up_12")
    close(found[1], fixture, "flow_up_2")


def test_both_namings_name_the_same_tensors(parity) -> None:
    fixture = state_of(parity, "torchvision_raft_large")
    for official, theirs in fixture.meta["official_to_torchvision"].items():
        ours = None if theirs is None else RAFT_NAMINGS[1].ours(theirs)
        assert RAFT_NAMINGS[0].ours(f"module.{official}") == ours
