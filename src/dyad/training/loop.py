"""The one loop that trains every network: steps, a log, states to go on from, and a clean stop."""

import contextlib
import copy
import json
import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad.core.errors import BadUsage, DyadError
from dyad.core.files import whole_file
from dyad.training.curves import Curves
from dyad.training.peers import Peers
from dyad.training.recipes import Optimisation, Precision, as_json
from dyad.training.state import State, moments, restore_moments
from dyad.training.stopping import Stop

logger = logging.getLogger(__name__)

Batch = Mapping[str, Tensor]
Loss = Callable[[nn.Module, Batch], Mapping[str, Tensor]]
"""What a batch costs: "loss", a number with a gradient, and whatever else should be seen in the log."""
Batches = Callable[[int], Iterator[Batch]]
"""The batches from a step on, the same whenever they are asked for."""
Validate = Callable[[nn.Module], Mapping[str, Any]]
STATE, LOG = "state.safetensors", "log.jsonl"
_KINDS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Diverged(DyadError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Outcome:
    """What a call of a loop came to.

    network: the weights to use, in eval mode: their running mean where there is one. step, seconds: done in all, over
    all calls. stopped: why before the end ("time", "SIGTERM", "SIGINT"), None at the end. metrics: of the last
    validation, and the "step" after which it was; empty where there was none.
    """

    network: nn.Module
    step: int
    seconds: float
    stopped: str | None
    metrics: Mapping[str, Any]


class Loop:
    """Trains a network in a folder; a call goes on from the state that lies there, or begins.

    The same seed gives the same weights: whether a training was stopped and taken up again changes nothing, on a CPU
    to the last bit. Each step begins with random numbers of its own, so that none has to be kept.

    Among several `Peers` each takes other batches, and a step goes along the mean of all gradients. What batch norm
    has seen is what the first of them saw.

    Args:
        network: on any device; it is trained in place. loss, batches, validate: see `Loss`, `Batches`, `Validate`.
        optimisation: how. folder: for `state.safetensors` and `log.jsonl`, one JSON object a line.
        identity: what is trained and how, as JSON: a state with another is refused.
        device: where to train.
        log_every, save_every, validate_every: steps.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        loss: Loss,
        batches: Batches,
        optimisation: Optimisation,
        folder: Path,
        identity: Mapping[str, Any],
        device: torch.device,
        seed: int = 0,
        validate: Validate | None = None,
        log_every: int = 50,
        save_every: int = 500,
        validate_every: int = 1000,
    ) -> None:
        self.network = network.to(device)
        self.loss = loss
        self.batches = batches
        self.how = optimisation
        self.folder = folder
        self.peers = Peers.here()
        # Alone or together is another training, but alone it is what it always was.
        together = {"peers": self.peers.count} if self.peers.count > 1 else {}
        self.identity = as_json({**identity, **together})
        self.device = device
        self.seed = seed
        self.validate = validate
        self.every = {"log": log_every, "save": save_every, "validate": validate_every}
        self.mean = copy.deepcopy(self.network).requires_grad_(False) if optimisation.averaging else None
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            trained, lr=optimisation.rate, weight_decay=optimisation.weight_decay, eps=optimisation.epsilon
        )
        self.scaler = _scaler(device, optimisation.precision)
        self.step, self.seconds = 0, 0.0
        self.sums: dict[str, Tensor] = {}
        self.metrics: Mapping[str, Any] = {}
        self.curves = Curves(folder)

    def __call__(self, *, deadline: float | None = None) -> Outcome:
        """Train to the end, or to the `deadline` (of `time.monotonic`), or to a SIGTERM or Ctrl-C.

        Raises BadUsage where the folder holds another training, BadInput for a damaged state, `Diverged`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self.peers.begin_alike(self.network, self.step)
        stopped = None
        with (
            self.curves.from_step(self.step),
            Stop(deadline) as stop,
            _own_random_numbers(self.device),
            _quick_convolutions(self.device),
        ):
            if self.step < self.how.steps:
                # Nothing rendered beforehand where there is nothing left to do.
                stopped = self._train(stop)
            if stopped is None and self.validate is not None and self.metrics.get("step") != self.step:
                self._judge(self.validate)
                self._save()
            self.peers.agreed(None)
        return Outcome(self.judged.eval(), self.step, self.seconds, stopped, self.metrics)

    @property
    def judged(self) -> nn.Module:
        """The network that is judged and kept."""
        return self.network if self.mean is None else self.mean

    def _train(self, stop: Stop) -> str | None:
        before, began = self.seconds, time.monotonic()
        self.network.train()
        source, why = self.batches(self._turn), None
        while self.step < self.how.steps:
            why = stop.why
            batch = self._next(source, stop) if why is None else None
            why = self.peers.agreed(stop.told if batch is None and why is None else why)
            if why is not None or batch is None:
                break
            self._learn(batch)
            self.step += 1
            self.seconds = before + time.monotonic() - began
            if self.step % self.every["log"] == 0 or self.step == self.how.steps:
                self._log()
            if self.validate is not None and self.step % self.every["validate"] == 0 and self.step < self.how.steps:
                self._judge(self.validate)
            if self.step % self.every["save"] == 0:
                self._save()
        self._save()
        return why if self.step < self.how.steps else None

    @property
    def _turn(self) -> int:
        """Which batch is this one's: peers take theirs from parts of the sequence that do not meet."""
        return self.step + self.peers.rank * self.how.steps

    @staticmethod
    def _next(source: Iterator[Batch], stop: Stop) -> Batch | None:
        try:
            return next(source)
        except RuntimeError:
            # A signal to the whole group of processes ends the workers as well.
            if stop.told is None:
                raise
            return None

    def _learn(self, batch: Batch) -> None:
        torch.manual_seed(self.seed * 1_000_003 + self._turn)
        rate = self.how.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}
        with self._precision():
            told = self.loss(self.network, batch)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(told["loss"]).backward()
        self.peers.share_gradients(p for group in self.optimiser.param_groups for p in group["params"])
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.how.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        # Sums stay on the device: to read a number would make it wait.
        seen = {**told, "gradient": norm if not self.scaler.is_enabled() else norm.nan_to_num(0, 0, 0)}
        with torch.no_grad():
            for name, value in {**seen, "steps": torch.ones((), device=self.device)}.items():
                self.sums[name] = self.sums.get(name, torch.zeros((), device=self.device)) + value.detach().float()
            if self.mean is not None:
                self._average()

    def _judge(self, validate: Validate) -> None:
        if not self.peers.first:
            self.metrics = {"step": self.step}
            return
        self.metrics = {"step": self.step, **validate(self.judged)}
        self._write({"step": self.step, "seconds": round(self.seconds, 3), "metrics": dict(self.metrics)})
        self.network.train()

    def _average(self) -> None:
        if self.mean is None:
            return
        # Young means forget faster, or they would remember what they began with.
        keep = min(self.how.averaging, (1 + self.step) / (10 + self.step))
        for ours, theirs in zip(self.mean.state_dict().values(), self.network.state_dict().values(), strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - keep)
            else:
                ours.copy_(theirs)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.how.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=_KINDS[self.how.precision])

    def _log(self) -> None:
        sums = {name: float(value) for name, value in self.peers.mean(self.sums).items()}
        self.sums = {}
        steps = sums.pop("steps")
        means = {name: value / steps for name, value in sums.items()}
        if not math.isfinite(means["loss"]):
            raise Diverged(
                f"the loss is no number any more within {int(steps)} steps before step {self.step}; a lower rate than "
                f"{self.how.rate:g} may help; {self.folder / STATE} is from before"
            )
        rate = self.how.rate_at(self.step - 1)
        self._write({"step": self.step, "seconds": round(self.seconds, 3), "rate": rate, **means})

    def _write(self, line: Mapping[str, Any]) -> None:
        if not self.peers.first:
            return
        logger.info("%s", json.dumps(line))
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.curves.add(line)

    def _save(self) -> None:
        self.sums = self.peers.mean(self.sums)
        if not self.peers.first:
            return
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        if self.mean is not None:
            tensors |= {f"mean.{name}": value for name, value in self.mean.state_dict().items()}
        tensors |= {f"sums.{name}": value for name, value in self.sums.items()}
        tensors |= moments(self.optimiser, self.network)
        scaler = self.scaler.state_dict()
        State(self.step, self.seconds, tensors, self.identity, scaler, self.metrics).save(self.folder / STATE)

    def _resume(self) -> None:
        if not (self.folder / STATE).is_file():
            # The log of a training that left no state is of no use.
            if self.peers.first:
                (self.folder / LOG).unlink(missing_ok=True)
            return
        state = State.load(self.folder / STATE)
        if dict(state.identity) != self.identity:
            raise BadUsage(
                f"{self.folder} holds another training ({_difference(dict(state.identity), self.identity)}); "
                f"choose another folder, or remove {STATE} there"
            )
        self.network.load_state_dict(state.part("network"), strict=True)
        if self.mean is not None:
            self.mean.load_state_dict(state.part("mean"), strict=True)
        restore_moments(self.optimiser, self.network, state)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(state.scaler))
        self.sums = {name: value.to(self.device) for name, value in state.part("sums").items()}
        self.step, self.seconds, self.metrics = state.step, state.seconds, state.metrics
        if self.peers.first:
            self._forget_after(state.step)
        logger.info("going on after step %d of %d", state.step, self.how.steps)

    def _forget_after(self, step: int) -> None:
        """Take from the log what was done after the state was kept: it will be done again."""
        log = self.folder / LOG
        if log.is_file():
            lines = log.read_text(encoding="utf-8").splitlines()
            with whole_file(log) as partial:
                partial.write_text("".join(f"{line}\n" for line in lines if _step_of(line) <= step), encoding="utf-8")


