"""The published networks: losses that know the truth, schedules, and tiny trainings on trees in the real layout."""

import json
from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.skeleton import BODY17
from dyad.models.bottomup import BottomUpMaps
from dyad.models.checkpoints import Checkpoint
from dyad.models.higherhrnet import Stages
from dyad.models.joints import BODY17 as BODY
from dyad.models.joints import TB14
from dyad.models.tcn import RootTCN
from dyad.training import published_branches as branches
from dyad.training import published_lifting as lifting
from dyad.training.loop import LOG
from dyad.training.published_images import DEPTH_FOCAL, BranchBatches, image_batches, pictures, split
from dyad.training.published_loss import BranchLoss, at_joints, depth_loss, heat_loss, tag_loss
from dyad.training.published_recipes import BRANCHES, SEQUENCES, Stepped
from dyad.training.published_sequences import Windows, motion

from . import data_sets

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for make in (data_sets.coco, data_sets.muco, data_sets.human36m, data_sets.jta):
        make(folder / make.__name__)
    return folder


@pytest.fixture(scope="module")
def gcn(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("gcn")
    outcome = lifting.train_preset("gcn", output, "tiny", {"data": data}, device="cpu", log_every=2)
    assert outcome.step == 4
    assert outcome.metrics["mm"] > 0
    return output / "gcn.safetensors"


def test_the_schedules_are_the_published_ones() -> None:
    paper = BRANCHES["bottomup"]["paper"]
    how = paper.for_data(80)
    assert (how.steps, how.weight_decay, how.averaging) == (500, 0, 0)
    rates = [how.rate_at(step) for step in (0, 299, 300, 399, 400, 499)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])
    # Eight processes take eight times as much a step.
    assert paper.for_data(80, 8).steps == 63
    how = SEQUENCES["gcn"]["paper"].for_data(1024)
    assert [how.rate_at(step) for step in (0, 39, 40, 79, 80, 99)] == pytest.approx(
        [1e-3] * 2 + [1e-4] * 2 + [1e-5] * 2
    )
    assert paper.with_(steps=7).for_data(10**6).steps == 7
    assert paper.with_(epochs=1).for_data(80).steps == 10
    assert Stepped(3).rate_at(2) == Stepped(3).rate
    for recipe in (*BRANCHES["topdown"].values(), *BRANCHES["bottomup"].values(), *SEQUENCES["tcn"].values()):
        assert json.loads(json.dumps(recipe.to_json())) == recipe.to_json()


def test_heat_and_depth_cost_what_equations_1_and_2_say() -> None:
    maps = torch.rand(2, 3, 4, 5)
    told = torch.tensor([[True, True, True], [True, True, False]])
    assert heat_loss(maps, maps, told) == 0
    off = maps.clone()
    off[0, 1, 2, 3] += 2.0
    off[1, 2] += 9.0  # Nobody tells where that joint is.
    assert float(heat_loss(off, maps, told)) == pytest.approx(4 / 20 / 5)
    truth = torch.tensor([[[4.0, 0.3, torch.nan]]])
    known = truth.isfinite()
    assert float(depth_loss(torch.tensor([[[4.5, 0.1, 8.0]]]), truth, known)) == pytest.approx((0.25 + 0.04) / 2)
    assert float(depth_loss(torch.ones(1, 1, 3), truth, torch.zeros_like(known))) == 0


def test_tags_are_alike_in_one_person_and_not_in_two() -> None:
    known = torch.ones(1, 2, 3, dtype=torch.bool)
    far = torch.tensor([[[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]]])
    assert float(tag_loss(far, known)) < 1e-6
    assert float(tag_loss(torch.ones(1, 2, 3), known)) == pytest.approx(0.5)
    spread = torch.tensor([[[0.0, 1.0, 2.0], [9.0, 9.0, 9.0]]])
    assert float(tag_loss(spread, known)) == pytest.approx(2 / 3 / 2)
    # A person of whom nothing is seen, and tags of joints that are not, do not count.
    spread[0, 1] = 1.0
    known[0, 1], known[0, 0, 2] = False, False
    assert float(tag_loss(spread, known)) == pytest.approx(0.25)
    assert float(tag_loss(spread, torch.zeros_like(known))) == 0


def test_maps_are_read_where_the_joints_are() -> None:
    maps = torch.arange(2 * 4 * 4.0).view(1, 2, 4, 4)
    xy = torch.tensor([[[[0.0, 0.0], [torch.nan] * 2], [[7.4, 3.6], [5.0, 7.0]]]])
    assert at_joints(maps, xy, 8).tolist()[0][1] == [8.0 + 3, 16.0 + 14]
    assert float(at_joints(maps, xy, 8)[0, 0, 0]) == 0


