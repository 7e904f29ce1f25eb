from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .browsing import BROWSER, FLAGS, Opened


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright drives the browser: pip install playwright"
    )
    if BROWSER is None:
        pytest.skip("no chromium on the path; set DYAD_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


Visit = Callable[..., Opened]


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """Open a file; whatever it is, it must not complain and must ask for nothing but itself."""
    yield from _visiting(chromium)


@pytest.fixture(scope="module")
def visit_once(chromium: Any) -> Iterator[Visit]:
    """The same for a page that several tests share."""
    yield from _visiting(chromium)


def _visiting(chromium: Any) -> Iterator[Visit]:
    contexts, visits = [], []

    def go(path: Path, *, width: int = 1280, height: int = 800, allow: str = "", **options: Any) -> Opened:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(120_000)  # of a busy machine
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("dialog", lambda dialog: (opened.complaints.append(dialog.message), dialog.dismiss()))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.goto(path.as_uri())
        opened("dyad.ready")
        visits.append((opened, path.as_uri(), allow))
        return opened

    yield go
    for opened, own, allow in visits:
        # Software rendering makes the driver remark on slow read-backs; that is no fault of the page.
        assert [c for c in opened.complaints if "GPU stall due to ReadPixels" not in c] == []
        strays = [url for url in opened.requests if url != own and not url.startswith(("blob:", "data:"))]
        assert [url for url in strays if not (allow and allow in url)] == []
    for context in contexts:
        context.close()
