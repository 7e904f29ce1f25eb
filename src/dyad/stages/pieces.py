"""Finding people piece by piece: what was found is kept, and found again it would be the same.

A piece is so many frames of a video. To find people at its ends as well as elsewhere, the detector also sees some
frames before and after it, whose detections are dropped. So what is found in a piece depends on nothing but the frames
around it and the detector: pieces may be found in any order, in any process, on any machine, and be kept on disk.
"""

import io
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dyad.core.detection_files import load_detections, save_detections, write_detections
from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.files import whole_file, writing_to
from dyad.core.protocols import Detector
from dyad.core.tracks import Tracks
from dyad.core.video import Video

log = logging.getLogger(__name__)

LENGTH = 1024
"""Frames of a piece: so much work is lost when a run is killed."""
_OVERLAP = 1.0  # s
_MOST_OVERLAP = 64  # frames

# Finds the pieces of these numbers elsewhere and gives each one's `Pieces.packed` bytes, in the order of the numbers.
Elsewhere = Callable[[list[int]], Iterable[bytes]]


@dataclass(frozen=True)
class Shelf:
    """Where found pieces lie until the run is done; the key stands for all that they depend on."""

    folder: Path
    key: str

    def path(self, piece: int) -> Path:
        return self.folder / f"found-{self.key[:16]}-{piece:05}.npz"

    def load(self, piece: int) -> tuple[list[Detections], bool] | None:
        """What was found in a piece and whether more follow; None where that is not known, or cannot be read."""
        path = self.path(piece)
        if not path.is_file():
            return None
        try:
            found, facts = load_detections(path)
        except BadInput as error:
            log.warning("A piece that was kept is damaged and is found anew: %s", error)
            return None
        return (found, bool(facts.get("more"))) if facts.get("key") == self.key else None

    def keep(self, piece: int, found: list[Detections], *, more: bool) -> None:
        with writing_to(self.folder):
            save_detections(self.path(piece), found, key=self.key, more=more)

    def keep_packed(self, piece: int, packed: bytes) -> None:
        with writing_to(self.folder), whole_file(self.path(piece)) as partial:
            partial.write_bytes(packed)


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """A detector that works piece by piece.

    Attributes:
        detector: finds people in each piece, and is called anew for each.
        length: frames of a piece. Clips that are no longer are seen in one go.
        shelf: where pieces are kept, and taken from if they lie there; None keeps none.
        elsewhere: finds the pieces that are not kept; None finds them here.
    """

    detector: Detector
    length: int = LENGTH
    shelf: Shelf | None = None
    elsewhere: Elsewhere | None = None

    def __call__(self, video: Video, prior: Tracks | None = None) -> Iterator[Detections]:
        """Detections of every frame in order."""
        if self.elsewhere is not None:
            yield from self._gathered(video, self.elsewhere)
            return
        piece, more, resumed = 0, True, False
        while more:
            kept = None if self.shelf is None else self.shelf.load(piece)
            if kept is not None:
                (found, more), resumed = kept, True
                yield from found
            else:
                if piece:
                    # Decodes a file once to its end: from then on any frame is found without those before it.
                    len(video)
                found = []
                for detections in self.found(video, piece, prior):
                    more = detections.frame >= video.index_at((piece + 1) * self.length)
                    if not more:
                        found.append(detections)
                        yield detections
                if self.shelf is not None:
                    self.shelf.keep(piece, found, more=more)
            piece += 1
        if resumed:
            # What the video's report says of damage does not depend on what was kept.
            len(video)

    def found(self, video: Video, piece: int, prior: Tracks | None = None) -> Iterator[Detections]:
        """Detections in a piece, and then, where more pieces follow, of one frame after it."""
        overlap = max(1, min(round(_OVERLAP * video.fps), _MOST_OVERLAP))
        first, last = piece * self.length, (piece + 1) * self.length
        part = video.part(max(0, first - overlap), last + overlap)
        for detections in self.detector(part, prior):
            if detections.frame >= video.index_at(first):
                yield detections
                if detections.frame >= video.index_at(last):
                    return

    def packed(self, video: Video, piece: int, *, key: str = "") -> bytes:
        """What is found in a piece, as the bytes that a shelf of that key holds."""
        found = list(self.found(video, piece))
        more = bool(found) and found[-1].frame >= video.index_at((piece + 1) * self.length)
        file = io.BytesIO()
        write_detections(file, found[:-1] if more else found, key=key, more=more)
        return file.getvalue()

    def _gathered(self, video: Video, elsewhere: Elsewhere) -> Iterator[Detections]:
        count = -(-len(video) // self.length)
        kept = {} if self.shelf is None else {k: self.shelf.path(k) for k in range(count) if self.shelf.load(k)}
        sent = iter(elsewhere([k for k in range(count) if k not in kept]))
        for piece in range(count):
            if piece in kept:
                yield from load_detections(kept[piece])[0]
                continue
            packed = next(sent)
            if self.shelf is not None:
                self.shelf.keep_packed(piece, packed)
            yield from load_detections(io.BytesIO(packed))[0]
