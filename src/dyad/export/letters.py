"""Letters for pictures: 3 by 5 cells each, which stay legible at ten pixels of height."""

import numpy as np
from numpy.typing import NDArray

# Rows of 3 bits, from the top down.
_ROWS = {
    "0": (7, 5, 5, 5, 7), "1": (2, 6, 2, 2, 7), "2": (7, 1, 7, 4, 7), "3": (7, 1, 7, 1, 7), "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7), "6": (7, 4, 7, 5, 7), "7": (7, 1, 2, 2, 2), "8": (7, 5, 7, 5, 7), "9": (7, 5, 7, 1, 7),
    "-": (0, 0, 7, 0, 0), ".": (0, 0, 0, 0, 2), " ": (0, 0, 0, 0, 0), "p": (0, 7, 5, 7, 4), "x": (0, 5, 2, 2, 5),
}  # fmt: skip


def letters(text: str) -> NDArray[np.bool_]:
    """Which cells (5, 4 n - 1) of n letters are inked: digits, minus, dot, space, and the two letters of px."""
    rows = np.array([_ROWS[letter] for letter in text]).T
    bits = (rows[..., None] >> np.array([2, 1, 0])) & 1
    # A column of nothing after each letter but the last.
    return np.pad(bits.astype(bool), ((0, 0), (0, 0), (0, 1))).reshape(5, -1)[:, :-1]
