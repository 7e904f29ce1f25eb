"""What each of several processes does that train a small network together."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from dyad.training.loop import Batch, Loop, Outcome
from dyad.training.peers import Peers
from dyad.training.recipes import Optimisation

TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
HOW = Optimisation(steps=12, rate=0.05, warm_up=0.1, averaging=0.9)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))


def batch_of(number: int) -> dict[str, Tensor]:
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(number))
    return {"x": x, "y": x @ TRUTH.T}


def batches(start: int) -> Iterator[Batch]:
    while True:
        yield batch_of(start)
        start += 1


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The mean over a batch, so that the mean of two batches' gradients is that of both in one."""
    error = net(batch["x"]) - batch["y"]
    return {"loss": error.square().mean(), "off": error.abs().mean()}


def judge(net: nn.Module) -> dict[str, float]:
    with torch.no_grad():
        return {"off": float(loss(net, batch_of(10**6))["off"])}


def train(folder: Path, stop_at: int = -1, batches=batches) -> Outcome:
    """Trains in the folder; a `stop_at` of 0 or more tells this process to stop while it makes that batch."""

    def source(start: int) -> Iterator[Batch]:
        for at, batch in enumerate(batches(start)):
            if at == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    net = network()
    every = {"log_every": 3, "save_every": 5, "validate_every": 6}
    here = {"folder": folder, "identity": {"recipe": 1}, "device": torch.device("cpu")}
    return Loop(net, loss=loss, batches=source, optimisation=HOW, validate=judge, **here, **every)()


def take_part(folder: Path, environment: dict[str, str], stopping: int) -> None:
    """One process; the one whose rank is `stopping` is told to stop while it makes its fifth batch."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    rank = Peers.here().rank
    outcome = train(folder, 4 if rank == stopping else -1)
    (folder / f"{rank}.txt").write_text(f"{outcome.step} {outcome.stopped}")
    torch.save(dict(outcome.network.state_dict()), folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()
