"""Skeletons, ids and confidences painted on the frames of a video."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from torch import Tensor

from dyad.core.skeleton import Skeleton
from dyad.core.tracks import Tracks
from dyad.export.video import ClipWriter, clip_writer
from dyad.viewer import palette, raster

# What a joint without any confidence still gets, so that a doubtful person is seen to be doubted.
FAINTEST = 0.15
FILLED_OPACITY = 0.7


def draw(
    image: np.ndarray,
    xy: np.ndarray | Tensor,
    confidence: np.ndarray | Tensor,
    *,
    people: list[int],
    skeleton: Skeleton,
    filled: list[bool] | None = None,
    colours: Mapping[int, palette.RGB] | None = None,
) -> np.ndarray:
    """A copy of `image` (H, W, 3) uint8 with P people painted on it.

    Args:
        xy: (P, J, 2) px; NaN joints are left out. confidence: (P, J) 0..1, shown as opacity.
        people: P ids, written above the heads.
        filled: P flags; filled people are dashed.
        colours: of each id; by default from `palette.assign(people)`.
    """
    out = image.copy()
    colours = colours or palette.assign(people)
    places, certain = np.asarray(xy, np.float64), np.nan_to_num(np.asarray(confidence, np.float64))
    for index, person in enumerate(people):
        _person(out, places[index], certain[index], person, colours[person], skeleton, bool(filled and filled[index]))
    return out


def _person(
    image: np.ndarray,
    xy: np.ndarray,
    confidence: np.ndarray,
    person: int,
    colour: palette.RGB,
    skeleton: Skeleton,
    filled: bool,
) -> None:
    known = np.isfinite(xy.sum(axis=-1))
    if not known.any():
        return
    tall = float(np.ptp(xy[known, 1]))
    scale = max(image.shape[:2]) / 1280
    radius = float(np.clip(tall * 0.009, 0.8 * scale + 0.5, 2.8 * scale + 0.5))
    rim = 0.0 if filled else 0.6 + 0.6 * scale
    opacity = np.full(len(xy), FILLED_OPACITY) if filled else FAINTEST + (1 - FAINTEST) * np.clip(confidence, 0, 1)
    shades = [palette.shade(colour, palette.side_of(name)) for name in skeleton.names]
    dash = 3.5 * radius if filled else 0.0
    for parent, child in skeleton.bones:
        if known[parent] and known[child]:
            least = float(min(opacity[parent], opacity[child]))
            raster.line(image, xy[parent], xy[child], shades[child], radius=radius, opacity=least, rim=rim, dash=dash)
    for joint in np.flatnonzero(known):
        raster.disc(image, xy[joint], shades[joint], radius=1.6 * radius, opacity=float(opacity[joint]), rim=rim)
    height, width = image.shape[:2]
    inside = known & (xy.min(axis=-1) >= 0) & (xy[:, 0] < width) & (xy[:, 1] < height)
    if inside.any():
        head = xy[inside][xy[inside][:, 1].argmin()]
        size = max(1, round(2.6 * scale))
        raster.number(image, person, head - np.array([0, 8 * size]), colour, palette.ink_on(colour), size=size)


class OverlayWriter:
    """Writes a video's frames with everyone of `tracks` painted on them; made by `overlay_writer`."""

    def __init__(self, clip: ClipWriter, tracks: Tracks) -> None:
        self._clip = clip
        self._tracks = tracks
        self._colours = palette.assign(tracks.people)
        self._order = np.argsort(tracks.frame.numpy(), kind="stable")

    def rows(self, frame: int) -> np.ndarray:
        """Numbers (n,) of the tracks' rows in a source frame."""
        low, high = np.searchsorted(self._tracks.frame.numpy(), [frame, frame + 1], sorter=self._order)
        return self._order[low:high]

    def write(self, image: np.ndarray, frame: int, time: float) -> None:
        """Append the image (H, W, 3) uint8 of a source frame, shown from `time` (s) on."""
        tracks, rows = self._tracks, self.rows(frame)
        painted = draw(
            image,
            tracks.xy[rows].numpy(),
            tracks.confidence[rows].numpy(),
            people=tracks.person[rows].tolist(),
            skeleton=tracks.skeleton,
            filled=tracks.filled[rows].tolist(),
            colours=self._colours,
        )
        self._clip.write(painted, time)


@contextmanager
def overlay_writer(
    path: str | Path, tracks: Tracks, *, quality: int = 21, longest: int | None = None
) -> Generator[OverlayWriter, None, None]:
    """Open an overlay video for writing; it appears under its name only once it is whole. Options as `clip_writer`."""
    with clip_writer(path, quality=quality, longest=longest) as clip:
        yield OverlayWriter(clip, tracks)
