"""The Root-TCN against the original, in both forms."""

import torch

from .recipe import close
from .threed import Watch, root_tcn, thinned


@torch.no_grad()
def test_single_windows(parity) -> None:
    fixture, network = root_tcn(parity, "strided")
    blocks = network.temporal.blocks
    first, early, last = (Watch(m) for m in (network.temporal.expand, blocks[0], blocks[-1]))
    windows = fixture.tensor("windows").unflatten(-1, (-1, network.dimensions))
    close(network(windows)[..., None, None], fixture, "output")
    for watch, name in ((first, "layer_c1_part"), (early, "layer_r1_part"), (last, "layer_r4_part")):
        close(thinned(watch.output, fixture.arrays[name]), fixture, name)


@torch.no_grad()
def test_a_sequence_at_once_is_its_windows_one_by_one(parity) -> None:
    fixture, network = root_tcn(parity)
    close(network(fixture.tensor("sequence")[None])[0], fixture, "sequence_output")
