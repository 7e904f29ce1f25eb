"""What a worker is told: which video, which detector. It opens both once and then finds piece after piece."""

import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, Self

import torch

from dyad.core.camera import Camera
from dyad.core.decoding import FileSource
from dyad.core.errors import BadUsage
from dyad.core.frame_index import FrameIndex
from dyad.core.protocols import Detector
from dyad.core.video import Video
from dyad.pipeline import Pipeline
from dyad.stages.pieces import Pieces


@dataclass(frozen=True)
class Task:
    """Pieces of one video, to be found by one detector.

    Attributes:
        name: of this task; a worker keeps what it opened until a task of another name comes.
        path: of the video; every worker must find it there. camera: as JSON. selection: see `Video.selection`.
        index: where the frames of a file lie, so that not every worker has to read all of it first.
        finding: options of the detector. length: frames of a piece. threads: of torch. key: of the shelf.
    """

    name: str
    path: str = field(compare=False)
    camera: dict[str, Any] = field(compare=False)
    selection: tuple[int, int | None, int] = field(compare=False)
    index: FrameIndex | None = field(compare=False)
    finding: dict[str, Any] = field(compare=False)
    length: int = field(compare=False)
    threads: int = field(compare=False)
    key: str = field(compare=False)

    @classmethod
    def of(cls, source: Any, video: Video, finding: dict[str, Any], key: str, *, threads: int | None = None) -> Self:
        """The task of finding a video's pieces. BadUsage for a source that other processes cannot open."""
        if not isinstance(source, str | PathLike):
            raise BadUsage("other processes can only find people in a file or folder: save the array or Video as one")
        # Knowing the number of pieces takes one pass over the video; what it learns goes to the workers.
        len(video)
        index = video.source.index if isinstance(video.source, FileSource) else None
        options = {name: value for name, value in finding.items() if name != "piece"}
        return cls(
            secrets.token_hex(8),
            str(Path(source).resolve()),
            video.camera.to_json(),
            video.selection,
            index,
            options,
            finding["piece"],
            threads or torch.get_num_threads(),
            key,
        )

    def __call__(self, piece: int) -> bytes:
        """Find one piece, in the process that calls: see `Pieces.packed`."""
        pieces, video = _opened(self)
        return pieces.packed(video, piece, key=self.key)


@lru_cache(maxsize=1)
def _opened(task: Task) -> tuple[Pieces, Video]:
    torch.set_num_threads(task.threads)
    start, stop, every = task.selection
    source = task.path if Path(task.path).is_dir() else FileSource(task.path, index=task.index)
    video = Video(source, camera=Camera.from_json(task.camera), frames=slice(start, stop), every=every)
    detector: Detector = Pipeline.default(**task.finding).detector
    return Pieces(detector=detector, length=task.length), video
