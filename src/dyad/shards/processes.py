"""Pieces found by several processes of this machine."""

import logging
import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any

from dyad.core.children import end_with_parent
from dyad.core.errors import BadInput
from dyad.core.video import Video
from dyad.shards.work import Task
from dyad.stages.pieces import Elsewhere

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Processes:
    """So many processes at a time, each started afresh (not forked), each with so many threads.

    A process that dies takes the others' unfinished pieces with it; all of them start again, at most `retries` times.
    """

    workers: int
    threads: int | None = None
    retries: int = 3

    def __call__(self, source: Any, video: Video, finding: dict[str, Any], key: str) -> Elsewhere:
        """Who finds the pieces of a video."""
        return partial(self._find, Task.of(source, video, finding, key, threads=self.threads))

    def _find(self, task: Task, pieces: list[int]) -> Iterator[bytes]:
        left, deaths = deque(pieces), 0
        while left:
            try:
                for packed in self._in_pool(task, list(left)):
                    left.popleft()
                    yield packed
            except BrokenProcessPool as error:
                deaths += 1
                if deaths > self.retries:
                    raise BadInput(
                        f"a process died {deaths} times on piece {left[0]}; is there enough memory?"
                    ) from error
                log.warning("A process died; piece %d and those after it start again.", left[0])

    def _in_pool(self, task: Task, pieces: list[int]) -> Iterator[bytes]:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self.workers, len(pieces)), context, initializer=end_with_parent)
        try:
            # A few more than there are processes: none waits, and results do not pile up.
            running: deque[Future[bytes]] = deque()
            for piece in pieces:
                running.append(pool.submit(task, piece))
                if len(running) > 2 * self.workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
