"""How fast each stage and the whole are, and how much memory a run takes, on a drawn 720p clip."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from dyad.bench.machine import machine
from dyad.bench.plain import plain
from dyad.core.detections import Detections
from dyad.core.errors import BadUsage
from dyad.core.protocols import Lifter, Tracker
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.export.video import clip_writer
from dyad.models.blazepose import Region
from dyad.stages.detection import BlazePose
from dyad.synthetic.demo import demo_scene

SIZE = (1280, 720)
_PAGE_SIDE = 960

# Reports the peak resident memory in bytes of the command that is its arguments; ru_maxrss is in bytes on macOS.
_PEAK = """
import json, resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"status": status, "peak": peak * (1 if sys.platform == "darwin" else 1024)}))
"""


def bench_speed(
    *,
    run: Callable[[Path, Path], Any],
    program: Sequence[str],
    overlay: Callable[[Path, Tracks], AbstractContextManager[Any]],
    detector: BlazePose,
    tracker: Tracker,
    lifter: Lifter,
    people: int = 2,
    seconds: float = 8.0,
    size: tuple[int, int] = SIZE,
    repeats: int = 3,
) -> dict[str, Any]:
    """Time every stage on a clip of `dyad.synthetic.demo`, drawn and written before any clock starts.

    Args:
        run: the whole run from a video to a folder, as in `dyad run`.
        program: the same as a command line up to VIDEO -o OUT, for the process whose memory is measured.
        overlay: opens the writer of overlays, as `dyad.viewer.overlay.overlay_writer`.
        detector, tracker, lifter: what is timed stage by stage.
        people, seconds, size: of the clip.
        repeats: how often each stage is timed after a first time that does not count.

    Returns:
        `stages`: medians in ms of wall and of processor time, each per the unit that its name says; `whole`: frames
        per second and ms of processor time per frame; `peak_memory_mb`: of a fresh process, None where it cannot be
        asked; `machine`: what it ran on. Processor time counts all threads and shows where a busy machine is to blame.
    """
    if repeats < 1:
        raise BadUsage(f"speed is measured at least once, got {repeats} repeats")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "clip.mp4"
        _draw(path, people, seconds, size)
        clock = _Clock(repeats)
        found, tracks = _time_stages(clock, path, detector, tracker, lifter)
        _time_writing(clock, path, folder, tracks, overlay)
        frames = len(tracks.frames)
        whole = clock(lambda: run(path, folder / "whole"), warm=False, repeats=1)
        return plain(
            {
                "clip": {"size": list(size), "frames": frames, "people": people, "people_tracked": len(tracks.people)},
                "detections": sum(len(one) for one in found),
                "stages": {stage: {unit: round(v, 3) for unit, v in ms.items()} for stage, ms in clock.stages.items()},
                "whole": {
                    "frames_per_second": round(1000 * frames / whole["wall_ms"], 3),
                    "cpu_ms_per_frame": round(whole["cpu_ms"] / frames, 3),
                },
                "peak_memory_mb": _peak_memory([*program, str(path), "-o", str(folder / "fresh")]),
                "machine": machine(detector.read.device),
            }
        )


class _Clock:
    """Medians of repeated timings, by stage."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.stages: dict[str, dict[str, float]] = {}

    def __call__(
        self, work: Callable[[], Any], *, units: int = 1, name: str | None = None, warm: bool = True, repeats: int = 0
    ) -> dict[str, float]:
        if warm:
            work()
        walls, cpus = [], []
        for _ in range(repeats or self.repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        each = 1000 / max(1, units)
        result = {"wall_ms": each * statistics.median(walls), "cpu_ms": each * statistics.median(cpus)}
        if name is not None:
            self.stages[name] = result
        return result


def _draw(path: Path, people: int, seconds: float, size: tuple[int, int]) -> None:
    scene = demo_scene(size=size, seconds=seconds, people=people, threads=torch.get_num_threads())
    with clip_writer(path, quality=18) as writer:
        for frame, moment in enumerate(scene.times.tolist()):
            writer.write(scene.image(frame), moment)


def _time_stages(
    clock: _Clock, path: Path, detector: BlazePose, tracker: Tracker, lifter: Lifter
) -> tuple[list[Detections], Tracks]:
    frames = len(Video(path))
    clock(lambda: [None for _ in Video(path).chunks(8)], units=frames, name="decode_per_frame")
    image = torch.from_numpy(Video(path)[frames // 2]).permute(2, 0, 1)
    clock(lambda: detector.propose(image), name="propose_per_key_frame")
    # Any two regions of usual size cost what two people cost.
    width, height = image.shape[-1], image.shape[-2]
    centre = torch.tensor(((0.35 * width, 0.5 * height), (0.65 * width, 0.5 * height)))
    region = Region(centre, torch.full((2,), 0.8 * height), torch.zeros(2))
    both = torch.zeros(2, dtype=torch.int64)
    clock(lambda: detector.read(image[None], both, region), units=2, name="landmarks_per_person")
    found: list[Detections] = []

    def detect() -> None:
        found[:] = detector(Video(path))

    clock(detect, units=frames, name="detect_per_frame", warm=False)
    video = Video(path)
    clock(lambda: tracker(found, video), units=frames, name="track_per_frame")
    tracks = tracker(found, video)
    clock(lambda: lifter(tracks), units=frames, name="lift_per_frame")
    return found, lifter(tracks)


def _time_writing(
    clock: _Clock,
    path: Path,
    folder: Path,
    tracks: Tracks,
    overlay: Callable[[Path, Tracks], AbstractContextManager[Any]],
) -> None:
    video = Video(path)
    images, times = video[: min(len(video), 50)], video.times.tolist()

    def write() -> None:
        with (
            overlay(folder / "overlay.mp4", tracks) as painter,
            clip_writer(folder / "copy.mp4", longest=_PAGE_SIDE, quality=26) as copy,
        ):
            for position, image in enumerate(images):
                copy.write(image, times[position])
                painter.write(image, int(tracks.frames[position]), times[position])

    clock(write, units=len(images), name="write_per_frame")


def _peak_memory(command: Sequence[str]) -> int | None:
    """MB that a command took at its peak; None where the system does not count it, or the command failed."""
    if sys.platform == "win32":
        return None
    done = subprocess.run([sys.executable, "-c", _PEAK, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    told = json.loads(done.stdout.splitlines()[-1])
    return None if told["status"] else round(told["peak"] / 1e6)