def test_pictures_of_both_sets_come_as_the_recipe_says(data: Path, tmp_path: Path) -> None:
    recipe = BRANCHES["bottomup"]["tiny"]
    found = pictures(data, recipe, depth=True)
    assert len(found) == 2 * 4 + 4
    coco, muco = found[0], found[-1]
    assert coco.xyz.isnan().all()
    assert muco.xyz[:, BODY17.indices(*TB14)].isfinite().all()
    assert not muco.told[BODY17.index("nose")]
    assert coco.told.all()
    # The crowd is blotted out, and only it.
    image = coco.still().image
    x, y, width, height = (int(v) for v in data_sets.CROWD)
    inside = image[:, y : y + height, x : x + width]
    assert (inside == inside[0, 0, 0]).all()
    assert image[:, :y].float().std() > 30
    learnt, judged = split(found, 4)
    assert len(learnt) + len(judged) == 12
    assert {p.path for p in learnt}.isdisjoint(p.path for p in judged)
    with pytest.raises(BadInput, match="MuCo"):
        pictures(tmp_path, recipe, depth=True)
    with pytest.raises(BadInput, match="no images of people"):
        pictures(tmp_path, recipe, depth=False)


def test_a_batch_says_where_everybody_is_and_the_truth_costs_nothing(data: Path) -> None:
    recipe = BRANCHES["bottomup"]["tiny"].with_(batch=4)
    found = pictures(data, recipe, depth=True)
    source = BranchBatches(found, recipe, TB14, (2,))
    batch = source[3]
    again = next(image_batches(BranchBatches(found, recipe, TB14, (2,)), 1, 0, 3))
    assert all(torch.equal(value.nan_to_num(), again[name].nan_to_num()) for name, value in batch.items())
    batch = {name: torch.cat([source[step][name] for step in range(6)]) for name in batch}
    known = batch["confidence"] > 0
    assert known.any()
    depth = batch["depth"][known & batch["depth"].isfinite()]
    assert len(depth)
    # COCO tells no depth.
    assert (known & batch["depth"].isnan()).any()
    # Of a reach in px at a depth: a person of 1 m reach, z away, is f / z px large in the cutting.
    root = batch["depth"][..., 0][known[..., 0] & batch["depth"][..., 0].isfinite()]
    assert (root > 2 * DEPTH_FOCAL / 1000).all()
    tags = torch.zeros(len(batch["xy"]), 14, 32, 32)
    maps = BottomUpMaps(batch["heat.2"].float(), tags[..., None], tags[:, :1], tags[:, 1:])
    told = BranchLoss(recipe, depth=True).of(maps, batch)
    assert float(told["heat"]) == 0
    # Depth maps of nothing are off by all of it.
    assert float(told["depth"]) == pytest.approx(float(depth.square().mean()), rel=1e-4)


def test_an_image_without_depth_teaches_no_depth(data: Path, tmp_path: Path) -> None:
    recipe = BRANCHES["topdown"]["tiny"]
    (tmp_path / "coco").symlink_to(data / "coco")
    batch = BranchBatches(pictures(tmp_path, recipe, depth=False), recipe, BODY, (4, 2))[0]
    maps = torch.zeros(2, 17, 32, 32, requires_grad=True)
    drawn = BottomUpMaps(maps * 0, maps[..., None] * 0, maps[:, :1], maps[:, 1:])
    BranchLoss(recipe, depth=True).of(drawn, batch)["depth"].backward()
    assert maps.grad is None or float(maps.grad.abs().max()) == 0
    heats = batch["heat.4"].float(), batch["heat.2"].float()
    assert float(BranchLoss(recipe, depth=False).of(Stages(heats, torch.zeros(2, 17, 16, 16)), batch)["heat"]) == 0


@pytest.mark.parametrize(("kind", "weights"), [("topdown", "higherhrnet-w32"), ("bottomup", "bottom-up")])
def test_a_tiny_branch_is_trained_and_rebuilt(data: Path, tmp_path: Path, kind: branches.Branch, weights: str) -> None:
    outcome = branches.train_preset(kind, tmp_path, "tiny", {"data": data}, device="cpu", workers=0, log_every=1)
    assert outcome.step == 2
    assert outcome.metrics["heat"] > 0
    assert ("depth" in outcome.metrics) == (kind == "bottomup")
    checkpoint = Checkpoint.load(tmp_path / f"{weights}.safetensors")
    assert checkpoint.build().state_dict().keys() == outcome.network.state_dict().keys()
    assert checkpoint.about["command"] == f"dyad train {kind} --preset tiny --data {data.name}"
    rates = [json.loads(line).get("rate") for line in (tmp_path / LOG).read_text().splitlines()]
    assert rates[:2] == pytest.approx([1e-3, 1e-4])


