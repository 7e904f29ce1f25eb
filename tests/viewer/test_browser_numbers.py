"""Plots, ruler, tables, summary and zoom of the page, in a real browser, against numbers computed here."""

import csv
import io

import numpy as np
import pytest
import torch

from dyad.core.tracks import Tracks
from dyad.viewer import payload
from dyad.viewer.report import write_report

from .walkers import walkers

FRAMES = 90
PELVIS, KNEE = 0, "left_knee"


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return walkers(FRAMES)


@pytest.fixture(scope="module")
def page(tracks, tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("numbers") / "report.html", tracks, video=None, run={})


def in_space(tracks: Tracks, person: int) -> np.ndarray:
    """Joints (T, J, 3), NaN where absent; only lengths and heights of it are used, so any rotation will do."""
    window = tracks.window()
    return window.xyz[:, tracks.people.index(person)].double().numpy()


def heights(tracks: Tracks, xyz: np.ndarray) -> np.ndarray:
    ground = payload.ground(tracks)
    return xyz @ np.array(ground["up"]) + ground["offset"]


def table(opened) -> tuple[list[str], np.ndarray]:
    rows = list(csv.reader(io.StringIO(opened("dyad.table()"))))
    return rows[0], np.array([[float(cell) if cell else np.nan for cell in row] for row in rows[1:]])


def plot(opened, kind: str, what: str | None = None) -> None:
    """Set the first plot to a quantity of something."""
    row = opened.page.locator(".plot-row").first
    row.locator("select").nth(0).select_option(kind)
    if what:
        row.locator("select").nth(1).select_option(label=what)


@pytest.fixture(scope="module")
def one_page(visit_once, page):
    return visit_once(page, reduced_motion="reduce")


@pytest.fixture
def opened(one_page):
    """The page as it was first seen, on its plots."""
    one_page.page.keyboard.press("Escape")
    one_page.page.locator("[data-tab=plots]").click()
    while len(one_page("dyad.plotted()")) > 2:
        one_page.page.locator(".remove").last.click()
    return one_page


def test_a_table_has_every_frame_and_what_is_absent_is_empty(opened, tracks):
    names, values = table(opened)
    assert names[:2] == ["time (s)", "frame"]
    assert "1: Speed of pelvis (m/s)" in names
    assert "2: Angle of left knee flexion (°)" in names
    assert values[:, 0] == pytest.approx(tracks.times.numpy() - float(tracks.times[0]), abs=1e-6)
    assert values[:, 1].tolist() == tracks.frames.tolist()
    absent = ~np.isin(tracks.frames.numpy(), tracks.frame[tracks.rows(2)].numpy())
    assert absent.any()
    assert np.isnan(values[absent, names.index("2: Angle of left knee flexion (°)")]).all()


def test_height(opened, tracks):
    plot(opened, "height", "left wrist")
    names, values = table(opened)
    joint = tracks.skeleton.index("left_wrist")
    for person in (1, 2):
        expected = heights(tracks, in_space(tracks, person)[:, joint])
        assert values[:, names.index(f"{person}: Height of left wrist (m)")] == pytest.approx(
            expected, abs=2e-3, nan_ok=True
        )


def test_angle(opened, tracks):
    names, values = table(opened)
    xyz = in_space(tracks, 1)
    hip, knee, ankle = (xyz[:, tracks.skeleton.index(f"left_{name}")] for name in ("hip", "knee", "ankle"))
    a, b = hip - knee, ankle - knee
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    expected = 180 - np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert expected.max() > 10
    # Millimetres make a straight leg bend by a degree or two.
    assert values[:, names.index("1: Angle of left knee flexion (°)")] == pytest.approx(expected, abs=3, nan_ok=True)


