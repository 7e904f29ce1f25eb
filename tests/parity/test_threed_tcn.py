"""The Joint-TCN against the original, in both forms."""

import pytest
import torch

from .recipe import close
from .threed import Watch, joint_tcn, thinned


@torch.no_grad()
def test_single_windows(parity) -> None:
    fixture, network = joint_tcn(parity, "strided")
    blocks = network.temporal.blocks
    first, early, last = (Watch(m) for m in (network.temporal.expand, blocks[0], blocks[-1]))
    windows = fixture.tensor("windows")
    close(network(windows.unflatten(-1, (-1, 3))), fixture, "output")
    for watch, name in ((first, "layer_c1_part"), (early, "layer_r1_part"), (last, "layer_r4_part")):
        close(thinned(watch.output, fixture.arrays[name]), fixture, name)


@torch.no_grad()
def test_a_sequence_at_once_is_its_windows_one_by_one(parity) -> None:
    fixture, network = joint_tcn(parity)
    close(network(fixture.tensor("sequence")[None])[0], fixture, "sequence_output")


@torch.no_grad()
def test_batch_statistics_do_not_pass(parity) -> None:
    fixture, network = joint_tcn(parity)
    with pytest.raises(AssertionError, match="off by"):
        close(network.train()(fixture.tensor("sequence")[None])[0], fixture, "sequence_output")
