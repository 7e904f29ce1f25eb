"""A run that is watched while it goes on: each frame's detections as they are found, the result at the end."""

import queue
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self

from dyad.core.detections import Detections
from dyad.pipeline import OnFrame
from dyad.workfolder import Result, run

P = ParamSpec("P")

# Frames that may be found before somebody takes them: enough for the work not to wait, too few to fill memory.
_AHEAD = 64
# s between two looks whether the other side is still there.
_LOOK = 0.2


class Stream:
    """A run under way.

    Iterating gives the `Detections` of every frame, in order, as the detector finds them; they are final, and they have
    no identity yet. Who is who, and where in metres, needs the whole clip: `result` waits for it. Whoever stops early,
    or leaves the `with` block, ends the run, and no half-written file stays behind.

    The run works in a thread and waits for whoever iterates, so that memory does not grow. Its errors are raised here.
    """

    def __init__(self, work: Callable[[OnFrame, Callable[[], None]], Result]) -> None:
        """`work` runs to the end; it gives each frame to the first function, and calls the second now and then."""
        self._work = work
        self._found: queue.Queue[Detections | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._go, name="dyad-run", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Detections]:
        """What was not taken yet; a second loop goes on where the first one stopped."""
        while (found := self._next()) is not None:
            yield found
        self._finish()

    @property
    def result(self) -> Result:
        """What `dyad.run` returns; waits for the end, and drops the detections that nobody took."""
        while self._next() is not None:
            pass
        return self._finish()

    def close(self) -> None:
        """End the run at its next frame, if it still goes on."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> Detections | None:
        while True:
            try:
                found = self._found.get(timeout=_LOOK)
            except queue.Empty:
                if not self._thread.is_alive() and self._found.empty():
                    return None
                continue
            return found

    def _finish(self) -> Result:
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise RuntimeError("the run was closed before its end: it has no result")
        return self._result

    def _go(self) -> None:
        try:
            self._result = self._work(self._tell, self._go_on)
        except _Stopped:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._put(None)

    def _tell(self, found: Detections) -> None:
        if not self._put(found):
            raise _Stopped

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _put(self, found: Detections | None) -> bool:
        while not self._stop.is_set():
            try:
                self._found.put(found, timeout=_LOOK)
            except queue.Full:
                continue
            return True
        return False


class _Stopped(Exception):
    """Nobody listens any more."""


def _streamed(work: Callable[P, Result]) -> Callable[P, Stream]:
    """The same call, watched while it goes on."""

    @wraps(work)
    def stream(*args: P.args, **options: P.kwargs) -> Stream:
        given: dict[str, Any] = dict(options)
        heard, told = given.pop("on_frame", None), given.pop("progress", None)

        def going(on_frame: OnFrame, go_on: Callable[[], None]) -> Result:
            def frame(found: Detections) -> None:
                if heard is not None:
                    heard(found)
                on_frame(found)

            def progress(stage: str, done: int, total: int | None) -> None:
                go_on()
                if told is not None:
                    told(stage, done, total)

            watched = {**given, "on_frame": frame, "progress": progress}
            return work(*args, **watched)

        return Stream(going)

    stream.__name__ = stream.__qualname__ = "stream"
    return stream


stream = _streamed(run)
"""Start `dyad.run` and watch it: takes the same arguments, and gives a `Stream` in place of a result.

`on_frame`, `on_stage` and `progress` are called in the thread of the run.
"""
stream.__doc__ = "Start `dyad.run` and watch it: takes the same arguments, and gives a `Stream` in place of a result."
