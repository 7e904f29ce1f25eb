"""Fixtures of the original code, and weights drawn from the names of its tensors."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Fixture(NamedTuple):
    """What a fixture holds: its description, its arrays, and the weights the original had, under its names."""

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    state: dict[str, Tensor]

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])


def state_of(parity: Path, name: str) -> Fixture:
    """The fixture of this name, from the folder of parity material. Without a network the state is empty."""
    meta = _json(parity, name)
    with np.load(parity / f"{name}.npz") as archive:
        arrays = {entry: archive[entry] for entry in archive.files}
    return Fixture(meta, arrays, weights_of(parity, meta))


def weights_of(parity: Path, meta: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights that a description asks for; whole numbers that the network builds itself are left out."""
    listed = meta.get("state_dict") or []
    if isinstance(listed, str):
        other = listed.split()[-1].removesuffix(".json")
        return weights_of(parity, _json(parity, other))
    kept = set(meta.get("integer_entries_kept", ()))
    shapes = [(entry, shape) for entry, shape in listed if entry not in kept]
    filled = _recipe(parity).fill_state_dict(shapes, meta["gain"], meta.get("aliases"), meta.get("gains"))
    return {entry: torch.from_numpy(np.asarray(value)) for entry, value in filled.items()}


def close(ours: Tensor | NDArray[Any] | float, fixture: Fixture, name: str, *, factor: float = 20.0) -> None:
    """Fail where our numbers leave those of the fixture by more than `factor` times what float32 costs the original."""
    stored = np.asarray(fixture.arrays[name], np.float64)
    values = ours.detach().cpu().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    assert values.shape == stored.shape, f"{name}: {values.shape}, expected {stored.shape}"
    spread = fixture.meta["float32_vs_float64"][name]
    bound = factor * spread["max_abs"] + 1e-6 * spread["rms_ref"]
    worst = float(np.abs(values.astype(np.float64) - stored).max(initial=0.0))
    assert worst <= bound, f"{name}: off by {worst:.3g}, allowed {bound:.3g} (rms {spread['rms_ref']:.3g})"


def _json(parity: Path, name: str) -> dict[str, Any]:
    return json.loads((parity / f"{name}.json").read_text(encoding="utf-8"))


def _recipe(parity: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("weights_recipe", parity / "weights_recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
