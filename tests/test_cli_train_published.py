"""`dyad train` of the published networks and on videos without labels, as a script meets it."""

import json
from pathlib import Path

import pytest

from .training import data_sets


def test_a_gcn_and_what_learns_after_it(dyad, tmp_path: Path) -> None:
    data_sets.jta(tmp_path / "jta")
    common = ("--preset", "tiny", "--data", tmp_path, "--on", "jta", "--device", "cpu", "--json")
    status, out, _ = dyad("train", "gcn", "-o", tmp_path / "gcn", *common)
    assert status == 0
    weights = json.loads(out.splitlines()[-1])["weights"]
    status, out, _ = dyad("train", "root", "-o", tmp_path / "root", "--gcn", weights, "--steps", 1, *common)
    assert (status, json.loads(out.splitlines()[-1])["step"]) == (0, 1)
    assert (tmp_path / "root" / "root-tcn-3d.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("topdown",), 2, "--data"),
        (("topdown", "--preset", "huge"), 2, "paper, tiny"),
        (("bottomup", "--preset", "paper"), 2, "--data"),
        (("bottomup", "--data", "x"), 2, "rendered people"),
        (("bottomup", "--preset", "tiny", "--features", "plain"), 2, "rendered people"),
        (("topdown", "--data", "."), 3, "no images of people"),
        (("tcn", "--data", "."), 2, "--gcn"),
        (("ssl",), 2, "--unlabelled"),
        (("ssl", "--unlabelled", "nowhere.npz"), 3, "nowhere.npz"),
        (("ssl", "--unlabelled", "x", "--model", "nobody"), 4, "nobody"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    dyad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple, status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told, _, err = dyad("train", *words, "-o", "out", "--device", "cpu")
    assert (told, err.count("\n")) == (status, 1)
    assert said in err
