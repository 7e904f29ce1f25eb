"""A picture of a report, as SVG: the headline of each clip, and how many joints are right within which distance."""

from collections.abc import Sequence

from dyad.bench.svg import COLOURS, PALE, at, bar, curve, line, sheet, text
from dyad.evaluation.report import Report

_ROW, _MOST = 22, 40


def plot(report: Report) -> str:
    """The picture as SVG: bars of the headline by clip (by metric where no clip is listed), and PCK curves."""
    title, bars = _bars(report)
    curves = {name: values for name, values in report.curves.items() if len(values) == len(report.distances) > 1}
    left = _bar_panel(title, bars)
    height = max(left[1], 330 if curves else 0) + 96
    width = 980 if curves else 520
    parts = [
        text(24, 34, report.protocol.name, size=19, weight="bold"),
        text(24, 56, _cut(report.protocol.sentence, 150 if curves else 76), size=12, colour=PALE),
        at(24, 76, left[0]),
    ]
    if curves:
        parts.append(at(540, 76, _curve_panel(report.distances, curves)))
    return sheet(width, height, parts)


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
    parts = [text(0, 14, title, size=13, weight="bold")]
    for row, (label, value, total) in enumerate(bars):
        y = 28 + _ROW * row
        known = value == value
        length = 240 * abs(value) / longest if known else 0
        colour = COLOURS[1] if total else COLOURS[0]
        parts += [
            text(150, y + 13, _cut(label, 24), size=12, anchor="end", weight="bold" if total else "normal"),
            bar(160, y, length, _ROW - 6, colour),
            text(166 + length, y + 13, f"{value:.4g}" if known else "not defined", size=12, colour=PALE),
        ]
    return "".join(parts), 36 + _ROW * len(bars)


def _curve_panel(distances: Sequence[float], curves: dict[str, Sequence[float]]) -> str:
    """PCK over distance, 420 × 330 px."""
    x0, y0, wide, high = 44, 28, 340, 240
    last = max(distances)
    parts = [text(x0, 14, "joints right within a distance, %, all together", size=13, weight="bold")]
    for share in (0, 25, 50, 75, 100):
        y = y0 + high * (1 - share / 100)
        parts += [line(x0, y, x0 + wide, y), text(x0 - 8, y + 4, str(share), size=11, anchor="end")]
    for distance in range(0, int(last) + 1, 50):
        x = x0 + wide * distance / last
        parts += [line(x, y0, x, y0 + high), text(x, y0 + high + 16, str(distance), size=11, anchor="middle")]
    parts.append(text(x0 + wide, y0 + high + 34, "mm", size=11, anchor="end", colour=PALE))
    if last >= 150:
        x = x0 + wide * 150 / last
        parts.append(line(x, y0, x, y0 + high, PALE, dash="4 4"))
    for number, (name, values) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = zip(distances, values, strict=True)
        parts.append(curve(((x0 + wide * d / last, y0 + high * (1 - v / 100)) for d, v in points), colour))
        x = x0 + 150 * number
        parts += [
            line(x, y0 + high + 44, x + 24, y0 + high + 44, colour, width=3),
            text(x + 32, y0 + high + 48, name, size=12),
        ]
    return "".join(parts)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
