"""When to stop before the end: at a deadline, or when told to."""

import logging
import signal
import threading
import time
from types import FrameType
from typing import Any, Self

logger = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While entered, the first SIGINT or SIGTERM is remembered and the second one interrupts; `why` says what to heed.

    Args:
        deadline: by `time.monotonic`; None for none.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.told: str | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python lets only the main thread say what happens at a signal.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.told is not None:
            raise KeyboardInterrupt
        self.told = signal.Signals(number).name
        logger.warning("%s: the training stops after this step and keeps its state", self.told)

    @property
    def why(self) -> str | None:
        """The signal's name, "time", or None to go on."""
        if self.told is None and self.deadline is not None and time.monotonic() >= self.deadline:
            return "time"
        return self.told
