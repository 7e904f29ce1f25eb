"""Memory that was freed goes back to the system, and work that asks for too much of it is cut into smaller parts."""

import ctypes
import logging
import sys
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

from dyad.core.errors import BadUsage

T = TypeVar("T")
log = logging.getLogger(__name__)

# From glibc's malloc.h.
_M_MMAP_THRESHOLD = -3
_OWN_PAGES = 4 << 20


def give_back_memory() -> None:
    """Hand freed memory back to the system; call it now and then, a second of video apart.

    Networks free blocks of tens of megabytes, and small results that stay lie between them: glibc then holds several
    times what is in use, the more the longer the video. Does nothing where the C library is another one.
    """
    trim = _trimmer()
    if trim is not None:
        trim(0)


@cache
def _trimmer() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        libc = ctypes.CDLL(None)
        trim, option = libc.malloc_trim, libc.mallopt
    except (OSError, AttributeError):
        return None
    # The largest blocks get pages of their own, which leave with them; smaller ones would pay too dearly for that.
    option(_M_MMAP_THRESHOLD, _OWN_PAGES)
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return trim


class Portions:
    """Works on many things some at a time: fewer from the moment that a device's memory does not suffice."""

    def __init__(self) -> None:
        self._most = sys.maxsize

    def __call__(self, count: int, most: int, work: Callable[[slice], T]) -> list[T]:
        """What `work` makes of every part of `count` things, in order, at most `most` in each.

        Where memory does not suffice the part is halved and tried again, and later parts are as small. BadUsage where
        it does not suffice for one thing.
        """
        found: list[T] = []
        at = 0
        while at < count:
            size = min(most, self._most, count - at)
            try:
                found.append(work(slice(at, at + size)))
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if size == 1:
                    raise BadUsage(
                        "memory does not suffice for even one frame at a time; choose --device cpu, a smaller video, "
                        "or end what else uses the memory"
                    ) from error
                self._most = size // 2
                log.warning("Memory does not suffice for %d at a time: going on with %d.", size, self._most)
            else:
                at += size
                continue
            # Not above: the error holds on to what was in memory when it was raised.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return found


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory does not suffice, of a GPU or of the machine."""
    said = str(error)
    marks = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(mark in said for mark in marks)
