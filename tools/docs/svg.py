"""The little of SVG that the pictures need."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

INK, FAINT, PAPER = "#222222", "#9a9a9a", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


class Drawing:
    """A picture of some size in px that grows line by line."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height = width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="{FONT}">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>',
        ]

    def line(self, points: Iterable[Sequence[float]], *, colour: str = INK, width: float = 1.5, dash: str = "") -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-linecap="round" stroke-linejoin="round"{dashed}/>'
        )

    def area(self, points: Iterable[Sequence[float]], *, fill: str, opacity: float = 1.0) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{places}" fill="{fill}" fill-opacity="{opacity}"/>')

    def dot(self, at: Sequence[float], radius: float = 3, *, fill: str = INK, edge: str = "none") -> None:
        x, y = at
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{edge}" stroke-width="1.5"/>'
        )

    def arrow(self, start: Sequence[float], end: Sequence[float], *, colour: str = INK, width: float = 1.5) -> None:
        a, b = np.asarray(start, float), np.asarray(end, float)
        along = b - a
        length = float(np.hypot(*along))
        if length < 1e-6:
            return
        along /= length
        across = np.array((-along[1], along[0]))
        head = min(2.5 + 2.5 * width, 0.6 * length)
        self.line((a, b - 0.7 * head * along), colour=colour, width=width)
        self.area((b, b - head * along + 0.45 * head * across, b - head * along - 0.45 * head * across), fill=colour)

    def text(
        self, at: Sequence[float], words: str, *, size: float = 13, colour: str = INK, anchor: str = "start"
    ) -> None:
        x, y = at
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">'
            f"{html.escape(words)}</text>"
        )

    def image(self, pixels: NDArray[np.uint8], box: tuple[float, float, float, float]) -> None:
        """RGB pixels (H, W, 3) in the box x, y, width, height."""
        from PIL import Image

        kept = io.BytesIO()
        Image.fromarray(pixels).save(kept, "JPEG", quality=82, optimize=True)
        data = base64.b64encode(kept.getvalue()).decode()
        x, y, width, height = box
        self.parts.append(
            f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
            f'href="data:image/jpeg;base64,{data}"/>'
        )

    def save(self, path: Path) -> None:
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8", newline="\n")
