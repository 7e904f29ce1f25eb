"""What refinement adds to a run: its wall time over that of decoding, finding poses and one flow pass."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dyad.core.video import Video
from dyad.export.video import clip_writer

_AT_ONCE = 8
_WARM_UP = 3


@dataclass(frozen=True)
class PlainRun:
    """Wall seconds of decoding a clip and finding everybody's poses in it, by the pipeline of `dyad run`.

    A clip that was rendered is written to a file first, as users have it. `clock`: s.
    """

    pipeline: Callable[[Video], Any]
    clock: Callable[[], float] = time.perf_counter

    def warm_up(self, video: Video) -> None:
        """Run a few frames, so that what happens once per process is not counted."""
        self.pipeline(Video(video[:_WARM_UP], camera=video.camera, fps=video.fps))

    def __call__(self, video: Video) -> float:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "clip.mp4"
            with clip_writer(path) as writer:
                for chunk in video.chunks(_AT_ONCE):
                    for image, moment in zip(chunk.images, chunk.times.tolist(), strict=True):
                        writer.write(image, moment)
            stored = Video(path)
            if stored.size == video.size:
                stored = Video(path, camera=video.camera)
            start = self.clock()
            self.pipeline(stored)
            return self.clock() - start
