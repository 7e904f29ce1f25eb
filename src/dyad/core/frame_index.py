"""Where the frames of a file lie, and enough of their content to know them again: 21 bytes a frame."""

from array import array
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NO_PTS = -(1 << 63)


class Entry(NamedTuple):
    """One frame: its time in s, its time stamp in the file, whether it is a key frame, a checksum of some pixels."""

    time: float
    pts: int | None
    key: bool
    signature: int


class FrameIndex:
    """Entries of all frames, by index. Plain arrays: an hour's worth of tuples would be twenty megabytes."""

    def __init__(self) -> None:
        self._times, self._pts = array("d"), array("q")
        self._signatures, self._keys = array("I"), bytearray()

    def append(self, entry: Entry) -> None:
        self._times.append(entry.time)
        self._pts.append(_NO_PTS if entry.pts is None else entry.pts)
        self._signatures.append(entry.signature)
        self._keys.append(entry.key)

    def __len__(self) -> int:
        return len(self._times)

    def __getitem__(self, k: int) -> Entry:
        pts = self._pts[k]
        return Entry(self._times[k], None if pts == _NO_PTS else pts, bool(self._keys[k]), self._signatures[k])

    @property
    def times(self) -> NDArray[np.float64]:
        """(T,) s."""
        return np.array(self._times, np.float64)

    def key_before(self, k: int) -> Entry | None:
        """The last key frame at or before frame k, or else the first one; None where no frame is one."""
        keys = np.flatnonzero(np.frombuffer(self._keys, np.uint8)) if self._keys else np.zeros(0, np.int64)
        return self[int(keys[max(0, bisect_right(keys.tolist(), k) - 1)])] if len(keys) else None
