"""Training samples: the same again from the same seed, others from other workers, and true."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow
from dyad.core.skeleton import BODY17
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.samples import Samples

SOURCE = Path(__file__).resolve().parents[2] / "src"
SMALL = Recipe(people=(1, 3), size=(96, 72), seconds=0.8, pairs=0.0, detail="low", samples=1)


def samples(seed: int = 0, **changes: object) -> Samples:
    return Samples(seed, SMALL, **({"pairs": 3, "limit": 6} | changes))


@pytest.fixture(scope="module")
def six() -> list[dict[str, torch.Tensor]]:
    return list(samples())


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_sample_holds_what_it_says(six: list[dict[str, torch.Tensor]]) -> None:
    shapes = {name: tuple(value.shape) for name, value in six[0].items()}
    assert shapes == {
        "images": (2, 3, 72, 96),
        "flow": (2, 72, 96),
        "known": (72, 96),
        "occluded": (72, 96),
        "identity": (72, 96),
        "part": (72, 96),
        "depth": (72, 96),
        "present": (2, 3),
        "xy": (2, 3, 17, 2),
        "xyz": (2, 3, 17, 3),
        "confidence": (2, 3, 17),
        "box": (2, 3, 4),
        "rotation": (2, 3, 3),
        "position": (2, 3),
        "focal": (2,),
        "centre": (2,),
        "fps": (),
        "index": (),
    }
    assert [int(sample["index"]) for sample in six] == list(range(6))
    for sample in six:
        for name, value in sample.items():
            assert name == "depth" or not torch.isnan(value.float()).any()
            assert name == "depth" or torch.isfinite(value.float()).all()
        assert 12 <= sample["fps"] <= 40


def test_joints_project_to_their_pixels_through_the_camera(six: list[dict[str, torch.Tensor]]) -> None:
    for sample in six:
        seen = sample["confidence"] > 0
        xyz = sample["xyz"][seen]
        xy = xyz[:, :2] / xyz[:, 2:] * sample["focal"] + sample["centre"]
        torch.testing.assert_close(xy, sample["xy"][seen], atol=2e-3, rtol=1e-4)
        assert not sample["xy"][~sample["present"]].any()


def test_flow_leads_from_the_first_frame_to_the_second(six: list[dict[str, torch.Tensor]]) -> None:
    """Pairs of a scene overlap: the second frame of one is the first of the next, whose identities must match."""
    for first, second in pairwise(six):
        if int(first["index"]) % 3 == 2:
            continue
        torch.testing.assert_close(first["images"][1], second["images"][0])
        visible = first["known"] & ~first["occluded"]
        target = Flow(first["flow"]).targets()
        x, y = torch.round(target).long().unbind(-1)
        x, y = x.clamp(0, 95), y.clamp(0, 71)
        same_thing = second["identity"][y, x] == first["identity"]
        assert same_thing[visible].float().mean() > 0.97


def test_the_same_seed_and_index_give_the_same_bytes(six: list[dict[str, torch.Tensor]]) -> None:
    assert same(samples().sample(4), six[4])
    assert not same(samples(1).sample(4), six[4])
    threaded = Samples(0, Recipe(**{**SMALL.__dict__, "threads": 2}), pairs=3)
    assert same(threaded.sample(2), six[2])


def test_shares_and_limits_part_the_samples(six: list[dict[str, torch.Tensor]]) -> None:
    parts = [list(samples(share=(k, 2))) for k in range(2)]
    assert [[int(s["index"]) for s in part] for part in parts] == [[0, 1, 2], [3, 4, 5]]
    assert same(parts[1][0], six[3])
    assert [int(s["index"]) for s in samples(limit=4)] == [0, 1, 2, 3]


def test_workers_make_other_samples_and_together_all_of_them(six: list[dict[str, torch.Tensor]]) -> None:
    loader = DataLoader(samples(), batch_size=3, num_workers=2, multiprocessing_context="fork")
    batches = list(loader)
    found = {int(i): (batch, k) for batch in batches for k, i in enumerate(batch["index"])}
    assert sorted(found) == list(range(6))
    for index, (batch, k) in found.items():
        assert same({name: value[k] for name, value in batch.items()}, six[index])


def test_samples_need_no_video_library() -> None:
    code = (
        "import sys\n"
        "sys.modules['av'] = None\n"
        "from dyad.synthetic.samples import Samples\n"
        "from dyad.synthetic.random_scenes import Recipe\n"
        "recipe = Recipe(people=(1, 1), size=(48, 32), seconds=0.2, detail='low', samples=1)\n"
        "sample = next(iter(Samples(0, recipe, pairs=1)))\n"
        "raise SystemExit(0 if sample['images'].float().std() > 1 else 1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in ({"pairs": 0}, {"fps": (0.0, 3.0)}, {"share": (2, 2)}):
        with pytest.raises(BadUsage, match="samples need"):
            Samples(0, SMALL, **wrong)
    with pytest.raises(BadUsage):
        Samples(-1)
    assert Samples(0).skeleton == BODY17
    assert np.isfinite(Samples(0).recipe.seconds)
