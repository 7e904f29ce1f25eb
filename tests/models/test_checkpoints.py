"""Our checkpoints rebuild their networks; others' are recognised by names and shapes and taken whole or not at all."""

from pathlib import Path

import pytest
import torch
from torch import nn

from dyad.models import checkpoints, zoo
from dyad.models.checkpoints import Checkpoint, find_weights, import_original, shipped, stored
from dyad.models.namings import Naming, adopt, misfit
from dyad.models.weights import WeightsError
from dyad.models.zoo import Entry

THEIRS = Naming("somebody", (("^module\\.", ""), ("^fc", "layer")), (".*num_batches_tracked",))


class Small(nn.Module):
    def __init__(self, *, width: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(2, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layer(x))


class Other(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 4)


NAMINGS = (THEIRS,)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entries = {
        "other": Entry(f"{__name__}:Other", "nobody"),
        "small": Entry(f"{__name__}:Small", "nobody", {"width": 5}, "NAMINGS"),
    }
    monkeypatch.setattr(zoo, "ZOO", entries)
    monkeypatch.setattr("dyad.models.checkpoints.ZOO", entries)
    monkeypatch.setenv("DYAD_CACHE", str(tmp_path / "cache"))
    return tmp_path


def theirs(network: nn.Module) -> dict[str, torch.Tensor]:
    return {f"module.{n.replace('layer', 'fc')}": v for n, v in network.state_dict().items()}


def test_a_checkpoint_rebuilds_its_network(cache: Path) -> None:
    network = zoo.make("small", width=7).eval()
    network.norm.running_mean.uniform_()
    Checkpoint.of(network, "small", arguments={"width": 7}, metrics={"epe": 0.2}).save(cache / "a" / "s.safetensors")
    read = Checkpoint.load(cache / "a" / "s.safetensors")
    x = torch.randn(4, 2)
    assert torch.equal(read.build()(x), network(x))
    assert read.arguments == {"width": 7}
    assert read.about == {"metrics": {"epe": 0.2}}
    assert [p.name for p in (cache / "a").iterdir()] == ["s.safetensors"]


def test_an_original_is_recognised_and_kept(cache: Path) -> None:
    network = zoo.make("small")
    torch.save({"state_dict": theirs(network), "epoch": 9}, cache / "weights.pth")
    path, checkpoint = import_original(cache / "weights.pth", name="mine")
    assert (checkpoint.network, checkpoint.about["naming"]) == ("small", "somebody")
    assert stored() == {"mine": path}
    assert find_weights("mine") == path
    built = Checkpoint.load(path).build()
    assert torch.equal(built.layer.weight, network.layer.weight)
    assert len(checkpoint.about["sha256"]) == 64


def test_what_does_not_fit_is_said_in_one_sentence(cache: Path) -> None:
    state = theirs(zoo.make("small"))
    state["module.fc.weight"] = torch.zeros(9, 2)
    del state["module.norm.bias"]
    torch.save(state, cache / "w.pth")
    with pytest.raises(WeightsError) as caught:
        import_original(cache / "w.pth")
    said = str(caught.value)
    assert "nearest is small" in said
    assert "norm.bias" in said
    assert "layer.weight: expected (5, 2), got (9, 2)" in said
    assert "\n" not in said
    assert stored() == {}


def test_the_name_of_a_network_takes_only_that_network(cache: Path) -> None:
    torch.save(theirs(zoo.make("small")), cache / "w.pth")
    with pytest.raises(WeightsError, match="other"):
        import_original(cache / "w.pth", name="other")
    assert import_original(cache / "w.pth", name="small")[0].stem == "small"


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden", "x" * 99])
def test_names_that_are_no_names_are_refused(cache: Path, name: str) -> None:
    torch.save(theirs(zoo.make("small")), cache / "w.pth")
    with pytest.raises(WeightsError, match="name for weights"):
        import_original(cache / "w.pth", name=name)


def test_files_of_others_and_damaged_ones_are_refused(cache: Path) -> None:
    from safetensors.torch import save_file

    path = cache / "w.safetensors"
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="no checkpoint of Dyad"):
        Checkpoint.load(path)
    Checkpoint("unheard-of", {"a": torch.ones(1)}).save(path)
    with pytest.raises(WeightsError, match="does not know"):
        Checkpoint.load(path)
    Checkpoint.of(zoo.make("small"), "small").save(path)
    whole = path.read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError):
            Checkpoint.load(path)
    with pytest.raises(WeightsError, match="there are no weights"):
        find_weights("nobody")


def test_adopting_is_strict(cache: Path) -> None:
    network = zoo.make("small")
    state = theirs(network)
    adopt(network, state, THEIRS)
    assert misfit(network, network.state_dict()) is None
    with pytest.raises(WeightsError, match="extra"):
        adopt(network, state | {"module.extra": torch.ones(1)}, THEIRS)
    with pytest.raises(WeightsError, match=r"would be 'layer\.bias'"):
        adopt(network, state | {"fc.bias": torch.ones(5)}, THEIRS)


def test_shipped_weights_are_found_by_name_and_the_name_is_theirs(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Checkpoint.of(zoo.make("small"), "small").save(cache / "package" / "ours.safetensors")
    monkeypatch.setattr(checkpoints, "SHIPPED", cache / "package")
    assert shipped() == {"ours": cache / "package" / "ours.safetensors"}
    assert find_weights("ours") == shipped()["ours"]
    assert stored() == {}
    torch.save(theirs(zoo.make("small")), cache / "w.pth")
    with pytest.raises(WeightsError, match="come with Dyad"):
        import_original(cache / "w.pth", name="ours")


def test_everything_shipped_can_be_built_says_its_licence_and_is_small() -> None:
    files = shipped().values()
    assert sum(path.stat().st_size for path in files) < 20e6
    for path in files:
        checkpoint = Checkpoint.load(path)
        checkpoint.build()
        assert checkpoint.about["licence"] == "Apache-2.0"
        assert checkpoint.about["command"].startswith("dyad train ")