def _step_of(line: str) -> float:
    """The step of a line of the log; infinite for half a line, which a kill may leave."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf


def _difference(there: Any, here: Any, place: str = "") -> str:
    """The first thing in which two identities differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in [*there, *(n for n in here if n not in there)]:
            if there.get(name) != here.get(name):
                return _difference(there.get(name), here.get(name), f"{place}.{name}".lstrip("."))
    return f"{place or 'identity'} is {str(there)[:60]} there and {str(here)[:60]} here"


def _scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """What keeps small gradients from vanishing in float16. BadUsage for a device that cannot have it."""
    if precision == "float16":
        # A step without consequence: older torch has no scaling on MPS, and would say so in the middle of a training.
        weight = nn.Parameter(torch.ones(1, device=device))
        tried = torch.amp.GradScaler(device.type)
        tried.scale(weight.sum()).backward()
        try:
            tried.unscale_(torch.optim.SGD([weight]))
        except (NotImplementedError, RuntimeError) as error:
            raise BadUsage(
                f"torch {torch.__version__} cannot train in float16 on {device.type}; choose bfloat16 or float32"
            ) from error
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


@contextlib.contextmanager
def _own_random_numbers(device: torch.device) -> Generator[None]:
    """Leaves the caller's random numbers as they were."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        yield


@contextlib.contextmanager
def _quick_convolutions(device: torch.device) -> Generator[None]:
    """All batches are of one size, so that it pays to try which algorithm is quickest."""
    # `cudnn.flags` would set all the others as well, and switch cuDNN off.
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
