import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.viewer.comparing import compare_runs
from dyad.viewer.finished import embedded_video, finished
from dyad.viewer.gallery import runs_below, write_gallery
from dyad.viewer.report import write_report
from dyad.viewer.thumbnail import WIDTH, best_frame, thumbnail

from .walkers import film, walkers

NASTY = "<img src=x onerror=alert(1)> & 'q\" #1 {{cards}}"


def a_run(folder: Path, *, notes: list[str] | None = None, name: str = "clip.mp4", page: bool = True) -> Path:
    folder.mkdir(parents=True)
    tracks = walkers(12, size=(320, 180), name=name)
    tracks.save(folder / "tracks.npz")
    account = {"schema": "dyad-run/1", "notes": notes or [], "options": {"height": 1.7}}
    (folder / "run.json").write_text(json.dumps(account))
    if page:
        clip = film(folder / "clip.mp4", tracks)
        shutil.copy(clip, folder / "overlay.mp4")
        write_report(folder / "report.html", tracks, video=clip, run=account, notes=notes)
        clip.unlink()
    return folder


def decoded(picture: bytes) -> np.ndarray:
    with av.open(io.BytesIO(picture)) as held:
        return next(held.decode(video=0)).to_ndarray(format="rgb24")


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.pictures: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        held = dict(attrs)
        if tag == "a":
            self.links.append(held["href"])
        if tag == "img":
            self.pictures.append(held["src"])

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    a_run(tmp_path / "runs" / "b" / NASTY, notes=[f"Moving {NASTY}"], name=NASTY)
    a_run(tmp_path / "runs" / "a")
    a_run(tmp_path / "runs" / "bare", page=False)
    a_run(tmp_path / "runs" / ".hidden", page=False)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "tracks.npz").write_bytes(b"PK junk")
    return tmp_path / "runs"


def test_every_run_is_there_with_picture_facts_and_link(folder):
    page, entries = write_gallery(folder)
    assert page == folder / "index.html"
    assert [entry.name for entry in entries] == ["a", f"b/{NASTY}", "bare", "broken"]
    shown = Links(page.read_text(encoding="utf-8"))
    assert set(shown.links) == {"./a/report.html", shown.links[-1]}
    from urllib.parse import unquote

    assert all((page.parent / unquote(link)).is_file() for link in shown.links)
    assert len(shown.pictures) == 3
    for picture in shown.pictures:
        assert decoded(base64.b64decode(picture.removeprefix("data:image/jpeg;base64,"))).shape == (180, 320, 3)
    assert "3 runs · 6 people" in shown.text
    assert "1 cannot be read" in shown.text
    assert "is not a tracks file" in shown.text


def test_names_cannot_become_markup_and_nothing_runs(folder):
    page, _ = write_gallery(folder)
    text = page.read_text(encoding="utf-8")
    shown = Links(text)
    assert f"Moving {NASTY}" in shown.text
    assert f"b/{NASTY}" in shown.text
    assert shown.tags.count("img") == 3
    assert "script" not in shown.tags
    assert not re.search(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', text))
    assert "default-src 'none'" in text


def test_the_page_may_lie_elsewhere(folder, tmp_path):
    page, _ = write_gallery(folder, tmp_path / "out" / "list.html")
    assert "./../runs/a/report.html" in Links(page.read_text(encoding="utf-8")).links


def test_no_runs(tmp_path):
    with pytest.raises(BadInput, match="there is no run in"):
        write_gallery(tmp_path)
    with pytest.raises(BadInput, match="there is no run in"):
        write_gallery(tmp_path / "none")
    deep = tmp_path / "1" / "2" / "3" / "4" / "5"
    a_run(deep, page=False)
    assert runs_below(tmp_path) == []
    assert runs_below(tmp_path / "1") == [deep]


def test_the_picture_is_of_the_frame_with_most_people(tmp_path):
    tracks = walkers(40)
    place = best_frame(tracks)
    there = (tracks.frame == tracks.frames[place]).sum()
    assert there == 2
    assert not tracks.filled[tracks.frame == tracks.frames[place]].any()
    picture = decoded(thumbnail(tracks))
    assert picture.shape[1] == WIDTH
    assert np.ptp(picture.reshape(-1, 3), axis=0).max() > 100  # people are drawn
    clip = film(tmp_path / "a.mp4", tracks)
    filmed = decoded(thumbnail(tracks, clip))
    assert filmed[20:60, :].mean() > 150  # the sky of the film
    (tmp_path / "bad.mp4").write_bytes(b"junk")
    assert np.array_equal(decoded(thumbnail(tracks, tmp_path / "bad.mp4")), picture)


def test_the_clip_comes_out_of_the_page_as_it_went_in(tmp_path):
    run = a_run(tmp_path / "run")
    clip = film(tmp_path / "again.mp4", walkers(12, size=(320, 180)))
    assert embedded_video(run / "report.html") == clip.read_bytes()
    with finished(run).clip() as found:
        assert found is not None
        assert found.read_bytes() == clip.read_bytes()
    assert not found.exists()
    (run / "video.mp4").write_bytes(b"beside")
    with finished(run / "tracks.npz").clip() as found:
        assert found == run / "video.mp4"
    with finished(a_run(tmp_path / "bare", page=False)).clip() as found:
        assert found is None
    (tmp_path / "odd.html").write_text('<script type="text/plain" id="video-data">no base64!</script>')
    assert embedded_video(tmp_path / "odd.html") == b""
    assert embedded_video(tmp_path / "none.html") == b""


@pytest.mark.parametrize("content", ["[1]", "{", '"a"', "\x00", "[" * 100_000])
def test_an_account_that_is_none_is_told(tmp_path, content):
    run = a_run(tmp_path / "run", page=False)
    (run / "run.json").write_text(content)
    with pytest.raises(BadInput, match="not the account of a run"):
        finished(run)
    _, (entry,) = write_gallery(tmp_path)
    assert "not the account" in entry.fault


def test_two_runs_become_a_page(tmp_path):
    a, b = a_run(tmp_path / "a" / "out"), a_run(tmp_path / "b" / "out", page=False)
    found = compare_runs(a, b, tmp_path / "c.html")
    assert found.distance == 0
    text = (tmp_path / "c.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert [side["name"] for side in data["comparison"]["sides"]] == ["a/out", "b/out"]
    assert data["video"]["embedded"]
    assert data["notes"] == []
    assert [(one["name"], one["partner"]) for one in data["people"]] == [("A1", 1), ("B1", 0), ("A2", 3), ("B2", 2)]
    assert len({one["colour"] for one in data["people"]}) == 2
    # The clip of the second serves where the first has none.
    compare_runs(b, a, tmp_path / "d.html", names=("x", "<b>"))
    assert 'class="embedded' not in text
    assert embedded_video(tmp_path / "d.html") == embedded_video(a / "report.html")
    assert "<title>x and &lt;b&gt; · Dyad</title>" in (tmp_path / "d.html").read_text(encoding="utf-8")


def test_what_may_mislead_is_said(tmp_path):
    tracks = walkers(12, size=(320, 180))
    tracks.save(tmp_path / "a.npz")
    from dyad.core.camera import Camera

    other = tracks.with_(camera=Camera.from_focal((320, 180), 500.0), video="other.mp4")
    other[other.frame < 6].with_(frames=other.frames[:6], times=other.times[:6]).save(tmp_path / "b.npz")
    compare_runs(tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text(encoding="utf-8")
    notes = " ".join(json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])["notes"])
    for part in ("different videos", "different focal lengths, 288 and 500 px", "Only 6 of the 12 frames"):
        assert part in notes
