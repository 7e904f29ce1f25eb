"""Two runs on one page, an index, and a ten-minute clip, in a real browser."""

import time

import numpy as np
import pytest
import torch

from dyad.viewer.comparing import compare_runs
from dyad.viewer.comparison import compare
from dyad.viewer.gallery import write_gallery
from dyad.viewer.report import write_comparison, write_report

from .walkers import film, walkers

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def pair():
    first = walkers(60, size=(384, 216))
    shift = torch.tensor([0.0, 0.0, 0.0]).repeat(len(first), 1)
    shift[:, 0] = torch.where(first.frame == 33, 0.5, 0.04)
    return first, first.with_(xyz=first.xyz + shift[:, None])


@pytest.fixture(scope="module")
def page(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    clip = film(folder / "clip.mp4", pair[0])
    return write_comparison(folder / "c.html", compare(*pair), names=(NASTY, "after"), video=clip)


@pytest.fixture(scope="module")
def opened(visit_once, page):
    return visit_once(page, reduced_motion="reduce")


def test_the_mean_distance_is_told_and_names_are_text(opened, pair):
    mean = compare(*pair).facts()["distance_mm"]
    # Of one frame in which both are there, and of all others.
    assert mean == pytest.approx((2 * 500 + (len(pair[0]) - 2) * 40) / len(pair[0]), abs=0.1)
    opened.page.keyboard.press("c")
    assert opened.page.locator("#mean-distance").inner_text() == f"{mean:.1f} mm"
    assert f"{mean:.1f} mm" in opened.page.locator("#facts").inner_text()
    assert NASTY in opened.page.locator("#name").inner_text()
    assert NASTY in opened.page.locator(".qualities").inner_text()
    assert NASTY in opened.page.locator("#pane-names").inner_text()
    assert opened.page.locator("img").count() == 0


def test_the_distance_is_plotted_and_the_worst_frame_is_found(opened):
    opened.page.keyboard.press("p")
    assert opened("dyad.plotted()")[0] == "A to B (mm)"
    rows = [line.split(",") for line in opened("dyad.table()").split("\r\n") if line]
    column = rows[0].index("A1–B1: A to B (mm)")
    values = np.array([float(row[column]) for row in rows[1:]])
    assert values == pytest.approx(np.where(np.arange(60) == 33, 500, 40), abs=1)
    opened.page.keyboard.press("c")
    opened.page.get_by_role("button", name="worst frame").first.click()
    assert opened.settled(33)


def test_runs_are_overlaid_or_side_by_side_or_alone(opened):
    opened("dyad.seek(5)")
    count = """(id) => { const from = document.getElementById(id), to = document.createElement("canvas");
      to.width = from.width; to.height = from.height;
      const pen = to.getContext("2d", { willReadFrequently: true });
      pen.drawImage(from, 0, 0);
      const d = pen.getImageData(0, 0, to.width, to.height).data; let orange = 0, blue = 0;
      for (let i = 0; i < d.length; i += 4) { if (d[i + 3] > 200 && d[i] > 120 && d[i] > d[i + 2] * 1.8) orange++;
        if (d[i + 3] > 200 && d[i + 2] > 120 && d[i + 2] > d[i] * 1.4) blue++; }
      return [orange > 60, blue > 60]; }"""
    labels = """[...document.querySelectorAll("#scene-labels span")]
      .filter((one) => !one.hidden)
      .map((one) => [one.textContent, one.getBoundingClientRect().x])"""
    scene = opened.page.locator("#scene").bounding_box()
    middle = scene["x"] + scene["width"] / 2
    for layout, colours, shown in (
        ("over", [True, True], {"A1", "A2", "B1", "B2"}),
        ("a", [True, False], {"A1", "A2"}),
        ("b", [False, True], {"B1", "B2"}),
        ("beside", [True, True], {"A1", "B1"}),
    ):
        opened.page.locator(f"[data-layout={layout}]").click()
        assert opened.page.evaluate(count, "overlay") == colours
        end = time.monotonic() + 60
        # Labels move when the scene is next drawn; who is beyond the edge of a narrow part of it has none.
        most = {"A1", "A2", "B1", "B2"} if layout == "beside" else shown
        while not shown <= {name for name, _ in opened(labels)} <= most:
            assert time.monotonic() < end
            opened.page.wait_for_timeout(50)
    opened.page.wait_for_timeout(300)
    found = opened(labels)
    assert all((x > middle) == name.startswith("B") for name, x in found)


def test_partners_are_chosen_together(opened):
    opened.page.keyboard.press("t")
    opened.page.locator(".lane .who").first.click()
    assert opened("dyad.chosen()") == 0
    faint = opened("[...document.querySelectorAll('.lane')].map((lane) => lane.classList.contains('other'))")
    assert faint == [False, False, True, True]
    names = opened.page.locator(".lane .who").all_inner_texts()
    assert names == ["A · Person 1", "B · Person 1", "A · Person 2", "B · Person 2"]


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (1024, 600), (1280, 800)])
def test_no_sideways_scrolling(opened, width, height):
    opened.page.set_viewport_size({"width": width, "height": height})
    for tab in ("lanes", "plots", "summary", "comparison"):
        opened.page.locator(f"[data-tab={tab}]").click()
        assert opened("document.documentElement.scrollWidth") <= width


