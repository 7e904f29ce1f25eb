"""Reports of refinement as tables to read."""

from collections.abc import Mapping, Sequence
from typing import Any

Report = Mapping[str, Any]
_DASH = "-"


def text(report: Report) -> str:
    """Any report of `bench refine`, as lines."""
    match report.get("table"):
        case 1:
            return _methods(report)
        case 2:
            return "\n".join([_methods(report), *(f"{name}: poses of one alone" for name in report["left_out"])])
        case 3:
            return _methods(report) + "\n\n" + _steps(report)
        case "figure6":
            return _cycles(report)
        case "mupots":
            return _mupots(report)
        case "tuning":
            return _tuning(report)
    return _gains(report)


def _gains(report: Report) -> str:
    parts = {"all": report["changes"], **report["kinds"], **report["levels"]}
    blocks = []
    for name, changes in parts.items():
        count = max((changes[metric]["clips"] for metric in report["units"]), default=0)
        title = f"{name} ({count} {'case' if count == 1 else 'cases'})"
        blocks.append(_changes(title, report["units"], changes))
    cost = report["cost_ratio_interval"]
    told = "not measured" if cost["value"] is None else f"{cost['value']:.3f}, 95 % {_span(cost, '.3f')}"
    return "\n\n".join([*blocks, f"cost ratio: {told}"])


def _changes(title: str, units: Mapping[str, str], changes: Report) -> str:
    """Metrics before and after, those that are known."""
    rows = [("", "before", "after", "change", "95 %", "better", "worse", "worst")]
    for metric, unit in units.items():
        one = changes.get(metric)
        if one is None or one["before"]["value"] is None:
            continue
        relative = one["relative"]
        rows.append(
            (
                f"{metric}, {unit}",
                _number(one["before"]["value"]),
                _number(one["after"]["value"]),
                _percent(relative["value"], signed=True),
                f"{_percent(relative['low'], signed=True)} … {_percent(relative['high'], signed=True)}",
                _percent(one["improved"]),
                _percent(one["worsened"]),
                f"{_percent(one['worst'])} {one['worst_clip']}".strip(),
            )
        )
    return f"{title}\n{_table(rows)}"


def _methods(report: Report) -> str:
    columns = report["columns"]
    head = ("method", *(cell for name in columns for cell in (columns[name], "95 %")))
    rows = [head]
    for row in report["rows"]:
        cells = [row["method"]]
        for name in columns:
            value = row[name]
            known = value is not None and value["value"] is not None
            cells += [_number(value["value"]), _span(value)] if known else [_DASH, ""]
        rows.append(tuple(cells))
    return _table(rows)


def _steps(report: Report) -> str:
    rows = [("against the row above", "change, mm", "95 %", "better", "worse")]
    for step in report["steps"]:
        rows.append(
            (
                step["to"],
                _number(step["difference"]["value"], signed=True),
                _span(step["difference"], "+.3g"),
                _percent(step["improved"]),
                _percent(step["worsened"]),
            )
        )
    said = "the 3D term alone changes nothing" if report["unchanged"] else "THE 3D TERM ALONE CHANGES SOMETHING"
    order = "in the paper's order" if report["ordered"] else "NOT in the paper's order"
    return f"{_table(rows)}\n{said}; the rows are {order}"


def _cycles(report: Report) -> str:
    blocks = []
    for name, lines in report["panels"].items():
        rows: list[tuple[str, ...]] = [("cycles", *map(str, report["cycles"]), "best", "drift")]
        for anchor, line in lines.items():
            values = [_number(point["value"]) for point in line["points"]]
            best = _DASH if line["best"] is None else str(line["best"])
            rows.append((f"anchor: {anchor}", *values, best, _percent(line["drift"])))
            rows.append(("  95 %", *[_span(point) for point in line["points"]], "", ""))
        if len(rows) > 1:
            blocks.append(f"({name}) {report['titles'][name]}\n{_table(rows)}")
    return "\n\n".join(blocks)


def _mupots(report: Report) -> str:
    blocks = []
    for name, found in report["estimates"].items():
        rows = [("", *(f"{metric} {when}" for metric in report["metrics"] for when in ("before", "after")))]
        for clip, row in found["clips"].items():
            cells = [_number(row[when][metric]) for metric in report["metrics"] for when in ("before", "after")]
            rows.append((clip, *cells))
        blocks.append(f"{name}\n{_table(rows)}")
        count = len(found["clips"]) - 1
        title = f"{name}, mean of {count} {'clip' if count == 1 else 'clips'}"
        blocks.append(_changes(title, report["metrics"], found["changes"]))
    units = ", ".join(f"{metric} in {unit}" for metric, unit in report["metrics"].items())
    return "\n\n".join([*blocks, units])


def _tuning(report: Report) -> str:
    rows = [("variant", "cost", "gain at joints", "95 %", "on people", "everywhere")]
    for one in report["variants"]:
        span = " … ".join(_percent(end, signed=True) for end in one["interval"])
        gains = [_percent(one["gain"][where], signed=True) for where in ("epe_joints", "epe_people", "epe")]
        rows.append((one["name"], _number(one["cost"]), gains[0], span, *gains[1:]))
    return f"{_table(rows)}\ncost: processor time over that of a plain flow pass by {report['network']}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Columns in line; the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * sum([*widths, 2 * len(widths) - 2]), *lines[1:]])


def _number(value: float | None, *, signed: bool = False) -> str:
    return (
        _DASH if value is None else f"{value:+.3f}" if signed else f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"
    )


def _percent(value: float | None, *, signed: bool = False) -> str:
    return _DASH if value is None else f"{100 * value:+.1f} %" if signed else f"{100 * value:.1f} %"


def _span(value: Mapping[str, float | None], form: str = ".4g") -> str:
    low, high = value["low"], value["high"]
    return "" if low is None or high is None else f"{low:{form}} … {high:{form}}"
