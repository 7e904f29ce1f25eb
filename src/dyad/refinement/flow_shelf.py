"""Flows on disk in 16 bits, only where somebody needs them: a long video costs neither memory nor whole images."""

import json
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyad.core.errors import BadInput, one_line
from dyad.core.files import whole_file
from dyad.core.flow import Flow
from dyad.core.sizes import check_size

TILE = 32
"""Side of the squares, px, in which flow is kept or not."""


@dataclass
class FlowShelf:
    """`count` flows of one size, a `Flows`; unknown (NaN) wherever nothing was kept. `kept` and `open` make them.

    Numbers have eleven bits: motion of 10 px is kept to 0.004 px. `cuts` are frames before which whoever filled it
    saw a hard cut.
    """

    count: int
    size: tuple[int, int]
    file: IO[bytes]
    places: dict[int, int] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, where: int, /) -> Flow:
        position = range(self.count)[where]
        width, height = self.size
        if position not in self.places:
            return Flow(torch.full((2, height, width), torch.nan))
        rows, columns = grid_of(self.size)
        self.file.seek(self.places[position])
        checked = self.file.read(1) == b"\1"
        chosen = np.unpackbits(self._read(np.uint8, (rows * columns + 7) // 8), count=rows * columns).astype(bool)
        tiles = int(chosen.sum())
        uv = np.full((rows, columns, 2, TILE, TILE), np.nan, np.float32)
        chosen = chosen.reshape(rows, columns)
        uv[chosen] = self._read(np.float16, tiles * 2 * TILE * TILE).reshape(tiles, 2, TILE, TILE)
        occluded = None
        if checked:
            hidden = np.zeros((rows, columns, 1, TILE, TILE), bool)
            packed = self._read(np.uint8, tiles * TILE * TILE // 8)
            hidden[chosen] = np.unpackbits(packed).astype(bool).reshape(tiles, 1, TILE, TILE)
            occluded = _untiled(torch.from_numpy(hidden), self.size)[0]
        return Flow(_untiled(torch.from_numpy(uv), self.size), None, occluded)

    def put(self, position: int, flow: Flow, tiles: NDArray[np.bool_]) -> None:
        """Keep the chosen tiles of a flow (2, H, W). BadInput for flows of another size."""
        if flow.size != self.size:
            raise BadInput(f"the images are of {self.size} px, got a flow of {flow.size} px")
        self.places[position] = self.file.seek(0, 2)
        self.file.write(b"\0" if flow.occluded is None else b"\1")
        self.file.write(np.packbits(tiles).tobytes())
        uv = _tiled(flow.filled(torch.nan).detach().cpu().to(torch.float16)).numpy()
        self.file.write(uv[tiles].tobytes())
        if flow.occluded is not None:
            self.file.write(np.packbits(_tiled(flow.occluded.cpu()[None]).numpy()[tiles]).tobytes())

    def __iter__(self) -> Iterator[Flow]:
        return (self[position] for position in range(self.count))

    @classmethod
    def open(cls, path: Path) -> "FlowShelf":
        """What `kept` wrote."""
        file = path.open("rb")
        try:
            end = file.seek(-8, 2)
            length = int.from_bytes(file.read(8), "little")
            file.seek(end - length)
            facts = json.loads(file.read(length))
            places = {int(position): int(offset) for position, offset in facts["places"].items()}
            count, (width, height), cuts = int(facts["count"]), map(int, facts["size"]), [*map(int, facts["cuts"])]
            check_size(width, height, str(path))
            if count < 0 or any(not 0 <= offset < end for offset in places.values()):
                raise ValueError("its flows lie outside it")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            file.close()
            raise _damaged(path, error) from error
        except BadInput:
            file.close()
            raise
        return cls(count, (width, height), file, places, cuts)

    def _read(self, kind: type, count: int) -> NDArray:
        content = self.file.read(count * np.dtype(kind).itemsize)
        if len(content) != count * np.dtype(kind).itemsize:
            raise _damaged(self.file.name, EOFError("it ends early"))
        return np.frombuffer(content, kind)


@contextmanager
def kept(path: Path | None, count: int, size: tuple[int, int]) -> Generator[FlowShelf]:
    """A shelf to fill: a file that appears under its name once it is whole, or one without a name that goes when the
    shelf does."""
    if path is None:
        # It lives as long as the shelf, which goes on being read.
        yield FlowShelf(count, size, tempfile.TemporaryFile(prefix="dyad-flow-"))  # noqa: SIM115
        return
    with whole_file(path) as partial, partial.open("w+b") as file:
        shelf = FlowShelf(count, size, file)
        yield shelf
        facts = {"count": count, "size": list(size), "places": shelf.places, "cuts": shelf.cuts}
        index = json.dumps(facts).encode()
        file.seek(0, 2)
        file.write(index + len(index).to_bytes(8, "little"))
    shelf.file = path.open("rb")


def _damaged(path: object, error: Exception) -> BadInput:
    return BadInput(f"{path} is no whole file of flows ({one_line(error)}); remove it, and it is made anew")


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of tiles in an image."""
    return -(-size[1] // TILE), -(-size[0] // TILE)


def tiles_of(boxes: Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Tiles (rows, columns) that boxes (N, 4) px x0 y0 x1 y1 touch; boxes with a NaN touch none."""
    rows, columns = grid_of(size)
    chosen = np.zeros((rows, columns), bool)
    for x0, y0, x1, y1 in boxes[torch.isfinite(boxes).all(-1)].tolist():
        left, top = (int(max(v, 0) // TILE) for v in (x0, y0))
        if x1 >= 0 and y1 >= 0:
            chosen[top : int(y1 // TILE) + 1, left : int(x1 // TILE) + 1] = True
    return chosen


def _tiled(image: Tensor) -> Tensor:
    """(C, H, W) as (rows, columns, C, TILE, TILE), with 0 beyond the image."""
    rows, columns = grid_of((image.shape[-1], image.shape[-2]))
    whole = image.new_zeros(image.shape[0], rows * TILE, columns * TILE)
    whole[:, : image.shape[1], : image.shape[2]] = image
    return whole.unflatten(1, (rows, TILE)).unflatten(3, (columns, TILE)).permute(1, 3, 0, 2, 4).contiguous()


def _untiled(tiles: Tensor, size: tuple[int, int]) -> Tensor:
    whole = tiles.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
    return whole[:, : size[1], : size[0]].contiguous()
