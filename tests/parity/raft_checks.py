"""What the parity tests of the flow networks share."""

import torch
from torch import Tensor

from dyad.models.raft import RAFT, Estimate
from dyad.models.raft_update import Unaggregated
from tests.parity.recipe import Fixture, close


def images(fixture: Fixture) -> tuple[Tensor, Tensor]:
    """The pair, from 0..255 to 0..1."""
    return fixture.tensor("image1") / 255, fixture.tensor("image2") / 255


@torch.no_grad()
def flow(
    network: RAFT, fixture: Fixture, iterations: int, *, start: str | None = None, every: bool = False
) -> Estimate:
    first, second = images(fixture)
    given = None if start is None else fixture.tensor(start)
    return network(first, second, iterations=iterations, start=given, every=every)


@torch.no_grad()
def check_parts(network: RAFT, fixture: Fixture) -> None:
    """Features, products, motion, state and first step, in the order in which one makes the other."""
    first, second = (2 * image - 1 for image in images(fixture))
    one, two, encoded = network.features(first), network.features(second), network.context(first)
    hidden, context = network.split(encoded)
    look = network.correlation(one, two)
    low = torch.zeros(1, 2, *one.shape[2:])
    grid = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in one.shape[:1:-1]), indexing="xy"))[None]
    products = look(grid)
    motion = network.update.motion(products, low)
    aggregate = network.aggregator(context)
    hidden, change = network.update(hidden, products, low, network.update.fixed(context), aggregate)
    seen = {
        "motion_iter0_part": motion,
        "hidden_iter0_part": hidden[:, :12],
        "delta_iter0": change,
    }
    if isinstance(network.aggregator, Unaggregated):
        seen["motion_iter0_part"] = torch.cat((motion[:, :6], motion[:, -4:]), 1)
        after_two = flow(network, fixture, 2).low
        seen["feature1_part"], seen["feature2_part"] = one[:, :24], two[:, :8]
        seen["context_raw_part"] = torch.cat((encoded[:, :12], encoded[:, -12:]), 1)
        seen["corr_iter0_part"] = products[..., 1::4, 1::5]
        seen["corr_iter2_part"] = look(grid + after_two)[..., 1::4, 1::5]
    else:
        seen["motion_iter0_part"] = motion[:, :12]
        both = aggregate(motion)
        seen["global_motion_iter0_part"] = (both[:, motion.shape[1] :] - motion)[:, :12]
    if "mask_iter0_part" in fixture.arrays:
        seen["mask_iter0_part"] = network.upsampling.logits(hidden)[..., 1::4, 1::5]
    for name, value in seen.items():
        close(value, fixture, name)
