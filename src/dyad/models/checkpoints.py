"""A checkpoint rebuilds its own network and says what it is: one safetensors file, no pickle, nothing else needed."""

import hashlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from dyad.models.namings import adopt, misfit
from dyad.models.original import one_line, read_original
from dyad.models.weights import WeightsError, cache_folder
from dyad.models.zoo import ZOO, make, recognise

SCHEMA = "dyad-checkpoint/1"
SHIPPED = Path(__file__).parent / "shipped"
_KEY = "dyad"
_LARGEST_ARGUMENT, _MOST_ARGUMENTS = 1 << 16, 4096
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights together with all that is needed to use them.

    Attributes:
        network: name in `zoo.ZOO`. arguments: of its constructor. tensors: its state dict, under our names.
        about: what else is known, as JSON: skeleton, preprocessing, recipe, metrics, source, licence.
        file: where it was read from, for messages.
    """

    network: str
    tensors: Mapping[str, Tensor]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None

    @classmethod
    def of(
        cls, network: nn.Module, name: str, *, arguments: Mapping[str, Any] | None = None, **about: Any
    ) -> "Checkpoint":
        """The weights of a network that `zoo.make(name, **arguments)` made."""
        return cls(name, {n: v.detach().cpu() for n, v in network.state_dict().items()}, dict(arguments or {}), about)

    def build(self) -> nn.Module:
        """The network with these weights, in eval mode. WeightsError where they do not fit."""
        where = f"{self.file}: " if self.file else ""
        try:
            # First without memory: the arguments are the file's, and may ask for a network of any size.
            with torch.device("meta"), _at_most(len(self.tensors)):
                fault = misfit(make(self.network, **_modest(self.arguments)), self.tensors)
        except Exception as error:  # Arguments of strange kinds and sizes make constructors raise anything.
            raise WeightsError(f"{where}its arguments make no {self.network}: {one_line(error)}") from error
        if fault:
            raise WeightsError(f"{where}these weights do not fit {self.network}: {fault}")
        network = make(self.network, **self.arguments)
        adopt(network, self.tensors)
        return network.eval()

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        from safetensors.torch import save_file

        path = Path(path)
        header = {
            "schema": SCHEMA,
            "network": self.network,
            "arguments": dict(self.arguments),
            "about": dict(self.about),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".safetensors", dir=path.parent)
        os.close(handle)
        try:
            # Shared or transposed storage cannot be written as it is.
            save_file({n: v.contiguous().clone() for n, v in self.tensors.items()}, name, {_KEY: json.dumps(header)})
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "Checkpoint":
        """Read a file that `save` wrote. WeightsError says in one sentence what is wrong with it."""
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise WeightsError(f"there are no weights at {path}; `dyad weights list` shows what there is")
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {}).get(_KEY, "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{path} is no whole safetensors file: {one_line(error)}") from error
        if not isinstance(header, dict) or header.get("schema") != SCHEMA:
            raise WeightsError(
                f"{path} is no checkpoint of Dyad ({SCHEMA}); bring others in with `dyad weights import {path.name}`"
            )
        name, arguments, about = (header.get(key) for key in ("network", "arguments", "about"))
        if (
            not isinstance(name, str)
            or name not in ZOO
            or not isinstance(arguments, dict)
            or not isinstance(about, dict)
        ):
            raise WeightsError(
                f"{path} is of a network {str(name)[:80]!r} that this Dyad does not know; there are {', '.join(ZOO)}"
            )
        return cls(name, tensors, arguments, about, path)


@contextmanager
def _at_most(tensors: int) -> Generator[None]:
    """Stop a constructor in this thread that makes more parameters than there are tensors for."""
    made, thread = 0, threading.get_ident()

    def count(*_: object) -> None:
        nonlocal made
        made += threading.get_ident() == thread
        # Some layers register a parameter anew before they are done.
        if made > 2 * tensors + 64:
            raise ValueError(f"it would have far more than the {tensors} tensors there are")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _modest(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of a constructor themselves; ValueError for numbers and lists no network of ours is made by."""
    waiting: list[Any] = [*arguments.values()]
    for value in waiting:
        if isinstance(value, int | float) and not abs(value) <= _LARGEST_ARGUMENT:
            raise ValueError(f"an argument is {str(value)[:40]}")
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        if len(waiting) > _MOST_ARGUMENTS:
            raise ValueError("there are thousands of arguments")
    return arguments


def import_original(path: str | Path, *, name: str | None = None) -> tuple[Path, Checkpoint]:
    """Convert somebody else's checkpoint and keep it as `name`, or under its network's name; the file and its content.

    The network and its naming are recognised from the tensors; a `name` that is a network's must be that network's.
    Raises WeightsError, in one sentence, for what cannot be read, is of no known network, or does not fit.
    """
    path = Path(path)
    if name is not None and not _NAME.fullmatch(name):
        raise WeightsError(f"a name for weights is of letters, digits, dots, dashes and underscores, got {name!r}")
    if name in shipped():
        raise WeightsError(f"{name!r} are weights that come with Dyad; choose another name with --as")
    wanted = {name} if name in ZOO else set(ZOO)
    faults = []
    for state in read_original(path):
        try:
            network, naming = recognise(state, among=wanted.__contains__)
        except WeightsError as error:
            faults.append(error)
            continue
        built = make(network)
        adopt(built, state, naming)
        checkpoint = Checkpoint.of(built, network, source=path.name, sha256=_digest(path), naming=naming.name)
        target = weights_folder() / f"{name or network}.safetensors"
        checkpoint.save(target)
        return target, checkpoint
    raise faults[0]


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_folder() -> Path:
    """Where imported weights lie, one file NAME.safetensors each."""
    return cache_folder() / "models"


def shipped() -> dict[str, Path]:
    """Weights of our own by name: they come with the package."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def stored() -> dict[str, Path]:
    """Imported weights by name."""
    folder = weights_folder()
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))} if folder.is_dir() else {}


def find_weights(name: str) -> Path:
    """The file of shipped or imported weights of that name, or that `name` is. WeightsError names what there is."""
    path = Path(name)
    if path.suffix == ".safetensors" and path.is_file():
        return path
    known = {**stored(), **shipped()}
    if name in known:
        return known[name]
    there = ", ".join(known) or "none yet"
    raise WeightsError(f"there are no weights {name!r}; at hand are: {there}. See: dyad weights import --help")