def test_windows_end_where_the_sequence_ends_and_say_the_truth(data: Path) -> None:
    learnt, judged = motion(data, ("human36m", "jta"), held_out=4)
    # Eight sequences of Human3.6M and four people of JTA, four frames each.
    assert len(learnt) + len(judged) == 12 * 4
    recipe = SEQUENCES["root"]["tiny"]
    windows = Windows(learnt, recipe.noise, 6, 9, 0, CPU)
    rows = torch.tensor([0, 3, len(learnt) - 1])
    batch = windows.of(rows, 0)
    xyz = learnt.xyz[rows]
    assert torch.equal(batch["pose"], xyz - xyz[:, :1])
    assert batch["root"].tolist() == pytest.approx((xyz[:, 0, 2] / learnt.focal[rows, 0]).tolist())
    assert not batch["told"][2, BODY17.index("nose")]
    assert (batch["confidence"][2, :, BODY17.index("nose")] == 0).all()
    seen = (xyz[..., :2] / xyz[..., 2:] * learnt.focal[rows, None] + learnt.centre[rows, None]).float()
    off = (batch["xy"][:, 4] - seen).norm(dim=-1)[batch["confidence"][:, 4] > 0.5]
    assert float(off.median()) < 20
    first, second = (next(windows(7)) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["tcn", "root"])
def test_tcns_learn_after_a_gcn(data: Path, gcn: Path, tmp_path: Path, kind: lifting.Kind) -> None:
    changes = {"data": data, "gcn": str(gcn), "on": "human36m,jta"}
    outcome = lifting.train_preset(kind, tmp_path, "tiny", changes, device="cpu")
    assert set(outcome.metrics) == {"step", "loss", "mm" if kind == "tcn" else "percent"}
    name = lifting.name_of(SEQUENCES[kind]["tiny"])
    network = Checkpoint.load(tmp_path / f"{name}.safetensors").build()
    # What was trained on single windows runs over whole sequences.
    if isinstance(network, RootTCN):
        assert network(torch.zeros(1, 20, 17, 5), padded=True).shape == (1, 20)
    else:
        assert network(torch.zeros(1, 20, 17, 3), padded=True).shape == (1, 20, 17, 3)


def test_on_one_data_set_after_another(data: Path, gcn: Path, tmp_path: Path) -> None:
    changes = {"data": data, "on": "jta", "start": gcn, "rate": 1e-9}
    outcome = lifting.train_preset("gcn", tmp_path, "tiny", changes, device="cpu")
    before = Checkpoint.load(gcn).tensors
    for name, value in outcome.network.state_dict().items():
        assert value == pytest.approx(before[name].float(), abs=1e-6)
    with pytest.raises(BadUsage, match="root-tcn-3d"):
        lifting.train_preset(
            "root", tmp_path / "r", "tiny", {"data": data, "gcn": str(gcn), "start": gcn}, device="cpu"
        )


def test_what_makes_no_sense_is_refused(data: Path, gcn: Path, tmp_path: Path) -> None:
    for train in (lifting.train_preset, branches.train_preset):
        with pytest.raises(BadUsage, match="--data"):
            train("gcn" if train is lifting.train_preset else "topdown", tmp_path, "tiny", {})  # ty: ignore
    with pytest.raises(BadUsage, match="--gcn"):
        lifting.train_preset("tcn", tmp_path, "tiny", {"data": data}, device="cpu")
    with pytest.raises(MissingWeights):
        lifting.train_preset("tcn", tmp_path, "tiny", {"data": data, "gcn": "nobody"}, device="cpu")
    with pytest.raises(BadUsage, match="--on"):
        lifting.train_preset("gcn", tmp_path, "tiny", {"data": data, "on": "kitti"}, device="cpu")
    with pytest.raises(BadInput, match="no folder human36m"):
        lifting.train_preset("gcn", tmp_path, "tiny", {"data": tmp_path}, device="cpu")
    with pytest.raises(BadUsage, match="middle"):
        SEQUENCES["tcn"]["tiny"].with_(frames=8)
    with pytest.raises(BadUsage, match="seed"):
        BRANCHES["topdown"]["tiny"].with_(seed=2**31)
