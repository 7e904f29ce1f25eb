"""A training that was stopped, as one safetensors file from which it goes on exactly; no pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file

SCHEMA = "dyad-training/1"
_KEY = "dyad"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, eq=False)
class State:
    """Where a training stands.

    Attributes:
        step: how many steps are done. seconds: how long they took. tensors: weights (`network.…`), their running mean
            (`mean.…`), the optimiser's moments (`exp_avg.…` and so on), sums for the log's next line (`sums.…`).
        identity: what is trained and how, as JSON; a training goes on only from a state that has the same.
        scaler: of the gradients in float16. metrics: of the last validation.
    """

    step: int
    seconds: float
    tensors: Mapping[str, Tensor]
    identity: Mapping[str, Any]
    scaler: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors `name.…` by the rest of their names."""
        return {key[len(name) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{name}.")}

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        from safetensors.torch import save_file

        header = {
            "schema": SCHEMA,
            "step": self.step,
            "seconds": self.seconds,
            "identity": dict(self.identity),
            "scaler": dict(self.scaler),
            "metrics": dict(self.metrics),
        }
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in self.tensors.items()}
        with whole_file(path) as partial:
            save_file(tensors, partial, {_KEY: json.dumps(header)})

    @classmethod
    def load(cls, path: Path) -> "State":
        """Read a file that `save` wrote; BadInput for any other."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {}).get(_KEY, "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise BadInput(
                f"{path} is no whole state of a training ({one_line(error)[:120]}); remove it to begin anew"
            ) from error
        if not isinstance(header, dict) or header.pop("schema", None) != SCHEMA or not _sound(header):
            raise BadInput(f"{path} is no state of a training ({SCHEMA}); remove it to begin anew")
        return cls(tensors=tensors, **header)


def _sound(header: dict[str, Any]) -> bool:
    """Whether a header says what `save` says, each of its kind."""
    kinds = {"step": int, "seconds": int | float, "identity": dict, "scaler": dict, "metrics": dict}
    return set(header) == set(kinds) and all(isinstance(header[name], kind) for name, kind in kinds.items())


def moments(optimiser: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """What an Adam remembers of each parameter, by the parameter's name."""
    return {
        f"{kind}.{name}": torch.as_tensor(optimiser.state[parameter][kind])
        for name, parameter in network.named_parameters()
        if parameter in optimiser.state
        for kind in _MOMENTS
    }


def restore_moments(optimiser: torch.optim.Optimizer, network: nn.Module, state: State) -> None:
    """Give an Adam its memory back."""
    parts = {kind: state.part(kind) for kind in _MOMENTS}
    for name, parameter in network.named_parameters():
        if name in parts["step"]:
            optimiser.state[parameter] = {
                "exp_avg": parts["exp_avg"][name].to(parameter),
                "exp_avg_sq": parts["exp_avg_sq"][name].to(parameter),
                # A count; it stays on the CPU, as a new optimiser has it.
                "step": parts["step"][name].cpu().float(),
            }