def test_angles_of_someone_upright_are_zero_and_of_a_raised_arm_are_not(visit, tmp_path):
    one = walkers(3, world=False)
    one = one[one.person == 1]
    xyz = one.xyz.clone()
    place = {name: one.skeleton.index(name) for name in one.skeleton.names}
    body = {"pelvis": (0, 1.0), "spine": (0, 1.25), "neck": (0, 1.5), "nose": (0, 1.6), "head_top": (0, 1.75)}
    for side, sign in (("left", 1), ("right", -1)):
        body |= {f"{side}_{name}": (0.1 * sign, y) for name, y in (("hip", 1.0), ("knee", 0.5), ("ankle", 0.08))}
        body |= {f"{side}_{name}": (0.2 * sign, y) for name, y in (("shoulder", 1.5), ("elbow", 1.2), ("wrist", 0.9))}
    body |= {"left_elbow": (0.5, 1.5), "left_wrist": (0.5, 1.8)}  # out to the side, the hand up
    for name, (x, y) in body.items():
        xyz[:, place[name]] = torch.tensor([x, -y, 4.0])
    opened = visit(write_report(tmp_path / "still.html", one.with_(xyz=xyz), video=None, run={}))
    opened.page.locator("[data-tab=plots]").click()
    labels = opened.page.locator(".plot-row").nth(1).locator("select").nth(1).locator("option").all_inner_texts()
    assert len(labels) == 9
    found = {}
    for label in labels:
        plot(opened, "angle", label)
        names, values = table(opened)
        found[label] = values[0, names.index(f"1: Angle of {label} (°)")]
    bent = {"left elbow flexion": 90, "left arm raised": 90}
    assert found == pytest.approx({label: bent.get(label, 0) for label in labels}, abs=0.3)


def test_speed_of_even_motion(visit, tmp_path):
    tracks = walkers(40)
    xyz = torch.zeros_like(tracks.xyz) + torch.tensor([0.0, -1.0, 4.0])
    xyz[..., 0] = 1.2 * tracks.time.float()[:, None]
    xyz[..., 2] += 0.5 * tracks.time.float()[:, None]
    opened = visit(write_report(tmp_path / "even.html", tracks.with_(xyz=xyz), video=None, run={}))
    opened.page.locator("[data-tab=plots]").click()
    names, values = table(opened)
    speed = values[:, names.index("1: Speed of pelvis (m/s)")]
    assert speed == pytest.approx(np.full(40, 1.3), abs=0.01)


def test_distance_between_people(opened, tracks):
    plot(opened, "distance", "pelvis")
    names, values = table(opened)
    expected = np.linalg.norm(in_space(tracks, 1)[:, PELVIS] - in_space(tracks, 2)[:, PELVIS], axis=-1)
    found = values[:, names.index("1–2: Between people of pelvis (m)")]
    assert found == pytest.approx(expected, abs=3e-3, nan_ok=True)


def test_numbers_beside_a_plot_follow_the_frame_and_a_click_jumps(opened, tracks):
    plot(opened, "height", "pelvis")
    expected = heights(tracks, in_space(tracks, 1)[:, PELVIS])
    strip = opened.page.locator(".plot").first.bounding_box()
    for k in (0, 37, 80):
        opened.page.mouse.click(strip["x"] + strip["width"] * (k + 0.5) / FRAMES, strip["y"] + 20)
        assert opened.settled(k)
        text = opened.page.locator(".values").first.locator("b").first.inner_text()
        assert text == f"{expected[k]:.2f} m"
        line = opened.page.locator(".plot .head-line").first.bounding_box()
        assert line["x"] + line["width"] / 2 == pytest.approx(strip["x"] + strip["width"] * (k + 0.5) / FRAMES, abs=1.5)


def test_lanes_scrubber_and_plots_share_one_axis(opened):
    boxes = [opened.page.locator(".plot").first.bounding_box(), opened.page.locator(".axis").bounding_box()]
    opened.page.keyboard.press("t")
    boxes.append(opened.page.locator(".lane .strip").first.bounding_box())
    assert {round(box["x"]) for box in boxes} == {round(boxes[0]["x"])}
    assert {round(box["width"]) for box in boxes} == {round(boxes[0]["width"])}


def test_zoom_keeps_the_frame_and_follows_it(opened):
    opened("dyad.seek(30)")
    opened.page.keyboard.press("+")
    start, count = opened("dyad.window()")
    assert count == FRAMES / 2
    assert start <= 30 < start + count
    strip = opened.page.locator(".plot").first.bounding_box()
    opened.page.mouse.click(strip["x"] + strip["width"] * 0.999, strip["y"] + 20)
    assert opened.settled(start + count - 1)
    opened.page.keyboard.press("End")
    assert opened.settled(FRAMES - 1)
    assert sum(opened("dyad.window()")) == FRAMES
    opened.page.keyboard.press("-")
    opened.page.keyboard.press("-")
    assert opened("dyad.window()") == [0, FRAMES]


