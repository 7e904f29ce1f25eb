from pathlib import Path
from xml.etree import ElementTree

import pytest

from dyad.bench import svg
from dyad.core.errors import BadUsage

NAME = "{http://www.w3.org/2000/svg}"


def test_every_piece_lies_where_it_was_put() -> None:
    pieces = [
        svg.text(1, 2, "a <&> b", size=9),
        svg.line(0, 1, 2, 3, dash="4 4"),
        svg.bar(1, 2, 3, 4, "#112233"),
        svg.dot(5, 6, 7, "#112233"),
        svg.at(10, 20, svg.curve([(0, 0), (1, 2)], "#112233"), svg.area([(0, 0), (1, 0), (1, 1)], "red", opacity=0.5)),
    ]
    drawn = ElementTree.fromstring(svg.sheet(100, 50, pieces))
    assert (drawn.attrib["viewBox"], drawn.attrib["width"]) == ("0 0 100 50", "100")
    paper, bar = drawn.iter(f"{NAME}rect")
    assert (paper.attrib["width"], paper.attrib["height"]) == ("100", "50")
    assert [float(bar.attrib[name]) for name in ("x", "y", "width", "height")] == [1, 2, 3, 4]
    text = next(drawn.iter(f"{NAME}text"))
    assert (text.text, text.attrib["x"], text.attrib["font-size"]) == ("a <&> b", "1.0", "9")
    line, dot = next(drawn.iter(f"{NAME}line")), next(drawn.iter(f"{NAME}circle"))
    assert [float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")] == [0, 1, 2, 3]
    assert line.attrib["stroke-dasharray"] == "4 4"
    assert [float(dot.attrib[name]) for name in ("cx", "cy", "r")] == [5, 6, 7]
    group = next(drawn.iter(f"{NAME}g"))
    assert group.attrib["transform"] == "translate(10 20)"
    assert [piece.attrib["points"] for piece in group] == ["0.0,0.0 1.0,2.0", "0.0,0.0 1.0,0.0 1.0,1.0"]


def test_a_picture_is_written_whole_to_a_name_that_ends_in_svg(tmp_path: Path) -> None:
    picture = svg.sheet(10, 10, [svg.text(0, 0, "Höhe")])
    svg.write_svg(picture, tmp_path / "a.SVG")
    assert (tmp_path / "a.SVG").read_text(encoding="utf-8") == picture
    with pytest.raises(BadUsage, match=r"name a file that ends in \.svg, got .*a\.png"):
        svg.write_svg(picture, tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.SVG"]
