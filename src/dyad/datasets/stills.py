"""Images and files of flow from anywhere as one clip: what data sets of optical flow are made of."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyad.core.clip import Clip
from dyad.core.decoding import read_image
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Flows, Lazy
from dyad.core.flow_files import read_flow
from dyad.core.reports import DecodeReport
from dyad.core.sources import DEFAULT_FPS, StillFrame
from dyad.core.video import Video


class Stills:
    """A `Source` of the images at hand, in the order given; each is decoded when its turn comes.

    Args:
        files: one or more images of one size; BadInput, when it is read, for one of another size than the first.
        name: of the video. fps: frames a second.
    """

    def __init__(self, files: Sequence[str | Path], *, name: str, fps: float = DEFAULT_FPS) -> None:
        if not files:
            raise BadInput(f"{name} has no images")
        self.files = [Path(file) for file in files]
        self.name = name
        self.fps = fps
        self.expected = len(self.files)
        self.report = DecodeReport(frames=len(self.files), expected=len(self.files), complete=True)
        height, width = read_image(self.files[0]).shape[:2]
        self.size = (width, height)

    def times(self) -> NDArray[np.float64]:
        """(T,) s, as `fps` has them."""
        return np.arange(len(self.files)) / self.fps

    def frames(self, start: int, stop: int | None, step: int = 1) -> Iterator[StillFrame]:
        """Decode the chosen images, one after the other. BadInput for one of another size than the first."""
        for index in range(*slice(start, stop, step).indices(len(self.files))):
            image = read_image(self.files[index])
            height, width = image.shape[:2]
            if (width, height) != self.size:
                wide, high = self.size
                raise BadInput(
                    f"{self.files[index]} is {width}x{height} px but {self.files[0].name} is {wide}x{high}; "
                    "the frames of one video should all be of one size"
                )
            yield StillFrame(index, index / self.fps, image)


def still_clip(
    images: Sequence[Path],
    flow: Sequence[Path] | None,
    *,
    name: str,
    fps: float = DEFAULT_FPS,
    backward: Sequence[Path] | None = None,
    read: Callable[[Path], Flow] = read_flow,
) -> Clip:
    """A clip of T images and, read when asked for, T - 1 files of flow, and as many of the flow back.

    BadInput at once where a file is not there, and on reading one where it is not of the images' size.
    """
    for file in (*images, *(flow or ()), *(backward or ())):
        if not file.is_file():
            raise BadInput(f"{name} lacks {file}")
    video = Video(Stills(images, name=name, fps=fps))
    forth, back = (None if files is None else _flows(files, video.size, read) for files in (flow, backward))
    return Clip(video, None, forth, back)


def _flows(files: Sequence[Path], size: tuple[int, int], read: Callable[[Path], Flow]) -> Flows:
    def one(position: int) -> Flow:
        found = read(files[position])
        if found.size != size:
            raise BadInput(f"{files[position]} is a flow of {found.size} px, its images are of {size} px")
        return found

    return Lazy(len(files), one)


def present(root: str | Path, splits: Sequence[str], below: str) -> list[str]:
    """Those of `splits` whose folder root/SPLIT/below is there; BadInput for none."""
    found = [split for split in splits if (Path(root) / split / below).is_dir()]
    if not found:
        raise BadInput(f"{root} holds none of {', '.join((Path(split) / below).as_posix() for split in splits)}")
    return found
