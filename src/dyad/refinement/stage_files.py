"""What a refinement has done so far, on disk, so that one that was killed goes on where it was.

Every stage's file carries a digest of all that its content depends on in its name, and appears only once it is whole.
"""

import hashlib
import json
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.refinement.flow_shelf import FlowShelf

_SECONDS = "seconds.json"


@dataclass(frozen=True)
class StageFiles:
    """The files of one stage and those after it.

    Attributes:
        folder: where they lie; None keeps nothing.
        key: digest of the inputs and of all stages up to here.
    """

    folder: Path | None
    key: str = ""

    def then(self, *facts: Any) -> "StageFiles":
        """Those of the next stage, which depends on `facts`, too."""
        return StageFiles(self.folder, digest(self.key, *(described(fact) for fact in facts)))

    def path(self, name: str, suffix: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}-{self.key[:16]}{suffix}"

    def tracks(self, name: str) -> Tracks | None:
        path = self.path(name, ".npz")
        return Tracks.load(path) if path is not None and path.is_file() else None

    def keep_tracks(self, name: str, tracks: Tracks) -> None:
        path = self.path(name, ".npz")
        if path is not None:
            tracks.save(path)

    def flows(self, name: str) -> FlowShelf | None:
        path = self.path(name, ".flows")
        return FlowShelf.open(path) if path is not None and path.is_file() else None

    def keep_estimator(self, name: str, estimator: FlowEstimator) -> bool:
        """Keep the weights of its networks; False where there are none to keep."""
        path, weights = self.path(name, ".safetensors"), weights_of(estimator)
        if path is None or not weights:
            return False
        with whole_file(path) as partial:
            save_file(weights, partial)
        return True

    def estimator(self, name: str, like: FlowEstimator) -> FlowEstimator | None:
        """A copy of `like` with the weights kept; None where there are none."""
        path = self.path(name, ".safetensors")
        if path is None or not path.is_file():
            return None
        other = like.copy()
        try:
            found = load_file(path)
            for place, network in networks_of(other):
                own = {key.removeprefix(place): value for key, value in found.items() if key.startswith(place)}
                network.load_state_dict(own)
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"{path} is damaged ({one_line(error)}); remove it, and it is made anew") from error
        return other

    def seconds(self, name: str) -> float:
        """What a stage took that was kept."""
        return self._all_seconds().get(f"{name}-{self.key[:16]}", 0.0)

    def keep_seconds(self, name: str, seconds: float) -> None:
        if self.folder is None:
            return
        known = self._all_seconds() | {f"{name}-{self.key[:16]}": seconds}
        with whole_file(self.folder / _SECONDS) as partial:
            partial.write_text(json.dumps(known), encoding="utf-8")

    def _all_seconds(self) -> dict[str, float]:
        path = None if self.folder is None else self.folder / _SECONDS
        if path is None or not path.is_file():
            return {}
        try:
            known = {name: float(value) for name, value in json.loads(path.read_bytes()).items()}
            if not all(map(math.isfinite, known.values())):
                raise ValueError("it holds numbers that are not finite")
            return known
        except (OSError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise BadInput(f"{path} is damaged ({one_line(error)}); remove it") from error


def digest(*parts: Any) -> str:
    """Of strings, bytes, tensors and paths of files, whose content counts."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with _opened(part) as file:
                content = hashlib.file_digest(file, "sha256").digest()
        elif isinstance(part, Tensor):
            content = str(tuple(part.shape)).encode() + part.detach().cpu().contiguous().numpy().tobytes()
        else:
            content = part if isinstance(part, bytes) else str(part).encode()
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from error


def described(thing: Any) -> str:
    """Policy in words that are the same in every process: dataclasses by their fields, functions by their names."""
    if is_dataclass(thing) and not isinstance(thing, type):
        inside = ", ".join(f"{f.name}={described(getattr(thing, f.name))}" for f in fields(thing))
        return f"{type(thing).__qualname__}({inside})"
    if isinstance(thing, str | int | float | bool | tuple | None):
        return repr(thing)
    return getattr(thing, "__qualname__", type(thing).__qualname__)


def networks_of(estimator: Any) -> list[tuple[str, nn.Module]]:
    """The networks in an estimator and in those that it is made of, each with a name that begins its tensors' names."""
    found = []
    if isinstance(network := getattr(estimator, "network", None), nn.Module):
        found.append(("network.", network))
    for name in ("estimator", "estimators"):
        inner = getattr(estimator, name, None)
        several = inner if isinstance(inner, tuple) else (() if inner is None else (inner,))
        for k, one in enumerate(several):
            found += [(f"{name}.{k}.{place}", network) for place, network in networks_of(one)]
    return found


def weights_of(estimator: FlowEstimator) -> dict[str, Tensor]:
    """All tensors of its networks, by name, in memory of their own."""
    with torch.no_grad():
        return {
            place + name: value.detach().cpu().clone().contiguous()
            for place, network in networks_of(estimator)
            for name, value in network.state_dict().items()
        }
