"""The calibration of the agreement score as a picture (SVG)."""

from collections.abc import Mapping
from typing import Any

from dyad.bench.svg import COLOURS, PALE, bar, curve, dot, line, sheet, text

_X0, _Y0, _SIDE = 70, 64, 320
_NAMES = {"noise": "noise model", "real": "detector on the pictures"}
_RARE = 0.05
"""Bins that hold a smaller part of what each would hold were they alike are left out: chance alone moves them."""


def calibration_plot(scores: Mapping[str, Any]) -> str:
    """What was said against what was observed, of what `bench_agreement` returns.

    A dot's radius goes with the root of the share of the joints that lie in its bin.
    """
    parts = [
        text(20, 28, "Joints off by more than 5 % of the height", size=15, weight="bold"),
        text(20, 46, "probability by the agreement score and share observed, held-out clips", size=11, colour=PALE),
    ]
    for k in range(6):
        x, y = _place(k / 5, k / 5)
        parts += [
            line(_X0, y, _X0 + _SIDE, y),
            line(x, _Y0, x, _Y0 + _SIDE),
            text(_X0 - 8, y + 4, f"{k / 5:.1f}", size=11, anchor="end"),
            text(x, _Y0 + _SIDE + 16, f"{k / 5:.1f}", size=11, anchor="middle"),
        ]
    parts.append(line(*_place(0, 0), *_place(1, 1), PALE, dash="4 4"))
    shown = [name for name in _NAMES if name in scores]
    for row, (name, colour) in enumerate(zip(shown, COLOURS, strict=False)):
        found = scores[name]
        every = found["calibration"]["bins"]
        bins = [one for one in every if one["joints"] > _RARE * found["joints"] / len(every)]
        places = [_place(one["said"], one["observed"]) for one in bins]
        parts.append(curve(places, colour, width=2))
        for place, one in zip(places, bins, strict=True):
            parts.append(dot(*place, 2 + 9 * (one["joints"] / found["joints"]) ** 0.5, colour, opacity=0.75))
        said = f"{_NAMES[name]}: AUROC {found['auroc']:.2f}, of confidence alone {found['auroc_confidence']:.2f}"
        y = _Y0 + _SIDE + 40 + 18 * row
        parts += [bar(_X0, y - 9, 12, 10, colour), text(_X0 + 18, y, said)]
    parts.append(text(_X0, _Y0 + _SIDE + 76, "x: said, y: observed", size=11, colour=PALE))
    return sheet(440, 470, parts)


def _place(said: float, observed: float) -> tuple[float, float]:
    return _X0 + _SIDE * said, _Y0 + _SIDE * (1 - observed)
