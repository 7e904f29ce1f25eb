"""A picture of a comparison of tuners, as SVG: how much of the error at joints is gone, over the time that takes."""

import math
from collections.abc import Mapping
from typing import Any

from dyad.bench.svg import COLOURS, PALE, dot, line, sheet, text

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
        text(24, 34, f"Flow in line with poses: {report['network']}", size=19),
        text(24, 54, f"% of the error at joints that is gone; {len(report['clips'])} clips with fast limbs, 95 %"),
    ]
    step = 10 * max(1, math.ceil((high - low) / 80))
    for gain in range(math.ceil(low / step) * step, math.floor(high) + 1, step):
        parts += [
            line(_X0, y(gain), _X0 + _WIDE, y(gain)),
            text(_X0 - 10, y(gain) + 4, str(gain), size=11, anchor="end"),
        ]
    for power in range(left, right + 1):
        at = x(10.0**power)
        parts += [
            line(at, _Y0, at, _Y0 + _HIGH),
            text(at, _Y0 + _HIGH + 18, f"{10.0**power:g}", size=11, anchor="middle"),
        ]
    parts += [
        line(_X0, y(0), _X0 + _WIDE, y(0), PALE),
        text(_X0 + _WIDE / 2, _Y0 + _HIGH + 40, "seconds of one core for a pair of frames", anchor="middle"),
    ]
    if report["seconds"]:
        at = x(report["seconds"])
        parts += [
            line(at, _Y0, at, _Y0 + _HIGH, PALE, dash="5 4"),
            text(at + 5, _Y0 + 12, "one pass of the network", size=11),
        ]
    for number, (row, gain) in enumerate(zip(rows, gains, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        at, spread = x(row["seconds"]), [100 * v for v in row["interval"] or () if v is not None]
        if len(spread) == 2:
            a, b = (min(max(y(v), _Y0), _Y0 + _HIGH) for v in spread)
            parts.append(line(at, a, at, b, colour))
        parts += [
            dot(at, y(gain), 6, colour),
            dot(680, _Y0 + 8 + 24 * number, 6, colour),
            text(694, _Y0 + 12 + 24 * number, row["name"]),
        ]
    return sheet(940, 460, parts)
