"""Error over the number of cycles as a picture (SVG): the four panels of the paper's Figure 6."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from dyad.core.errors import BadUsage
from dyad.core.files import whole_file

_INK, _PALE, _GRID = "#1d2733", "#5d6b7a", "#dde3ea"
_COLOURS = ("#2f6fb3", "#d9822b", "#3c8d5a")
_FONT = "font-family='Helvetica, Arial, sans-serif'"
_WIDE, _HIGH, _GAP = 420, 230, 60
_SAID = {"initial": "close to the initial poses", "last": "close to the last cycle's poses"}


def write_figure(report: Mapping[str, Any], path: str | Path) -> None:
    """Write `figure` to a file that ends in .svg, whole or not at all. Raises BadUsage for another ending."""
    if Path(path).suffix.lower() != ".svg":
        raise BadUsage(f"--plot writes SVG: name a file that ends in .svg, got {path}")
    with whole_file(path) as partial:
        partial.write_text(figure(report), encoding="utf-8")


def figure(report: Mapping[str, Any]) -> str:
    """What `figure_6` reports: two rows of two panels, means as lines, intervals as bands; a dot at the least error."""
    width, height = 2 * (_WIDE + _GAP) + 40, 2 * (_HIGH + 2 * _GAP) + 30
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
    ]
    for number, (name, lines) in enumerate(report["panels"].items()):
        x, y = 60 + number % 2 * (_WIDE + _GAP), 40 + number // 2 * (_HIGH + 2 * _GAP)
        title = f"({name}) {report['titles'][name]}"
        unit = "mm" if "MPJPE" in title else "px"
        parts.append(f"<g transform='translate({x} {y})'>{_panel(title, unit, report['cycles'], lines)}</g>")
    names = dict.fromkeys(anchor for lines in report["panels"].values() for anchor in lines)
    for number, anchor in enumerate(names):
        x, y = 60 + 260 * number, height - 24
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f"<line x1='{x}' y1='{y - 4}' x2='{x + 24}' y2='{y - 4}' stroke='{colour}' stroke-width='3'/>")
        parts.append(_text(x + 32, y, f"each cycle {_SAID.get(anchor, anchor)}"))
    return "\n".join([*parts, "</svg>\n"])


def _panel(title: str, unit: str, cycles: Sequence[int], lines: Mapping[str, Any]) -> str:
    known = [
        value
        for line in lines.values()
        for point in line["points"]
        for value in (point["value"], point["low"], point["high"])
        if value is not None
    ]
    parts = [_text(0, -12, title, weight="bold")]
    if not known:
        return "".join([*parts, _text(0, 40, "not known for these clips", colour=_PALE)])
    low, high = min(known), max(known)
    low, high = (low - 0.05, high + 0.05) if high - low < 1e-6 else (low, high)
    last = max(cycles[-1], 1)

    def place(cycle: float, value: float) -> tuple[float, float]:
        return _WIDE * cycle / last, _HIGH * (1 - (value - low) / (high - low))

    for share in (0, 0.25, 0.5, 0.75, 1):
        value = low + share * (high - low)
        y = place(0, value)[1]
        parts.append(f"<line x1='0' y1='{y:.1f}' x2='{_WIDE}' y2='{y:.1f}' stroke='{_GRID}'/>")
        parts.append(_text(-6, y + 4, f"{value:.3g}", anchor="end", size=11, colour=_PALE))
    for cycle in cycles:
        parts.append(_text(place(cycle, low)[0], _HIGH + 16, str(cycle), anchor="middle", size=11))
    parts.append(_text(_WIDE, _HIGH + 32, f"cycles; {unit}", anchor="end", size=11, colour=_PALE))
    for number, line in enumerate(lines.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = [p for p in zip(cycles, line["points"], strict=True) if p[1]["value"] is not None]
        edge = [(c, p["high"]) for c, p in points if p["high"] is not None]
        edge += [(c, p["low"]) for c, p in reversed(points) if p["low"] is not None]
        parts.append(f"<polygon points='{_path(place(*e) for e in edge)}' fill='{colour}' opacity='0.12'/>")
        centre = _path(place(c, p["value"]) for c, p in points)
        parts.append(f"<polyline points='{centre}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
        if line["best"] is not None:
            x, y = place(line["best"], line["points"][line["best"]]["value"])
            parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' fill='{colour}'/>")
    return "".join(parts)


def _path(points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _text(
    x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", weight: str = "normal", colour: str = _INK
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(words)}</text>"
    )