def test_plots_are_added_and_removed(opened):
    assert len(opened("dyad.plotted()")) == 2
    for _ in range(9):
        if opened.page.locator(".add").is_enabled():
            opened.page.locator(".add").click()
    assert len(opened("dyad.plotted()")) == 8
    opened.page.locator(".remove").first.click()
    assert len(opened("dyad.plotted()")) == 7
    assert opened.page.locator(".add").is_enabled()


def test_the_table_is_saved_as_a_file(opened):
    with opened.page.expect_download() as waiting:
        opened.page.locator("#save-csv").click()
    assert waiting.value.suggested_filename == "two_people_walking.csv"
    assert waiting.value.path().read_text(encoding="utf-8").replace("\r\n", "\n") == opened("dyad.table()").replace(
        "\r\n", "\n"
    )


def test_measuring_two_joints_in_space_and_on_the_picture(opened, tracks):
    opened("dyad.seek(20)")
    opened.page.keyboard.press("m")
    measured = opened.page.locator("#measured")
    assert "Pick two joints" in measured.inner_text()
    opened.page.wait_for_timeout(200)
    scene = opened.page.locator("#scene").bounding_box()
    ends = (("head_top", 0), ("right_ankle", 1))
    for name, person in ends:
        x, y = opened(f"dyad.placeOf({person}, {tracks.skeleton.index(name)})")
        opened.page.mouse.click(scene["x"] + x, scene["y"] + y)
    places = [in_space(tracks, person + 1)[:, tracks.skeleton.index(name)] for name, person in ends]
    expected = np.linalg.norm(places[0] - places[1], axis=-1)
    assert opened("dyad.measured()") == pytest.approx(expected[20], abs=3e-3)
    assert measured.inner_text() == f"1 head top – 2 right ankle: {opened('dyad.measured()'):.3f} m"
    opened("dyad.seek(40)")
    assert opened("dyad.measured()") == pytest.approx(expected[40], abs=3e-3)
    names, values = table(opened)
    column = names.index("1 head top – 2 right ankle: Measured (m)")
    assert values[:, column] == pytest.approx(expected, abs=3e-3, nan_ok=True)
    # The next two are picked on the picture.
    opened("dyad.seek(10)")
    box = opened.page.locator("#overlay").bounding_box()
    scale = box["width"] / 640
    for name in ("left_ankle", "head_top"):
        x, y = tracks.xy[int(tracks.rows(2)[10]), tracks.skeleton.index(name)].tolist()
        opened.page.mouse.click(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    assert measured.inner_text().startswith("2 left ankle – 2 head top: 1.")
    assert sum("Measured" in title for title in opened("dyad.plotted()")) == 1
    opened.page.keyboard.press("Escape")
    assert not measured.is_visible()
    assert sum("Measured" in title for title in opened("dyad.plotted()")) == 0


def test_the_summary_says_what_was_computed(opened, tracks):
    opened.page.keyboard.press("u")
    cards = opened.page.locator(".card")
    assert cards.count() == 2
    first = payload.build(tracks, video={}, run={}, notes=[])["people"][0]["summary"]
    text = cards.first.inner_text()
    for part in (f"{first['stature']:.2f} m", f"± {first['stature_spread']:.2f} m", f"{first['seen']:.1f} s"):
        assert part in text
    assert f"{first['cadence']:.0f} steps/min" in text
    assert "use with care" in text
    assert "filled in" in text
    cards.nth(1).locator(".who").click()
    assert opened("dyad.chosen()") == 1


def test_commands_for_other_formats_are_shown(opened):
    opened.page.keyboard.press("e")
    text = opened.page.locator("#export-dialog").inner_text()
    assert "dyad export . --to glb" in text
    opened.page.keyboard.press("Escape")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (390, 844), (844, 390), (1280, 800)])
def test_nothing_lies_over_another(opened, width, height):
    opened.page.set_viewport_size({"width": width, "height": height})
    for tab in ("summary", "lanes", "plots"):
        opened.page.locator(f"[data-tab={tab}]").click()
        assert opened("document.documentElement.scrollWidth") <= width
    boxes = [
        opened.page.locator(selector).bounding_box()
        for selector in (
            "#play",
            "#speed",
            "[data-tab=lanes]",
            "[data-tab=plots]",
            "[data-tab=summary]",
            "#zoom-in",
            ".clock",
        )
    ]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a["x"] + a["width"] <= b["x"] + 0.5 or b["x"] + b["width"] <= a["x"] + 0.5
            apart = apart or a["y"] + a["height"] <= b["y"] + 0.5 or b["y"] + b["height"] <= a["y"] + 0.5
            assert apart, (a, b)
