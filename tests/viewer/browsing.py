"""A page opened in Chromium, which is found on the path or named by DYAD_CHROMIUM."""

import os
import shutil
import time
from dataclasses import dataclass, field
from typing import Any

BROWSER = os.environ.get("DYAD_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

# What is drawn in software needs no GPU, and the browser itself must not call home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@dataclass
class Opened:
    """A page with everything it complained of and asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __call__(self, script: str) -> Any:
        return self.page.evaluate(script)

    def hue(self, selector: str) -> str:
        return self(f"getComputedStyle(document.querySelector('{selector}')).backgroundColor")

    def settled(self, k: int) -> bool:
        self.until(f"dyad.frame() === {k} && dyad.shown() === {k}")
        return True

    def until(self, condition: str, seconds: float = 60) -> None:
        """Wait for a condition, asked from outside: the page's policy forbids to evaluate text inside it."""
        end = time.monotonic() + seconds
        while not self(condition):
            assert time.monotonic() < end, f"after {seconds} s still not: {condition}"
            self.page.wait_for_timeout(20)
