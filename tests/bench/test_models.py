"""The measuring of networks: what is measured, that memory is the network's own, and that every network has a size."""

import json

import pytest
import torch
from torch.utils._pytree import tree_leaves

from dyad.bench.model_sizes import SIZES, size_of
from dyad.bench.models import bench_models, table
from dyad.core.errors import BadUsage
from dyad.models.zoo import ZOO, make


def test_every_network_has_a_size() -> None:
    assert [name for name in ZOO if not (size_of(name).shapes or size_of(name).others())] == []
    assert size_of("root-tcn-3d") is SIZES["root-tcn-3d"]
    assert size_of("hrnet-w99") is SIZES["hrnet"]
    with pytest.raises(BadUsage, match="no size is stated for the network 'hrnetto'"):
        size_of("hrnetto")


@pytest.mark.parametrize(
    "name", [n for n in ZOO if not n.startswith(("hrnet", "higher", "bottom", "dcpose", "raft", "gma"))]
)
def test_networks_take_their_sizes(name) -> None:
    with torch.device("meta"):
        inputs, named = size_of(name).inputs(torch.device("meta"))
        make(name).eval()(*inputs, **named)


def test_one_network_is_measured() -> None:
    scores = bench_models(["videopose3d-81", "adaptation"], repeats=1, threads=1)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    tiny, large = scores["networks"]["adaptation"], scores["networks"]["videopose3d-81"]
    assert tiny["parameters"] == sum(p.numel() for p in make("adaptation").parameters())
    assert tiny["shapes"] == [[64, 3, 17]]
    assert min(tiny["forward"]["ms"], tiny["backward"]["ms"]) > 0
    if large["forward"]["peak_mb"] is not None:
        weights = 4 * large["parameters"] / 1e6
        assert weights < large["forward"]["peak_mb"] < 2 * weights + 100
        assert large["backward"]["peak_mb"] > 1.9 * weights
        assert tiny["forward"]["peak_mb"] < 100
    lines = table(scores).splitlines()
    assert len(lines) == 3
    assert f"{tiny['parameters']:,}" in lines[2]


def test_slips_are_told(monkeypatch) -> None:
    with pytest.raises(BadUsage, match="no networks nothing"):
        bench_models(["nothing"])
    with pytest.raises(BadUsage, match="at least once"):
        bench_models(["adaptation"], repeats=0)
    monkeypatch.setattr("dyad.bench.models._ONE", "raise SystemExit('broken')")
    found = bench_models(["adaptation"])
    assert found["networks"]["adaptation"]["forward"] == {"error": "broken"}
    assert "-" in table(found)


def test_all_that_a_network_takes_is_made_on_its_device() -> None:
    for name in SIZES:
        inputs, named = size_of(name).inputs(torch.device("meta"))
        assert {value.device.type for value in tree_leaves((inputs, named))} == {"meta"}, name
