"""The page about other tools' results says what there is."""

from pathlib import Path

from dyad.estimates.reading import FORMATS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "estimates.md").read_text(encoding="utf-8")


def test_every_format_is_in_the_table() -> None:
    shown = [line.split("|")[1].strip(" `") for line in PAGE.splitlines() if line.startswith("| `")]
    assert sorted(shown) == sorted(FORMATS)
