"""The little of SVG that the pictures of the benchmarks are made of."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from dyad.core.errors import BadUsage
from dyad.core.files import whole_file

INK, PALE, GRID = "#1d2733", "#5d6b7a", "#dde3ea"
COLOURS = ("#2f6fb3", "#d9822b", "#3c8d5a", "#8a5bb0", "#b0455b", "#4a9a9a", "#8a7a3c", "#5d6b7a")
_FONT = "font-family='Helvetica, Arial, sans-serif'"


def check_svg(path: str | Path) -> None:
    """Raises BadUsage for a name with another ending than .svg: to be asked before the work, not after it."""
    if Path(path).suffix.lower() != ".svg":
        raise BadUsage(f"--plot writes SVG: name a file that ends in .svg, got {path}")


def write_svg(picture: str, path: str | Path) -> None:
    """Write a picture whole or not at all. Raises BadUsage for another ending than .svg."""
    check_svg(path)
    with whole_file(path) as partial:
        partial.write_text(picture, encoding="utf-8")


def sheet(width: float, height: float, parts: Iterable[str]) -> str:
    """The picture of `parts` on white, in px."""
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"{_FONT}>"
    )
    return "\n".join([head, f"<rect width='{width}' height='{height}' fill='white'/>", *parts, "</svg>\n"])


def at(x: float, y: float, *parts: str) -> str:
    """Parts whose own (0, 0) lies there."""
    return f"<g transform='translate({x} {y})'>{''.join(parts)}</g>"


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = INK,
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' font-weight='{weight}' fill='{colour}' "
        f"text-anchor='{anchor}'>{escape(words)}</text>"
    )


def line(x0: float, y0: float, x1: float, y1: float, colour: str = GRID, *, width: float = 1, dash: str = "") -> str:
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' stroke='{colour}' stroke-width='{width}'"
        f"{dashes}/>"
    )


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' rx='2' fill='{colour}'/>"


def dot(x: float, y: float, radius: float, colour: str, *, opacity: float = 1) -> str:
    return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='{radius:.1f}' fill='{colour}' fill-opacity='{opacity}'/>"


def curve(points: Iterable[tuple[float, float]], colour: str, *, width: float = 2.5) -> str:
    """A line through the points."""
    return f"<polyline points='{_places(points)}' fill='none' stroke='{colour}' stroke-width='{width}'/>"


def area(points: Iterable[tuple[float, float]], colour: str, *, opacity: float) -> str:
    """What the points enclose."""
    return f"<polygon points='{_places(points)}' fill='{colour}' opacity='{opacity}'/>"


def _places(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
