"""A run that is watched: frames come while it works, the result is that of a run, and whoever leaves ends it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import dyad
from dyad.core.errors import BadInput
from dyad.stages.oracle import Noise, OracleDetector
from dyad.synthetic.demo import demo_clip

CLIP = demo_clip(1, size=(128, 96), seconds=1.0, fps=10, people=2)
DETECTOR = OracleDetector(CLIP.truth, Noise.mild(), seed=3)


def test_frames_come_and_then_the_result_of_a_run() -> None:
    stages: list[str] = []
    with dyad.stream(CLIP.video, detector=DETECTOR, on_stage=lambda name, _: stages.append(name)) as stream:
        found = list(stream)
        result = stream.result
    plain = dyad.run(CLIP.video, detector=DETECTOR)
    assert [one.frame for one in found] == list(range(10))
    assert torch.equal(result.tracks.xyz, plain.tracks.xyz)
    assert stages == ["track", "lift"]
    # Final: what was seen in a frame is what the tracks say of it.
    row = int(torch.nonzero(~result.tracks.filled)[0])
    seen = found[int(result.tracks.frame[row])].convert(result.tracks.skeleton)
    assert float((seen.boxes - result.tracks.box[row]).abs().amax(-1).min()) < 1e-3


class Slow:
    """Yields a frame for each permission."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.made = 0

    def __call__(self, video: dyad.Video, prior: dyad.Tracks | None = None) -> Iterator[dyad.Detections]:
        for found in DETECTOR(video):
            assert self.may.acquire(timeout=20)
            self.made += 1
            yield found


def test_a_frame_arrives_before_the_next_is_made() -> None:
    slow = Slow()
    with dyad.stream(CLIP.video, detector=slow) as stream:
        frames = iter(stream)
        for count in (1, 2, 3):
            slow.may.release()
            assert next(frames).frame == count - 1
            assert slow.made == count
        slow.may.release(100)


def test_leaving_early_ends_the_run(tmp_path: Path) -> None:
    slow = Slow()
    with dyad.stream(CLIP.video, tmp_path / "out", detector=slow) as stream:
        slow.may.release(100)
        first = next(iter(stream))
    assert first.frame == 0
    assert not stream._thread.is_alive()
    # A short clip may have been found whole before we left; it was not written.
    assert not (tmp_path / "out" / "run.json").exists()
    with pytest.raises(RuntimeError, match="closed"):
        _ = stream.result


def test_the_result_may_be_asked_for_at_once() -> None:
    assert len(dyad.stream(CLIP.video, detector=DETECTOR).result.tracks) > 0


def test_errors_arrive_where_one_waits(tmp_path: Path) -> None:
    stream = dyad.stream(tmp_path / "none.mp4")
    with pytest.raises(BadInput, match=r"none\.mp4"):
        list(stream)


def test_more_frames_than_wait_at_a_time() -> None:
    frames = np.zeros((150, 8, 8, 3), np.uint8)
    seen: list[int] = []
    empty = OracleDetector(CLIP.truth[torch.arange(0)])
    with dyad.stream(frames, detector=empty, on_frame=lambda one: seen.append(one.frame)) as stream:
        assert [one.frame for one in stream] == seen == list(range(150))


def test_a_callback_that_raises_ends_the_run() -> None:
    def stop(name: str, tracks: dyad.Tracks) -> None:
        assert not torch.isfinite(tracks.sigma).any() or name == "lift"
        raise KeyError(name)

    with pytest.raises(KeyError, match="track"):
        dyad.run(CLIP.video, detector=DETECTOR, on_stage=stop)
