"""Checkpoints of others: what is in them is read, what they would run is not."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from dyad.models.original import read_original
from dyad.models.weights import WeightsError

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class Hostile:
    """What an attacker writes: unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (_touch, (str(self.path),))


def _touch(path: str) -> None:
    Path(path).write_text("executed")


class System:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return (os.system, (self.command,))


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[n], STATE[n]) for n in STATE)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_plain_state_dict(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "w.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_original(path)[0])


@pytest.mark.parametrize("legacy", [False, True])
def test_what_trainers_put_beside_the_weights_is_passed_over(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "w.pth.tar"
    content = {
        "epoch": 3,
        "options": argparse.Namespace(rate=0.1, nested=argparse.Namespace(x=[1, 2])),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"params": [0]}]},
        "state_dict": STATE,
        "where": Path("/somewhere"),
    }
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_original(path)[0])


@pytest.mark.parametrize("legacy", [False, True])
def test_a_hostile_pickle_executes_nothing(tmp_path: Path, legacy: bool) -> None:
    victim, path = tmp_path / "victim.txt", tmp_path / "w.pth"
    torch.save({"state_dict": STATE, "x": Hostile(victim)}, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_original(path)[0])
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.read_text() == "executed", "the test's own attack does not work"


@pytest.mark.parametrize("legacy", [False, True])
def test_a_call_to_the_shell_is_refused(tmp_path: Path, legacy: bool) -> None:
    victim, path = tmp_path / "victim.txt", tmp_path / "w.pth"
    torch.save({"s": STATE, "x": System(f"touch {victim}")}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError) as caught:
        read_original(path)
    assert "\n" not in str(caught.value)
    assert not victim.exists()


def test_a_bare_pickle_of_an_attack_is_refused(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim.txt", tmp_path / "w.bin"
    path.write_bytes(pickle.dumps(Hostile(victim)))
    with pytest.raises(WeightsError):
        read_original(path)
    assert not victim.exists()


def test_the_largest_of_several_state_dicts_comes_first(tmp_path: Path) -> None:
    torch.save({"small": {"b": torch.ones(1)}, "deep": {"model": STATE}}, tmp_path / "w.pt")
    found = read_original(tmp_path / "w.pt")
    assert same(found[0])
    assert list(found[1]) == ["b"]


@pytest.mark.parametrize("line", ["w.pth", 'model_checkpoint_path: "w.pth"', "w"])
def test_a_folder_with_a_note(tmp_path: Path, line: str) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    (tmp_path / "checkpoint").write_text(line + "\n")
    assert same(read_original(tmp_path)[0])


@pytest.mark.parametrize("line", ["../w.pth", "/etc/passwd", "", "nothing.pth", ".."])
def test_a_note_that_leads_elsewhere_is_refused(tmp_path: Path, line: str) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "checkpoint").write_text(line)
    with pytest.raises(WeightsError):
        read_original(inside)


def test_an_archive_that_would_unpack_to_far_more_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(200 << 20))
    with pytest.raises(WeightsError, match="far more than it is"):
        read_original(tmp_path / "w.pth")


def test_every_damaged_file_gives_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"state_dict": STATE, "options": argparse.Namespace(a=1)}, path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(WeightsError) as caught:
            read_original(path)
        assert "\n" not in str(caught.value)
    for missing in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(WeightsError):
            read_original(missing)
    torch.save({"epoch": 1, "list": [1, 2]}, path)
    with pytest.raises(WeightsError, match="no tensors"):
        read_original(path)
