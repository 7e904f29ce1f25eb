"""A small picture of a run: the frame with most people, with their skeletons, as JPEG."""

import io
from pathlib import Path

import av
import numpy as np
import torch

from dyad.core.errors import DyadError
from dyad.core.pixels import resized
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.viewer import overlay

WIDTH = 320


def thumbnail(tracks: Tracks, painted: Path | None = None) -> bytes:
    """JPEG of at most `WIDTH` px: a frame of the clip `painted`, or of skeletons on grey where it cannot be read.

    Args:
        painted: a clip with the skeletons on it, one frame for each of `tracks.frames` (a run's overlay.mp4).
    """
    place = best_frame(tracks)
    image = None
    if painted is not None and painted.is_file():
        try:
            image = Video(painted)[place]
        except (DyadError, IndexError):
            image = None
    return jpeg(_drawn(tracks, place) if image is None else _shrunk(np.asarray(image)))


def best_frame(tracks: Tracks) -> int:
    """Place among the frames where most people are seen, surest first; the first of those."""
    if not len(tracks) or not len(tracks.frames):
        return 0
    known = (~tracks.filled).double() + 0.5 * tracks.confidence.double().nanmean(-1).nan_to_num()
    total = torch.zeros(len(tracks.frames), dtype=torch.float64)
    total.index_add_(0, torch.searchsorted(tracks.frames, tracks.frame), known)
    return int(total.argmax())


def _drawn(tracks: Tracks, place: int) -> np.ndarray:
    width, height = tracks.camera.size
    scale = WIDTH / width
    tall = max(2, min(round(height * scale), 4 * WIDTH))
    image = np.full((tall, WIDTH, 3), 58, np.uint8)
    if not len(tracks.frames):
        return image
    rows = torch.nonzero(tracks.frame == tracks.frames[place])[:, 0]
    return overlay.draw(
        image,
        (tracks.xy[rows] + 0.5) * scale - 0.5,
        tracks.confidence[rows].clamp(min=0.5),
        people=tracks.person[rows].tolist(),
        skeleton=tracks.skeleton,
        colours=overlay.palette.assign(tracks.people),
    )


def _shrunk(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / width, 4 * WIDTH / height)
    return resized(image, max(2, round(width * scale)), max(2, round(height * scale)))


def jpeg(image: np.ndarray) -> bytes:
    """An image (H, W, 3) uint8 as JPEG."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
    held = io.BytesIO()
    with av.open(held, "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return held.getvalue()
