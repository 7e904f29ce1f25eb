"""Pieces found by the machines of a Ray cluster. Tracking onward runs once, where the call is made."""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from dyad.core.errors import BadInput, BadUsage, DyadError, MissingExtra, one_line
from dyad.core.video import Video
from dyad.shards.work import Task
from dyad.stages.pieces import Elsewhere


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster: "auto" for the one this machine is part of, "HOST:PORT", "ray://HOST:PORT", or "local" for one of
    this machine's own.

    Its machines need the same Dyad, and the video under the same path. A piece whose worker dies is found again, at
    most `retries` times; each takes `threads` CPUs.
    """

    address: str
    threads: int | None = None
    retries: int = 3

    def __call__(self, source: Any, video: Video, finding: dict[str, Any], key: str) -> Elsewhere:
        """Who finds the pieces of a video. MissingExtra without Ray, BadUsage where there is no cluster."""
        ray = _ray(self.address)
        return partial(self._find, ray, Task.of(source, video, finding, key, threads=self.threads))

    def _find(self, ray: ModuleType, task: Task, pieces: list[int]) -> Iterator[bytes]:
        find = ray.remote(num_cpus=task.threads, max_retries=self.retries)(found)
        # The task goes to each machine once, not with every piece.
        shared = ray.put(task)
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // task.threads)
        running: deque[Any] = deque()
        try:
            for piece in pieces:
                running.append(find.remote(shared, piece))
                if len(running) > most:
                    yield _result(ray, running.popleft())
            while running:
                yield _result(ray, running.popleft())
        finally:
            for each in running:
                ray.cancel(each)


def found(task: Task, piece: int) -> bytes:
    """One piece; runs on a worker."""
    return task(piece)


def _result(ray: ModuleType, reference: Any) -> bytes:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, DyadError):
            raise type(cause)(f"{cause} (said by a worker of the cluster)") from error
        raise
    except ray.exceptions.RayError as error:
        raise BadInput(f"the cluster lost a piece for good: {one_line(error)}") from error


def _ray(address: str) -> ModuleType:
    """Ray, connected."""
    try:
        ray = import_module("ray")
    except ImportError as error:
        raise MissingExtra.of("ray", "ray", "finding people on a cluster") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            why = one_line(error)
            raise BadUsage(f"there is no Ray cluster at {address} ({why}); start one with: ray start --head") from error
    return ray
