"""Reads the tensors out of somebody else's checkpoint, and runs nothing of what the file may hold besides.

A PyTorch checkpoint is a pickle, which can hold any program. Here torch's restricted unpickler reads it; whatever the
file names beyond tensors and containers (a logger, a namespace of options, an optimiser) becomes an inert placeholder.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dyad.models.weights import WeightsError

_UNKNOWN = re.compile(r"GLOBAL ([\w.]+) was not an allowed global|Unsupported class ([\w.]+)")
_MOST_PLACEHOLDERS = 200
_LARGEST = 16 << 30
_DEEPEST = 6


def read_original(path: str | Path) -> list[dict[str, Tensor]]:
    """Every state dict in a checkpoint, the largest first: a name and a tensor an entry.

    `path` is a file (.pth, .pth.tar, .pt, .bin, .safetensors) or a folder with a text file `checkpoint` that names the
    file beside it, as TensorFlow and TorchSUL write. Raises WeightsError, in one sentence, for what is missing,
    damaged, or holds no tensors.
    """
    path = Path(path)
    if path.is_dir():
        path = _named_in(path)
    if not path.is_file():
        raise WeightsError(f"there is no checkpoint at {path}")
    if path.suffix == ".safetensors":
        content = _read_safetensors(path)
    else:
        _check_archive(path)
        content = _unpickled(path)
    found = sorted(_state_dicts(content, 0, set()), key=len, reverse=True)
    if not found:
        raise WeightsError(f"{path} holds no tensors by name, so it is no checkpoint of a network")
    return found


def _named_in(folder: Path) -> Path:
    """The file that a folder's text file `checkpoint` names."""
    note = folder / "checkpoint"
    try:
        text = note.read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        raise WeightsError(f"{folder} is a folder without a text file 'checkpoint' that names the weights") from None
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    name = line.split(":", 1)[-1].strip().strip("\"'") if ":" in line else line
    if not name or Path(name).name != name or name in (".", ".."):
        raise WeightsError(f"{note} should name a file beside it, it says {name[:80]!r}")
    for candidate in (folder / name, folder / f"{name}.pth"):
        if candidate.is_file():
            return candidate
    raise WeightsError(f"{note} names {name!r}, which is not beside it")


def _check_archive(path: Path) -> None:
    """Refuse an archive that would unpack to far more than it is."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except Exception as error:  # A damaged directory makes zipfile raise almost anything.
        raise WeightsError(f"{path} is a damaged archive: {one_line(error)}") from error
    if size > min(_LARGEST, 50 * path.stat().st_size + (1 << 20)):
        raise WeightsError(f"{path} would unpack to {size:,} bytes, far more than it is; it is no checkpoint")


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is no whole safetensors file: {one_line(error)}") from error


def _unpickled(path: Path) -> Any:
    """What the file holds, with placeholders for all but tensors and containers."""
    inert: dict[str, type] = {}
    while True:
        try:
            with torch.serialization.safe_globals(list(inert.values())), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # A damaged pickle makes torch raise almost anything.
            found = _UNKNOWN.search(str(error))
            name = next((group for group in found.groups() if group), "") if found else ""
            if not name or name in inert or len(inert) >= _MOST_PLACEHOLDERS:
                raise WeightsError(f"{path} is no checkpoint that can be read safely: {one_line(error)}") from error
            inert[name] = _placeholder(name)


def _placeholder(full: str) -> type:
    """A class of that name which does nothing, whatever it is given."""
    module, _, name = full.rpartition(".")

    class Placeholder:
        def __init__(self, *_: object, **__: object) -> None:
            """Take anything, keep nothing."""

        def __setstate__(self, _: object) -> None:
            """Keep nothing."""

    Placeholder.__module__, Placeholder.__qualname__, Placeholder.__name__ = module, name, name
    return Placeholder


def _state_dicts(content: Any, depth: int, seen: set[int]) -> Iterator[dict[str, Tensor]]:
    """The mappings from names to tensors inside nested mappings, each once however often it is named."""
    if not isinstance(content, Mapping) or depth > _DEEPEST or id(content) in seen:
        return
    seen.add(id(content))
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield tensors
    for value in content.values():
        yield from _state_dicts(value, depth + 1, seen)


def one_line(error: Exception) -> str:
    """What an error of a library says, fit to stand inside a sentence of ours."""
    said = "".join(c if c.isprintable() else " " for c in str(error))
    return " ".join(said.split())[:200] or type(error).__name__
