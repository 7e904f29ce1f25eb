from dataclasses import replace
from xml.etree import ElementTree

from dyad.bench.evaluate import evaluate
from dyad.bench.plot import plot
from dyad.evaluation.report import Report
from tests.evaluation.people import moved, walkers

SVG = "{http://www.w3.org/2000/svg}"


def report() -> Report:
    return evaluate(moved(walkers(), (0, 0, 0.1)), walkers())


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    base = report()
    rows = {"a": {"pck": 50.0}, "b <&> c": {"pck": 100.0}, "never": {"pck": float("nan")}}
    drawn = ElementTree.fromstring(plot(replace(base, clips=rows, total={"pck": 75.0})))
    widths = [float(r.attrib["width"]) for r in drawn.iter(f"{SVG}rect")][1:]
    assert widths == [120, 240, 0, 180]
    said = texts(plot(replace(base, clips=rows, total={"pck": 75.0})))
    assert {"dyad-synth", "pck", "a", "b <&> c", "50", "100", "not defined", "all together"} <= set(said)


def test_curves_go_through_their_points() -> None:
    drawn = ElementTree.fromstring(plot(report()))
    lines = {
        tuple(float(v) for v in p.split(","))
        for line in drawn.iter(f"{SVG}polyline")
        for p in line.attrib["points"].split()
    }
    # Nothing within 0 mm, everything within 300 mm.
    assert {(44.0, 268.0), (384.0, 28.0)} <= lines
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 2


def test_reports_without_clips_or_curves_are_drawn_too() -> None:
    base = report()
    assert "<polyline" not in plot(replace(base, curves={}, distances=()))
    assert "coverage" in texts(plot(replace(base, clips={})))
    parts = {"all": {"pck": 80.0}, "occluded": {"pck": 60.0}, "drop": {"pck": -20.0}}
    assert "drop" in texts(plot(replace(base, parts=parts)))
    many = {f"clip {n}": {"pck": 1.0} for n in range(100)}
    drawing = plot(replace(base, clips=many))
    assert "pck, the first 40 of 100 clips" in texts(drawing)
    ElementTree.fromstring(drawing)
