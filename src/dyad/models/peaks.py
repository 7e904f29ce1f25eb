"""Local maxima of heat maps, and the quarter-pixel step towards the higher neighbour."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Above this share of pixels over the floor, looking at each one's neighbours costs more than sliding a maximum.
_SPARSE = 0.05


class Peaks(NamedTuple):
    """Maxima of J maps, joint after joint, each joint's in falling order: `joint`, `x`, `y` (K,), `value` (K,)."""

    joint: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    value: NDArray[np.float32]


def find_peaks(heatmaps: NDArray[np.float32], *, kernel: int = 5, count: int = 30, floor: float = 0.1) -> Peaks:
    """The up to `count` highest pixels of each map (J, H, W) that exceed `floor` and all within kernel // 2 of them.

    Pixels of a plateau all count. Equal values keep the order of rows, then columns.
    """
    height, width = heatmaps.shape[1:]
    reach = kernel // 2
    above = np.flatnonzero(heatmaps > floor)
    joint, pixel = np.divmod(above, height * width)
    y, x = np.divmod(pixel, width)
    value = heatmaps.reshape(-1)[above]
    padded = np.pad(heatmaps, ((0, 0), (reach, reach), (reach, reach)), constant_values=-np.inf)
    if len(above) <= _SPARSE * heatmaps.size:
        for dy, dx in sorted(np.ndindex(kernel, kernel), key=lambda o: abs(o[0] - reach) + abs(o[1] - reach))[1:]:
            highest = padded[joint, y + dy, x + dx] <= value
            joint, y, x, value = joint[highest], y[highest], x[highest], value[highest]
    else:
        rows = np.maximum.reduce([padded[:, dy : dy + height] for dy in range(kernel)])
        around = np.maximum.reduce([rows[:, :, dx : dx + width] for dx in range(kernel)])
        highest = around[joint, y, x] <= value
        joint, y, x, value = joint[highest], y[highest], x[highest], value[highest]
    order = np.lexsort((-value, joint))
    joint, y, x, value = joint[order], y[order], x[order], value[order]
    rank = np.arange(len(joint)) - np.searchsorted(joint, joint)
    kept = rank < count
    return Peaks(joint[kept], x[kept], y[kept], value[kept])


def quarter_steps(
    heatmaps: NDArray[np.float32], joint: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Steps (K, 2) of ±0.25 px in x and y towards the higher neighbour of each pixel; back where both are equal."""
    height, width = heatmaps.shape[1:]
    right = heatmaps[joint, y, np.minimum(x + 1, width - 1)] > heatmaps[joint, y, np.maximum(x - 1, 0)]
    down = heatmaps[joint, np.minimum(y + 1, height - 1), x] > heatmaps[joint, np.maximum(y - 1, 0), x]
    return np.where(np.stack((right, down), -1), 0.25, -0.25)
