"""A run's memory does not grow with the length of the video."""

import json
import subprocess
import sys
from pathlib import Path

import av
import pytest

from dyad.export.video import clip_writer
from dyad.synthetic.demo import demo_clip

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform == "win32", reason="peak memory of a process is not asked for here"),
]

DRAWN, SHORT, LONG = 4, 20, 300  # s
LIMIT = 1.5e9
MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"status": done.returncode, "peak": peak, "told": done.stdout.splitlines()[-1:]}))
"""


def _repeated(source: Path, target: Path, times: int) -> Path:
    """The packets of a clip again and again, each round later by the clip's length."""
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(source)) as clip:
                stream = stream or out.add_stream_from_template(clip.streams.video[0])
                end = 0
                for packet in clip.demux(clip.streams.video[0]):
                    if packet.dts is not None:
                        end = max(end, packet.pts + packet.duration)
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        out.mux(packet)
                shift += end
    return target


def _run(video: Path, output: Path) -> dict:
    command = [
        "-c",
        "from dyad.cli import main; main()",
        "run",
        str(video),
        "-o",
        str(output),
        "--key-interval",
        "5",
        "--json",
    ]
    words = [sys.executable, "-c", MEASURE, sys.executable, *command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["status"] == 0, done.stderr
    return result | {"told": json.loads(result["told"][0])}


def test_five_minutes_take_the_memory_of_twenty_seconds(tmp_path: Path, blazepose_folder: Path) -> None:
    clip = demo_clip(0, size=(1280, 720), seconds=DRAWN, people=2)
    with clip_writer(tmp_path / "drawn.mp4", quality=20) as writer:
        for chunk in clip.video.chunks(4):
            for image, time in zip(chunk.images, chunk.times.tolist(), strict=True):
                writer.write(image, time)
    peaks = {}
    for seconds in (SHORT, LONG):
        video = _repeated(tmp_path / "drawn.mp4", tmp_path / f"{seconds}.mp4", seconds // DRAWN)
        result = _run(video, tmp_path / f"out{seconds}")
        assert result["told"]["video"]["frames"] == 25 * seconds
        assert result["told"]["people"] >= 2
        peaks[seconds] = result["peak"]
    assert max(peaks.values()) < LIMIT, peaks
    assert abs(peaks[LONG] - peaks[SHORT]) < 0.1 * peaks[SHORT], peaks
