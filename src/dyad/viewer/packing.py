"""Whole numbers as text: little-endian bytes in base64, which a browser reads a hundred times faster than a list."""

import base64
from typing import Any

import numpy as np
from torch import Tensor

# The least number of each type stands for a missing value.
_MISSING = {"i2": -(2**15), "i4": -(2**31)}
_MOST = 1_000_000_000


def pack(values: Tensor | np.ndarray, per_unit: float) -> dict[str, Any]:
    """Values of any shape as rounded multiples of 1/per_unit, flat: {"type": "i2" or "i4", "data": base64}.

    What is not finite, or beyond any picture or place, is missing: the least number of the type.
    """
    scaled = np.asarray(values, np.float64).reshape(-1) * per_unit
    good = np.isfinite(scaled) & (np.abs(scaled) < _MOST)
    whole = np.rint(np.where(good, scaled, 0)).astype(np.int64)
    kind = "i2" if not len(whole) or int(np.abs(whole).max()) < -_MISSING["i2"] else "i4"
    stored = np.where(good, whole, _MISSING[kind]).astype(f"<{kind}")
    return {"type": kind, "data": base64.b64encode(stored.tobytes()).decode("ascii")}


def unpack(packed: dict[str, Any], per_unit: float) -> np.ndarray:
    """What `pack` was given, rounded, flat (n,) float64; NaN where it was missing."""
    kind = packed["type"]
    stored = np.frombuffer(base64.b64decode(packed["data"]), np.dtype(f"<{kind}"))
    return np.where(stored == _MISSING[kind], np.nan, stored / per_unit)
