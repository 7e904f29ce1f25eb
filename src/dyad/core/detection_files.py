"""Detections as files: those of many frames in one archive, exact to the last bit."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.archives import read_npz
from dyad.core.detections import Detections
from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file
from dyad.core.skeleton import Skeleton

SCHEMA = "dyad-detections/1"

# What every frame has, and what an estimator may leave out.
_ALWAYS = ("boxes", "scores", "xy", "confidence")
_MAYBE = ("xyz", "appearance")


def save_detections(path: str | Path, found: Sequence[Detections], **facts: Any) -> None:
    """Write the detections of frames, of one skeleton, to `path`, whole or not at all; `facts` go along as JSON."""
    with whole_file(path) as partial, partial.open("wb") as file:
        write_detections(file, found, **facts)


def write_detections(file: BinaryIO, found: Sequence[Detections], **facts: Any) -> None:
    """The same into an open file. BadInput where skeletons differ."""
    names = {frame.skeleton.name for frame in found}
    if len(names) > 1:
        raise BadInput(f"detections of one file should have one skeleton, got {sorted(names)}")
    header = {"schema": SCHEMA, "skeleton": found[0].skeleton.to_json() if found else None, "facts": facts}
    arrays: dict[str, NDArray[Any]] = {
        "frame": np.array([f.frame for f in found], np.int64),
        "time": np.array([f.time for f in found], np.float64),
        "cut": np.array([f.cut for f in found], np.bool_),
        "people": np.array([len(f) for f in found], np.int64),
    }
    for name in (*_ALWAYS, *_MAYBE):
        values = [getattr(f, name) for f in found]
        arrays[f"has_{name}"] = np.array([value is not None for value in values], np.bool_)
        given = [value for value in values if value is not None and len(value)]
        if given:
            arrays[name] = torch.cat(given).numpy()
    # Not compressed: noise compresses badly, and these files live as long as their run.
    np.savez(file, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)


def load_detections(source: str | Path | BinaryIO) -> tuple[list[Detections], dict[str, Any]]:
    """Detections, by frame, and the facts beside them, of a file. BadInput where it is damaged or of another sort."""
    name = source if isinstance(source, str | Path) else "what was sent"
    try:
        arrays = read_npz(source)
        header = json.loads(str(arrays.pop("header")))
        if header["schema"] != SCHEMA:
            raise ValueError(f"its schema is {header['schema']!r}, expected {SCHEMA!r}")
        return list(_frames(header, arrays)), dict(header["facts"])
    except BadInput as error:
        if str(name) in str(error):
            raise
        raise BadInput(f"{name} does not hold detections of Dyad: {error}") from error
    except Exception as error:  # Arrays and JSON that do not fit each other raise almost anything.
        raise BadInput(f"{name} does not hold detections of Dyad: {one_line(error)}") from error


def _frames(header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Iterator[Detections]:
    people = arrays["people"]
    if not len(people):
        return
    skeleton = Skeleton.from_json(header["skeleton"])
    joints = len(skeleton)
    # What frames without anybody hold, and those of estimators that find no one at all.
    blank = {"boxes": (0, 4), "scores": (0,), "xy": (0, joints, 2), "confidence": (0, joints), "xyz": (0, joints, 3)}
    ends = {name: np.cumsum(np.where(arrays[f"has_{name}"], people, 0)) for name in (*_ALWAYS, *_MAYBE)}
    tensors = {name: torch.from_numpy(arrays[name]) for name in (*_ALWAYS, *_MAYBE) if name in arrays}
    for k, n in enumerate(people.tolist()):
        values: dict[str, Tensor | None] = {}
        for name, end in ends.items():
            if not arrays[f"has_{name}"][k]:
                values[name] = None
            elif name in tensors:
                values[name] = tensors[name][end[k] - n : end[k]]
            else:
                values[name] = torch.zeros(blank.get(name, (0, 0)))
        facts = {"frame": int(arrays["frame"][k]), "time": float(arrays["time"][k]), "cut": bool(arrays["cut"][k])}
        yield Detections(skeleton=skeleton, **facts, **values)  # ty: ignore[invalid-argument-type]
