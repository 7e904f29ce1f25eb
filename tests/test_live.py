"""A source whose frames come once: taken evenly, times real, what is dropped is counted, and it ends when told."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

import dyad
from dyad.cli import main
from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.live import Arrival, LiveSource, arrivals, is_live
from tests.core.test_video import ramp
from tests.standin import StandIn

DETECTOR = f"{Path(__file__).with_name('standin.py')}:StandIn"
STEP = 0.02


def camera(count: int | None, *, step: float = STEP, began: float = 100.0) -> Iterator[Arrival]:
    """So many frames, by a clock that does not start at 0; each grey says its number."""
    start, k = time.monotonic(), 0
    while count is None or k < count:
        time.sleep(max(0.0, start + k * step - time.monotonic()))
        yield began + k * step, lambda k=k: ramp(k % 200)
        k += 1


def test_a_quick_reader_gets_every_frame_at_its_time(tmp_path) -> None:
    source = LiveSource(lambda: camera(15, step=0.1), tmp_path / "recording.mp4")
    video = Video(source)
    assert video.live
    images = [image.copy() for chunk in video.chunks(1) for image in chunk.images]
    assert not video.live
    assert source.dropped == 0
    assert video.fps == pytest.approx(10, rel=1e-3)
    np.testing.assert_allclose(video.times, 0.1 * np.arange(15), atol=1e-6)
    again = Video(tmp_path / "recording.mp4")
    np.testing.assert_allclose(again.times, video.times, atol=1e-4)
    assert np.abs(video[7].astype(int) - images[7]).mean() < 6


def test_a_slow_reader_gets_them_evenly_and_is_told_what_was_dropped(tmp_path) -> None:
    source = LiveSource(lambda: camera(None), tmp_path / "recording.mp4", seconds=4.0)
    times = []
    for chunk in Video(source).chunks(5):
        times += chunk.times.tolist()
        # Five frames at once, as a detector reads them: a tenth of a second for each.
        time.sleep(0.5)
    late = np.diff([t for t in times if t > 2])
    assert source.dropped > 0
    assert len(times) + source.dropped == source._seen
    assert len(times) < 0.6 * source._seen
    assert late.max() < 6 * np.median(late)
    assert f"{source.dropped} were dropped" in source.told


def test_it_ends_when_told_and_without_frames_it_says_so(tmp_path) -> None:
    source = LiveSource(lambda: camera(None), tmp_path / "a.mp4")
    threading.Timer(0.5, source.stop).start()
    assert 1 < sum(len(chunk.indices) for chunk in Video(source).chunks(1)) < 60
    with pytest.raises(BadInput, match="no frame comes"):
        LiveSource(lambda: camera(0), tmp_path / "b.mp4")
    with pytest.raises(BadUsage, match="--seconds"):
        LiveSource(lambda: camera(1), tmp_path / "b.mp4", seconds=0)


def test_a_run_on_it_has_real_times_and_a_page(tmp_path) -> None:
    source = LiveSource(lambda: camera(None), tmp_path / "recording.mp4", seconds=1.0)
    result = dyad.run(source, tmp_path, detector=StandIn())
    frames = len(result.tracks.frames)
    assert result.tracks.times[-1] < 1.0
    assert len(result.tracks.people) == 2
    assert any("frames were taken" in note for note in result.notes)
    assert len(Video(tmp_path / "overlay.mp4")) == frames
    again = LiveSource(lambda: camera(None), tmp_path / "recording.mp4", seconds=1.0)
    with pytest.raises(BadUsage, match="--resume"):
        dyad.run(again, tmp_path, detector=StandIn(), resume=True)


@pytest.mark.parametrize("ending", ["seconds", "interrupt"])
def test_from_the_command_line(tmp_path, monkeypatch, capfd, ending) -> None:
    monkeypatch.setattr("dyad.live.arrivals", lambda name: lambda: camera(None))
    words = ["run", "0", "-o", str(tmp_path), "--detector", DETECTOR, "--json"]
    if ending == "seconds":
        words += ["--seconds", "1"]
    else:
        threading.Timer(4.0, lambda: signal.raise_signal(signal.SIGINT)).start()
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    out, err = capfd.readouterr()
    facts = json.loads(out.splitlines()[-1])
    assert facts["video"]["frames"] == len(Tracks.load(tmp_path).frames) > 5
    assert "frames were taken" in err
    assert ("No more frames are taken" in err) == (ending == "interrupt")
    assert (tmp_path / "recording.mp4").is_file()


def test_names_of_cameras_and_streams() -> None:
    assert all(map(is_live, ("0", "12", "rtsp://camera/stream", "UDP://239.0.0.1:1234")))
    assert not any(map(is_live, ("clip.mp4", "0.mp4", "https://somewhere/clip.mp4", "folder/0")))


def test_a_stream_over_the_network_is_read_as_it_comes(tmp_path) -> None:
    """A file sent in real time, over this machine's own network."""
    address, done = f"udp://127.0.0.1:{41000 + os.getpid() % 9000}", threading.Event()

    def send() -> None:
        with av.open(address, "w", format="mpegts") as out:
            stream = out.add_stream("libx264", rate=20, options={"tune": "zerolatency", "g": "5"})
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            k, start = 0, time.monotonic()
            while not done.is_set():
                time.sleep(max(0.0, start + k / 20 - time.monotonic()))
                out.mux(stream.encode(av.VideoFrame.from_ndarray(ramp(k % 200), format="rgb24")))
                k += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        source = LiveSource(arrivals(address), tmp_path / "recording.mp4", seconds=2.0)
        times = [time for chunk in Video(source).chunks(2) for time in chunk.times.tolist()]
    finally:
        done.set()
        sender.join()
    assert source.size == (64, 48)
    assert 5 < len(times) <= 41
    np.testing.assert_allclose(np.diff(times) * 20, np.rint(np.diff(times) * 20), atol=1e-3)
