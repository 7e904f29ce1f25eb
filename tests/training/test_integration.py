import itertools
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dyad.core.errors import BadUsage, MissingWeights
from dyad.models.checkpoints import Checkpoint
from dyad.models.fusion import FusionNetwork
from dyad.models.integration import IntegrationNetwork
from dyad.training.branch_batches import BranchData, branch_batches
from dyad.training.integration import (
    PoseLoss,
    fuse,
    implausible,
    main,
    train_integration,
)
from dyad.training.integration_recipes import INTEGRATION, IntegrationRecipe, Stepped
from dyad.training.program import command_of
from dyad.training.recipes import recipe_of
from tests.training.troupes import troupe

DATA = BranchData(scenes=2, frames=6, people=(2, 3), window=4)


def batch() -> dict[str, Tensor]:
    return next(branch_batches(troupe(), DATA, 0, 0))


@pytest.fixture
def stocked(tmp_path: Path) -> Path:
    for name in ("stock", "held"):
        troupe().save(tmp_path / f"{name}.npz")
    return tmp_path


def recipe(**changes: object) -> IntegrationRecipe:
    return recipe_of(INTEGRATION, "tiny", steps=4, data=DATA, **changes)


def test_batches_from_a_step_on_are_the_same_whenever_asked_for() -> None:
    ahead = list(itertools.islice(branch_batches(troupe(), DATA, 0, 0), 4))[3]
    again = next(branch_batches(troupe(), DATA, 0, 3))
    assert all(torch.equal(ahead[name].nan_to_num(), again[name].nan_to_num()) for name in ahead)
    other = next(branch_batches(troupe(), DATA, 1, 3))
    assert ahead["truth"].shape != other["truth"].shape or not torch.equal(ahead["truth"], other["truth"])


def test_neighbours_rows_point_at_each_other_in_one_scene() -> None:
    found = batch()
    row, frame = torch.nonzero(found["other_row"] >= 0, as_tuple=True)
    other = found["other_row"][row, frame]
    assert len(row)
    assert (other != row).all()
    apart = (found["truth"][row, frame, 0] - found["truth"][other, frame, 0]).norm(dim=-1)
    assert (apart < 6).all()


def test_estimates_are_left_out_whole_and_in_part() -> None:
    data = BranchData(scenes=4, frames=6, window=4, unpaired=1.0, masked=0.0)
    poses = next(branch_batches(troupe(), data, 0, 0))["poses"]
    there = torch.isfinite(poses).all((1, 3, 4))
    assert (there.sum(-1) <= 1).all()
    data = BranchData(scenes=4, frames=6, window=4, unpaired=0.0, masked=0.5)
    masked = torch.isnan(next(branch_batches(troupe(), data, 0, 0))["poses"][..., 0])
    assert masked.any()
    assert not masked.all()


def test_the_loss_of_the_truth_is_none_and_each_part_counts() -> None:
    found = batch()

    class Says(torch.nn.Module):
        def __init__(self, xyz: Tensor) -> None:
            super().__init__()
            self.blocks, self.xyz = (), xyz

        def forward(self, *_: Tensor) -> tuple[Tensor, Tensor]:
            return self.xyz, torch.ones_like(self.xyz)

    loss = PoseLoss(recipe())
    truth = found["truth"]
    exact = loss(Says(truth), found)
    assert exact["pose"] < 2e-4
    assert exact["depth"] < 1e-5
    further = loss(Says(truth * 1.1), found)
    assert further["depth"].item() == pytest.approx(0.0953, abs=1e-3)
    assert further["aside"] < 1e-3
    bent = truth.clone()
    bent[:, :, 3, 0] += 0.17
    assert loss(Says(bent), found)["pose"].item() == pytest.approx(0.01, abs=1e-3)


def test_it_trains_and_writes_weights(stocked: Path) -> None:
    outcome = train_integration(stocked, recipe(), device="cpu", command="dyad train integration", log_every=2)
    assert outcome.step == 4
    found = Checkpoint.load(stocked / "fusion.safetensors")
    assert isinstance(found.build(), FusionNetwork)
    assert found.about["command"] == "dyad train integration"
    assert {"pck", "pck_first", "pck_mean"} <= set(found.about["metrics"])
    assert str(stocked) not in json.dumps(found.about)
    with pytest.raises(BadUsage, match="another training"):
        train_integration(stocked, recipe(rate=1e-5), device="cpu")


def test_the_papers_network_and_schedule() -> None:
    paper = INTEGRATION["paper"]
    assert isinstance(paper.optimisation, Stepped)
    steps = paper.optimisation.steps
    rates = [paper.optimisation.rate_at(k) for k in (0, steps // 3 - 1, steps // 3, 2 * steps // 3, steps - 1)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5, 1e-5])
    assert paper.arguments == {"layers": 5, "width": 512}
    given = next(branch_batches(troupe(), BranchData(scenes=2, frames=4, window=2), 0, 0))
    found, sigma = fuse(IntegrationNetwork(width=8), given)
    assert sigma is None
    assert found.shape == given["truth"].shape


def test_commands_and_recipes() -> None:
    assert command_of("integration", "laptop", steps=9, motions=Path("/home/me/mocap"), rate=None) == (
        "dyad train integration --preset laptop --steps 9 --motions mocap"
    )
    with pytest.raises(BadUsage, match="presets"):
        recipe_of(INTEGRATION, "huge")
    with pytest.raises(BadUsage, match="seed"):
        recipe_of(INTEGRATION, "tiny", seed=2**31)
    with pytest.raises(MissingWeights):
        implausible("nothing-of-this-name")
    assert implausible(None) is None


def test_the_module_reports_failures(stocked: Path) -> None:
    assert main(["-o", str(stocked), "--preset", "tiny", "--seed", str(2**31)]) == 2
