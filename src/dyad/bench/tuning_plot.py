"""A picture of a comparison of tuners, as SVG: how much of the error at joints is gone, over the time that takes."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

_INK, _PALE, _GRID = "#1d2733", "#5d6b7a", "#dde3ea"
_COLOURS = ("#2f6fb3", "#d9822b", "#3c8d5a", "#8a5bb0", "#b0455b", "#4a9a9a", "#8a7a3c", "#5d6b7a")
_FONT = "font-family='Helvetica, Arial, sans-serif'"
_X0, _Y0, _WIDE, _HIGH = 90.0, 70.0, 560.0, 320.0


def tuning_plot(report: Mapping[str, Any]) -> str:
    """The SVG of what `bench_tuning` returns."""
    rows = [row for row in report["variants"] if row["seconds"] and row["gain"]["epe_joints"] is not None]
    gains = [100 * row["gain"]["epe_joints"] for row in rows]
    ends = [100 * end for row in rows for end in row["interval"] or () if end is not None]
    low, high = min([0.0, *gains, *ends]) - 5, max([10.0, *gains, *ends]) + 5
    powers = [math.log10(row["seconds"]) for row in rows] + [math.log10(report["seconds"] or 1.0)]
    left, right = math.floor(min(powers)), math.ceil(max(powers) + 0.05)

    def x(seconds: float) -> float:
        return _X0 + _WIDE * (math.log10(seconds) - left) / (right - left)

    def y(gain: float) -> float:
        return _Y0 + _HIGH * (high - gain) / (high - low)

    parts = [
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 940 460' width='940' height='460'>",
        "<rect width='940' height='460' fill='white'/>",
        _text(24, 34, f"Flow in line with poses: {report['network']}", 19),
        _text(24, 54, f"% of the error at joints that is gone; {len(report['clips'])} clips with fast limbs, 95 %", 12),
    ]
    step = 10 * max(1, math.ceil((high - low) / 80))
    for gain in range(math.ceil(low / step) * step, math.floor(high) + 1, step):
        parts += [_line(_X0, y(gain), _X0 + _WIDE, y(gain)), _text(_X0 - 10, y(gain) + 4, str(gain), 11, "end")]
    for power in range(left, right + 1):
        at = x(10.0**power)
        parts += [_line(at, _Y0, at, _Y0 + _HIGH), _text(at, _Y0 + _HIGH + 18, f"{10.0**power:g}", 11, "middle")]
    parts += [
        _line(_X0, y(0), _X0 + _WIDE, y(0), _PALE),
        _text(_X0 + _WIDE / 2, _Y0 + _HIGH + 40, "seconds of one core for a pair of frames", 12, "middle"),
    ]
    if report["seconds"]:
        at = x(report["seconds"])
        parts += [
            _line(at, _Y0, at, _Y0 + _HIGH, _PALE, "5 4"),
            _text(at + 5, _Y0 + 12, "one pass of the network", 11),
        ]
    for number, (row, gain) in enumerate(zip(rows, gains, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        at, spread = x(row["seconds"]), [100 * v for v in row["interval"] or () if v is not None]
        if len(spread) == 2:
            a, b = (min(max(y(v), _Y0), _Y0 + _HIGH) for v in spread)
            parts.append(_line(at, a, at, b, colour))
        parts += [
            f"<circle cx='{at:.1f}' cy='{y(gain):.1f}' r='6' fill='{colour}'/>",
            f"<circle cx='680' cy='{_Y0 + 8 + 24 * number:.1f}' r='6' fill='{colour}'/>",
            _text(694, _Y0 + 12 + 24 * number, row["name"], 12),
        ]
    return "\n".join([*parts, "</svg>\n"])


def _text(x: float, y: float, words: str, size: int, anchor: str = "start") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' fill='{_INK}' text-anchor='{anchor}'>"
        f"{escape(words)}</text>"
    )


def _line(x0: float, y0: float, x1: float, y1: float, colour: str = _GRID, dash: str = "") -> str:
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' stroke='{colour}'{dashes}/>"
