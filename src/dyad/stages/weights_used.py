"""Which files of weights the parts of a run read, by what it was asked for, and their hashes."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from dyad.models.checkpoints import find_weights, shipped
from dyad.models.weights import WeightsError, list_weights
from dyad.stages import LIFTING


def detector_weights(detector: object, weights: Sequence[str] = (), *, thorough: bool = False) -> dict[str, Path]:
    """Files by name, of a folder those that hold its network. What plug-ins and objects of others read is not known."""
    name = detector if isinstance(detector, str) else type(detector).__name__.lower()
    if name == "blazepose":
        found = {entry.file: entry.path for entry in list_weights() if entry.present}
        heads = shipped().get("person-heads") if thorough else None
        return found | ({heads.name: heads} if heads else {})
    found = {}
    for given in weights:
        path = Path(given)
        inside = {f"{path.name}/{file.name}": file for file in sorted(path.glob("*.safetensors"))}
        for label, file in (inside or {path.name: path}).items():
            found[str(file) if label in found else label] = file
    return {label: file for label, file in found.items() if file.is_file()}


def lifter_weights(lifter: object) -> dict[str, Path]:
    """The file of Dyad's own lifter, which None stands for; others have none that is known."""
    return {} if lifter is not None else _named(LIFTING)


def flow_weights(flow: object) -> dict[str, Path]:
    """Files of the networks that a name of flow stands for; none of flow that is read from files, and of objects."""
    names = flow.split(",") if isinstance(flow, str) else []
    return {label: file for name in names for label, file in _named(name.strip()).items()}


def hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file, in hexadecimal digits."""
    found = {}
    for name, path in files.items():
        with path.open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _named(name: str) -> dict[str, Path]:
    try:
        path = find_weights(name)
    except WeightsError:
        return {}
    return {path.name: path}
