"""A reliability plot: which share of truth lies in the intervals that should hold 50, 80 and 90 % of it."""

from collections.abc import Mapping
from typing import Any

from dyad.bench.svg import COLOURS, PALE, dot, line, sheet, text

_COLOURS = {"50": COLOURS[0], "80": COLOURS[2], "90": COLOURS[1]}
_WIDTH, _ROW, _LEFT, _TOP = 640, 26, 130, 64


def reliability(scores: Mapping[str, Any]) -> str:
    """The SVG of what `bench_uncertainty` gives: a row for each kind of joint, a dot for each interval.

    A line stands where the dots of an interval should lie.
    """
    kinds = scores["coverage"]
    bottom = _TOP + _ROW * len(kinds)
    said = (
        f"{scores['joints']:,} joints of {scores['scenes']} held-out crowds; "
        "lines: what 50, 80 and 90 % intervals should hold"
    )
    parts = [
        text(16, 26, "Truth inside the intervals of sigma", size=16, weight="bold"),
        text(16, 46, said, size=13, colour=PALE),
    ]
    for share, colour in _COLOURS.items():
        x = _across(float(share) / 100)
        parts.append(line(x, _TOP, x, bottom, colour, dash="4 3"))
        parts.append(text(x, bottom + 20, f"{share} %", size=13, anchor="middle", colour=colour))
    for row, (kind, told) in enumerate(kinds.items()):
        y = _TOP + _ROW * (row + 0.5)
        parts.append(text(_LEFT - 12, y + 4, kind, size=13, anchor="end"))
        parts.append(line(_LEFT, y, _WIDTH - 24, y))
        parts += [dot(_across(told[share]["mean"]), y, 5, colour) for share, colour in _COLOURS.items()]
    return sheet(_WIDTH, bottom + 40, parts)


def _across(share: float) -> float:
    """Where a share 0.3..1 lies across the picture."""
    return _LEFT + (share - 0.3) / 0.7 * (_WIDTH - 24 - _LEFT)
