"""Any number of flows in one .npz, written one by one: a long video costs disk, not memory."""

import shutil
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dyad.core.errors import BadInput
from dyad.core.files import whole_file
from dyad.core.flow import Flow


class FlowArchive:
    """Collects flows; made by `flow_archive`."""

    def __init__(self, spool: IO[bytes], hidden: IO[bytes]) -> None:
        self._spool = spool
        self._hidden = hidden
        self._size: tuple[int, int] | None = None
        self._frames: list[int] = []
        self._occluded = 0

    def write(self, flow: Flow, frame: int) -> None:
        """Append a flow (2, H, W) that begins in the frame of that index. BadInput for flows of two sizes."""
        if self._size not in (None, flow.size):
            raise BadInput(f"the flows of an archive should all be of {self._size} px, got {flow.size} px")
        self._size = flow.size
        self._frames.append(frame)
        self._spool.write(np.ascontiguousarray(flow.numpy(), "<f4").tobytes())
        if flow.occluded is not None:
            self._occluded += 1
            self._hidden.write(np.ascontiguousarray(flow.occluded.cpu().numpy()).tobytes())

    def finish(self, path: Path) -> None:
        """Write what was collected to `path`. BadInput where there is no flow."""
        if self._size is None:
            raise BadInput("an archive of flow needs at least one flow, got none")
        width, height = self._size
        count = len(self._frames)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _member(archive, "flow", "<f4", (count, height, width, 2), self._spool)
            # Not of some only: nobody could say which.
            if self._occluded == count:
                _member(archive, "occluded", "|b1", (count, height, width), self._hidden)
            with archive.open("frames.npy", "w") as file:
                frames: NDArray[np.int64] = np.array(self._frames, np.int64)
                np.lib.format.write_array(file, frames, allow_pickle=False)


@contextmanager
def flow_archive(path: str | Path) -> Generator[FlowArchive]:
    """Open `path` (.npz) for writing; it appears under its name only once it is whole.

    It holds `flow` (N, H, W, 2) px, NaN where unknown, `frames` (N,) the index of each flow's first frame, and if all
    flows have it, `occluded` (N, H, W).
    """
    path = Path(path)
    with (
        whole_file(path) as partial,
        tempfile.TemporaryFile(dir=path.parent) as spool,
        tempfile.TemporaryFile(dir=path.parent) as hidden,
    ):
        archive = FlowArchive(spool, hidden)
        yield archive
        archive.finish(partial)


def _member(archive: zipfile.ZipFile, name: str, kind: str, shape: tuple[int, ...], content: IO[bytes]) -> None:
    """Add an array whose numbers lie in a file."""
    content.seek(0)
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        shutil.copyfileobj(content, file, 1 << 20)
