"""The page of a run in a real browser."""

from pathlib import Path

import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.core.tracks import Tracks
from dyad.viewer.report import write_report

from .walkers import BITS, film, walkers

EVEN = np.arange(50) / 25
UNEVEN = np.cumsum(np.random.default_rng(3).choice([0.02, 1 / 30, 0.05, 0.11, 0.3], 50)) + 1.234

# Reads the bar code off the video's picture as it is on screen.
DECODE = f"""() => {{
  const video = document.getElementById("video");
  const canvas = document.createElement("canvas");
  const width = (canvas.width = video.videoWidth);
  const block = Math.floor(width / {BITS});
  canvas.height = block;
  const pen = canvas.getContext("2d", {{ willReadFrequently: true }});
  pen.drawImage(video, 0, 0);
  let k = 0;
  for (let bit = 0; bit < {BITS}; bit++) {{
    if (pen.getImageData(Math.floor((bit + 0.5) * block), Math.floor(block / 4), 1, 1).data[0] > 128) k |= 1 << bit;
  }}
  return k;
}}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, times in (("even", EVEN), ("uneven", UNEVEN)):
        tracks = walkers(len(times), size=(384, 216), times=times)
        clip = film(folder / f"{name}.mp4", tracks)
        made[name] = write_report(folder / f"{name}.html", tracks, video=clip, run={"seconds": {"decode": 1.5}})
    beside = walkers(len(EVEN), size=(384, 216), times=EVEN)
    made["beside"] = write_report(folder / "beside.html", beside, video=folder / "even.mp4", run={}, embed_limit=10)
    made["bare"] = write_report(folder / "bare.html", walkers(50, times=EVEN), video=None, run={})
    return made


@pytest.mark.parametrize("name", ["even", "uneven"])
def test_scrubbing_shows_the_exact_frame(visit, pages, name):
    opened = visit(pages[name])
    order = [0, 49, *np.random.default_rng(5).permutation(50).tolist()[:30], 1, 0]
    for k in order:
        opened(f"dyad.seek({k})")
        assert opened(DECODE) == k
        assert opened("dyad.shown()") == k


def test_hasty_scrubbing_ends_on_the_last_frame_asked_for(visit, pages):
    opened = visit(pages["even"])
    assert opened("Promise.all([3, 44, 17, 8, 31, 22].map((k) => dyad.seek(k)))") == [22] * 6
    assert opened(DECODE) == 22


@pytest.mark.parametrize("name", ["even", "uneven"])
def test_playing_keeps_overlay_and_video_together_and_pausing_is_exact(visit, pages, name):
    opened = visit(pages[name])
    opened.page.keyboard.press("r")  # no repeat
    opened("dyad.play()")
    opened.until("dyad.shown() > 12")
    assert opened("dyad.playing()")
    k = opened("dyad.pause()")
    assert k == opened("dyad.shown()") == opened("dyad.frame()")
    assert opened(DECODE) == k > 12
    opened("dyad.play()")
    opened.until("!dyad.playing()")
    assert opened.settled(49)
    assert opened(DECODE) == 49


def test_repeat_goes_round(visit, pages):
    opened = visit(pages["even"])
    opened("dyad.seek(44)")
    opened("dyad.play()")
    opened.until("dyad.shown() < 20")
    assert opened("dyad.playing()")


def test_keyboard(visit, pages):
    opened = visit(pages["even"])
    press = opened.page.keyboard.press
    for key, k in (("End", 49), ("ArrowLeft", 48), ("Shift+ArrowLeft", 38), ("Home", 0), ("ArrowRight", 1)):
        press(key)
        assert opened.settled(k)
    assert opened(DECODE) == 1
    press("Space")
    opened.until("dyad.playing()")
    press("Space")
    opened.until("!dyad.playing()")
    press("?")
    assert opened.page.locator("#help-dialog").is_visible()
    press("Escape")
    assert not opened.page.locator("#help-dialog").is_visible()
    press("]")
    assert opened("dyad.chosen()") == 0
    press("Escape")
    assert opened("dyad.chosen()") is None
    opened.page.locator("#scrubber").focus()
    opened("dyad.seek(10)")
    press("ArrowRight")
    assert opened.settled(11)


def test_lanes_and_scrubber_jump(visit, pages):
    opened = visit(pages["even"])
    strips = opened.page.locator(".lane .strip")
    assert strips.count() == 2
    box = strips.nth(1).bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] * 30.5 / 50, box["y"] + box["height"] / 2)
    assert opened.settled(30)
    assert opened(DECODE) == 30
    opened.page.mouse.move(box["x"] + box["width"] * 10.5 / 50, box["y"] + 4)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] * 20.5 / 50, box["y"] + 4, steps=5)
    opened.page.mouse.up()
    assert opened.settled(20)
    opened.page.locator("#scrubber").fill("41")
    assert opened.settled(41)
    assert opened(DECODE) == 41


def test_orbit_zoom_and_views_move_the_viewpoint(visit, pages):
    opened = visit(pages["even"], reduced_motion="reduce")
    box = opened.page.locator("#scene").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    places = [opened("dyad.viewpoint()")]
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 120, y + 30, steps=4)
    opened.page.mouse.up()
    places.append(opened("dyad.viewpoint()"))
    opened.page.mouse.wheel(0, -400)
    opened.page.wait_for_timeout(200)
    places.append(opened("dyad.viewpoint()"))
    for name in ("Camera", "Side", "Top", "Overview"):
        opened.page.get_by_role("button", name=name, exact=True).click()
        places.append(opened("dyad.viewpoint()"))
    steps = np.linalg.norm(np.diff(np.array(places), axis=0), axis=1)
    assert (steps > 0.05).all()
    assert places[-1] == pytest.approx(places[0], abs=1e-6)
    assert places[3][1] == pytest.approx(1.7, abs=0.01)  # the video camera's height over the floor


def test_scene_and_overlay_show_people_in_their_colours(visit, pages):
    opened = visit(pages["even"], reduced_motion="reduce")
    opened("dyad.seek(5)")
    opened.page.wait_for_timeout(200)
    count = """(id) => { const from = document.getElementById(id), to = document.createElement("canvas");
      to.width = from.width; to.height = from.height;
      const pen = to.getContext("2d", { willReadFrequently: true });
      pen.drawImage(from, 0, 0);
      const d = pen.getImageData(0, 0, to.width, to.height).data; let orange = 0, blue = 0;
      for (let i = 0; i < d.length; i += 4) { if (d[i + 3] > 200 && d[i] > 120 && d[i] > d[i + 2] * 1.8) orange++;
        if (d[i + 3] > 200 && d[i + 2] > 120 && d[i + 2] > d[i] * 1.4) blue++; }
      return [orange, blue]; }"""
    orange, blue = opened.page.evaluate(count, "overlay")
    assert orange > 60
    assert blue > 60
    picture = opened.page.locator("#scene").screenshot(path=pages["even"].parent / "scene.png")
    assert len(picture) > 5000
    opened.page.keyboard.press("s")
    assert opened.page.evaluate(count, "overlay") == [0, 0]


def test_hover_tells_who_it_is(visit, pages):
    opened = visit(pages["even"])
    opened("dyad.seek(3)")
    tracks = walkers(len(EVEN), size=(384, 216), times=EVEN)
    row = int(tracks.rows(1)[3])
    x, y = tracks.xy[row, tracks.skeleton.index("right_ankle")].tolist()
    box = opened.page.locator("#overlay").bounding_box()
    scale = box["width"] / 384
    opened.page.mouse.move(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    text = opened.page.locator("#tip").inner_text()
    assert "Person 1 · right ankle" in text
    assert f"{float(tracks.xyz[row, 0].norm()):.2f} m away" in text


def test_light_and_dark(visit, pages):
    light, dark = visit(pages["even"], color_scheme="light"), visit(pages["even"], color_scheme="dark")
    assert light.hue(".top") == "rgb(255, 255, 255)"
    assert dark.hue(".top") != light.hue(".top")
    light.page.locator("#theme").click()
    assert light.hue(".top") == dark.hue(".top")
    light.page.reload()
    light("dyad.ready")
    assert light.hue(".top") == dark.hue(".top")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (844, 390), (768, 1024), (1024, 600)])
def test_no_sideways_scrolling(visit, pages, width, height):
    opened = visit(pages["even"], width=width, height=height, has_touch=True, is_mobile=True)
    assert opened("document.documentElement.scrollWidth") <= width
    for selector in ("#overlay", "#scene", "#play", "#scrubber"):
        box = opened.page.locator(selector).bounding_box()
        assert box["width"] > 20
        assert box["height"] > 10
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 0.5
    opened.page.locator("#play").tap()
    opened.until("dyad.playing()")
    opened.page.locator("#play").tap()
    opened.until("!dyad.playing()")


def test_video_beside_the_page(visit, pages):
    opened = visit(pages["beside"], allow="even.mp4")
    opened("dyad.seek(33)")
    assert opened("document.getElementById('video').videoWidth") == 384
    assert opened("document.getElementById('video').currentTime") == pytest.approx(33 / 25 + 0.001)
    assert opened("dyad.shown()") == 33


def test_skeletons_play_without_a_video(visit, pages):
    opened = visit(pages["bare"])
    opened("dyad.seek(40)")
    assert opened("dyad.shown()") == 40
    opened("dyad.play()")
    opened.until("dyad.shown() < 30")
    opened("dyad.pause()")
    assert not opened("dyad.playing()")


def test_a_lost_video_is_said_and_the_rest_works(visit, pages, tmp_path):
    text = pages["beside"].read_text(encoding="utf-8").replace("./even.mp4", "./gone.mp4")
    lost = tmp_path / "lost.html"
    lost.write_text(text, encoding="utf-8")
    opened = visit(lost, allow="gone.mp4")
    opened.complaints[:] = [c for c in opened.complaints if "ERR_FILE_NOT_FOUND" not in c]
    assert "gone.mp4" in opened.page.locator("#picture-message").inner_text()
    opened("dyad.seek(7)")
    assert opened("dyad.shown()") == 7


def test_names_are_text_and_the_guess_is_named(visit, tmp_path):
    nasty = "<img src=x onerror=alert(1)>.mp4"
    tracks = walkers(5, name=nasty)
    path = write_report(tmp_path / "x.html", tracks, video=None, run={nasty: nasty}, notes=[f"Moving {nasty}"])
    opened = visit(path)
    assert opened.page.locator("#name").inner_text() == nasty
    assert opened.page.locator("#notes").inner_text() == f"Moving {nasty}"
    assert opened.page.locator("img").count() == 0
    assert "guess" in opened.page.locator("#facts").inner_text()


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_nobody_and_next_to_nothing(visit, tmp_path, frames):
    tracks = Tracks.of_rows(
        camera=Camera.guess((64, 48)),
        frame=np.zeros(0, np.int64),
        person=np.zeros(0, np.int64),
        frames=np.arange(frames),
        times=np.arange(frames) / 10,
    )
    opened = visit(write_report(tmp_path / "none.html", tracks, video=None, run={}))
    assert "No one was found" in opened.page.locator("#lanes").inner_text()
    opened("dyad.play()")
    opened.page.keyboard.press("End")
    assert opened("dyad.frame()") == max(0, frames - 1)
