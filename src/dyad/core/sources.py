"""Where a video's frames come from, other than a file: a folder of images, an array, anything with the same methods."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dyad.core.decoding import read_image
from dyad.core.errors import BadInput
from dyad.core.ordering import natural
from dyad.core.pixels import THUMBNAIL, over_black, resized
from dyad.core.reports import DecodeReport
from dyad.core.sizes import check_size

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pam", ".gif", ".jp2")
)

DEFAULT_FPS = 30.0


class SourceFrame(Protocol):
    """One frame of a source; valid until the next one is asked for."""

    @property
    def index(self) -> int: ...

    @property
    def time(self) -> float: ...

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        ...

    def thumbnail(self) -> NDArray[np.uint8]:
        """(36, 64, 3) uint8 RGB."""
        ...


@runtime_checkable
class Source(Protocol):
    """Frames by index; a renderer that has these can be a Video's source, too."""

    name: str
    size: tuple[int, int]
    fps: float
    report: DecodeReport

    @property
    def expected(self) -> int | None: ...

    def times(self) -> NDArray[np.float64]: ...

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[SourceFrame]: ...


@dataclass(frozen=True)
class StillFrame:
    """A frame that is an array already."""

    index: int
    time: float
    pixels: NDArray[np.uint8]

    def image(self) -> NDArray[np.uint8]:
        return self.pixels

    def thumbnail(self) -> NDArray[np.uint8]:
        return resized(self.pixels, *THUMBNAIL)


class ArraySource:
    """Images in memory.

    Args:
        array: (T, H, W, 3) RGB, (T, H, W, 4) with alpha, (T, H, W) or (T, H, W, 1) grey, (H, W, 3) one image; uint8.
        fps: frames a second.
    """

    def __init__(self, array: Any, *, fps: float | None = None) -> None:
        array = np.asarray(array)
        if array.dtype != np.uint8:
            raise BadInput(f"a video as an array is of uint8 from 0 to 255, got {array.dtype}: convert it first")
        if array.ndim == 3:
            array = array[None] if array.shape[-1] in (3, 4) else array[..., None]
        if array.ndim != 4 or array.shape[-1] not in (1, 3, 4):
            raise BadInput(f"a video as an array has the shape (T, H, W, 3), or (T, H, W) if grey, got {array.shape}")
        if not len(array):
            raise BadInput(f"a video as an array needs at least one frame, got the shape {array.shape}")
        check_size(array.shape[2], array.shape[1], "the array")
        self._array = array
        self.name = "array"
        self.size = (array.shape[2], array.shape[1])
        self.fps = fps or DEFAULT_FPS
        self.expected = len(array)
        self.report = DecodeReport(frames=len(array), expected=len(array), complete=True)

    def times(self) -> NDArray[np.float64]:
        return np.arange(len(self._array)) / self.fps

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[StillFrame]:
        for index in range(*slice(start, stop, step).indices(len(self._array))):
            pixels = self._array[index]
            if pixels.shape[-1] == 1:
                pixels = np.repeat(pixels, 3, axis=-1)
            elif pixels.shape[-1] == 4:
                pixels = over_black(pixels)
            yield StillFrame(index, index / self.fps, np.ascontiguousarray(pixels))


class FolderSource:
    """A folder of images in natural order: frame_2.png comes before frame_10.png.

    Only the frames asked for are decoded. An image that does not decode, or is of another size than the first, is a
    BadInput that names it, raised when its turn comes.
    """

    def __init__(self, path: str | Path, *, fps: float | None = None) -> None:
        self.path = Path(path)
        self.name = self.path.resolve().name
        try:
            seen = [p for p in self.path.iterdir() if not p.name.startswith(".")]
        except OSError as error:
            raise BadInput(f"cannot read the folder {path}: {error.strerror}") from error
        self.files = sorted((p for p in seen if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()), key=natural)
        if not self.files:
            raise BadInput(f"the folder {path} holds no images (PNG, JPEG and the like); a folder of frames is needed")
        self.size = read_image(self.files[0]).shape[1::-1]
        self.fps = fps or DEFAULT_FPS
        self.expected = len(self.files)
        self.report = DecodeReport(frames=len(self.files), expected=len(self.files), complete=True)

    def times(self) -> NDArray[np.float64]:
        return np.arange(len(self.files)) / self.fps

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[StillFrame]:
        for index in range(*slice(start, stop, step).indices(len(self.files))):
            image = read_image(self.files[index])
            if image.shape[1::-1] != self.size:
                (width, height), (height2, width2) = self.size, image.shape[:2]
                raise BadInput(
                    f"{self.files[index]} is {width2}x{height2} px but {self.files[0].name} is {width}x{height}; "
                    "the images of a folder should all be of one size"
                )
            yield StillFrame(index, index / self.fps, image)
