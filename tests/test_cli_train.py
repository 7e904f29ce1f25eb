"""`dyad train`, as a script meets it."""

import json
from pathlib import Path

import pytest

from dyad.models.raft import raft_small


def test_out_of_time_at_once_there_are_weights_all_the_same(dyad, tmp_path: Path) -> None:
    output = tmp_path / "flow"
    status, out, _ = dyad("train", "flow", "-o", output, "--minutes", 0, "--workers", 0, "--device", "cpu", "--json")
    assert status == 0
    told = json.loads(out.splitlines()[-1])
    assert (told["step"], told["stopped"]) == (0, "time")
    weights = sum(parameter.numel() for parameter in raft_small().parameters())
    assert 2 * weights < Path(told["weights"]).stat().st_size < 4e6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--preset", "tpu"), "cpu, laptop, laptop-further, gpu"),
        (("--seed", -1), "seed"),
        (("--workers", 5), "streams"),
        (("--steps", 0), "step"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(dyad, tmp_path: Path, words: tuple, said: str) -> None:
    status, _, err = dyad("train", "flow", "-o", tmp_path, "--device", "cpu", *words)
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


def test_another_training_in_the_folder_is_refused(dyad, tmp_path: Path) -> None:
    words = ("train", "flow", "-o", tmp_path, "--minutes", 0, "--workers", 0, "--device", "cpu")
    assert dyad(*words)[0] == 0
    status, _, err = dyad(*words, "--rate", 0.5)
    assert status == 2
    assert "another training (recipe.optimisation.rate is" in err
