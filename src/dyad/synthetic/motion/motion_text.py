"""Text files of recorded motion, read as what they are: bytes from outside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dyad.core.errors import BadInput
from dyad.synthetic.motion.rotations import Array

LARGEST = 512 * 2**20
MOST_JOINTS = 4096

_UNITS = (1.0, 0.0254 / 0.45, 0.0254, 0.01, 0.001)
"""Metres in a metre, in CMU's unit, in an inch, in a centimetre and in a millimetre."""

_SPAN = 2.4
"""Metres along the bones from a person's toes to the finger tips; skeletons of four recorders have 2.35 to 2.40."""


@dataclass(frozen=True)
class Line:
    """One line of a file, and where it stands."""

    file: Path
    number: int
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()

    def fault(self, expected: str) -> BadInput:
        """The error that this line is not what was expected."""
        got = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return BadInput(f"{self.file}, line {self.number}: expected {expected}, got {got!r}")

    def numbers(self, words: list[str], count: int, what: str) -> list[float]:
        """Exactly `count` finite numbers."""
        if len(words) != count:
            raise BadInput(f"{self.file}, line {self.number}: expected {count} numbers ({what}), got {len(words)}")
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise self.fault(f"numbers ({what})") from None
        if not np.isfinite(values).all():
            raise self.fault(f"finite numbers ({what})")
        if max(map(abs, values), default=0.0) > 1e9:
            raise self.fault(f"numbers below a thousand millions ({what})")
        return values


def read_lines(path: str | Path) -> list[Line]:
    """The lines of a file that hold anything, numbered from 1. BadInput if it cannot be read or is no text."""
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path} is larger than {LARGEST // 2**20} MB; a file of recorded motion is not")
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None
    if b"\0" in raw[:4096]:
        raise BadInput(f"{path} is no text file; a file of recorded motion is")
    rows = raw.decode("utf-8-sig", errors="replace").splitlines()
    return [Line(path, number, row.strip()) for number, row in enumerate(rows, 1) if row.strip()]


def guess_unit(parents: tuple[int, ...], offsets: Array) -> float:
    """Metres in the unit of a person's skeleton: of the units in use, the one that makes the person most like us.

    The longest way along the bones, from the toes up to the hips and on to the finger tips, should be 2.4 m. Units in
    use are metres, CMU's (1/0.45 inch), inches, centimetres and millimetres. The pose does not matter. A skeleton
    without extent gives 1.
    """
    reach, longest = np.zeros(len(parents)), 0.0
    for joint in range(len(parents) - 1, 0, -1):
        parent = parents[joint]
        way = reach[joint] + float(np.linalg.norm(offsets[joint]))
        longest = max(longest, reach[parent] + way)
        reach[parent] = max(reach[parent], way)
    if longest <= 0:
        return 1.0
    return min(_UNITS, key=lambda unit: abs(np.log(longest * unit / _SPAN)))


def check_unit(metres_per_unit: float | None) -> None:
    """BadInput unless a unit that the caller gave is a length."""
    if metres_per_unit is not None and not (np.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise BadInput(f"metres_per_unit must be above 0, got {metres_per_unit:g}")
