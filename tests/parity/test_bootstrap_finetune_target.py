"""What the paper's code tunes its flow network to: flow in train mode, drawn over with the sketch of the pose."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.flow import Flow
from dyad.core.skeleton import LSP14
from dyad.core.video import Chunk
from dyad.models.namings import adopt
from dyad.models.raft import RAFT_NAMINGS, raft_basic
from dyad.refinement.moves import Moves
from dyad.refinement.target_paper import ReleasedSketch
from dyad.stages.flow import NetworkFlow
from tests.parity.recipe import Fixture, close, state_of


@pytest.fixture(scope="module")
def fixture(parity: Path) -> Fixture:
    return state_of(parity, "bootstrap_finetune")


@pytest.fixture(scope="module")
def estimator(fixture: Fixture) -> NetworkFlow:
    network = raft_basic()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    return NetworkFlow(network, iterations=20, batch=1)


def pairs(fixture: Fixture) -> tuple[Chunk, Chunk]:
    images = fixture.arrays["images"]
    count = len(images) - 1
    return tuple(
        Chunk(np.arange(count) + k, np.arange(count) / 10, images[k : k + count], np.zeros(count, bool)) for k in (0, 1)
    )


def part(uv: Tensor) -> Tensor:
    return uv.movedim(1, -1)[:, ::4, ::4]


def test_flow_in_both_modes_and_the_target(fixture: Fixture, estimator: NetworkFlow) -> None:
    first, second = pairs(fixture)
    close(part(estimator(first, second).uv), fixture, "flow_eval_before_part")
    tuned = estimator.copy()
    tuned.network.train()
    with torch.no_grad():
        estimate = tuned(first, second)
    close(part(estimate.uv), fixture, "flow_train_mode_part")
    joints = fixture.tensor("joints2d")[:, None]
    target = ReleasedSketch()(Moves(first=joints[:-1], second=joints[1:], skeleton=LSP14), estimate.size)
    close(part(target.over(Flow(estimate.uv)).uv), fixture, "target_part")
    # Statistics of the copy moved with its three batches, those of the original did not.
    counts = [int(e.network.state_dict()["context.norm1.num_batches_tracked"]) for e in (tuned, estimator)]
    assert counts[0] - counts[1] == len(first)
