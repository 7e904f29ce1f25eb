"""The published fine-tuning of the flow network, through `PaperTuning`; by default its first step."""

import os
from pathlib import Path

import numpy as np
import torch

from dyad.core.flow import Flow
from dyad.core.skeleton import LSP14
from dyad.core.video import Video
from dyad.models.namings import adopt
from dyad.models.raft import RAFT_NAMINGS, raft_basic
from dyad.refinement.flow import PaperTuning
from dyad.refinement.moves import Moves
from dyad.stages.flow import NetworkFlow
from tests.parity.recipe import close, state_of

WHOLE = "DYAD_WHOLE_TUNING"


def test_losses_weights_statistics_and_flow_are_those_of_the_published_code(parity: Path) -> None:
    """All three epochs of the fixture with DYAD_WHOLE_TUNING=1, else one step on its first pair."""
    whole = bool(os.environ.get(WHOLE))
    fixture = state_of(parity, "bootstrap_finetune")
    network = raft_basic()
    adopt(network, fixture.state, RAFT_NAMINGS[0])
    images, joints = fixture.arrays["images"], fixture.tensor("joints2d")[:, None]
    if not whole:
        images, joints = images[:2], joints[:2]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    moves = Moves(first=joints[:-1], second=joints[1:], skeleton=LSP14)
    count = len(moves)
    given = [Flow(torch.zeros(2, *images.shape[1:3]))] * count
    tuning = PaperTuning.released(epochs=3 if whole else 1)
    tuned = tuning(NetworkFlow(network, iterations=20), Video(images, fps=10.0), moves, given)
    state = tuned.estimator.network.state_dict()  # ty: ignore
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    bound = 20 * fixture.meta["float32_vs_float64"]["losses"]["max_abs"]
    stored = fixture.arrays["losses"][: 3 if whole else 1, :count]
    assert np.abs(np.array(tuned.losses).reshape(stored.shape) - stored).max() < (bound if whole else 1e-3)
    counted = int(state["context.norm1.num_batches_tracked"]) - int(before["context.norm1.num_batches_tracked"])
    assert counted == count * (1 + tuning.rounds)
    if not whole:
        return
    flow = torch.stack([each.uv for each in tuned.flows])
    close(flow.movedim(1, -1)[:, ::4, ::4], fixture, "flow_eval_after_part")
    close(state["context.norm1.running_mean"], fixture, "running_mean_after")
    close(state["context.norm1.running_var"], fixture, "running_var_after")
    close(state["update.head.conv2.bias"], fixture, "flow_head_bias_after")
    close(state["upsampling.mask.2.bias"][:64], fixture, "mask_bias_after_part")
