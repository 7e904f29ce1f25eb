"""Consecutive frames of a video, two by two: what flow estimators work on."""

from collections.abc import Iterator

import numpy as np

from dyad.core.video import Chunk, Video


def pairs(video: Video, n: int, *, across_cuts: bool = False) -> Iterator[tuple[Chunk, Chunk]]:
    """Yield (first, second), up to n frames each; second[i] follows first[i] among the video's selected frames.

    Pairs with a hard cut between them are left out unless `across_cuts`.
    """
    last: Chunk | None = None
    for chunk in video.chunks(n):
        frames = chunk if last is None else joined(last, chunk)
        first, second = part(frames, slice(None, -1)), part(frames, slice(1, None))
        if not across_cuts and second.cut.any():
            # A mask copies the images: only where there is a cut.
            first, second = part(first, ~second.cut), part(second, ~second.cut)
        last = part(chunk, slice(-1, None))
        if len(first):
            yield first, second


def part(chunk: Chunk, where: slice | np.ndarray) -> Chunk:
    """Some frames of a chunk: by a slice (a view of them) or by a mask."""
    return Chunk(chunk.indices[where], chunk.times[where], chunk.images[where], chunk.cut[where])


def joined(first: Chunk, second: Chunk) -> Chunk:
    """The frames of both, one after the other."""
    names = ("indices", "times", "images", "cut")
    return Chunk(*(np.concatenate((getattr(first, name), getattr(second, name))) for name in names))
