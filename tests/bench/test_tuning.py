"""The comparison of tuners: what it counts, and the picture of it."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

from dyad.bench.tuning import VARIANTS, bench_tuning, speed
from dyad.bench.tuning_plot import tuning_plot
from dyad.core.errors import BadUsage
from dyad.models.raft import raft_small
from dyad.synthetic.random_scenes import Recipe
from tests.refinement.scenes import scene

TINY = Recipe(size=(160, 128), seconds=0.3, fps=10.0, people=(1, 1), near=2.0, far=4.0, furniture=0, samples=1)


def test_tuners_are_compared_with_the_plain_flow(tmp_path) -> None:
    torch.manual_seed(0)
    chosen = ["fusion", "sketch drawn over", "enlarged crops, 4 iterations", "last layer"]
    report = bench_tuning(network=raft_small(), clips=1, recipe=TINY, fast=0.0, variants=chosen, iterations=2)
    assert [row["name"] for row in report["variants"]] == chosen
    assert len(report["clips"]) == 1
    for row in report["variants"]:
        assert row["seconds"] > 0
        assert row["cost"] == pytest.approx(row["seconds"] / report["seconds"])
        for where, error in report["before"].items():
            assert row["gain"][where] == pytest.approx(1 - row["after"][where] / error)
            assert row["worst"][where] == pytest.approx(row["after"][where] / error)
        assert row["interval"] == pytest.approx([row["gain"]["epe_joints"]] * 2)
    # Weights at random find no motion, a pose does.
    drawn = report["variants"][1]
    assert drawn["gain"]["epe_joints"] > 0.1
    json.dumps(report, allow_nan=False)
    words = "".join(ET.fromstring(tuning_plot(report)).itertext())
    assert all(name in words for name in chosen)


def test_speed_is_in_heights_a_frame() -> None:
    truth = scene(people=1).truth
    step = torch.linalg.vector_norm(truth.xy[1, 0] - truth.xy[0, 0])
    height = (truth.xy[0, :, 1].amax() - truth.xy[0, :, 1].amin()).expand(len(truth))
    box = torch.stack((height * 0, height * 0, height, height), -1)
    assert speed(truth.with_(box=box)) == pytest.approx(float(step / height[0]), rel=0.05)


def test_names_of_variants() -> None:
    assert len(VARIANTS) >= 5
    with pytest.raises(BadUsage, match="there is no variant 'magic'"):
        bench_tuning(network=raft_small(), variants=["magic"])
