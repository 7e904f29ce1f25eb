"""A scene as the source of a `Video`: frames are drawn when they are asked for, and kept while they fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dyad.core.pixels import THUMBNAIL, resized
from dyad.core.reports import DecodeReport

if TYPE_CHECKING:
    from dyad.synthetic.scenes import Scene

_KEPT_BYTES = 400 << 20


@dataclass(frozen=True)
class Frame:
    """One frame of footage: drawn when it is looked at."""

    index: int
    time: float
    footage: "Footage"

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.footage.image(self.index)

    def thumbnail(self) -> NDArray[np.uint8]:
        """(36, 64, 3) uint8 RGB."""
        return resized(self.image(), *THUMBNAIL)


class Footage:
    """A scene with the methods of `core.sources.Source`."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.name = scene.name
        self.size = scene.size
        self.fps = scene.fps
        self.expected = scene.frames
        self.report = DecodeReport(frames=scene.frames, expected=scene.frames, complete=True)
        self._images: dict[int, NDArray[np.uint8]] = {}

    def times(self) -> NDArray[np.float64]:
        return self.scene.times

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[Frame]:
        for index in range(*slice(start, stop, step).indices(self.scene.frames)):
            yield Frame(index, float(self.scene.times[index]), self)

    def image(self, frame: int) -> NDArray[np.uint8]:
        """The image (H, W, 3) of a frame, uint8 RGB."""
        found = self._images.get(frame)
        if found is None:
            found = self.scene.image(frame)
            self.keep(frame, found)
        return found

    def keep(self, frame: int, image: NDArray[np.uint8]) -> None:
        """Remember an image, while there is room."""
        if (len(self._images) + 1) * image.nbytes <= _KEPT_BYTES:
            self._images[frame] = image
