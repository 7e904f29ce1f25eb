import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17
from dyad.core.tracks import Flag, Tracks
from dyad.viewer import palette, payload
from dyad.viewer.packing import unpack
from dyad.viewer.report import write_report

from .walkers import film, walkers

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "src" / "dyad" / "viewer" / "assets"
NASTY = '<img src=x onerror=alert(1)></script><script>alert(2)</script>{{script}}&quot;"\u2028.mp4'


class Page(HTMLParser):
    """Elements of a page with their attributes, and the text of each element that has an id."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(dict(attrs).get("id") or tag)

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") + data

    @property
    def data(self) -> dict:
        return json.loads(self.texts["data"])


def page_of(path: Path, tracks: Tracks, **options) -> Page:
    options = {"video": None, "run": {}, **options}
    return Page(write_report(path / "report.html", tracks, **options).read_text(encoding="utf-8"))


def build(tracks: Tracks, **options) -> dict:
    return payload.build(tracks, **{"video": {}, "run": {}, "notes": [], **options})


def test_bundle_is_of_these_sources():
    web = ROOT / "web"
    if not web.is_dir():
        pytest.skip("the page's sources are in the repository only")
    names = ["build.mjs", "package-lock.json", "package.json"]
    names += [f.relative_to(web).as_posix() for f in (web / "src").rglob("*") if f.is_file()]
    digest = hashlib.sha256()
    for name in sorted(names):
        content = (web / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    stamp = (ASSETS / "report.sha256").read_text().strip()
    assert stamp == digest.hexdigest(), (
        "web/ changed: run `npm ci && npm run build` in web/ and commit src/dyad/viewer/assets"
    )


def test_lock_names_no_registry():
    lock = ROOT / "web" / "package-lock.json"
    if not lock.is_file():
        pytest.skip("the page's sources are in the repository only")
    text = lock.read_text()
    assert "resolved" not in text
    # Addresses of funding pages are no registries.
    packages = json.loads(text)["packages"]
    assert all("integrity" in entry for name, entry in packages.items() if name)


def test_page_is_small_and_fetches_nothing(tmp_path):
    page = page_of(tmp_path, walkers(60))
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed")
        assert "src" not in attributes
        assert "href" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"url\(|@import", page.texts["style"])
    assert not re.search(r"https?://", page.texts["style"])


def test_policy_admits_the_pages_own_script_only(tmp_path):
    page = page_of(tmp_path, walkers(5))
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.texts["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_names_cannot_become_markup(tmp_path):
    tracks = walkers(5, name=NASTY)
    page = page_of(tmp_path, tracks, notes=[NASTY], run={NASTY: {"nested": NASTY}})
    plain = page_of(tmp_path, walkers(5))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert page.data["video"]["name"] == NASTY
    assert page.data["notes"] == [NASTY]
    assert page.data["run"] == {NASTY: {"nested": NASTY}}
    assert page.texts["title"] == f"{NASTY} · Dyad"


def test_numbers_survive_to_their_rounding():
    tracks = walkers(40)
    data = build(tracks)
    assert data["frames"] == list(range(40))
    assert data["times"] == pytest.approx(tracks.times.tolist(), abs=1e-6)
    for person in data["people"]:
        rows = tracks.rows(person["id"])
        count = len(rows)
        assert sum(length for _, length, _ in person["runs"]) == count
        for name, per_unit, size in (("xy", 10, 2), ("xyz", 1000, 3)):
            values = unpack(person[name], per_unit).reshape(count, 17, size)
            assert np.abs(values - getattr(tracks, name)[rows].numpy()).max() <= 0.5 / per_unit + 1e-4
        confidence = unpack(person["confidence"], 100).reshape(count, 17)
        assert np.abs(confidence - tracks.confidence[rows].numpy()).max() <= 0.00501


def test_runs_tell_present_filled_and_absent():
    tracks = walkers(60)
    for person in build(tracks)["people"]:
        seen = np.full(60, -1)
        for start, count, filled in person["runs"]:
            assert (seen[start : start + count] == -1).all()
            seen[start : start + count] = filled
        rows = tracks.rows(person["id"])
        expected = np.full(60, -1)
        expected[tracks.frame[rows].numpy()] = tracks.filled[rows].int().numpy()
        assert (seen == expected).all()


def test_missing_values_are_null_and_the_json_is_strict(tmp_path):
    tracks = walkers(6)
    xyz, sigma, confidence = tracks.xyz.clone(), tracks.sigma.clone(), tracks.confidence.clone()
    xyz[0], xyz[1, 3, 1], sigma[2], confidence[3, 4] = torch.nan, torch.inf, torch.nan, torch.nan
    tracks = tracks.with_(xyz=xyz, sigma=sigma, confidence=confidence)
    page = page_of(
        tmp_path, tracks, run={"a": float("nan"), "b": np.float32(2), "c": Path("x"), "d": None, "e": [1, True]}
    )

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    data = json.loads(page.texts["data"], parse_constant=refuse)
    first = data["people"][0]
    assert np.isnan(unpack(first["xyz"], 1000)[: 17 * 3]).all()
    assert np.flatnonzero(np.isnan(unpack(first["xyz"], 1000)))[51:].tolist() == [17 * 3 + 3 * 3 + 1]
    assert np.flatnonzero(np.isnan(unpack(first["sigma"], 1000))).tolist() == [2]
    assert np.flatnonzero(np.isnan(unpack(first["confidence"], 100))).tolist() == [3 * 17 + 4]
    assert data["run"] == {"a": None, "b": 2.0, "c": "x", "d": None, "e": [1, True]}


def test_floor_is_the_estimated_one_or_at_the_lowest_feet():
    estimated, assumed = payload.ground(walkers(30)), payload.ground(walkers(30, world=False))
    assert estimated["source"] == "estimated"
    assert assumed["source"] == "assumed"
    tracks = walkers(30)
    ankles = tracks.xyz[:, BODY17.indices("left_ankle", "right_ankle")].double()
    for ground, reach in ((estimated, 0.02), (assumed, 0.05)):
        heights = ankles @ torch.tensor(ground["up"], dtype=torch.float64) + ground["offset"]
        assert float(heights.min()) == pytest.approx(0.07, abs=reach)


def test_standing_height():
    tracks = walkers(30)
    heights = {person["id"]: person["height"] for person in build(tracks)["people"]}
    assert heights[1] == pytest.approx(1.78, abs=0.05)
    assert heights[2] == pytest.approx(1.64, abs=0.05)


def test_coverage_counts_person_frames():
    tracks = walkers(60)
    share = payload.coverage(tracks)
    assert share["filled"] == pytest.approx(tracks.filled.double().mean().item())
    assert share["filled"] + share["detected"] == 1


@pytest.mark.parametrize("skeleton", [COCO17, BLAZEPOSE33])
def test_other_skeletons(tmp_path, skeleton):
    data = page_of(tmp_path, walkers(6).convert(skeleton)).data
    assert data["skeleton"]["names"] == list(skeleton.names)
    assert {"left", "right", "middle"} == set(data["skeleton"]["sides"])
    assert data["people"][0]["height"] is None


def test_nobody(tmp_path):
    tracks = Tracks.of_rows(
        camera=Camera.guess((64, 48)),
        frame=torch.zeros(0, dtype=torch.int64),
        person=torch.zeros(0, dtype=torch.int64),
        frames=torch.arange(3),
        times=torch.arange(3) / 10,
    )
    data = page_of(tmp_path, tracks).data
    assert data["people"] == []
    assert data["coverage"] == {"detected": 0.0, "filled": 0.0}


def test_video_goes_in_when_small_and_stays_beside_when_large(tmp_path):
    tracks = walkers(4)
    clip = film(tmp_path / "my clip: #1.mp4", tracks)
    page = page_of(tmp_path, tracks, video=clip)
    assert base64.b64decode(page.texts["video-data"]) == clip.read_bytes()
    assert page.data["video"]["embedded"]
    assert page.data["video"]["type"] == "video/mp4"
    page = page_of(tmp_path, tracks, video=clip, embed_limit=10)
    assert page.texts.get("video-data", "") == ""
    assert page.data["video"]["file"] == "./my%20clip%3A%20%231.mp4"
    (tmp_path / "out").mkdir()
    page = page_of(tmp_path / "out", tracks, video=clip, embed_limit=10)
    assert page.data["video"]["file"] == "./../my%20clip%3A%20%231.mp4"
    with pytest.raises(BadInput, match="not there"):
        page_of(tmp_path, tracks, video=tmp_path / "none.mp4")


def test_a_failed_report_leaves_the_old_one(tmp_path, monkeypatch):
    path = write_report(tmp_path / "report.html", walkers(4), video=None, run={})
    before = path.read_bytes()

    def interrupt(*_args, **_options):
        yield "<!doctype html>"
        raise KeyboardInterrupt

    monkeypatch.setattr("dyad.viewer.report._filled", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_report(path, walkers(5), video=None, run={})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_page_and_overlay_share_their_shades():
    colour = ROOT / "web" / "src" / "colour.js"
    if not colour.is_file():
        pytest.skip("the page's sources are in the repository only")
    left, right = re.search(r"left: \[255, ([\d.]+)\], right: \[0, ([\d.]+)\]", colour.read_text()).groups()
    assert (float(left), float(right)) == (palette.LEFT_LIGHTER, palette.RIGHT_DARKER)
    people = build(walkers(5))["people"]
    assert [p["colour"] for p in people] == [palette.hexadecimal(c) for c in palette.COLOURS[:2]]


def test_agreement_and_flags_are_told():
    tracks = walkers(6)
    assert all(one["agreement"] is None for one in build(tracks)["people"])
    agreement = torch.linspace(0, 1, tracks.agreement.numel()).reshape(tracks.agreement.shape)
    agreement[0, 3] = torch.nan
    flags = torch.zeros_like(tracks.flags)
    flags[1] = int(Flag.SWAPPED_SIDES | Flag.SWAPPED_PEOPLE)
    told = build(tracks.with_(agreement=agreement, flags=flags))
    first = told["people"][0]
    flags, agreed = unpack(first["flags"], 1), unpack(first["agreement"], 100)
    assert len(agreed) == len(flags) * len(tracks.skeleton)
    assert np.flatnonzero(np.isnan(agreed)).tolist() == [3]
    assert flags[:3].tolist() == [0, 24, 0]
    assert told["flags"]["8"] == Flag.SWAPPED_SIDES.meaning
