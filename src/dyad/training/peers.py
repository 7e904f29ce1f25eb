"""Several processes that train one network, each on a GPU of its own, as `torchrun` starts them.

    torchrun --nproc-per-node 2 -m dyad.training.lifting -o OUT --preset gpu

Each learns from batches of its own and all take the mean of their gradients, so that their weights stay the same. The
first of them alone writes, judges and logs. One process alone is a peer among none: nothing is exchanged.
"""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from dyad.core.errors import BadUsage

_REASONS = ("", "time", "SIGINT", "SIGTERM")
# While the first one judges or renders, the others wait.
_PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Peers:
    """This process among those that train together: its number `rank`, from 0, of `count`."""

    rank: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> "Peers":
        """As torchrun's environment says; the first call meets the others. Alone where there is no torchrun."""
        if _count() == 1:
            return cls()
        if not distributed.is_initialized():
            gpus = distributed.is_nccl_available() and torch.cuda.is_available()
            distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=_PATIENCE)
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether it is this one that writes."""
        return self.rank == 0

    def agreed(self, why: str | None) -> str | None:
        """A reason to stop that any of them has; None if nobody has one."""
        if self.count == 1:
            return why
        told = torch.tensor(_REASONS.index(why or ""))
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return _REASONS[int(told)] or None

    def share_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every parameter the mean of all its gradients; whose gradient one lacks counts as 0 there."""
        if self.count == 1:
            return
        every = list(parameters)
        known = torch.tensor([float(p.grad is not None) for p in every])
        distributed.all_reduce(known)
        some = [p for p, share in zip(every, known.tolist(), strict=True) if share]
        for p in some:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        # One exchange instead of hundreds.
        grads = [p.grad for p in some if p.grad is not None]
        joined = torch.cat([grad.float().flatten() for grad in grads])
        distributed.all_reduce(joined)
        for grad, part in zip(grads, (joined / self.count).split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view(grad.shape))

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The mean of numbers that all have under the same names."""
        if self.count == 1 or not values:
            return dict(values)
        joined = torch.stack([values[name].float() for name in sorted(values)])
        distributed.all_reduce(joined)
        return dict(zip(sorted(values), (joined / self.count).unbind(), strict=True))

    def begin_alike(self, network: nn.Module, step: int) -> None:
        """Give all the weights of the first. BadUsage where one is at another step: they do not see one folder."""
        if self.count == 1:
            return
        steps = torch.zeros(self.count, dtype=torch.int64)
        steps[self.rank] = step
        distributed.all_reduce(steps)
        if len(steps.unique()) > 1:
            raise BadUsage(
                f"processes that train together need one output folder; they begin at steps {steps.tolist()}"
            )
        for value in network.state_dict().values():
            distributed.broadcast(value, 0)

    @contextmanager
    def first_alone(self) -> Generator[None]:
        """The first does what is within before the others do, who may then find it done."""
        if not self.first:
            self.agreed(None)
        try:
            yield
        finally:
            if self.first:
                self.agreed(None)

    @staticmethod
    def part() -> None:
        """Leave the others, at the end of a program."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


def local_rank() -> int | None:
    """The number of this process on its machine, None where torchrun did not start it beside others."""
    return _number("LOCAL_RANK", 0) if _count() > 1 else None


def _count() -> int:
    # A number of processes alone may be another tool's.
    return _number("WORLD_SIZE", 1) if {"RANK", "MASTER_ADDR"} <= set(os.environ) else 1


def _number(name: str, otherwise: int) -> int:
    try:
        return int(os.environ.get(name, otherwise))
    except ValueError as error:
        raise BadUsage(f"{name} is set by torchrun to a whole number, got {os.environ[name]!r}") from error
