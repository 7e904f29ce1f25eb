"""Results as plain JSON values."""

import dataclasses
import math
from typing import Any


def plain(value: Any) -> Any:
    """Dataclasses become dicts, tuples lists, and numbers that JSON cannot say (NaN, infinity) None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
