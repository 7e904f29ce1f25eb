"""Other people's names for the tensors of a network that computes the same function, and loading them without slack."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dyad.models.weights import WeightsError

_SHOWN = 4


@dataclass(frozen=True)
class Naming:
    """How a checkpoint of somebody else names what our network has.

    Attributes:
        name: whose names they are, such as "princeton-vl/RAFT".
        rules: (pattern, replacement) regular expressions, each applied once, in order, to a whole name of theirs
            (`re.sub`); together they give our name. Without rules the names are equal.
        ignored: patterns that match whole names of theirs which carry nothing, such as counters of batch norm.
    """

    name: str
    rules: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()

    def ours(self, name: str) -> str | None:
        """Our name for one of theirs; None for one that is ignored."""
        if any(re.fullmatch(pattern, name) for pattern in self.ignored):
            return None
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name


def translated(state: Mapping[str, Tensor], naming: Naming) -> dict[str, Tensor]:
    """The tensors under our names. Raises WeightsError where two of theirs would get one name."""
    out: dict[str, Tensor] = {}
    for theirs, value in state.items():
        ours = naming.ours(theirs)
        if ours is None:
            continue
        if ours in out:
            raise WeightsError(f"two tensors of the checkpoint would be {ours!r} here, one of them {theirs!r}")
        out[ours] = value
    return out


def misfit(network: nn.Module, state: Mapping[str, Tensor]) -> str | None:
    """One sentence on what of `state` (our names) does not fit the network, or None where everything does.

    Counters of batch norm may be missing; nothing else may, and nothing may be left over.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in wanted]
    shaped = [n for n, v in state.items() if n in wanted and tuple(v.shape) != tuple(wanted[n].shape)]
    parts = []
    if missing:
        parts.append(f"it lacks {len(missing)} tensors ({_some(missing)})")
    if unknown:
        parts.append(f"it has {len(unknown)} that the network has not ({_some(unknown)})")
    if shaped:
        first = shaped[0]
        parts.append(
            f"{len(shaped)} have another shape ({first}: expected {tuple(wanted[first].shape)}, "
            f"got {tuple(state[first].shape)})"
        )
    return "; ".join(parts) or None


def adopt(network: nn.Module, state: Mapping[str, Tensor], naming: Naming | None = None) -> None:
    """Load a state dict under somebody's names into the network, strictly.

    Raises WeightsError, saying in one sentence what does not fit: names missing, names left over, other shapes.
    """
    ours = translated(state, naming or Naming("Dyad"))
    fault = misfit(network, ours)
    if fault:
        raise WeightsError(f"these weights do not fit {type(network).__name__}: {fault}")
    network.load_state_dict({**_counters(network), **ours}, strict=True)


def _counters(network: nn.Module) -> dict[str, Tensor]:
    """Batch norm's counters, which no network of ours reads."""
    state = network.state_dict()
    return {n: torch.zeros_like(v) for n, v in state.items() if n.endswith("num_batches_tracked")}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
