"""The order in which people count files."""

import re
from pathlib import Path


def natural(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """Key by which frame_2.png comes before frame_10.png, and names that differ in capitals alone lie side by side."""
    # No number has more digits than Python turns into one; a superscript is no digit.
    parts = re.split(r"(\d{1,18})", path.name.casefold())
    # Digits and text never meet in a comparison: every part says first which it is.
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], path.name
