from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.models.checkpoints import Checkpoint
from dyad.models.discriminators import InteractionDiscriminator, interaction_discriminator
from dyad.models.fusion import FusionNetwork
from dyad.stages.plausibility import penetration
from dyad.training.branch_batches import BranchData, branch_batches
from dyad.training.discriminator import DISCRIMINATOR, _area, train_discriminator
from dyad.training.pair_loss import Implausible, PairLoss, displaced, in_the_way, kept_clear, pairs_of
from dyad.training.program import command_of
from dyad.training.recipes import recipe_of
from dyad.training.unlabelled_integration import TABLE2, Unlabelled, easy_first, reprojection, weighed, without_labels
from tests.training.troupes import troupe

DATA = BranchData(scenes=3, frames=6, people=(2, 3), window=4, unpaired=0.0, masked=0.0)


def batch() -> dict[str, torch.Tensor]:
    return next(branch_batches(troupe(), DATA, 0, 0))


def small() -> InteractionDiscriminator:
    torch.manual_seed(0)
    return interaction_discriminator(width=8, layers=2)


def test_pairs_are_near_one_another_in_one_frame() -> None:
    found = batch()
    first, second, frame = pairs_of(found, near=1.5, every=2, offset=1)
    assert len(first)
    assert set(frame.tolist()) <= {1, 3, 5}
    roots = found["truth"][:, :, 0]
    assert ((roots[first, frame] - roots[second, frame]).norm(dim=-1) < 1.5).all()


def test_displaced_people_keep_their_pose_and_half_of_them_are_in_the_way() -> None:
    loss = PairLoss(near=3.0, every=1)
    torch.manual_seed(0)
    true, estimated, moved = loss.pairs(batch())
    assert len(estimated[0])
    lengths = [(pair[1] - pair[1][:, :1]).norm(dim=-1) for pair in (true, moved)]
    assert torch.allclose(*lengths, atol=1e-4)
    assert torch.allclose(moved[0], true[0])
    wrong, clear = in_the_way(moved), kept_clear(moved)
    assert 0 < len(wrong[0]) < len(moved[0])
    assert (penetration(*wrong) > 0.09).all()
    assert len(clear[0]) == 0 or (penetration(*clear) < 0.03).all()
    assert displaced(*true)[1].shape == true[1].shape


def test_the_loss_falls_and_poses_get_a_gradient() -> None:
    network, given = small(), batch()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    torch.manual_seed(0)
    losses = []
    for _ in range(15):
        loss = PairLoss(near=3.0, every=2)(network, given)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    pose = given["truth"].clone().requires_grad_(True)
    Implausible(network, near=3.0)(pose, given).backward()
    assert pose.grad is not None
    assert pose.grad.abs().sum() > 0
    assert all(parameter.grad is None or not parameter.requires_grad for parameter in network.parameters())


def test_without_a_pair_there_is_nothing_to_learn() -> None:
    given = batch()
    given["other_row"] = torch.full_like(given["other_row"], -1)
    assert PairLoss()(small(), given)["loss"] == 0
    assert Implausible(small())(given["truth"], given) == 0
    with pytest.raises(BadUsage):
        PairLoss()(torch.nn.Linear(1, 1), given)


def test_areas_under_curves() -> None:
    assert _area(torch.tensor([0.9, 0.8]), torch.tensor([0.1, 0.2, 0.3])) == 1
    assert _area(torch.tensor([0.1, 0.4]), torch.tensor([0.2, 0.3])) == 0.5


def test_it_trains_and_writes_weights(tmp_path: Path) -> None:
    for name in ("stock", "held"):
        troupe().save(tmp_path / f"{name}.npz")
    recipe = recipe_of(DISCRIMINATOR, "tiny", steps=3, data=DATA, near=3.0)
    outcome = train_discriminator(tmp_path, recipe, device="cpu", command="dyad train discriminator")
    assert outcome.step == 3
    assert isinstance(Checkpoint.load(tmp_path / "discriminator.safetensors").build(), InteractionDiscriminator)
    assert 0 <= outcome.metrics["auc_estimated"] <= 1
    assert command_of("discriminator", "tiny", steps=3, rate=None) == "dyad train discriminator --preset tiny --steps 3"
    with pytest.raises(BadUsage, match="presets"):
        recipe_of(DISCRIMINATOR, "huge")


def test_losses_without_labels_do_not_look_at_the_truth(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FusionNetwork(width=8, dilations=(1,))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    path = tmp_path / "d.safetensors"
    Checkpoint.of(small(), "discriminator", arguments={"width": 8, "layers": 2}).save(path)
    both = Unlabelled(reprojection=True, perspective=True, plausible=0.1)
    after = without_labels(network, both, steps=2, rate=1e-3, troupe=troupe(), discriminator=str(path))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in after.state_dict().items())
    assert not any(parameter.requires_grad for parameter in after.parameters())
    assert set(TABLE2) == {"labelled alone", "Rep", "MP", "Rep+dis", "Rep+MP+dis"}
    given = batch()
    there = torch.ones(given["truth"].shape[:2], dtype=torch.bool)
    seen = {**given, "rays": given["truth"][..., :2] / given["truth"][..., 2:]}
    told = (seen["ray_confidence"] > 0).any(-1)
    assert reprojection(given["truth"], there, seen).max() < 1e-3
    aside = reprojection(given["truth"] + torch.tensor((0.1, 0.0, 0.0)), there, seen)[told]
    torch.testing.assert_close(aside, torch.full_like(aside, 0.1), rtol=0.1, atol=1e-3)


def test_easy_pseudo_labels_count_more_at_first() -> None:
    error = torch.tensor(((0.05, 0.1), (0.2, torch.nan)))
    first, late = easy_first(error, 1), easy_first(error, 50)
    assert float(first.sum()) == pytest.approx(3, abs=1e-5)
    assert first[0, 0] > first[0, 1] > first[1, 0] > 0
    assert first[1, 1] == 0
    assert (late[torch.isfinite(error)] - 1).abs().max() < 0.05
    assert (easy_first(torch.full((2, 2), torch.nan), 1) == 0).all()


def test_a_student_that_says_what_the_teacher_says_pays_nothing() -> None:
    pose = torch.randn(2, 3, 17, 3)
    assert weighed(pose, pose, torch.ones(2, 3)) < 1e-3
    one = torch.zeros(2, 3)
    one[0, 0] = 1
    moved = pose.clone()
    moved[1] += 1 * torch.randn(17, 3)
    assert weighed(moved, pose, one) < 1e-3
    assert weighed(moved, pose, torch.ones(2, 3)) > 0.3
