"""The lines of a training's log as curves for TensorBoard, where that is installed."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Curves:
    """Writes numbers into event files of a folder; without the package `tensorboard` it writes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._first: int | None = None
        self._writer: Any = None

    @contextmanager
    def from_step(self, step: int) -> Generator[None]:
        """While entered, lines become points; what files have of steps after `step` is forgotten."""
        self._first = step
        try:
            yield
        finally:
            if self._writer is not None:
                self._writer.close()
            self._first, self._writer = None, None

    def add(self, line: Mapping[str, Any]) -> None:
        """The numbers of a line, those of a validation as `metrics/…`, at its step."""
        if self._first is None or find_spec("tensorboard") is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=self._first + 1)
        told = {**line, **{f"metrics/{name}": value for name, value in line.get("metrics", {}).items()}}
        for name, value in told.items():
            if isinstance(value, int | float) and name not in ("step", "metrics/step"):
                self._writer.add_scalar(name, value, line["step"])
        self._writer.flush()
