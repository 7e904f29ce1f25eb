"""A picture of a report, as SVG: the headline of each clip, and how many joints are right within which distance."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from dyad.core.errors import BadUsage
from dyad.core.files import whole_file
from dyad.evaluation.report import Report

_INK, _PALE, _GRID = "#1d2733", "#5d6b7a", "#dde3ea"
_COLOURS = ("#2f6fb3", "#d9822b", "#3c8d5a", "#8a5bb0")
_FONT = "font-family='Helvetica, Arial, sans-serif'"
_ROW, _MOST = 22, 40


def write_plot(report: Report, path: str | Path) -> None:
    """Write `plot` to a file that ends in .svg, whole or not at all. Raises BadUsage for another ending."""
    if Path(path).suffix.lower() != ".svg":
        raise BadUsage(f"--plot writes SVG: name a file that ends in .svg, got {path}")
    with whole_file(path) as partial:
        partial.write_text(plot(report), encoding="utf-8")


def plot(report: Report) -> str:
    """The picture as SVG: bars of the headline by clip (by metric where no clip is listed), and PCK curves."""
    title, bars = _bars(report)
    curves = {name: values for name, values in report.curves.items() if len(values) == len(report.distances) > 1}
    left = _bar_panel(title, bars)
    height = max(left[1], 330 if curves else 0) + 96
    width = 980 if curves else 520
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        _text(24, 34, report.protocol.name, size=19, weight="bold"),
        _text(24, 56, _cut(report.protocol.sentence, 150 if curves else 76), size=12, colour=_PALE),
        f"<g transform='translate(24 76)'>{left[0]}</g>",
    ]
    if curves:
        parts.append(f"<g transform='translate(540 76)'>{_curve_panel(report.distances, curves)}</g>")
    return "\n".join([*parts, "</svg>\n"])


def _bars(report: Report) -> tuple[str, list[tuple[str, float, bool]]]:
    """What the bars show, and (label, value, whether it is the total)."""
    if report.parts:
        name = report.protocol.metrics[0]
        return name, [(part, float(row[name]), part == "drop") for part, row in report.parts.items()]
    if not report.clips:
        numbers = [(name, float(value), False) for name, value in report.total.items() if isinstance(value, float)]
        return "all together", numbers
    name = next((m for m in (*report.protocol.metrics, *report.protocol.flow_metrics) if m in report.total), "")
    rows = [(clip, float(row[name]), False) for clip, row in report.clips.items() if name in row]
    if len(rows) > _MOST:
        rows = rows[:_MOST]
        name_of_rest = f"{name}, the first {_MOST} of {len(report.clips)} clips"
        return name_of_rest, [*rows, (report.pooling, float(report.total[name]), True)]
    return name, [*rows, (report.pooling, float(report.total[name]), True)]


def _bar_panel(title: str, bars: Sequence[tuple[str, float, bool]]) -> tuple[str, int]:
    """The drawing, 480 px wide, and its height."""
    shown = [value for _, value, _ in bars if value == value]
    longest = max([abs(value) for value in shown], default=0.0) or 1.0
    parts = [_text(0, 14, title, size=13, weight="bold")]
    for row, (label, value, total) in enumerate(bars):
        y = 28 + _ROW * row
        known = value == value
        length = 240 * abs(value) / longest if known else 0
        colour = _COLOURS[1] if total else _COLOURS[0]
        parts += [
            _text(150, y + 13, _cut(label, 24), size=12, anchor="end", weight="bold" if total else "normal"),
            f"<rect x='160' y='{y}' width='{length:.1f}' height='{_ROW - 6}' rx='2' fill='{colour}'/>",
            _text(166 + length, y + 13, f"{value:.4g}" if known else "not defined", size=12, colour=_PALE),
        ]
    return "".join(parts), 36 + _ROW * len(bars)


def _curve_panel(distances: Sequence[float], curves: dict[str, Sequence[float]]) -> str:
    """PCK over distance, 420 × 330 px."""
    x0, y0, wide, high = 44, 28, 340, 240
    last = max(distances)
    parts = [_text(x0, 14, "joints right within a distance, %, all together", size=13, weight="bold")]
    for share in (0, 25, 50, 75, 100):
        y = y0 + high * (1 - share / 100)
        parts += [_line(x0, y, x0 + wide, y, _GRID), _text(x0 - 8, y + 4, str(share), size=11, anchor="end")]
    for distance in range(0, int(last) + 1, 50):
        x = x0 + wide * distance / last
        parts += [_line(x, y0, x, y0 + high, _GRID), _text(x, y0 + high + 16, str(distance), size=11, anchor="middle")]
    parts.append(_text(x0 + wide, y0 + high + 34, "mm", size=11, anchor="end", colour=_PALE))
    if last >= 150:
        x = x0 + wide * 150 / last
        parts.append(
            f"<line x1='{x:.1f}' y1='{y0}' x2='{x:.1f}' y2='{y0 + high}' stroke='{_PALE}' stroke-dasharray='4 4'/>"
        )
    for number, (name, values) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{x0 + wide * d / last:.1f},{y0 + high * (1 - v / 100):.1f}"
            for d, v in zip(distances, values, strict=True)
        )
        parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2.5'/>")
        x = x0 + 150 * number
        parts += [
            _line(x, y0 + high + 44, x + 24, y0 + high + 44, colour, 3),
            _text(x + 32, y0 + high + 48, name, size=12),
        ]
    return "".join(parts)


def _text(
    x: float, y: float, words: str, *, size: int, anchor: str = "start", weight: str = "normal", colour: str = _INK
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(words)}</text>"
    )


def _line(x0: float, y0: float, x1: float, y1: float, colour: str, width: float = 1) -> str:
    return f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' stroke='{colour}' stroke-width='{width}'/>"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
