"""A reliability plot: which share of truth lies in the intervals that should hold 50, 80 and 90 % of it."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from dyad.core.errors import BadUsage
from dyad.core.files import whole_file

_COLOURS = {"50": "#2f6fb3", "80": "#3c8d5a", "90": "#d9822b"}
_WIDTH, _ROW, _LEFT, _TOP = 640, 26, 130, 64


def write_reliability(scores: Mapping[str, Any], path: str | Path) -> None:
    """Write `reliability` of what `bench_uncertainty` gives to an .svg file. BadUsage for another ending."""
    if Path(path).suffix.lower() != ".svg":
        raise BadUsage(f"--plot writes SVG: name a file that ends in .svg, got {path}")
    with whole_file(path) as partial:
        partial.write_text(reliability(scores), encoding="utf-8")


def reliability(scores: Mapping[str, Any]) -> str:
    """The picture as SVG: a row for each kind of joint, a dot for each interval, a line where the dot should be."""
    kinds = scores["coverage"]
    height = _TOP + _ROW * len(kinds) + 40
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' width='{_WIDTH}' height='{height}' "
        "font-family='Helvetica, Arial, sans-serif' font-size='13'>",
        f"<rect width='{_WIDTH}' height='{height}' fill='white'/>",
        "<text x='16' y='26' font-size='16' font-weight='bold'>Truth inside the intervals of sigma</text>",
        f"<text x='16' y='46' fill='#5d6b7a'>{scores['joints']:,} joints of {scores['scenes']} held-out crowds; "
        "lines: what 50, 80 and 90 % intervals should hold</text>",
    ]
    bottom = _TOP + _ROW * len(kinds)
    for share, colour in _COLOURS.items():
        x = _across(float(share) / 100)
        parts.append(f"<line x1='{x}' x2='{x}' y1='{_TOP}' y2='{bottom}' stroke='{colour}' stroke-dasharray='4 3'/>")
        parts.append(f"<text x='{x}' y='{bottom + 20}' fill='{colour}' text-anchor='middle'>{share} %</text>")
    for row, (kind, told) in enumerate(kinds.items()):
        y = _TOP + _ROW * (row + 0.5)
        parts.append(f"<text x='{_LEFT - 12}' y='{y + 4}' text-anchor='end'>{escape(kind)}</text>")
        parts.append(f"<line x1='{_LEFT}' x2='{_WIDTH - 24}' y1='{y}' y2='{y}' stroke='#dde3ea'/>")
        for share, colour in _COLOURS.items():
            parts.append(f"<circle cx='{_across(told[share]['mean'])}' cy='{y}' r='5' fill='{colour}'/>")
    return "\n".join([*parts, "</svg>\n"])


def _across(share: float) -> float:
    """Where a share 0.3..1 lies across the picture."""
    return round(_LEFT + (share - 0.3) / 0.7 * (_WIDTH - 24 - _LEFT), 1)