def test_nobody_in_common(visit, tmp_path):
    tracks = walkers(5)
    tracks[tracks.person == 1].save(tmp_path / "a.npz")
    far = tracks[tracks.person == 2]
    far.with_(xyz=far.xyz + torch.tensor([9.0, 0, 0]), xy=far.xy + 5000).save(tmp_path / "b.npz")
    compare_runs(tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "c.html")
    opened = visit(tmp_path / "c.html")
    for tab in ("plots", "summary", "comparison"):
        opened.page.locator(f"[data-tab={tab}]").click()
    assert "–" in opened.page.locator("#mean-distance").inner_text()


def test_an_index_opens_and_leads_to_its_runs(chromium, tmp_path):
    tracks = walkers(5, name=NASTY)
    for name in ("one", "a & b"):
        (tmp_path / name).mkdir()
        tracks.save(tmp_path / name / "tracks.npz")
        write_report(tmp_path / name / "report.html", tracks, video=None, run={})
    page, _ = write_gallery(tmp_path)
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.goto(page.as_uri())
    assert tab.locator("article").count() == 2
    assert tab.locator("img").evaluate_all("all => all.every((i) => i.complete && i.naturalWidth === 320)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
    tab.get_by_role("link", name="a & b").click()
    tab.wait_for_url("**/report.html")
    tab.evaluate("dyad.ready")
    assert tab.locator("#name").inner_text() == NASTY
    context.close()


def test_ten_minutes_open_within_three_seconds(chromium, tmp_path):
    """Two people at 30 frames a second, with agreement, no video inside."""
    some = walkers(600)
    rows = torch.arange(30).repeat_interleave(len(some))
    frame = some.frame.repeat(30) + 600 * rows
    fields = ("person", "xy", "xyz", "sigma", "confidence", "filled")
    given = {name: getattr(some, name).repeat(30, *[1] * (getattr(some, name).dim() - 1)) for name in fields}
    given |= {"agreement": torch.rand(len(frame), 17), "frames": torch.arange(18000), "camera": some.camera}
    long = type(some).of_rows(frame=frame, times=torch.arange(18000) / 30, world=some.world, **given)
    path = write_report(tmp_path / "long.html", long, video=None, run={})
    assert path.stat().st_size < 14_000_000
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(120_000)
    tab = context.new_page()
    told = context.new_cdp_session(tab)
    told.send("Performance.enable")
    tab.goto(path.as_uri())
    tab.evaluate("dyad.ready")
    tab.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
    metrics = {entry["name"]: entry["value"] for entry in told.send("Performance.getMetrics")["metrics"]}
    context.close()
    # The time of the processor, which others who use the machine lengthen little.
    assert metrics["ProcessTime"] < 3
