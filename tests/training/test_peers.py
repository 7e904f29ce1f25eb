"""Several processes learn as one that sees all their batches; one process is alone, whatever was written for more."""

import json
import multiprocessing
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.training.hardware import device_named
from dyad.training.loop import LOG, STATE, Batch
from dyad.training.peers import Peers
from dyad.training.state import State

from . import together


def processes(folder: Path, *, stopping: int = -1, count: int = 2) -> None:
    """Train together as torchrun would have it, without the seconds that it needs itself."""
    # One process loads torch, and the others are its children.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.together"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    own = [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
    running = [context.Process(target=together.take_part, args=(folder, each, stopping)) for each in own]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
        assert process.exitcode == 0


def weights(folder: Path, rank: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"{rank}.pt", weights_only=True)


def losses(folder: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    processes(folder)
    return folder


def test_two_learn_what_one_learns_of_both_their_batches(whole: Path, tmp_path: Path) -> None:
    def both(start: int) -> Iterator[Batch]:
        while True:
            two = together.batch_of(start), together.batch_of(start + together.HOW.steps)
            yield {name: torch.cat([batch[name] for batch in two]) for name in two[0]}
            start += 1

    alone = together.train(tmp_path, batches=both)
    for name, value in alone.network.state_dict().items():
        assert value == pytest.approx(weights(whole, 0)[name], abs=1e-5)
    ours, theirs = losses(whole), losses(tmp_path)
    assert list(ours) == [3, 6, 9, 12]
    assert ours == pytest.approx(theirs, rel=1e-4)
    # Without the other's batches it would have learnt something else.
    single = together.train(tmp_path / "single").network.state_dict()
    assert (single["0.weight"] - weights(whole, 0)["0.weight"]).abs().max() > 1e-3


def test_both_have_the_same_weights_and_the_first_alone_writes(whole: Path) -> None:
    state = State.load(whole / STATE)
    assert state.identity == {"recipe": 1, "peers": 2}
    assert state.step == 12
    assert [(whole / f"{rank}.txt").read_text() for rank in (0, 1)] == ["12 None"] * 2
    first, second = weights(whole, 0), weights(whole, 1)
    for name in first:
        # The running means lag behind the same weights from the same start.
        assert torch.equal(first[name], second[name])


def test_whoever_is_told_to_stop_stops_all_and_they_go_on_as_if_nothing_had_been(whole: Path, tmp_path: Path) -> None:
    processes(tmp_path, stopping=1)
    assert [(tmp_path / f"{each}.txt").read_text() for each in (0, 1)] == ["5 SIGTERM"] * 2
    processes(tmp_path)
    for each in (0, 1):
        assert all(torch.equal(value, weights(whole, each)[name]) for name, value in weights(tmp_path, each).items())
    assert losses(tmp_path) == pytest.approx(losses(whole))


def test_alone_nothing_is_exchanged_and_the_identity_is_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", None)
    assert Peers.here() == Peers(0, 1)
    assert together.train(tmp_path).step == 12
    assert State.load(tmp_path / STATE).identity == {"recipe": 1}
    with Peers.here().first_alone():
        assert Peers.here().agreed("time") == "time"


def test_each_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORLD_SIZE": "8", "RANK": "3", "LOCAL_RANK": "3", "MASTER_ADDR": "here"}.items():
        monkeypatch.setenv(name, value)
    asked: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", asked.append)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: torch.ones(1))
    assert device_named("auto") == device_named("cuda") == torch.device("cuda:3")
    assert asked == [torch.device("cuda:3")] * 2
    assert device_named("cpu") == torch.device("cpu")
    # Processes exchange nothing on MPS.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == torch.device("cpu")


def test_an_environment_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "many")
    # Of another tool, as long as nothing else is said.
    assert Peers.here() == Peers()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("MASTER_ADDR", "here")
    with pytest.raises(BadUsage, match="WORLD_SIZE"):
        Peers.here()
