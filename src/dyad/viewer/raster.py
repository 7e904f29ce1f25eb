"""Anti-aliased lines, discs and numbers painted into an RGB image with numpy, touching only the pixels they cover."""

import numpy as np

from dyad.export.letters import letters
from dyad.viewer.palette import RGB

Image = np.ndarray  # (H, W, 3) uint8, painted in place


def line(
    image: Image,
    start: np.ndarray,
    end: np.ndarray,
    colour: RGB,
    *,
    radius: float,
    opacity: float,
    rim: float = 0.0,
    dash: float = 0.0,
) -> None:
    """Paint a line from `start` to `end` (2,) px with round ends.

    Args:
        radius: half the width in px.
        opacity: 0..1 of the line.
        rim: px of dark edge around the line, at half its opacity.
        dash: length of a dash and of the gap after it in px; 0 draws through.
    """
    clipped = _clip(start, end, image.shape, radius + rim + 2)
    if clipped is None or opacity <= 0:
        return
    first, last = clipped
    delta = (last - first).astype(np.float32)
    length = float(np.hypot(*delta))
    steep = abs(delta[1]) > abs(delta[0])
    major, minor = (1, 0) if steep else (0, 1)
    if first[major] > last[major]:
        first, last, delta = last, first, -delta
    reach = radius + rim + 1.0
    slope = float(delta[minor] / delta[major]) if delta[major] else 0.0
    # Walk along the longer axis; at each step take the few pixels across that may be covered.
    along = np.arange(int(np.floor(first[major] - reach)), int(np.ceil(last[major] + reach)) + 1)
    span = int(np.ceil(reach * np.hypot(1.0, slope) + 0.5))
    middle = np.rint(first[minor] + (np.clip(along, first[major], last[major]) - first[major]) * slope).astype(np.int64)
    across = middle[:, None] + np.arange(-span, span + 1)
    place = np.broadcast_to(along[:, None], across.shape)
    inside = (place >= 0) & (place < image.shape[1 - major]) & (across >= 0) & (across < image.shape[1 - minor])
    place, across = place[inside], across[inside]
    x, y = (across, place) if steep else (place, across)
    dx, dy = x - np.float32(first[0]), y - np.float32(first[1])
    unit = delta / length if length > 1e-6 else np.zeros(2, np.float32)
    position = np.clip(dx * unit[0] + dy * unit[1], 0, length)
    distance = np.hypot(dx - position * unit[0], dy - position * unit[1])
    core = np.clip(radius + 0.5 - distance, 0, 1)
    edge = np.clip(radius + rim + 0.5 - distance, 0, 1) * 0.5
    if dash:
        origin = float((first - start) @ unit)
        on = np.mod(position + origin, 2 * dash)
        gate = np.clip(np.minimum(on, dash - on) + 0.5, 0, 1)
        core, edge = core * gate, edge * gate
    _blend(image, y, x, colour, core * opacity, edge * opacity)


def disc(image: Image, centre: np.ndarray, colour: RGB, *, radius: float, opacity: float, rim: float = 0.0) -> None:
    """Paint a filled circle about `centre` (2,) px."""
    if opacity <= 0 or not np.isfinite(centre).all():
        return
    reach = radius + rim + 0.5
    left, top = np.maximum(np.ceil(centre - reach), 0)
    right, bottom = np.minimum(np.floor(centre + reach), (image.shape[1] - 1, image.shape[0] - 1))
    if left > right or top > bottom:
        return
    x = np.arange(int(left), int(right) + 1, dtype=np.float32) - np.float32(centre[0])
    y = np.arange(int(top), int(bottom) + 1, dtype=np.float32) - np.float32(centre[1])
    distance = np.sqrt(x * x + (y * y)[:, None])[..., None]
    view = image[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    edge = np.clip(reach - distance, 0, 1) * (0.5 * opacity)
    core = np.clip(radius + 0.5 - distance, 0, 1) * opacity
    below = view * (1 - edge)
    view[:] = (below + (np.array(colour, np.float32) - below) * core + 0.5).astype(np.uint8)


def number(image: Image, value: int, centre: np.ndarray, colour: RGB, ink: RGB, *, size: int) -> None:
    """Paint a whole number on a rounded patch of `colour` about `centre` (2,) px, kept inside the image.

    A digit has 3 by 5 cells, and a cell is `size` px wide.
    """
    patch = np.kron(np.pad(letters(str(value)), ((2, 2), (3, 3))), np.ones((size, size), bool))
    height, width = patch.shape
    left = int(np.clip(round(float(centre[0]) - width / 2), 0, max(0, image.shape[1] - width)))
    top = int(np.clip(round(float(centre[1]) - height / 2), 0, max(0, image.shape[0] - height)))
    view = image[top : top + height, left : left + width]
    patch = patch[: view.shape[0], : view.shape[1]]
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]].astype(np.float32)
    corner = min(height, width) / 2 - 0.5
    dx = np.maximum(np.maximum(corner - x, x - (width - 1 - corner)), 0)
    dy = np.maximum(np.maximum(corner - y, y - (height - 1 - corner)), 0)
    cover = np.clip(corner + 0.5 - np.hypot(dx, dy), 0, 1)[..., None]
    paint = np.where(patch[..., None], np.array(ink, np.float32), np.array(colour, np.float32))
    view[:] = (view + (paint - view) * cover + 0.5).astype(np.uint8)


def _blend(image: Image, y: np.ndarray, x: np.ndarray, colour: RGB, core: np.ndarray, edge: np.ndarray) -> None:
    seen = (core > 0) | (edge > 0)
    y, x, core, edge = y[seen], x[seen], core[seen, None], edge[seen, None]
    below = image[y, x].astype(np.float32)
    below *= 1 - edge
    below += (np.array(colour, np.float32) - below) * core
    image[y, x] = (below + 0.5).astype(np.uint8)


def _clip(
    start: np.ndarray, end: np.ndarray, shape: tuple[int, ...], margin: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """The part of a line that lies within `margin` of the image, or None: a joint far outside must not cost time."""
    start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        return None
    low, high = np.full(2, -margin), np.array([shape[1], shape[0]]) - 1 + margin
    delta = end - start
    enter, leave = 0.0, 1.0
    for axis in range(2):
        if abs(delta[axis]) < 1e-9:
            if not low[axis] <= start[axis] <= high[axis]:
                return None
            continue
        near, far = sorted(((low[axis] - start[axis]) / delta[axis], (high[axis] - start[axis]) / delta[axis]))
        enter, leave = max(enter, near), min(leave, far)
    return (start + enter * delta, start + leave * delta) if enter <= leave else None
