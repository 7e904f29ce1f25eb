"""One writer at a time for a folder, for as long as the process lives and no longer."""

import functools
import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from dyad.core.errors import BadUsage

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def only_writer(folder: str | os.PathLike[str]) -> Generator[None]:
    """Hold a folder, which need not exist yet, for this process on this machine. BadUsage where another one holds it.

    The lock lies among the system's temporary files, so that nothing is left in the folder, and ends with the process
    however that ends. Where no lock can be had, none is held.
    """
    name = hashlib.sha256(str(Path(folder).resolve()).encode(errors="surrogateescape")).hexdigest()[:24]
    place = Path(tempfile.gettempdir()) / f"dyad-{name}.lock"
    try:
        handle = _opened(place)
    except OSError:
        yield
        return
    if handle is None:
        raise BadUsage(f"another run is writing to {folder}; wait for it, or choose another folder with -o")
    try:
        yield
    finally:
        # While it is held, so that nobody takes a lock on a file that has gone.
        # Windows keeps files that are open.
        with suppress(OSError):
            place.unlink(missing_ok=True)
        os.close(handle)


def writes_alone(work: Callable[P, T]) -> Callable[P, T]:
    """A function whose argument `output`, if not None, is a folder that only one call writes to at a time."""
    signature = inspect.signature(work)

    @functools.wraps(work)
    def alone(*args: P.args, **options: P.kwargs) -> T:
        output = signature.bind_partial(*args, **options).arguments.get("output")
        if output is None:
            return work(*args, **options)
        with only_writer(output):
            return work(*args, **options)

    return alone


def _opened(place: Path) -> int | None:
    """The lock file, held; None where another process holds it."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            held = _held(handle)
            there = held and os.path.exists(place) and os.path.samestat(os.fstat(handle), os.stat(place))
        except OSError:
            os.close(handle)
            raise
        if there:
            return handle
        os.close(handle)
        if not held:
            return None


def _held(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
