"""Error over the number of cycles as a picture (SVG): the four panels of the paper's Figure 6."""

from collections.abc import Mapping, Sequence
from typing import Any

from dyad.bench.svg import COLOURS, PALE, area, at, curve, dot, line, sheet, text

_WIDE, _HIGH, _GAP = 420, 230, 60
_SAID = {"initial": "close to the initial poses", "last": "close to the last cycle's poses"}


def figure(report: Mapping[str, Any]) -> str:
    """What `figure_6` reports: two rows of two panels, means as lines, intervals as bands; a dot at the least error."""
    width, height = 2 * (_WIDE + _GAP) + 40, 2 * (_HIGH + 2 * _GAP) + 30
    parts = []
    for number, (name, lines) in enumerate(report["panels"].items()):
        x, y = 60 + number % 2 * (_WIDE + _GAP), 40 + number // 2 * (_HIGH + 2 * _GAP)
        title = f"({name}) {report['titles'][name]}"
        unit = "mm" if "MPJPE" in title else "px"
        parts.append(at(x, y, _panel(title, unit, report["cycles"], lines)))
    names = dict.fromkeys(anchor for lines in report["panels"].values() for anchor in lines)
    for number, anchor in enumerate(names):
        x, y = 60 + 260 * number, height - 24
        parts.append(line(x, y - 4, x + 24, y - 4, COLOURS[number % len(COLOURS)], width=3))
        parts.append(text(x + 32, y, f"each cycle {_SAID.get(anchor, anchor)}", size=13))
    return sheet(width, height, parts)


def _panel(title: str, unit: str, cycles: Sequence[int], lines: Mapping[str, Any]) -> str:
    known = [
        value
        for drawn in lines.values()
        for point in drawn["points"]
        for value in (point["value"], point["low"], point["high"])
        if value is not None
    ]
    parts = [text(0, -12, title, size=13, weight="bold")]
    if not known:
        return "".join([*parts, text(0, 40, "not known for these clips", size=13, colour=PALE)])
    low, high = min(known), max(known)
    low, high = (low - 0.05, high + 0.05) if high - low < 1e-6 else (low, high)
    last = max(cycles[-1], 1)

    def place(cycle: float, value: float) -> tuple[float, float]:
        return _WIDE * cycle / last, _HIGH * (1 - (value - low) / (high - low))

    for share in (0, 0.25, 0.5, 0.75, 1):
        value = low + share * (high - low)
        y = place(0, value)[1]
        parts.append(line(0, y, _WIDE, y))
        parts.append(text(-6, y + 4, f"{value:.3g}", anchor="end", size=11, colour=PALE))
    for cycle in cycles:
        parts.append(text(place(cycle, low)[0], _HIGH + 16, str(cycle), anchor="middle", size=11))
    parts.append(text(_WIDE, _HIGH + 32, f"cycles; {unit}", anchor="end", size=11, colour=PALE))
    for number, drawn in enumerate(lines.values()):
        colour = COLOURS[number % len(COLOURS)]
        points = [p for p in zip(cycles, drawn["points"], strict=True) if p[1]["value"] is not None]
        edge = [(c, p["high"]) for c, p in points if p["high"] is not None]
        edge += [(c, p["low"]) for c, p in reversed(points) if p["low"] is not None]
        parts.append(area((place(*e) for e in edge), colour, opacity=0.12))
        parts.append(curve((place(c, p["value"]) for c, p in points), colour))
        if drawn["best"] is not None:
            parts.append(dot(*place(drawn["best"], drawn["points"][drawn["best"]]["value"]), 5, colour))
    return "".join(parts)
