"""Memory that was freed goes back to the system: without this, glibc keeps ever more of it in a long run."""

import ctypes
import sys
from collections.abc import Callable
from functools import cache

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
